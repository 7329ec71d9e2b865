import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Aggregate, Sli, Slo } from '../../src/engine/slo.ts';
import { feed, series } from '../support/feed.ts';
import { bySeries, type JudgeSlice, NaiveSlices } from '../support/naive-slices.ts';
import { anSlo, BAD, counter, TOTAL } from '../support/slo.ts';
import { Counters, type Delivery, type SamplesOf, STORY, storyOf, type Taken } from '../support/story.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SETTLE_MS = 5_000;
const EMPTY = fc.constantFrom('ignore' as const, 'good' as const, 'bad' as const);
const SLICE = fc.constantFrom('10s', '1m', '5m').map(duration);
const AGGREGATE = fc.constantFrom<(Aggregate | null)[]>(null, 'max', 'min', 'avg', 'sum');

function sliced(sli: Sli, slice: Slo['slice'], emptySlice: Slo['emptySlice'], fields: Partial<Slo> = {}): Slo {
  return anSlo({ sli, slice, emptySlice, ...fields });
}

/** Plays the story and compares good and bad slices with the naive ones, whenever something arrives and at the end. */
function expectSlices(slo: Slo, story: readonly Delivery[], judge: JudgeSlice): void {
  const engine = new Engine([slo], { settleMs: SETTLE_MS });
  const naive = new NaiveSlices(slo.slice!.ms, SETTLE_MS, judge, slo.emptySlice);
  const compare = (nowMs: number): void => {
    naive.completeAt(nowMs);
    const { good, bad } = engine.state(slo.id, nowMs)!.events;
    expect(good).toBeCloseTo(naive.good, 9);
    expect(bad).toBeCloseTo(naive.bad, 9);
  };
  story.forEach((delivery, i) => {
    feed(engine, delivery.samples, delivery.arrivedMs);
    naive.deliver(delivery);
    // Who looks in between, and how often, must not matter.
    if (i % 3 === 0) compare(delivery.arrivedMs);
  });
  compare(story.at(-1)!.arrivedMs + SETTLE_MS);
}

function reduced(values: readonly number[], aggregate: Aggregate): number {
  if (aggregate === 'max') return Math.max(...values);
  if (aggregate === 'min') return Math.min(...values);
  const sum = values.reduce((total, value) => total + value, 0);
  return aggregate === 'sum' ? sum : sum / values.length;
}

function inSlice(startMs: number, endMs: number): (one: Taken) => boolean {
  return ({ tMs }) => tMs > startMs && tMs <= endMs;
}

/** Gauges of two series a target: absent now and then, stale now and then. */
function gauges(name: string, valueAt: (tMs: number, die: number) => number): () => SamplesOf {
  return () =>
    ({ instance, tMs, dice }) =>
      ['x', 'y'].flatMap((shard, i) => {
        const labels = { __name__: name, job: 'api', instance, shard };
        if (dice[i + 2]! < 150) return [];
        return [{ labels, tMs, value: dice[i + 2]! < 250 ? ('stale' as const) : valueAt(tMs, dice[i]!) }];
      });
}

const TIMESTAMPS = storyOf(gauges('last_success', (tMs, die) => tMs / 1000 - die));
const AGES = storyOf(gauges('age', (_tMs, die) => die));
const DEPTHS = storyOf(gauges('depth', (_tMs, die) => die - 200));

function freshness(source: 'timestamp' | 'age', name: string, story: fc.Arbitrary<Delivery[]>): void {
  test(`freshness by ${source} is the age at the end of each slice, worst series first`, () => {
    fc.assert(
      fc.property(story, SLICE, EMPTY, AGGREGATE, (deliveries, slice, emptySlice, aggregate) => {
        const selector = counter(name, { job: 'api' });
        const sli: Sli = { kind: 'freshness', source, selector, thresholdSeconds: 500, aggregate };
        expectSlices(sliced(sli, slice, emptySlice), deliveries, (_startMs, endMs, taken) => {
          const ages = bySeries(taken).flatMap((samples) => {
            const newest = samples.filter(({ tMs }) => tMs <= endMs).at(-1);
            if (newest === undefined || newest.value === 'stale') return [];
            return source === 'timestamp' ? endMs / 1000 - newest.value : newest.value + (endMs - newest.tMs) / 1000;
          });
          return ages.length === 0 ? null : Number(reduced(ages, aggregate ?? 'max') <= 500);
        });
      }),
      { numRuns: 150 },
    );
  });
}

