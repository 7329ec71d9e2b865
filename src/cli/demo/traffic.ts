import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../engine/duration.ts';

/**
 * The demo's traffic: how many requests a service gets and which share of them fails or is slow, as pure functions of
 * time and a seed; and the counters that such traffic drives, as a scrape would read them.
 */

export type ServiceName = 'storefront' | 'catalog' | 'checkout' | 'payments';

interface Service {
  readonly name: ServiceName;
  readonly requestsPerSecond: number;
  /** Shares on an ordinary day. */
  readonly failing: number;
  readonly slow: number;
}

const SERVICES: readonly Service[] = [
  { name: 'storefront', requestsPerSecond: 120, failing: 0.0002, slow: 0 },
  { name: 'catalog', requestsPerSecond: 80, failing: 0.00015, slow: 0.004 },
  { name: 'checkout', requestsPerSecond: 25, failing: 0.00012, slow: 0 },
  { name: 'payments', requestsPerSecond: 8, failing: 0.0015, slow: 0 },
];
const INSTANCES = 2;

/** Shares that fail or are slow while something is broken. */
interface Incident {
  readonly failing: Partial<Record<ServiceName, number>>;
  readonly slow: Partial<Record<ServiceName, number>>;
}

/** In the past: a bad release of the checkout, rolled back after 40 minutes. */
const PAST: Incident = { failing: { checkout: 0.12, payments: 0.05 }, slow: {} };
const PAST_FROM_MS = -12 * DAY_MS;
const PAST_DURATION_MS = 40 * MINUTE_MS;

/** Live: the shop's database fails over, again and again. */
const LIVE: Incident = { failing: { storefront: 0.01, checkout: 0.3, payments: 0.1 }, slow: { catalog: 0.4 } };
export const LIVE_INCIDENT = { afterMs: 20 * SECOND_MS, durationMs: 2 * MINUTE_MS, everyMs: 10 * MINUTE_MS } as const;

const NOISE_MS = 10 * MINUTE_MS;

/** A number in [0, 1) that depends on nothing but its arguments (the finalizer of MurmurHash3). */
function noise(seed: number, stream: number, step: number): number {
  let hash = seed ^ Math.imul(stream + 1, 0x9e3779b1) ^ Math.imul(step, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

export class Traffic {
  readonly seed: number;
  /** Where history ends and the live part begins. */
  readonly liveFromMs: number;

  constructor(seed: number, liveFromMs: number) {
    this.seed = seed;
    this.liveFromMs = liveFromMs;
  }

  /** Highest at 15:00 UTC, lowest at 03:00, a quarter less at weekends. */
  requestsPerSecond(service: ServiceName, tMs: number): number {
    const daily = 1 + 0.6 * Math.sin((2 * Math.PI * (tMs - 9 * HOUR_MS)) / DAY_MS);
    // 1 January 1970 was a Thursday.
    const weekday = (Math.floor(tMs / DAY_MS) + 4) % 7;
    const weekly = weekday === 0 || weekday === 6 ? 0.75 : 1;
    const jitter = 0.95 + 0.1 * noise(this.seed, indexOf(service), Math.floor(tMs / MINUTE_MS));
    return SERVICES[indexOf(service)]!.requestsPerSecond * daily * weekly * jitter;
  }

  failingShare(service: ServiceName, tMs: number): number {
    return (
      this.#incident(tMs)?.failing[service] ?? SERVICES[indexOf(service)]!.failing * this.#weather(service, 0, tMs)
    );
  }

  slowShare(service: ServiceName, tMs: number): number {
    return this.#incident(tMs)?.slow[service] ?? SERVICES[indexOf(service)]!.slow * this.#weather(service, 1, tMs);
  }

  /** Ordinary days are not all equal: 0.25 to 1.75 of the usual share, another every ten minutes. */
  #weather(service: ServiceName, kind: number, tMs: number): number {
    return 0.25 + 1.5 * noise(this.seed, 100 + 10 * indexOf(service) + kind, Math.floor(tMs / NOISE_MS));
  }

  #incident(tMs: number): Incident | null {
    const sinceMs = tMs - this.liveFromMs;
    if (sinceMs < 0) return sinceMs >= PAST_FROM_MS && sinceMs < PAST_FROM_MS + PAST_DURATION_MS ? PAST : null;
    const intoMs = (sinceMs % LIVE_INCIDENT.everyMs) - LIVE_INCIDENT.afterMs;
    return intoMs >= 0 && intoMs < LIVE_INCIDENT.durationMs ? LIVE : null;
  }
}

