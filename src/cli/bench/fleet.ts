import { random } from './random.ts';

/**
 * The processes that a synthetic Prometheus scrapes: seeded, so that two runs and two revisions send the same.
 *
 * 218 series a target: request counters by handler, method and code, latency histograms by handler and method, and gauges
 * that every process has. Some ten labels and 270 label bytes a series. Twelve targets are a service. In each round 0.2 %
 * of the targets restart, and as many are replaced as `churn` says.
 */

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
const METHODS = ['GET', 'POST'] as const;
export const BUCKETS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf'];
/** The share of requests at or under each bound. */
const SHARES = [0, 0, 0.05, 0.2, 0.45, 0.8, 0.93, 0.97, 0.985, 0.995, 0.999, 1];
/** What counts as fast: at most a second. */
const FAST_BUCKET = BUCKETS.indexOf('1');
const MEAN_SECONDS = 0.17;
export const GAUGES = [
  'go_gc_heap_goal_bytes',
  'go_goroutines',
  'go_memstats_alloc_bytes',
  'go_memstats_heap_idle_bytes',
  'go_memstats_heap_inuse_bytes',
  'go_memstats_heap_objects',
  'go_memstats_next_gc_bytes',
  'go_memstats_stack_inuse_bytes',
  'go_threads',
  'process_max_fds',
  'process_open_fds',
  'process_resident_memory_bytes',
  'process_start_time_seconds',
  'process_virtual_memory_bytes',
];

/** One series of every target. */
export interface SeriesShape {
  readonly name: string;
  readonly code?: string;
  readonly handler?: string;
  readonly method?: string;
  readonly le?: string;
}

/** Series of a histogram: buckets, count, sum. */
export const HISTOGRAM_SERIES = BUCKETS.length + 2;

const REQUESTS = HANDLERS.length * METHODS_AND_CODES.length;
const HISTOGRAMS = HANDLERS.length * METHODS.length;
/** Where the histograms and the gauges of a target begin. */
export const FIRST_HISTOGRAM = REQUESTS;
export const FIRST_GAUGE = REQUESTS + HISTOGRAMS * HISTOGRAM_SERIES;

export const SHAPES: readonly SeriesShape[] = [
  ...HANDLERS.flatMap((handler) =>
    METHODS_AND_CODES.map(([method, code]) => ({ name: 'http_requests_total', code, handler, method })),
  ),
  ...HANDLERS.flatMap((handler) =>
    METHODS.flatMap((method) => [
      ...BUCKETS.map((le) => ({ name: 'http_request_duration_seconds_bucket', handler, le, method })),
      { name: 'http_request_duration_seconds_count', handler, method },
      { name: 'http_request_duration_seconds_sum', handler, method },
    ]),
  ),
  ...GAUGES.map((name) => ({ name })),
];
export const SERIES_PER_TARGET = SHAPES.length;
export const TARGETS_PER_SERVICE = 12;

/** What a service's handler counts: see `Fleet.counted`. */
export const COUNTED = { requests: 0, failed: 1, observed: 2, fast: 3 } as const;
const COUNTED_KINDS = 4;

const RESTARTS_A_ROUND = 0.002;
const ROUND_MS = 15_000;
/** Scrapes do not come to the millisecond. */
const JITTER_MS = 8;

export const JOB_NAMESPACE = 'slipstream-bench';

/** The service whose targets are scraped under the job `jobOf(service)`. */
export function serviceName(service: number): string {
  return `service-${service}`;
}

export function jobOf(service: number): string {
  return `${JOB_NAMESPACE}/${serviceName(service)}`;
}

/** What all series of a target have in common. */
export interface TargetLabels {
  readonly cluster: string;
  readonly instance: string;
  readonly namespace: string;
  readonly pod: string;
  readonly service: string;
}

export interface FleetOptions {
  /** Rounded up to whole targets. */
  readonly series: number;
  readonly seed: number;
  /** The share of targets that are replaced in a round: another pod at another address. */
  readonly churn?: number;
}