freshness('timestamp', 'last_success', TIMESTAMPS);
freshness('age', 'age', AGES);

const OPS = {
  lt: (observed: number, value: number) => observed < value,
  lte: (observed: number, value: number) => observed <= value,
  gt: (observed: number, value: number) => observed > value,
  gte: (observed: number, value: number) => observed >= value,
};

for (const op of ['lt', 'lte', 'gt', 'gte'] as const) {
  test(`a threshold ${op} is held by the mean of the samples of each slice`, () => {
    fc.assert(
      fc.property(
        DEPTHS,
        SLICE,
        EMPTY,
        AGGREGATE,
        fc.integer({ min: -200, max: 800 }),
        (story, slice, empty, by, value) => {
          const sli: Sli = { kind: 'threshold', gauge: counter('depth', { job: 'api' }), op, value, aggregate: by };
          expectSlices(sliced(sli, slice, empty), story, (startMs, endMs, taken) => {
            const inside = taken.filter(inSlice(startMs, endMs)).filter((one) => one.value !== 'stale');
            if (inside.length === 0) return null;
            const mean = (samples: readonly Taken[]): number =>
              samples.reduce((sum, one) => sum + (one.value as number), 0) / samples.length;
            return Number(OPS[op](by === null ? mean(inside) : reduced(bySeries(inside).map(mean), by), value));
          });
        },
      ),
      { numRuns: 80 },
    );
  });
}

const JOBS: fc.Arbitrary<Delivery[]> = storyOf(() => {
  const counters = new Counters();
  return ({ instance, tMs, dice }) =>
    ['x', 'y'].flatMap((shard, i) => {
      const labels = { __name__: 'jobs', job: 'api', instance, shard };
      const value = counters.next(instance + shard, dice[i]!, dice[2]! < 100, 5000);
      return i === 1 && dice[3]! < 400 ? [] : [{ labels, tMs, value }];
    });
});

for (const bound of ['min', 'max'] as const) {
  test(`throughput with a ${bound} is the increase of each slice a second, over all series`, () => {
    fc.assert(
      fc.property(JOBS, SLICE, EMPTY, AGGREGATE, fc.nat(100), (story, slice, emptySlice, aggregate, rate) => {
        const perSecond = rate + 0.3;
        const sli: Sli = { kind: 'throughput', counter: counter('jobs', { job: 'api' }), bound, perSecond, aggregate };
        expectSlices(sliced(sli, slice, emptySlice), story, (startMs, endMs, taken) => {
          const inside = taken.filter(inSlice(startMs, endMs)).filter(({ increase }) => !Number.isNaN(increase));
          const rates = bySeries(inside).map(
            (samples) => samples.reduce((sum, { increase }) => sum + increase, 0) / (slice.ms / 1000),
          );
          const observed = rates.length === 0 ? 0 : reduced(rates, aggregate ?? 'sum');
          return Number(bound === 'min' ? observed >= perSecond : observed <= perSecond);
        });
      }),
      { numRuns: 120 },
    );
  });
}

/** The good share of the events of a slice; null when there were none. */
function goodShare(startMs: number, endMs: number, taken: readonly Taken[]): number | null {
  const sum = (wanted: (code: string) => boolean): number =>
    taken
      .filter(inSlice(startMs, endMs))
      .reduce((total, { labels, increase }) => total + (wanted(labels['code']!) ? increase || 0 : 0), 0);
  const total = sum(() => true);
  return total === 0 ? null : sum((code) => code === '200') / total;
}