function indexOf(name: ServiceName): number {
  return SERVICES.findIndex((service) => service.name === name);
}

export type Labels = readonly (readonly [name: string, value: string])[];

/** One instance of a service; its counters begin at `first` in `Shop.values`. */
interface Instance {
  readonly service: Service;
  readonly first: number;
  /** Fractions of requests that have not become whole ones yet. */
  readonly carry: { requests: number; failing: number; slow: number };
}

/** Every counter of the shop, and their values at the instant the shop was last moved to. */
export class Shop {
  readonly traffic: Traffic;
  readonly labels: readonly Labels[];
  readonly values: Float64Array;
  atMs: number;
  readonly #instances: readonly Instance[];

  constructor(traffic: Traffic, fromMs: number) {
    this.traffic = traffic;
    this.atMs = fromMs;
    const labels: Labels[] = [];
    const instances: Instance[] = [];
    for (const service of SERVICES) {
      for (let i = 0; i < INSTANCES; i++) {
        instances.push({ service, first: labels.length, carry: { requests: 0, failing: 0, slow: 0 } });
        labels.push(...counters(service.name, `${service.name}-${i}:8080`));
      }
    }
    this.labels = labels;
    this.#instances = instances;
    this.values = new Float64Array(labels.length);
  }

  /** Counts the requests since the last instant. Over a long step the traffic is taken as it is in its middle. */
  advance(toMs: number): void {
    const seconds = (toMs - this.atMs) / SECOND_MS;
    const middleMs = (this.atMs + toMs) / 2;
    this.atMs = toMs;
    for (const { service, first, carry } of this.#instances) {
      const { name } = service;
      carry.requests += (this.traffic.requestsPerSecond(name, middleMs) * seconds) / INSTANCES;
      const requests = Math.floor(carry.requests);
      carry.requests -= requests;
      carry.failing += requests * this.traffic.failingShare(name, middleMs);
      const failing = Math.min(Math.floor(carry.failing), requests);
      carry.failing -= failing;
      carry.slow += requests * this.traffic.slowShare(name, middleMs);
      const slow = Math.min(Math.floor(carry.slow), requests);
      carry.slow -= slow;
      this.#count(name, first, requests, failing, slow);
    }
  }

  /** In the order of `counters`. */
  #count(name: ServiceName, first: number, requests: number, failing: number, slow: number): void {
    const { values } = this;
    const declined = name === 'payments' ? Math.floor((requests - failing) * 0.04) : 0;
    values[first]! += requests - failing - declined;
    values[first + 1]! += failing;
    if (name === 'payments') values[first + 2]! += declined;
    if (name !== 'catalog') return;
    values[first + 2]! += requests - slow;
    values[first + 3]! += requests;
    values[first + 4]! += requests;
  }
}

/** The label sets of one instance, sorted by label name as remote write wants them. */
function counters(job: ServiceName, instance: string): Labels[] {
  const series = (metric: string, ...label: [string, string] | []): Labels => {
    const pairs: [string, string][] = [
      ['__name__', metric],
      ['instance', instance],
      ['job', job],
    ];
    if (label.length === 2) pairs.push(label);
    return pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  };
  if (job === 'payments') {
    return ['accepted', 'failed', 'declined'].map((outcome) => series('payments_total', 'outcome', outcome));
  }
  const requests = ['200', '500'].map((status) => series('http_requests_total', 'status', status));
  if (job !== 'catalog') return requests;
  return [
    ...requests,
    ...['0.3', '+Inf'].map((le) => series('http_request_duration_seconds_bucket', 'le', le)),
    series('http_request_duration_seconds_count'),
  ];
}