export class Fleet {
  readonly targetCount: number;
  readonly seriesCount: number;
  readonly serviceCount: number;
  /** By series: target * 218 + shape. */
  readonly values: Float64Array;
  /** By target, Unix milliseconds: its last scrape, and its start. */
  readonly timesMs: Float64Array;
  readonly startsMs: Float64Array;
  /** By target: how often it was replaced. */
  readonly generations: Uint32Array;
  /**
   * Events since `resetCounted`, by service, handler and kind: requests, failed ones, observed ones, fast ones. What a
   * target counted before its first scrape is not among them.
   */
  readonly counted: Float64Array;

  readonly #seed: number;
  readonly #churn: number;
  readonly #next: () => number;
  readonly #rounds: Int32Array;
  /** By target: mean requests a round of each counter, then of each histogram. */
  readonly #rates: Float32Array;
  readonly #offsetsMs: Float64Array;
  readonly #lagsMs: Float64Array;

  constructor({ series, seed, churn = 0 }: FleetOptions) {
    this.targetCount = Math.ceil(series / SERIES_PER_TARGET);
    this.seriesCount = this.targetCount * SERIES_PER_TARGET;
    this.serviceCount = Math.ceil(this.targetCount / TARGETS_PER_SERVICE);
    this.values = new Float64Array(this.seriesCount);
    this.timesMs = new Float64Array(this.targetCount);
    this.startsMs = new Float64Array(this.targetCount);
    this.generations = new Uint32Array(this.targetCount);
    this.counted = new Float64Array(this.serviceCount * HANDLERS.length * COUNTED_KINDS);
    this.#seed = seed;
    this.#churn = churn;
    this.#next = random(seed);
    this.#rounds = new Int32Array(this.targetCount).fill(-1);
    this.#rates = new Float32Array(this.targetCount * (REQUESTS + HISTOGRAMS));
    this.#offsetsMs = Float64Array.from({ length: this.targetCount }, () => this.#next() * ROUND_MS);
    this.#lagsMs = Float64Array.from({ length: this.targetCount }, () => Math.floor(this.#next() * JITTER_MS));
    for (let target = 0; target < this.targetCount; target++) this.#populate(target);
  }