test('with timeslices budgeting a slice is good when its good share reaches the target', () => {
  fc.assert(
    fc.property(STORY, SLICE, EMPTY, fc.constantFrom(0.3, 0.5, 0.9), (story, slice, emptySlice, sliceTarget) => {
      const sli: Sli = { kind: 'events', total: [TOTAL], given: 'bad', selectors: [BAD] };
      const slo = sliced(sli, slice, emptySlice, { budgeting: 'timeslices', sliceTarget });
      expectSlices(slo, story, (startMs, endMs, taken) => {
        const share = goodShare(startMs, endMs, taken);
        return share === null ? null : Number(share >= sliceTarget);
      });
    }),
    { numRuns: 150 },
  );
});

test('a slice whose good share is exactly the target is good, one below it is bad', () => {
  const sli: Sli = { kind: 'events', total: [TOTAL], given: 'bad', selectors: [BAD] };
  const slo = sliced(sli, duration('1m'), 'ignore', { budgeting: 'timeslices', sliceTarget: 0.75 });
  const slices = (good: number, bad: number): { good: number; bad: number } => {
    const engine = new Engine([slo], { settleMs: 0 });
    [0, 0, 1].forEach((factor, i) => {
      const tMs = MIDNIGHT_MS + 30_000 * i;
      const samples = [
        { labels: series('200'), tMs, value: good * factor },
        { labels: series('500'), tMs, value: bad * factor },
      ];
      feed(engine, samples, tMs);
    });
    const { events } = engine.state(slo.id, MIDNIGHT_MS + 60_000)!;
    return { good: events.good, bad: events.bad };
  };
  expect(slices(75, 25)).toEqual({ good: 1, bad: 0 });
  expect(slices(7499, 2501)).toEqual({ good: 0, bad: 1 });
});

test('with ratioTimeslices budgeting every slice weighs one, whatever happened in it', () => {
  fc.assert(
    fc.property(STORY, SLICE, EMPTY, (story, slice, emptySlice) => {
      const sli: Sli = { kind: 'events', total: [TOTAL], given: 'bad', selectors: [BAD] };
      expectSlices(sliced(sli, slice, emptySlice, { budgeting: 'ratioTimeslices' }), story, goodShare);
    }),
    { numRuns: 150 },
  );
});

test('slices are closed by the watermark alone, not by who looks', () => {
  const sli: Sli = {
    kind: 'throughput',
    counter: counter('jobs', { job: 'api' }),
    bound: 'min',
    perSecond: 20,
    aggregate: null,
  };
  const slo = sliced(sli, duration('1m'), 'bad');
  fc.assert(
    fc.property(JOBS, (story) => {
      const read = new Engine([slo], { settleMs: SETTLE_MS });
      const unread = new Engine([slo], { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story) {
        feed(read, samples, arrivedMs);
        read.evaluate(arrivedMs);
        feed(unread, samples, arrivedMs);
      }
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(read.state(slo.id, laterMs)!.events).toEqual(unread.state(slo.id, laterMs)!.events);
    }),
  );
});

test('a snapshot taken between two samples of a slice loses nothing of it', () => {
  const slos = [
    sliced(
      { kind: 'throughput', counter: counter('jobs', { job: 'api' }), bound: 'min', perSecond: 20, aggregate: 'avg' },
      duration('1m'),
      'bad',
    ),
  ];
  fc.assert(
    fc.property(JOBS, fc.nat(100), (story, percent) => {
      const cut = Math.floor((story.length * percent) / 100);
      const straight = new Engine(slos, { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story) feed(straight, samples, arrivedMs);
      const before = new Engine(slos, { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story.slice(0, cut)) feed(before, samples, arrivedMs);
      const after = new Engine(slos, { settleMs: SETTLE_MS });
      after.restore(before.snapshot(), story[Math.max(cut - 1, 0)]!.arrivedMs);
      for (const { samples, arrivedMs } of story.slice(cut)) feed(after, samples, arrivedMs);
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(after.states(laterMs)).toEqual(straight.states(laterMs));
    }),
  );
});
