import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { NativeHistogram } from '../../src/engine/native-histogram.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { feed } from '../support/feed.ts';
import { binned, type Layout, naiveUnder, upperBound } from '../support/histogram.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const LABELS = { __name__: 'latency', job: 'api', instance: 'a' };
const OTHER = { __name__: 'up', job: 'api', instance: 'a' };

function latencySlo(thresholdSeconds: number): Slo {
  return anSlo({ sli: { kind: 'latency', histogram: counter('latency', { job: 'api' }), thresholdSeconds } });
}

const OBSERVATION = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -400, max: 300 }).map((k) => 2 ** (k / 40)) },
  { weight: 2, arbitrary: fc.integer({ min: -8, max: 8 }).map((k) => 2 ** k) },
  { weight: 1, arbitrary: fc.constantFrom(0, Number.NaN) },
  { weight: 1, arbitrary: fc.integer({ min: -80, max: 80 }).map((k) => -(2 ** (k / 20))) },
);

interface Step {
  observed: number[];
  restart: boolean;
  coarser: number;
  widen: number;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  observed: fc.array(OBSERVATION, { maxLength: 20 }),
  restart: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  coarser: fc.constantFrom(0, 0, 0, 0, 1, 2),
  widen: fc.constantFrom(0, 0, 0, 0, 1, 3),
});

interface Sums {
  total: number;
  lower: number;
  estimate: number;
  upper: number;
  truth: number;
}

/** Adds what was observed since the last scrape, seen in a layout. */
function addTo(sums: Sums, fresh: readonly number[], layout: Layout, threshold: number): void {
  const under = naiveUnder(fresh, layout, threshold);
  sums.total += fresh.length;
  sums.lower += under.lower;
  sums.estimate += under.estimate;
  sums.upper += under.upper;
  sums.truth += fresh.filter((seen) => seen <= threshold).length;
}

function expectSums(engine: Engine, slo: Slo, sums: Sums, nowMs: number): void {
  const { events, approximate, sli } = engine.state(slo.id, nowMs)!;
  expect(events.total).toBeCloseTo(sums.total, 6);
  expect(events.good).toBeCloseTo(sums.estimate, 6);
  if (sums.lower === sums.upper) {
    expect(approximate).toBeUndefined();
    expect(events.good).toBeCloseTo(sums.truth, 6);
    return;
  }
  expect(approximate!.lower).toBeCloseTo(sums.lower / sums.total, 9);
  expect(approximate!.upper).toBeCloseTo(sums.upper / sums.total, 9);
  expect(sums.lower).toBeLessThanOrEqual(sums.truth);
  expect(sums.truth).toBeLessThanOrEqual(sums.upper);
  expect(approximate!.lower).toBeLessThanOrEqual(sli! + 1e-12);
  expect(sli!).toBeLessThanOrEqual(approximate!.upper + 1e-12);
}

test('an exponential histogram is counted as by somebody who remembers every observation', () => {
  fc.assert(
    fc.property(
      fc.array(STEP, { minLength: 1, maxLength: 25 }),
      fc.integer({ min: -4, max: 8 }),
      fc.constantFrom(0, 2 ** -128, 0.25, 0.3),
      fc.constantFrom(0.2, 0.25, 0.3, 1, 7.7),
      (steps, schema, zeroThreshold, threshold) => {
        const slo = latencySlo(threshold);
        const engine = new Engine([slo], { settleMs: 0 });
        const sums: Sums = { total: 0, lower: 0, estimate: 0, upper: 0, truth: 0 };
        let layout: Layout = { schema, zeroThreshold, bounds: [] };
        let all: number[] = [];
        feed(engine, [{ labels: OTHER, tMs: MIDNIGHT_MS, value: 1 }], MIDNIGHT_MS);
        steps.forEach(({ observed, restart, coarser, widen }, i) => {
          const tMs = MIDNIGHT_MS + 15_000 * (i + 1);
          if (restart && observed.length < all.length) {
            all = [];
            layout = { schema, zeroThreshold, bounds: [] };
          } else {
            // A zero bucket grows to a boundary of the layout it grows in.
            if (widen > 0) layout = { ...layout, zeroThreshold: nextBoundary(layout, widen) };
            layout = { ...layout, schema: Math.max(layout.schema - coarser, -4) };
          }
          all = [...all, ...observed];
          addTo(sums, observed, layout, threshold);
          feed(engine, [{ labels: LABELS, tMs, value: 0, histogram: binned(all, layout) }], tMs);
          expectSums(engine, slo, sums, tMs);
        });
      },
    ),
    { numRuns: 400 },
  );
});

function nextBoundary({ schema, zeroThreshold }: Layout, steps: number): number {
  const from = Math.max(zeroThreshold, 0.05);
  const index = Math.floor(Math.log2(from) * 2 ** schema) + steps;
  const boundary = upperBound(index, schema);
  // In the widest layouts the next boundary would swallow everything.
  return boundary <= 4 && boundary > zeroThreshold ? boundary : zeroThreshold;
}

