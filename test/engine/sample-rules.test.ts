import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { IngestOutcome } from '../../src/engine/outcome.ts';
import { feed, type Sample, series } from '../support/feed.ts';
import { binned, type Layout } from '../support/histogram.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** What becomes of samples that are not simply the next value of a counter, case by case. */
const SLO = anSlo();
const later = (scrapes: number): number => MIDNIGHT_MS + 15_000 * scrapes;

class Feed {
  readonly engine = new Engine([SLO], { settleMs: 0 });
  nowMs = later(0);

  constructor() {
    this.good(0, 100);
    this.good(1, 110);
  }

  good(scrapes: number, value: Sample['value'], more: Partial<Sample> = {}): IngestOutcome {
    return this.send([{ labels: series('200'), tMs: later(scrapes), value, ...more }]);
  }

  send(samples: readonly Sample[]): IngestOutcome {
    this.nowMs = Math.max(this.nowMs, ...samples.map(({ tMs }) => Math.min(tMs, this.nowMs + 60_000)));
    return feed(this.engine, samples, this.nowMs);
  }

  get events(): [good: number, bad: number] {
    const { good, bad } = this.engine.state(SLO.id, this.nowMs)!.events;
    return [good, bad];
  }
}

test('1. a counter reset counts the new value, and is counted', () => {
  const feed = new Feed();
  const { resets } = feed.good(2, 7);
  expect([resets, ...feed.events]).toEqual([1, 17, 0]);
});

test('1. a small drop is a reset like any other', () => {
  const feed = new Feed();
  feed.good(2, 109);
  expect(feed.events).toEqual([119, 0]);
});

test('2. a hidden reset is seen by its start timestamp', () => {
  const feed = new Feed();
  feed.good(2, 120, { startMs: later(1.5) });
  expect(feed.events).toEqual([130, 0]);
});

test('2. without one it is the difference, for nobody can know', () => {
  const feed = new Feed();
  feed.good(2, 120);
  expect(feed.events).toEqual([20, 0]);
});

test('3. a decrease under an unchanged start is a second writer: dropped and counted', () => {
  const feed = new Feed();
  feed.good(2, 120, { startMs: later(-9) });
  const { writerConflict, resets } = feed.good(3, 115, { startMs: later(-9) });
  expect([writerConflict, resets, ...feed.events]).toEqual([1, 0, 20, 0]);
});

test('4. a start at the previous sample is a reset only when that sample had a start of its own', () => {
  const known = new Feed();
  known.good(2, 120, { startMs: later(-9) });
  known.good(3, 130, { startMs: later(2) });
  expect(known.events).toEqual([150, 0]);
  const unknown = new Feed();
  unknown.good(2, 120, { startMs: 0 });
  unknown.good(3, 130, { startMs: later(2) });
  expect(unknown.events).toEqual([30, 0]);
});

test('5. a start at or after its own sample is unknown', () => {
  for (const startMs of [later(2), later(3)]) {
    const feed = new Feed();
    feed.good(2, 120, { startMs });
    expect(feed.events).toEqual([20, 0]);
  }
});

test('6. an overlapping start is counted as two writers, and the value decides', () => {
  const feed = new Feed();
  feed.good(2, 120, { startMs: later(-9) });
  const risen = feed.good(3, 125, { startMs: later(1) });
  expect([risen.writerConflict, ...feed.events]).toEqual([1, 25, 0]);
  const fallen = feed.good(4, 3, { startMs: later(2) });
  expect([fallen.writerConflict, fallen.resets, ...feed.events]).toEqual([1, 1, 28, 0]);
});

test('7. the first 5xx of a fresh series on a target that was being received counts', () => {
  const feed = new Feed();
  feed.send([
    { labels: series('200'), tMs: later(2), value: 110 },
    { labels: series('503'), tMs: later(2), value: 1 },
  ]);
  expect(feed.events).toEqual([10, 1]);
});

test('8. after a gap of ours the increase is that from the persisted value to the present', () => {
  const feed = new Feed();
  const next = new Engine([SLO], { settleMs: 0 });
  next.restore(feed.engine.snapshot(), later(1));
  const tMs = later(2000);
  feedOne(next, { labels: series('200'), tMs, value: 5110 });
  expect(next.state(SLO.id, tMs)!.events.good).toBe(5010);
  // It belongs to the later sample's time.
  expect(next.state(SLO.id, tMs)!.burnRates['5m']).toBe(0);
});

function feedOne(engine: Engine, sample: Sample): void {
  feed(engine, [sample], sample.tMs);
}

