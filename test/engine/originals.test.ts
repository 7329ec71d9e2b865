import { expect, test } from 'vitest';
import { readSelector } from '../../src/definitions/selector.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Selector, Slo } from '../../src/engine/slo.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { bodyOf, counter, DELTA, nanos, point, request } from '../support/otlp.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** A series that OTLP brought can be selected by the names it had there as well as by those that Prometheus has for it. */

const T = MIDNIGHT_MS;

function selector(text: string): Selector {
  const read = readSelector(text);
  if ('message' in read) throw new Error(read.message);
  return read;
}

function events(total: string, bad: string): Slo {
  return anSlo({ sli: { kind: 'events', total: [selector(total)], given: 'bad', selectors: [selector(bad)] } });
}

/** A minute of requests, as deltas: 10 good ones and 3 bad ones. */
function requests(step = 0): object {
  const tMs = T + step * 60_000;
  const of = (code: bigint, value: number): object =>
    point(tMs, value, { 'http.response.status_code': code, 'cloud.region': 'eu' }, tMs - 60_000);
  return request([counter('http.server.requests', [of(200n, 10), of(503n, 3)], DELTA)]);
}

function send(engine: Engine, message: object, nowMs: number): void {
  engine.ingest(new OtlpReceiver({ resolver: engine }).read(bodyOf(message, 'protobuf'), 'protobuf').batch, nowMs);
}

test('a selector may name the metric and its attributes as OTLP or as Prometheus does', () => {
  const counted = (total: string, bad: string): number[] => {
    const slo = events(total, bad);
    const engine = new Engine([slo]);
    send(engine, requests(), T);
    const { good, bad: badEvents } = engine.state(slo.id, T + 10_000)!.events;
    return [good, badEvents];
  };
  const original = '{"http.server.requests"}';
  const translated = 'http_server_requests_total';
  const everything = [10, 3];
  expect(counted(original, '{"http.server.requests", "http.response.status_code"=~"5.."}')).toEqual(everything);
  expect(counted(original, '{"http.server.requests", http_response_status_code=~"5.."}')).toEqual(everything);
  expect(counted(translated, `${translated}{http_response_status_code=~"5.."}`)).toEqual(everything);
  expect(counted(original, `${translated}{"http.response.status_code"="503"}`)).toEqual(everything);
  expect(
    counted(
      '{"http.server.requests", "service.name"="api"}',
      `${translated}{job="api", http_response_status_code="503"}`,
    ),
  ).toEqual(everything);
  expect(
    counted('{__name__=~"http[.]server[.].+"}', '{"http.server.requests", "http.response.status_code"!~"2.."}'),
  ).toEqual(everything);
  expect(counted('{"http.server.requests_total"}', '{"http_server_requests"}')).toEqual([0, 0]);
  expect(counted('{"http.server.requests", "service.name"="other"}', '{"other"}')).toEqual([0, 0]);
});

test('a latency SLI may name its histogram as OTLP does', () => {
  const threshold = (name: string, thresholdSeconds: number): number[] => {
    const slo = anSlo({ sli: { kind: 'latency', histogram: selector(name), thresholdSeconds } });
    const engine = new Engine([slo]);
    const fields = { timeUnixNano: nanos(T), startTimeUnixNano: nanos(T - 60_000), count: '10', sum: 1 };
    const classic = { ...fields, bucketCounts: ['1', '4', '5'], explicitBounds: [0.1, 0.5] };
    const native = { ...fields, positive: { offset: -1, bucketCounts: ['7', '3'] } };
    send(
      engine,
      request([
        {
          name: 'http.server.request.duration',
          unit: 's',
          histogram: { aggregationTemporality: DELTA, dataPoints: [classic] },
        },
        {
          name: 'work.duration',
          unit: 's',
          exponentialHistogram: { aggregationTemporality: DELTA, dataPoints: [native] },
        },
      ]),
      T,
    );
    const state = engine.state(slo.id, T + 10_000)!;
    return [state.events.good, state.events.total];
  };
  expect(threshold('{"http.server.request.duration"}', 0.5)).toEqual([5, 10]);
  expect(threshold('{"http.server.request.duration"}', 0.1)).toEqual([1, 10]);
  expect(threshold('http_server_request_duration_seconds', 0.5)).toEqual([5, 10]);
  expect(threshold('{"work.duration"}', 1)).toEqual([7, 10]);
  expect(threshold('work_duration_seconds', 2)).toEqual([10, 10]);
});

test('groups may be named as OTLP or as Prometheus does', () => {
  for (const name of ['cloud.region', 'cloud_region']) {
    const slo = {
      ...events('{"http.server.requests"}', '{"http.server.requests", "http.response.status_code"=~"5.."}'),
      groupBy: [name],
    };
    const engine = new Engine([slo]);
    send(engine, requests(), T);
    expect(engine.states(T + 10_000).map(({ group }) => group)).toEqual([{ [name]: 'eu' }]);
  }
});

test('the original names survive a restart, for SLOs that are there and for new ones', () => {
  const slo = events('{"http.server.requests"}', '{"http.server.requests", "http.response.status_code"=~"5.."}');
  const engine = new Engine([slo]);
  send(engine, requests(0), T);
  const added = { ...slo, id: 'api/added', name: 'added' };
  const restored = new Engine([slo, added]);
  restored.restore(engine.snapshot(), T + 1_000);
  send(restored, requests(1), T + 60_000);
  const nowMs = T + 70_000;
  expect(restored.state(slo.id, nowMs)!.events).toEqual({ good: 20, bad: 6, total: 26 });
  expect(restored.state(added.id, nowMs)!.events).toEqual({ good: 10, bad: 3, total: 13 });
  expect(restored.seriesCount).toBe(2);
});

test('the labels alone say which series it is: remote write of the same ones continues it', () => {
  const slo = events('http_server_requests_total', 'http_server_requests_total{http_response_status_code="503"}');
  const engine = new Engine([slo]);
  const of = (value: number, tMs: number): object =>
    request([counter('http.server.requests', [point(tMs, value, { 'http.response.status_code': 200n })])]);
  send(engine, of(100, T), T);
  const labels: [string, string][] = [
    ['__name__', 'http_server_requests_total'],
    ['http_response_status_code', '200'],
    ['instance', 'a'],
    ['job', 'api'],
  ];
  const body = compress(encodeWriteRequest([{ labels, samples: [{ timestampMs: T + 10_000, value: 104 }] }]));
  engine.ingest(new RemoteWriteReceiver(engine).read(body, 'rw1').batch, T + 10_000);
  send(engine, of(109, T + 20_000), T + 20_000);
  expect(engine.seriesCount).toBe(1);
  expect(engine.state(slo.id, T + 30_000)!.events).toEqual({ good: 9, bad: 0, total: 9 });
});
