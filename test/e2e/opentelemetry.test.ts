import { OTLPMetricExporter as GrpcExporter } from '@opentelemetry/exporter-metrics-otlp-grpc';
import {
  AggregationTemporalityPreference,
  OTLPMetricExporter as JsonExporter,
} from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as ProtobufExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { metrics, resources } from '@opentelemetry/sdk-node';
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { readSelector } from '../../src/definitions/selector.ts';
import type { Selector, Slo } from '../../src/engine/slo.ts';
import type { SloState } from '../../src/engine/state.ts';
import { type Service, startService } from '../../src/service.ts';
import { NOTHING_TO_READ, TEST_CONFIG } from '../api/server.ts';
import { anSlo } from '../support/slo.ts';
import { temporaryFolder, until } from './processes.ts';

/** The exporters of the real OpenTelemetry SDK, each in both temporalities, against a service as `serve` runs it. */

const WAYS = ['http/protobuf', 'http/json', 'grpc'] as const;
type Way = (typeof WAYS)[number];

function selector(text: string): Selector {
  const read = readSelector(text);
  if ('message' in read) throw new Error(read.message);
  return read;
}

/** The SLOs of one sender, by the names that OpenTelemetry has for its metrics. */
function slosOf(job: string): Slo[] {
  const of = (metric: string, more = ''): Selector => selector(`{"${metric}", job="${job}"${more}}`);
  const latency = (name: string, metric: string, thresholdSeconds: number): Slo =>
    anSlo({
      id: `${job}/${name}`,
      service: job,
      name,
      sli: { kind: 'latency', histogram: of(metric), thresholdSeconds },
    });
  const failed = of('http.server.requests', ', "http.response.status_code"=~"5.."');
  return [
    anSlo({
      id: `${job}/availability`,
      service: job,
      sli: { kind: 'events', total: [of('http.server.requests')], given: 'bad', selectors: [failed] },
    }),
    latency('latency', 'http.server.request.duration', 0.2),
    latency('work', 'work.duration', 1),
  ];
}

async function serve(slos: readonly Slo[]): Promise<Service> {
  const address = { host: '127.0.0.1', port: 0 };
  const service = await startService({
    config: {
      ...TEST_CONFIG,
      dataDir: temporaryFolder(),
      settleMs: 100,
      otlp: { http: address, grpc: address, promoteResourceAttributes: [] },
    },
    slos,
    reread: () => NOTHING_TO_READ,
    logger: pino({ level: 'silent' }),
    clock: () => Date.now(),
    version: '1.2.3',
  });
  onTestFinished(() => service.close());
  return service;
}

function exporterOf(way: Way, isDelta: boolean, { otlp }: Service): metrics.PushMetricExporter {
  const temporalityPreference = isDelta
    ? AggregationTemporalityPreference.DELTA
    : AggregationTemporalityPreference.CUMULATIVE;
  const compression = isDelta ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE;
  const options = { temporalityPreference, compression };
  if (way === 'grpc') return new GrpcExporter({ ...options, url: `http://127.0.0.1:${otlp.grpcPort}` });
  const url = `http://127.0.0.1:${otlp.httpPort}/v1/metrics`;
  return way === 'http/json' ? new JsonExporter({ ...options, url }) : new ProtobufExporter({ ...options, url });
}

/** An application that counts and times what it does, and remembers the truth. */
class Sender {
  readonly job: string;
  readonly truth = { availability: [0, 0], latency: [0, 0], work: [0, 0] };
  readonly #provider: metrics.MeterProvider;
  readonly #requests;
  readonly #duration;
  readonly #work;

  constructor(job: string, exporter: metrics.PushMetricExporter) {
    this.job = job;
    this.#provider = new metrics.MeterProvider({
      resource: resources.resourceFromAttributes({ 'service.name': job, 'service.instance.id': 'one' }),
      readers: [new metrics.PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
      views: [
        {
          instrumentName: 'work.duration',
          aggregation: { type: metrics.AggregationType.EXPONENTIAL_HISTOGRAM },
        },
      ],
    });
    const meter = this.#provider.getMeter('shop', '1.0');
    meter.createObservableGauge('up').addCallback((result) => result.observe(1));
    this.#requests = meter.createCounter('http.server.requests', { unit: '{request}' });
    this.#duration = meter.createHistogram('http.server.request.duration', {
      unit: 's',
      advice: { explicitBucketBoundaries: [0.05, 0.1, 0.2, 0.5, 1] },
    });
    this.#work = meter.createHistogram('work.duration', { unit: 's' });
  }

  request(code: number, seconds: number): void {
    this.#requests.add(1, { 'http.response.status_code': code, 'http.request.method': 'GET' });
    this.truth.availability[code >= 500 ? 1 : 0]!++;
    this.#duration.record(seconds, { 'http.route': '/' });
    this.truth.latency[seconds <= 0.2 ? 0 : 1]!++;
    this.#work.record(seconds * 8);
    this.truth.work[seconds * 8 <= 1 ? 0 : 1]!++;
  }

  flush(): Promise<void> {
    return this.#provider.forceFlush();
  }

  end(): Promise<void> {
    return this.#provider.shutdown();
  }
}

for (const isDelta of [false, true]) {
  test(`what the OpenTelemetry SDK sends as ${isDelta ? 'deltas' : 'cumulative values'} is counted exactly`, async () => {
    const jobs = WAYS.map((way) => way.replace('/', '-'));
    const service = await serve(jobs.flatMap(slosOf));
    const senders = WAYS.map((way, i) => new Sender(jobs[i]!, exporterOf(way, isDelta, service)));
    const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
    const flush = async (): Promise<void> => {
      await Promise.all(senders.map((sender) => sender.flush()));
      // Exports of one stream need times of their own.
      await pause();
    };
    // The target is heard before its first request, so that every counter is born while it is being received.
    await flush();
    await flush();
    let seed = 1;
    const random = (): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    for (let round = 0; round < 6; round++) {
      for (const sender of senders) {
        // The last round has nothing to tell.
        for (let i = 0; i < 40 * (5 - round); i++)
          sender.request(random() < 0.1 ? 503 : 200, 0.01 * 2 ** (6 * random()));
      }
      await flush();
    }
    for (const { job, truth } of senders) {
      for (const [name, [good, bad]] of Object.entries(truth)) {
        await until(`${job}/${name} to be ${good} good and ${bad} bad`, async () => {
          const response = await fetch(`${service.url}/api/v1/slos/${job}/${name}`);
          const { events, approximate } = (await response.json()) as SloState;
          expect(approximate).toBeUndefined();
          if (events.good === good && events.bad === bad) return true;
          throw new Error(JSON.stringify(events));
        });
      }
    }
    await Promise.all(senders.map((sender) => sender.end()));
  }, 60_000);
}
