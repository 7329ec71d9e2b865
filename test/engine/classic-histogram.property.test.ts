import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { feed, type Sample } from '../support/feed.ts';
import { anSlo, counter } from '../support/slo.ts';
import { type Delivery, NaiveReceiver, type SamplesOf, storyOf, type Taken } from '../support/story.ts';

const SETTLE_MS = 5_000;
/** Bounds as senders spell them. */
const SPELLINGS = ['0.1', '0.30', '1.0', '2', '+Inf'];
const VALUES = [0.1, 0.3, 1, 2, Number.POSITIVE_INFINITY];

function latencySlo(thresholdSeconds: number): Slo {
  return anSlo({ sli: { kind: 'latency', histogram: counter('latency', { job: 'api' }), thresholdSeconds } });
}

/**
 * Two histograms with cumulative buckets. A target that restarts may come back with other bounds, and buckets that nothing has
 * been counted in yet may be left out.
 */
function histograms(): SamplesOf {
  const counts = new Map<string, number[]>();
  const present = new Map<string, boolean[]>();
  return ({ instance, tMs, dice }) => {
    const before = counts.get(instance) ?? [0, 0, 0, 0, 0];
    const restarted = dice[5]! < 80;
    const now = before.map((count, i) => (restarted ? 0 : count) + (dice[4]! < 300 ? 0 : dice[i]! % 50));
    counts.set(instance, now);
    const shown = (present.get(instance) ?? [true, false, false, true, true]).map(
      (shows, i) => shows || (dice[i]! % 5 === 0 && i < 3),
    );
    present.set(instance, shown);
    const labels = { job: 'api', instance };
    const samples: Sample[] = [];
    let cumulative = 0;
    SPELLINGS.forEach((le, i) => {
      cumulative += now[i]!;
      if (shown[i]) samples.push({ labels: { __name__: 'latency_bucket', ...labels, le }, tMs, value: cumulative });
    });
    samples.push({ labels: { __name__: 'latency_count', ...labels }, tMs, value: cumulative });
    samples.push({ labels: { __name__: 'latency_sum', ...labels }, tMs, value: cumulative * 0.5 });
    return samples;
  };
}

interface Increment {
  tMs: number;
  total: number;
  lower: number;
  estimate: number;
  upper: number;
}

/** The increments of one scrape of one histogram, by the bounds known when it was taken. */
function incrementOf(tMs: number, total: number, byBound: ReadonlyMap<number, number>, threshold: number): Increment {
  const bounds = [...byBound.keys()].sort((a, b) => a - b);
  const exact = byBound.get(threshold);
  if (exact !== undefined) return { tMs, total, lower: exact, estimate: exact, upper: exact };
  const below = bounds.findLast((bound) => bound < threshold);
  const above = bounds.find((bound) => bound > threshold);
  const lower = below === undefined ? 0 : byBound.get(below)!;
  const upper = above === undefined ? lower : byBound.get(above)!;
  const from = below ?? 0;
  const share = above === undefined || above === Number.POSITIVE_INFINITY ? 0 : (threshold - from) / (above - from);
  return { tMs, total, lower, estimate: lower + share * (upper - lower), upper };
}

/** Every scrape of every histogram in one list. */
class NaiveLatency {
  readonly receiver = new NaiveReceiver();
  readonly increments: Increment[] = [];
  readonly #threshold: number;
  readonly #bounds = new Map<string, Set<number>>();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  deliver(delivery: Delivery): void {
    const taken = this.receiver.deliver(delivery);
    for (const instance of new Set(delivery.samples.map(({ labels }) => labels['instance']!))) {
      const bounds = this.#bounds.get(instance) ?? new Set<number>();
      this.#bounds.set(instance, bounds);
      const buckets = delivery.samples.filter(({ labels }) => labels['le'] !== undefined);
      for (const { labels } of buckets) bounds.add(VALUES[SPELLINGS.indexOf(labels['le']!)]!);
      const mine = taken.filter(({ labels }) => labels['instance'] === instance);
      if (mine.length > 0) this.#scrape(mine, bounds);
    }
  }

  #scrape(taken: readonly Taken[], bounds: ReadonlySet<number>): void {
    const byBound = new Map([...bounds].map((bound) => [bound, 0]));
    let total = 0;
    for (const { labels, increase } of taken) {
      const le = labels['le'];
      if (le !== undefined) byBound.set(VALUES[SPELLINGS.indexOf(le)]!, increase || 0);
      if (labels['__name__'] === 'latency_count') total = increase || 0;
    }
    this.increments.push(incrementOf(taken[0]!.tMs, total, byBound, this.#threshold));
  }

  upTo(asOfMs: number): Increment {
    const sum = { tMs: asOfMs, total: 0, lower: 0, estimate: 0, upper: 0 };
    for (const { tMs, total, lower, estimate, upper } of this.increments) {
      if (tMs > asOfMs) continue;
      sum.total += total;
      sum.lower += lower;
      sum.estimate += estimate;
      sum.upper += upper;
    }
    return sum;
  }
}