  /** The order in which the targets are scraped; each time neighbours may have swapped places. */
  scrapeOrder(): number[] {
    const atMs = Array.from(this.#offsetsMs, (offsetMs) => offsetMs + this.#next() * JITTER_MS);
    return Array.from(atMs.keys()).sort((a, b) => atMs[a]! - atMs[b]!);
  }

  /** Whether a series is 0 for ever. */
  isIdle(series: number): boolean {
    const target = Math.floor(series / SERIES_PER_TARGET);
    const shape = series % SERIES_PER_TARGET;
    const rates = target * (REQUESTS + HISTOGRAMS);
    if (shape < FIRST_HISTOGRAM) return this.#rates[rates + shape] === 0;
    const bucket = (shape - FIRST_HISTOGRAM) % HISTOGRAM_SERIES;
    return shape < FIRST_GAUGE && bucket < BUCKETS.length && SHARES[bucket] === 0;
  }

  targetLabels(target: number): TargetLabels {
    const service = serviceName(Math.floor(target / TARGETS_PER_SERVICE));
    const generation = this.generations[target]!;
    const next = random(Math.imul(this.#seed + 1, 0x9e3779b1) ^ Math.imul(target + 1, 0x85ebca6b) ^ generation);
    const pod = `${service}-${Math.floor(next() * 0xfffffff).toString(36)}-${Math.floor(next() * 0xfffff).toString(36)}`;
    return {
      cluster: `production-eu-west-${1 + (target % 3)}`,
      instance: `10.${(target >> 16) + generation}.${(target >> 8) & 255}.${target & 255}:8080`,
      namespace: `team-${Math.floor(target / 48)}-production`,
      pod,
      service,
    };
  }

  /** Scrapes a target for this round, unless it was already; the sample times are a few milliseconds before `timeMs`. */
  scrape(target: number, round: number, timeMs: number): void {
    if (this.#rounds[target]! >= round) return;
    this.#rounds[target] = round;
    const previousMs = this.timesMs[target]!;
    const scrapedMs = timeMs - this.#lagsMs[target]!;
    this.timesMs[target] = scrapedMs;
    if (previousMs === 0) return;
    const fate = this.#next();
    if (fate >= this.#churn + RESTARTS_A_ROUND) {
      this.#count(target);
      return;
    }
    // A process that has just started has counted nothing yet: 0 is a decrease whatever it was before.
    this.#clear(target);
    this.startsMs[target] = Math.floor((previousMs + scrapedMs) / 2);
    if (fate < this.#churn) this.generations[target]!++;
  }

  resetCounted(): void {
    this.counted.fill(0);
  }

  #populate(target: number): void {
    const next = this.#next;
    const rates = target * (REQUESTS + HISTOGRAMS);
    const first = target * SERIES_PER_TARGET;
    this.startsMs[target] = 1;
    for (let i = 0; i < REQUESTS; i++) {
      const isFailing = METHODS_AND_CODES[i % METHODS_AND_CODES.length]![1] >= '400';
      const rate = isFailing && next() < 0.7 ? 0 : next() * (isFailing ? 2 : 300);
      this.#rates[rates + i] = rate;
      this.values[first + i] = Math.floor(rate * next() * 10_000);
    }
    for (let i = 0; i < HISTOGRAMS; i++) {
      const rate = 20 + next() * 300;
      this.#rates[rates + REQUESTS + i] = rate;
      this.#observe(first + FIRST_HISTOGRAM + i * HISTOGRAM_SERIES, Math.floor(rate * next() * 10_000));
    }
    for (let i = FIRST_GAUGE; i < SERIES_PER_TARGET; i++) this.values[first + i] = Math.floor(next() * 1e9);
  }

  #count(target: number): void {
    const { values, counted } = this;
    const rates = this.#rates;
    const next = this.#next;
    const first = target * SERIES_PER_TARGET;
    let rate = target * (REQUESTS + HISTOGRAMS);
    const service = Math.floor(target / TARGETS_PER_SERVICE) * HANDLERS.length * COUNTED_KINDS;
    for (let i = 0; i < REQUESTS; i++) {
      const requests = Math.floor(rates[rate++]! * 2 * next());
      const kind = i % METHODS_AND_CODES.length;
      const handler = service + ((i - kind) / METHODS_AND_CODES.length) * COUNTED_KINDS;
      values[first + i]! += requests;
      counted[handler + COUNTED.requests]! += requests;
      if (METHODS_AND_CODES[kind]![1] >= '500') counted[handler + COUNTED.failed]! += requests;
    }
    for (let i = 0; i < HISTOGRAMS; i++) {
      const observed = Math.floor(rates[rate++]! * 2 * next());
      const method = i % METHODS.length;
      const handler = service + ((i - method) / METHODS.length) * COUNTED_KINDS;
      this.#observe(first + FIRST_HISTOGRAM + i * HISTOGRAM_SERIES, observed);
      counted[handler + COUNTED.observed]! += observed;
      counted[handler + COUNTED.fast]! += Math.floor(observed * SHARES[FAST_BUCKET]!);
    }
    for (let i = FIRST_GAUGE; i < SERIES_PER_TARGET; i++) {
      values[first + i] = Math.floor(values[first + i]! * (0.96 + 0.08 * next())) + 1;
    }
  }

  #observe(histogram: number, requests: number): void {
    const { values } = this;
    for (let i = 0; i < BUCKETS.length; i++) values[histogram + i]! += Math.floor(requests * SHARES[i]!);
    values[histogram + BUCKETS.length]! += requests;
    values[histogram + BUCKETS.length + 1]! += requests * MEAN_SECONDS;
  }

  #clear(target: number): void {
    const first = target * SERIES_PER_TARGET;
    this.values.fill(0, first, first + FIRST_GAUGE);
  }
}
