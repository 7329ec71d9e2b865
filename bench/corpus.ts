import type { RemoteWriteProtocol } from '../src/ingest/content-type.ts';
import { encodeRequest2 } from '../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../src/ingest/remote-write-schema.ts';

/**
 * What a Prometheus that scrapes HTTP services sends: seeded, so that two runs and two revisions read the same bytes.
 *
 * 218 series a target: request counters by handler, method and code, latency histograms by handler, and the gauges
 * every process has. Ten labels, some 270 label bytes. A request holds 2,000 samples, in the order in which the
 * targets were scraped; each target has its own offset in the round, with a jitter that now and then swaps
 * neighbours. In each round 0.2 % of the targets restart.
 */

export interface CorpusOptions {
  readonly series: number;
  readonly rounds: number;
  readonly samplesPerRequest?: number;
  readonly roundSeconds?: number;
  readonly seed?: number;
  readonly startMs?: number;
  readonly protocol?: RemoteWriteProtocol;
}

export interface Corpus {
  readonly seriesCount: number;
  /** By round: its requests, compressed. */
  readonly rounds: readonly (readonly Uint8Array[])[];
  readonly samplesPerRound: number;
  /** All rounds. */
  readonly rawBytes: number;
  readonly compressedBytes: number;
}

/** Mulberry32. */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

type Labels = [name: string, value: string][];

interface Counter {
  readonly labels: Labels;
  value: number;
  /** Mean increase a round; 0 for a gauge. */
  readonly rate: number;
}

interface Target {
  readonly series: Counter[];
  readonly offsetMs: number;
}

export const HANDLERS = [
  '/api/v1/orders',
  '/api/v1/carts',
  '/api/v1/users/:id',
  '/api/v1/search',
  '/login',
  '/healthz',
];
const METHODS_AND_CODES = [
  ['GET', '200'],
  ['GET', '404'],
  ['GET', '500'],
  ['POST', '201'],
  ['POST', '400'],
  ['POST', '503'],
] as const;
const BUCKETS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '30', '60', '+Inf'];
const METHODS = ['GET', 'POST'] as const;
const PROCESS = [
  'go_goroutines',
  'go_threads',
  'go_gc_duration_seconds_count',
  'go_gc_duration_seconds_sum',
  'go_memstats_alloc_bytes',
  'go_memstats_heap_inuse_bytes',
  'go_memstats_heap_objects',
  'go_memstats_stack_inuse_bytes',
  'process_cpu_seconds_total',
  'process_max_fds',
  'process_open_fds',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
  'process_virtual_memory_bytes',
];
/** 6 handlers x (6 counters + 2 methods x 14 buckets) + 14. */
export const SERIES_PER_TARGET = 218;

function target(index: number, next: () => number): Target {
  const service = `service-${Math.floor(index / 12)}`;
  const pod = `${service}-${Math.floor(next() * 0xfffffff).toString(36)}-${Math.floor(next() * 0xfffff).toString(36)}`;
  const common: Labels = [
    ['cluster', `production-eu-west-${1 + (index % 3)}`],
    ['instance', `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}:8080`],
    ['job', `kubernetes-pods/${service}`],
    ['namespace', `team-${Math.floor(index / 48)}-production`],
    ['pod', pod],
    ['service', service],
  ];
  const labels = (name: string, own: Labels): Labels =>
    [['__name__', name] as [string, string], ...common, ...own].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  const series: Counter[] = [];
  for (const handler of HANDLERS) {
    for (const [method, code] of METHODS_AND_CODES) {
      const failing = code >= '400';
      const rate = failing && next() < 0.7 ? 0 : next() * (failing ? 2 : 300);
      const own: Labels = [['code', code], ['handler', handler], ['method', method]]; // biome-ignore format: a row
      series.push({ labels: labels('http_requests_total', own), value: 0, rate });
    }
  }
  for (const handler of HANDLERS) {
    for (const method of METHODS) {
      for (const [i, le] of BUCKETS.entries()) {
        const own: Labels = [['handler', handler], ['le', le], ['method', method]]; // biome-ignore format: a row
        const rate = i < 2 ? 0 : i * 20 * next();
        series.push({ labels: labels('http_request_duration_seconds_bucket', own), value: 0, rate });
      }
    }
  }
  for (const name of PROCESS) series.push({ labels: labels(name, []), value: Math.floor(next() * 1e9), rate: 0 });
  for (const counter of series) {
    if (counter.rate > 0) counter.value = Math.floor(counter.rate * next() * 10_000);
  }
  return { series, offsetMs: Math.floor(next() * 15_000) };
}

/** As many targets as hold `series` series, cut to the number. */
export function corpus(options: CorpusOptions): Corpus {
  const {
    series,
    rounds,
    samplesPerRequest = 2_000,
    roundSeconds = 15,
    seed = 1,
    startMs = 1_767_225_600_000,
    protocol = 'rw1',
  } = options;
  const next = random(seed);
  const targets: Target[] = [];
  for (let left = series; left > 0; left -= SERIES_PER_TARGET) {
    const one = target(targets.length, next);
    one.series.length = Math.min(left, SERIES_PER_TARGET);
    targets.push(one);
  }
  let rawBytes = 0;
  let compressedBytes = 0;
  const requests: Uint8Array[][] = [];
  for (let round = 0; round < rounds; round++) {
    const scrapes = targets
      .map((one) => ({ one, timeMs: startMs + round * roundSeconds * 1_000 + one.offsetMs + Math.floor(next() * 8) }))
      .sort((a, b) => a.timeMs - b.timeMs);
    const bodies: Uint8Array[] = [];
    let pending: WireSeries[] = [];
    const flush = () => {
      const raw = protocol === 'rw1' ? encodeWriteRequest(pending) : encodeRequest2(pending);
      const body = compress(raw);
      rawBytes += raw.length;
      compressedBytes += body.length;
      bodies.push(body);
      pending = [];
    };
    for (const { one, timeMs } of scrapes) {
      const restarted = next() < 0.002;
      for (const counter of one.series) {
        if (restarted) counter.value = 0;
        if (counter.rate > 0) counter.value += Math.floor(counter.rate * 2 * next());
        pending.push({ labels: counter.labels, samples: [{ value: counter.value, timestampMs: timeMs }] });
        if (pending.length === samplesPerRequest) flush();
      }
    }
    if (pending.length > 0) flush();
    requests.push(bodies);
  }
  return { seriesCount: series, rounds: requests, samplesPerRound: series, rawBytes, compressedBytes };
}
