import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { isReset, startsAnew } from '../../src/engine/start-time.ts';
import { feed, type Sample, series } from '../support/feed.ts';
import { anSlo, BAD, counter, TOTAL } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SLO = anSlo();
const later = (scrapes: number): number => MIDNIGHT_MS + 15_000 * scrapes;

/** Good requests of instance `a`. */
function good(scrapes: number, value: number, more: Partial<Sample> = {}): Sample {
  return { labels: series('200'), tMs: later(scrapes), value, ...more };
}

function bad(scrapes: number, value: number, more: Partial<Sample> = {}): Sample {
  return { labels: series('500'), tMs: later(scrapes), value, ...more };
}

/** An engine that was fed each scrape as it came. */
function after(slos: readonly Slo[], ...scrapes: readonly Sample[][]): Engine {
  const engine = new Engine(slos, { settleMs: 0 });
  for (const samples of scrapes) feed(engine, samples, samples[0]!.tMs);
  return engine;
}

function restored(engine: Engine, slos: readonly Slo[], nowMs: number): Engine {
  const next = new Engine(slos, { settleMs: 0 });
  next.restore(engine.snapshot(), nowMs);
  return next;
}

function events(engine: Engine, id = SLO.id): [good: number, bad: number] {
  const state = engine.state(id, later(1000))!;
  return [state.events.good, state.events.bad];
}

test('the first scrape of a target is an opening balance', () => {
  expect(events(after([SLO], [good(0, 1000), bad(0, 50)]))).toEqual([0, 0]);
});

test('the first 5xx of a fresh series counts', () => {
  expect(events(after([SLO], [good(0, 1000)], [good(1, 1010), bad(1, 3)]))).toEqual([10, 3]);
});

test('a series that comes back after a stale marker goes on where it was', () => {
  const engine = after([SLO], [good(0, 1000)], [good(1, 1010)], [good(2, 0, { value: 'stale' })], [good(3, 1015)]);
  expect(events(engine)).toEqual([15, 0]);
});

test('a series whose first sign was a stale marker existed before', () => {
  const engine = after(
    [SLO],
    [good(0, 1000)],
    [good(1, 1000), bad(1, 0, { value: 'stale' })],
    [good(2, 1000), bad(2, 70)],
  );
  expect(events(engine)).toEqual([0, 0]);
});

test('a stale marker does not outweigh a start timestamp inside our coverage', () => {
  const engine = after(
    [SLO],
    [good(0, 1000)],
    [good(1, 1000), bad(1, 0, { value: 'stale' })],
    [good(2, 1000), bad(2, 7, { startMs: later(1) })],
  );
  expect(events(engine)).toEqual([0, 7]);
});

test('over a restart with a snapshot nothing is lost and nothing counted twice', () => {
  const before = after([SLO], [good(0, 1000)], [good(1, 1010)]);
  const engine = restored(before, [SLO], later(1));
  feed(engine, [good(30, 1500), bad(30, 4)], later(30));
  expect(events(engine)).toEqual([500, 0]);
  feed(engine, [good(31, 1500), bad(31, 9)], later(31));
  expect(events(engine)).toEqual([500, 5]);
});

test('over a quick restart a series that is new is newborn', () => {
  const before = after([SLO], [good(0, 1000)], [good(1, 1010)]);
  const engine = restored(before, [SLO], later(2));
  feed(engine, [good(3, 1015), bad(3, 2)], later(3));
  expect(events(engine)).toEqual([15, 2]);
});

test('without a snapshot everything is an opening balance', () => {
  const engine = after([SLO], [good(30, 1500), bad(30, 400)]);
  expect(events(engine)).toEqual([0, 0]);
});

const OTHER = anSlo({
  id: 'api/other',
  sli: { kind: 'events', total: [counter('jobs', { job: 'api' })], given: 'bad', selectors: [] },
});