test('9. a sender that was away is caught up with by the next sample', () => {
  const feed = new Feed();
  feed.nowMs = later(100);
  feed.good(100, 9000);
  expect(feed.events).toEqual([8900, 0]);
});

test('10. a stale marker adds nothing and keeps the baseline', () => {
  const feed = new Feed();
  const { stale } = feed.good(2, 'stale');
  feed.good(3, 115);
  expect([stale, ...feed.events]).toEqual([1, 15, 0]);
});

test('10. what comes back lower after a stale marker was reset', () => {
  const feed = new Feed();
  feed.good(2, 'stale');
  feed.good(3, 4);
  expect(feed.events).toEqual([14, 0]);
});

test('12. an exact duplicate is nothing', () => {
  const feed = new Feed();
  const { duplicate, accepted } = feed.good(1, 110);
  expect([duplicate, accepted, ...feed.events]).toEqual([1, 0, 10, 0]);
});

test('13. of two values at one time the first is kept and the second counted', () => {
  const feed = new Feed();
  const { conflict } = feed.good(1, 500);
  feed.good(2, 111);
  expect([conflict, ...feed.events]).toEqual([1, 11, 0]);
});

test('14. a late sample adds nothing and is no reset', () => {
  const feed = new Feed();
  feed.good(3, 130);
  const { outOfOrder, resets } = feed.good(2, 120);
  feed.good(4, 140);
  expect([outOfOrder, resets, ...feed.events]).toEqual([1, 0, 40, 0]);
});

test('15. a retry of an older request after newer ones is harmless', () => {
  const feed = new Feed();
  feed.good(2, 120);
  const { duplicate, outOfOrder } = feed.send([
    { labels: series('200'), tMs: later(0), value: 100 },
    { labels: series('200'), tMs: later(1), value: 110 },
    { labels: series('200'), tMs: later(2), value: 120 },
  ]);
  expect([duplicate, outOfOrder, ...feed.events]).toEqual([1, 2, 20, 0]);
});

test('16. a sample more than ten minutes ahead is refused and blinds nothing', () => {
  const engine = new Feed().engine;
  const nowMs = later(1);
  const ahead = (ms: number, value: number): IngestOutcome =>
    feed(engine, [{ labels: series('200'), tMs: nowMs + ms, value }], nowMs);
  expect(ahead(600_001, 999).tooNew).toBe(1);
  expect(ahead(15_000, 120)).toMatchObject({ tooNew: 0, accepted: 1 });
  expect(ahead(600_000, 130)).toMatchObject({ tooNew: 0, accepted: 1 });
});

test('16. what lies ahead is kept, and counted once the clock reaches it', () => {
  const engine = new Feed().engine;
  feed(engine, [{ labels: series('200'), tMs: later(5), value: 150 }], later(1));
  expect(engine.state(SLO.id, later(2))!.events.good).toBe(10);
  expect(engine.state(SLO.id, later(5))!.events.good).toBe(50);
});

test('17. windows end in event time: a slow clock delays them, a fast one cannot push them', () => {
  const slow = new Engine([SLO], { settleMs: 0 });
  for (const i of [0, 1]) feed(slow, [{ labels: series('200'), tMs: later(i), value: i }], later(i) + 45_000);
  expect(slow.state(SLO.id, later(4))!.asOf).toBe(new Date(later(1)).toISOString());
  const fast = new Engine([SLO], { settleMs: 0 });
  for (const i of [0, 1]) feed(fast, [{ labels: series('200'), tMs: later(i) + 45_000, value: i }], later(i));
  expect(fast.state(SLO.id, later(1))!.asOf).toBe(new Date(later(1)).toISOString());
});

test('18. a cumulative request that is sent again, whole or in part, changes nothing', () => {
  const feed = new Feed();
  const request = [2, 3, 4].map((i) => ({ labels: series('200'), tMs: later(i), value: 100 + 10 * i }));
  feed.send(request.slice(0, 2));
  feed.send(request);
  feed.send(request);
  expect(feed.events).toEqual([40, 0]);
});

test('19. a delta request that is sent again, whole or in part, changes nothing', () => {
  const feed = new Feed();
  const request = [2, 3, 4].map((i) => ({
    labels: series('500'),
    tMs: later(i),
    value: 10,
    delta: true,
    startMs: later(i - 1),
  }));
  feed.send(request.slice(0, 2));
  feed.send(request);
  feed.send(request);
  expect(feed.events).toEqual([10, 30]);
});