function equals(threshold: number, what: string): void {
  test(`latency with a threshold ${what} is that of a plain list of scrapes`, () => {
    const slo = latencySlo(threshold);
    fc.assert(
      fc.property(storyOf(histograms), (story) => {
        const engine = new Engine([slo], { settleMs: SETTLE_MS });
        const naive = new NaiveLatency(threshold);
        const compare = (nowMs: number): void => {
          const asOfMs = naive.receiver.watermarkMs(nowMs, SETTLE_MS);
          if (Number.isNaN(asOfMs)) return;
          const { total, lower, estimate, upper } = naive.upTo(asOfMs);
          const { events, approximate } = engine.state(slo.id, nowMs)!;
          expect(events.total).toBeCloseTo(total, 6);
          expect(events.good).toBeCloseTo(estimate, 6);
          if (total <= 0 || lower === upper) {
            expect(approximate).toBeUndefined();
          } else {
            expect(approximate!.lower).toBeCloseTo(Math.min(lower / total, 1), 9);
            expect(approximate!.upper).toBeCloseTo(Math.min(upper / total, 1), 9);
          }
        };
        for (const delivery of story) {
          feed(engine, delivery.samples, delivery.arrivedMs);
          naive.deliver(delivery);
          compare(delivery.arrivedMs);
        }
        compare(story.at(-1)!.arrivedMs + SETTLE_MS);
      }),
      { numRuns: 80 },
    );
  });
}

equals(2, 'that every histogram has as a bucket');
equals(0.3, 'whose bucket is spelled 0.30 and appears later');
equals(1, 'whose bucket is spelled 1.0 and appears later');
equals(0.05, 'below the first bucket');
equals(0.25, 'between two buckets of which one appears later');
equals(1.5, 'between two buckets');
equals(7, 'above the last finite bucket');

/** The state of an SLO after two scrapes of these buckets: from nothing to `buckets`, and `count` requests in all. */
function stateOf(
  threshold: number,
  buckets: Readonly<Record<string, number>>,
  count: number,
): ReturnType<Engine['state']> {
  const slo = latencySlo(threshold);
  const engine = new Engine([slo], { settleMs: 0 });
  const scrape = (tMs: number, factor: number): void => {
    const labels = { job: 'api', instance: 'a' };
    const samples = Object.entries(buckets).map(([le, value]) => ({
      labels: { __name__: 'latency_bucket', ...labels, le },
      tMs,
      value: value * factor,
    }));
    feed(engine, [...samples, { labels: { __name__: 'latency_count', ...labels }, tMs, value: count * factor }], tMs);
  };
  scrape(1_000_000, 0);
  scrape(1_015_000, 1);
  return engine.state(slo.id, 1_015_000);
}

function spelled(le: string, threshold: number): void {
  test(`the bucket le="${le}" is the threshold ${threshold}`, () => {
    const state = stateOf(threshold, { '0.01': 1, [le]: 70, '30': 90, '+Inf': 100 }, 100)!;
    expect(state.events).toEqual({ good: 70, bad: 30, total: 100 });
    expect(state.approximate).toBeUndefined();
  });
}

spelled('0.30', 0.3);
spelled('0.3', 0.3);
spelled('3e-1', 0.3);
spelled('1', 1);
spelled('1.0', 1);
spelled('+1', 1);

function estimated(threshold: number, good: number, lower: number, upper: number): void {
  test(`a threshold of ${threshold} is estimated between its buckets`, () => {
    const state = stateOf(threshold, { '0.1': 40, '0.5': 80, '+Inf': 100 }, 100)!;
    expect(state.events.good).toBeCloseTo(good, 9);
    expect(state.approximate).toEqual({ lower, upper });
  });
}

estimated(0.2, 50, 0.4, 0.8);
estimated(0.05, 20, 0, 0.4);
estimated(2, 80, 0.8, 1);