test('an SLO that is new over series already seen counts no opening balance', () => {
  const before = after([SLO], [good(0, 1000), bad(0, 50)], [good(1, 1010), bad(1, 50)]);
  const second = { ...SLO, id: 'api/second' };
  const engine = restored(before, [SLO, second], later(1));
  feed(engine, [good(2, 1020), bad(2, 51)], later(2));
  expect(events(engine)).toEqual([20, 1]);
  expect(events(engine, second.id)).toEqual([10, 1]);
});

test('an SLO that is new over series that nobody wanted before counts no opening balance either', () => {
  const jobs = (scrapes: number, value: number): Sample => ({
    labels: { __name__: 'jobs', job: 'api', instance: 'a' },
    tMs: later(scrapes),
    value,
  });
  const before = after([SLO], [good(0, 1000), jobs(0, 7000)], [good(1, 1010), jobs(1, 7001)]);
  const engine = restored(before, [SLO, OTHER], later(1));
  feed(engine, [good(2, 1020), jobs(2, 7002)], later(2));
  expect(events(engine, OTHER.id)).toEqual([0, 0]);
  feed(engine, [good(3, 1020), jobs(3, 7005)], later(3));
  expect(events(engine, OTHER.id)).toEqual([3, 0]);
});

test('nor does it when the clock of its target is ahead', () => {
  const jobs = (scrapes: number, value: number): Sample => ({
    labels: { __name__: 'jobs', job: 'api', instance: 'a' },
    tMs: later(scrapes),
    value,
  });
  const before = new Engine([SLO], { settleMs: 0 });
  for (const i of [0, 1]) feed(before, [good(i + 10, 1000), jobs(i + 10, 7000)], later(i));
  const engine = restored(before, [SLO, OTHER], later(1));
  feed(engine, [good(12, 1000), jobs(12, 7000)], later(2));
  expect(events(engine, OTHER.id)).toEqual([0, 0]);
});

test('an SLO whose objective, window and alerts change keeps its events', () => {
  const before = after([SLO], [good(0, 1000), bad(0, 50)], [good(1, 1090), bad(1, 60)]);
  const changed = { ...anSlo({}, '7d'), objective: 0.9, errorBudget: 0.1 };
  const engine = restored(before, [changed], later(1));
  expect(events(engine)).toEqual([90, 10]);
  expect(engine.state(SLO.id, later(1))!.errorBudget.consumed).toBeCloseTo(1, 12);
});

test('an SLO whose selector changes starts anew, from the increments after the change', () => {
  const before = after([SLO], [good(0, 1000), bad(0, 50)], [good(1, 1090), bad(1, 60)]);
  const changed = anSlo({ sli: { kind: 'events', total: [TOTAL], given: 'good', selectors: [BAD] } });
  const engine = restored(before, [changed], later(1));
  expect(events(engine)).toEqual([0, 0]);
  feed(engine, [good(2, 1095), bad(2, 67)], later(2));
  expect(events(engine)).toEqual([7, 5]);
});

test('slices of an SLO that is new begin when it does, not when its targets were first heard', () => {
  const sliced = anSlo({
    id: 'api/throughput',
    sli: { kind: 'throughput', counter: TOTAL, bound: 'min', perSecond: 1, aggregate: null },
    slice: duration('1m'),
    emptySlice: 'bad',
  });
  const before = new Engine([SLO], { settleMs: 0 });
  for (let i = 0; i <= 400; i++) feed(before, [good(i, 1000 * i)], later(i));
  const engine = restored(before, [SLO, sliced], later(400));
  for (let i = 401; i <= 416; i++) feed(engine, [good(i, 1000 * i)], later(i));
  expect(engine.state(sliced.id, later(416))!.events).toEqual({ good: 3, bad: 0, total: 3 });
});

// Start timestamps.

test('a start inside our coverage makes the first sample count in full', () => {
  const b = (scrapes: number, value: number, startMs: number): Sample => ({
    labels: series('500', 'b'),
    tMs: later(scrapes),
    value,
    startMs,
  });
  expect(events(after([SLO], [good(0, 1000)], [b(5, 40, later(1))]))).toEqual([0, 40]);
  expect(events(after([SLO], [good(0, 1000)], [b(5, 40, later(0))]))).toEqual([0, 40]);
});