test('19. a delta that begins before the last one ended is dropped and counted as two writers', () => {
  const feed = new Feed();
  const delta = (start: number, end: number, value: number): IngestOutcome =>
    feed.send([{ labels: series('500'), tMs: later(end), value, delta: true, startMs: later(start) }]);
  delta(1, 3, 5);
  expect(delta(2, 4, 7).writerConflict).toBe(1);
  expect(feed.events).toEqual([10, 5]);
  expect(delta(3, 5, 9).writerConflict).toBe(0);
  expect(feed.events).toEqual([10, 14]);
});

test('21. the short life of a pod counts from its first sample on', () => {
  const feed = new Feed();
  for (let pod = 0; pod < 20; pod++) {
    feed.send([{ labels: { ...series('500'), pod: `pod-${pod}` }, tMs: later(2 + pod), value: 3 }]);
  }
  expect(feed.events).toEqual([10, 60]);
});

test('23. NaN, infinite and negative counter values are not applied', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1]) {
    const feed = new Feed();
    const { invalidValue, resets } = feed.good(2, value);
    feed.good(3, 120);
    expect([invalidValue, resets, ...feed.events]).toEqual([1, 0, 20, 0]);
    const first = feed.send([{ labels: series('500'), tMs: later(4), value }]);
    expect([first.invalidValue, first.newborn]).toEqual([1, 0]);
  }
});

test('24. differences of counters are exact up to 2^53', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  feedOne(engine, { labels: series('200'), tMs: later(0), value: 2 ** 53 - 1000 });
  feedOne(engine, { labels: series('200'), tMs: later(1), value: 2 ** 53 - 1 });
  expect(engine.state(SLO.id, later(1))!.events.good).toBe(999);
});

test('25. counters need not be whole numbers', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  for (let i = 0; i <= 1000; i++) feedOne(engine, { labels: series('200'), tMs: later(i), value: i * 0.1 });
  expect(engine.state(SLO.id, later(1000))!.events.good).toBeCloseTo(100, 9);
});

test('26. a scrape that is split over two requests is not judged half-read', () => {
  const engine = new Engine([SLO], { settleMs: 5_000 });
  for (const i of [0, 1, 2]) {
    feed(engine, [{ labels: series('200'), tMs: later(i), value: 100 * i }], later(i));
    feed(engine, [{ labels: series('500'), tMs: later(i), value: 10 * i }], later(i) + 3_000);
    for (let ms = 0; ms < 15_000; ms += 1_000) {
      const { good, bad } = engine.state(SLO.id, later(i) + 3_000 + ms)!.events;
      expect(bad * 10).toBe(good);
    }
  }
});

test('27. more good than total is clamped where it is a ratio, and told as it is', () => {
  const slo = anSlo({
    sli: {
      kind: 'events',
      total: [counter('all', { job: 'api' })],
      given: 'good',
      selectors: [counter('good', { job: 'api' })],
    },
  });
  const engine = new Engine([slo], { settleMs: 0 });
  for (const i of [0, 1]) {
    const labels = { job: 'api', instance: 'a' };
    feed(
      engine,
      [
        { labels: { __name__: 'all', ...labels }, tMs: later(i), value: 90 * i },
        { labels: { __name__: 'good', ...labels }, tMs: later(i), value: 100 * i },
      ],
      later(i),
    );
  }
  const { events, sli, errorBudget, burnRates } = engine.state(slo.id, later(1))!;
  expect(events).toEqual({ good: 100, bad: -10, total: 90 });
  expect([sli, errorBudget.remaining, burnRates['5m']]).toEqual([1, 1, 0]);
});

const LATENCY = anSlo({
  sli: { kind: 'latency', histogram: counter('latency', { job: 'api' }), thresholdSeconds: 1 },
});
const FINE: Layout = { schema: 3, zeroThreshold: 0.001, bounds: [] };

/** Good and bad events that the scrapes after the first add. */
function histograms(
  ...scrapes: readonly (readonly [observations: readonly number[], layout: Layout])[]
): [number, number] {
  const engine = new Engine([LATENCY], { settleMs: 0 });
  scrapes.forEach(([observations, layout], i) => {
    const labels = { __name__: 'latency', job: 'api', instance: 'a' };
    feedOne(engine, { labels, tMs: later(i), value: 0, histogram: binned(observations, layout) });
  });
  const { good, bad } = engine.state(LATENCY.id, later(scrapes.length))!.events;
  return [good, bad];
}

test('28. a native histogram that fell counts its new value', () => {
  expect(histograms([[0.5, 2, 4], FINE], [[0.5, 4], FINE])).toEqual([1, 1]);
});