test('custom buckets are counted by the bounds that both scrapes have', () => {
  const BOUNDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
  fc.assert(
    fc.property(
      fc.array(fc.tuple(STEP, fc.subarray(BOUNDS, { minLength: 1 })), { minLength: 1, maxLength: 25 }),
      fc.constantFrom(0.1, 0.3, 1, 10),
      (steps, threshold) => {
        const slo = latencySlo(threshold);
        const engine = new Engine([slo], { settleMs: 0 });
        const sums: Sums = { total: 0, lower: 0, estimate: 0, upper: 0, truth: 0 };
        let all: number[] = [];
        let bounds: readonly number[] = BOUNDS;
        feed(engine, [{ labels: OTHER, tMs: MIDNIGHT_MS, value: 1 }], MIDNIGHT_MS);
        steps.forEach(([{ observed, restart, coarser }, changed], i) => {
          const tMs = MIDNIGHT_MS + 15_000 * (i + 1);
          const before = i === 0 ? null : bounds;
          if (coarser > 0) bounds = changed;
          const begins = before === null || (restart && observed.length < all.length);
          all = begins ? observed : [...all, ...observed];
          const shared = begins ? bounds : bounds.filter((upper) => before.includes(upper));
          addTo(sums, observed, { schema: -53, zeroThreshold: 0, bounds: shared }, threshold);
          const histogram = binned(all, { schema: -53, zeroThreshold: 0, bounds });
          feed(engine, [{ labels: LABELS, tMs, value: 0, histogram }], tMs);
          expectSums(engine, slo, sums, tMs);
        });
      },
    ),
    { numRuns: 300 },
  );
});

/** Good and bad events that the second of two scrapes adds. */
function added(first: NativeHistogram, second: NativeHistogram, threshold = 1): [good: number, bad: number] {
  const slo = latencySlo(threshold);
  const engine = new Engine([slo], { settleMs: 0 });
  feed(engine, [{ labels: LABELS, tMs: MIDNIGHT_MS, value: 0, histogram: first }], MIDNIGHT_MS);
  const tMs = MIDNIGHT_MS + 15_000;
  feed(engine, [{ labels: LABELS, tMs, value: 0, histogram: second }], tMs);
  const { good, bad } = engine.state(slo.id, tMs)!.events;
  return [good, bad];
}

const FINE: Layout = { schema: 3, zeroThreshold: 0.001, bounds: [] };
const MANY = [0.1, 0.2, 0.5, 2, 4];

test('a raised schema is a reset: clients only ever coarsen', () => {
  expect(added(binned(MANY, { ...FINE, schema: 1 }), binned([...MANY, 0.3], FINE))).toEqual([4, 2]);
});

test('a lowered zero threshold is a reset', () => {
  const wide = { ...FINE, zeroThreshold: 0.01 };
  expect(added(binned(MANY, wide), binned([...MANY, 0.3], FINE))).toEqual([4, 2]);
});

test('a zero bucket that grows into the middle of a populated bucket is a reset', () => {
  expect(added(binned(MANY, FINE), binned([...MANY, 0.3], { ...FINE, zeroThreshold: 0.1001 }))).toEqual([4, 2]);
});

test('a zero bucket that always ended inside a populated bucket is none', () => {
  const cutting: Layout = { schema: 0, zeroThreshold: 0.1001, bounds: [] };
  expect(added(binned([0.11, 0.5], cutting), binned([0.11, 0.5, 3], cutting))).toEqual([0, 1]);
});

test('a fallen bucket is a reset although the count rose', () => {
  expect(added(binned([0.1, 0.1, 2], FINE), binned([0.1, 2, 2, 2, 4], FINE))).toEqual([1, 4]);
});

test('exponential after custom buckets is a reset', () => {
  const custom: Layout = { schema: -53, zeroThreshold: 0, bounds: [1] };
  expect(added(binned(MANY, custom), binned([...MANY, 0.3], FINE))).toEqual([4, 2]);
});

test('a hint of a reset is believed, one of none is not', () => {
  const second = binned([...MANY, 0.3], FINE);
  expect(added(binned(MANY, FINE), { ...second, resetHint: 'yes' })).toEqual([4, 2]);
  expect(added(binned(MANY, FINE), { ...binned([0.3], FINE), resetHint: 'no' })).toEqual([1, 0]);
});

test('a gauge histogram adds nothing', () => {
  expect(added(binned(MANY, FINE), { ...binned([...MANY, 3], FINE), resetHint: 'gauge' })).toEqual([0, 0]);
});

test('a NaN observation is bad: it is not provably under the threshold', () => {
  expect(added(binned(MANY, FINE), binned([...MANY, Number.NaN], FINE))).toEqual([0, 1]);
});

test('a histogram with a count that is none is not applied', () => {
  const good = binned([...MANY, 0.3], FINE);
  for (const count of [Number.NaN, Number.POSITIVE_INFINITY, -1]) {
    expect(added(binned(MANY, FINE), { ...good, count })).toEqual([0, 0]);
    expect(added(binned(MANY, FINE), { ...good, zeroCount: count })).toEqual([0, 0]);
    expect(added(binned(MANY, FINE), { ...good, positive: [[1, count]] })).toEqual([0, 0]);
  }
});

test('a histogram with an unknown start that falls is a reset, with an unchanged start a second writer', () => {
  const fell = binned([0.3], FINE);
  for (const [startMs, expected] of [
    [0, [1, 0]],
    [MIDNIGHT_MS - 1000, [0, 0]],
  ] as const) {
    const slo = latencySlo(1);
    const engine = new Engine([slo], { settleMs: 0 });
    const scrape = (histogram: NativeHistogram, tMs: number): unknown =>
      feed(engine, [{ labels: LABELS, tMs, value: 0, histogram, startMs }], tMs);
    scrape(binned(MANY, FINE), MIDNIGHT_MS);
    scrape(fell, MIDNIGHT_MS + 15_000);
    const { good, bad } = engine.state(slo.id, MIDNIGHT_MS + 15_000)!.events;
    expect([good, bad]).toEqual(expected);
    // The higher baseline was kept, so its own writer goes on where it was.
    if (startMs === 0) continue;
    scrape(binned([...MANY, 2], FINE), MIDNIGHT_MS + 30_000);
    expect(engine.state(slo.id, MIDNIGHT_MS + 30_000)!.events).toEqual({ good: 0, bad: 1, total: 1 });
  }
});