test('a start before our coverage proves nothing for the first scrape of a target', () => {
  expect(events(after([SLO], [good(0, 1000, { startMs: later(-1) })]))).toEqual([0, 0]);
});

test('a start before our coverage does not override what the target proves', () => {
  expect(events(after([SLO], [good(0, 1000)], [good(1, 1000), bad(1, 4, { startMs: later(-9) })]))).toEqual([0, 4]);
});

test('a start that is the time of its own sample is unknown', () => {
  const b = (startMs: number): Sample => ({ labels: series('500', 'b'), tMs: later(5), value: 40, startMs });
  expect(events(after([SLO], [good(0, 1000)], [b(later(5))]))).toEqual([0, 0]);
  expect(events(after([SLO], [good(0, 1000)], [b(later(6))]))).toEqual([0, 0]);
});

test('a restart between two scrapes that no decrease tells of is told by the start timestamp', () => {
  const engine = after([SLO], [good(0, 10, { startMs: later(-1) })], [good(2, 12, { startMs: later(1) })]);
  expect(events(engine)).toEqual([12, 0]);
});

test('a decrease with an unchanged start is a second writer, and the higher baseline is kept', () => {
  const startMs = later(-1);
  const engine = after([SLO], [good(0, 100, { startMs })], [good(1, 110, { startMs })]);
  const outcome = feed(engine, [good(2, 60, { startMs })], later(2));
  expect([outcome.writerConflict, outcome.resets]).toEqual([1, 0]);
  expect(events(engine)).toEqual([10, 0]);
  feed(engine, [good(3, 115, { startMs })], later(3));
  expect(events(engine)).toEqual([15, 0]);
});

/** Rows of Prometheus's isStartTimestampReset: what the start of a sample says about a reset since the previous one. */
function startTimestampReset(
  previousStart: number,
  previous: number,
  start: number,
  now: number,
  reset: boolean,
): void {
  test(`start ${previousStart} at ${previous}, then start ${start} at ${now}: ${reset ? 'a reset' : 'no reset'}`, () => {
    expect(startsAnew(previousStart, previous, start, now)).toBe(reset);
  });
}

startTimestampReset(0, 100, 0, 200, false);
startTimestampReset(50, 100, 0, 200, false);
startTimestampReset(50, 100, 200, 200, false);
startTimestampReset(50, 100, 300, 200, false);
startTimestampReset(50, 100, 50, 200, false);
startTimestampReset(50, 100, 70, 200, false);
startTimestampReset(50, 100, 30, 200, false);
startTimestampReset(50, 100, 150, 200, true);
startTimestampReset(0, 100, 150, 200, true);
startTimestampReset(50, 100, 100, 200, true);
startTimestampReset(0, 100, 100, 200, false);
startTimestampReset(100, 100, 100, 200, false);
startTimestampReset(120, 100, 100, 200, false);

test('without a start a decrease is a reset, with an unchanged one it is none', () => {
  expect(isReset(0, 100, 0, 200, true)).toBe(true);
  expect(isReset(50, 100, 0, 200, true)).toBe(true);
  expect(isReset(50, 100, 50, 200, true)).toBe(false);
  expect(isReset(50, 100, 50, 200, false)).toBe(false);
});

// Declared deltas.

test('declared deltas are increments as they stand, the first one too', () => {
  const delta = (scrapes: number, value: number): Sample =>
    good(scrapes, value, { delta: true, startMs: later(scrapes - 1) });
  expect(events(after([SLO], [delta(0, 7)], [delta(1, 5)], [delta(2, 0)], [delta(3, 9)]))).toEqual([21, 0]);
});

test('deltas on either side of a restart count once each', () => {
  const delta = (scrapes: number, value: number): Sample =>
    good(scrapes, value, { delta: true, startMs: later(scrapes - 1) });
  const engine = restored(after([SLO], [delta(0, 7)], [delta(1, 5)]), [SLO], later(1));
  feed(engine, [delta(1, 5), delta(2, 3)], later(2));
  expect(events(engine)).toEqual([15, 0]);
});