test('29. a native histogram that halves its resolution is compared in the coarser layout', () => {
  const coarse = { ...FINE, schema: 1 };
  expect(histograms([[0.5, 2, 4], FINE], [[0.5, 2, 4, 0.3, 9], coarse], [[0.5, 2, 4, 0.3, 9, 9], coarse])).toEqual([
    1, 2,
  ]);
});

test('30. custom buckets whose bounds change are compared by the bounds they share', () => {
  const before: Layout = { schema: -53, zeroThreshold: 0, bounds: [0.1, 1, 5] };
  const after: Layout = { schema: -53, zeroThreshold: 0, bounds: [0.5, 1, 10] };
  expect(histograms([[0.05, 3], before], [[0.05, 3, 0.7, 7], after])).toEqual([1, 1]);
});

test('31. an observation of NaN is a bad event', () => {
  expect(histograms([[0.5], FINE], [[0.5, 0.2, Number.NaN], FINE])).toEqual([1, 1]);
});

test('32. counts of a histogram need not be whole numbers, and a gauge histogram counts nothing', () => {
  const engine = new Engine([LATENCY], { settleMs: 0 });
  const labels = { __name__: 'latency', job: 'api', instance: 'a' };
  const scrape = (i: number, factor: number, resetHint: 'unknown' | 'gauge'): void => {
    const histogram = {
      ...binned([], FINE),
      count: 3 * factor,
      positive: [[0, 2 * factor] as const, [9, factor] as const],
    };
    feedOne(engine, { labels, tMs: later(i), value: 0, histogram: { ...histogram, resetHint } });
  };
  scrape(0, 0.5, 'unknown');
  scrape(1, 0.75, 'unknown');
  expect(engine.state(LATENCY.id, later(1))!.events).toEqual({ good: 0.5, bad: 0.25, total: 0.75 });
  scrape(2, 1, 'gauge');
  expect(engine.state(LATENCY.id, later(2))!.events.total).toBe(0.75);
});

test('33. a delta of zero only moves the time on', () => {
  const feed = new Feed();
  const delta = (end: number, value: number, start = end - 1): IngestOutcome =>
    feed.send([{ labels: series('500'), tMs: later(end), value, delta: true, startMs: later(start) }]);
  delta(2, 5);
  delta(3, 0);
  expect(delta(4, 7, 2).writerConflict).toBe(1);
  delta(4, 7);
  expect(feed.events).toEqual([10, 12]);
});

test('35. an increment belongs to the later sample, and windows are (t - w, t]', () => {
  const slo = anSlo({}, '5m');
  const engine = new Engine([slo], { settleMs: 0 });
  // Prometheus's `anchored` increases: integers, by the sample at or before the left edge.
  [1, 2, 3, 4, 5].forEach((value, i) => {
    feedOne(engine, { labels: series('200'), tMs: MIDNIGHT_MS + 60_000 * i, value });
  });
  const total = (): number => engine.state(slo.id, MIDNIGHT_MS + 600_000)!.events.total;
  expect(total()).toBe(4);
  feedOne(engine, { labels: series('200'), tMs: MIDNIGHT_MS + 360_000, value: 6 });
  // (1:00, 6:00]: the increment at 1:00 is out, those at 2:00, 3:00, 4:00 and 6:00 are in.
  expect(total()).toBe(4);
});

test('a gauge that goes down is no reset of a counter', () => {
  const slo = anSlo({ sli: { kind: 'probe', gauge: counter('up', { job: 'api' }) } });
  const engine = new Engine([slo], { settleMs: 0 });
  const up = (i: number, value: number): IngestOutcome =>
    feed(engine, [{ labels: { __name__: 'up', job: 'api', instance: 'a' }, tMs: later(i), value }], later(i));
  expect(up(0, 1).openingBalance).toBe(0);
  expect(up(1, 0).resets).toBe(0);
});

test('a sample older than every window is counted as such, adds nothing and begins no coverage', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  const nowMs = later(0);
  const ancient = feed(engine, [{ labels: series('200'), tMs: 0, value: 5 }], nowMs);
  expect([ancient.tooOld, ancient.accepted]).toEqual([1, 1]);
  const b = { labels: series('500', 'b'), tMs: nowMs, value: 70, startMs: nowMs - 86_400_000 };
  expect(feed(engine, [b], nowMs).openingBalance).toBe(1);
  expect(engine.state(SLO.id, nowMs)!.events.total).toBe(0);
});
