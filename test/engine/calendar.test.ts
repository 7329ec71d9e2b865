import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { CalendarUnit, Slo } from '../../src/engine/slo.ts';
import type { SloState } from '../../src/engine/state.ts';
import { calendarWindow, naivePeriod } from '../support/calendar.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';

const DAY_MS = 86_400_000;
const ZONES = ['UTC', 'Europe/Madrid', 'America/New_York', 'Asia/Kolkata'];
const UNITS: CalendarUnit[] = ['week', 'month', 'quarter', 'year'];

function calendarSlo(unit: CalendarUnit, timezone: string): Slo {
  return anSlo({ window: calendarWindow(unit, timezone) });
}

function period(at: string, unit: CalendarUnit, timezone: string, start: string, end: string): void {
  test(`the ${unit} of ${at} in ${timezone} is from ${start} to ${end}`, () => {
    const { startMs, endMs } = naivePeriod(Date.parse(at), unit, timezone);
    expect([new Date(startMs).toISOString(), new Date(endMs).toISOString()]).toEqual([start, end]);
  });
}

describe('the naive periods that the tests compare with', () => {
  period('2026-03-15T12:00:00Z', 'month', 'UTC', '2026-03-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z');
  period('2026-03-15T12:00:00Z', 'month', 'Europe/Madrid', '2026-02-28T23:00:00.000Z', '2026-03-31T22:00:00.000Z');
  period('2026-03-29T12:00:00Z', 'week', 'Europe/Madrid', '2026-03-22T23:00:00.000Z', '2026-03-29T22:00:00.000Z');
  period('2026-11-01T12:00:00Z', 'week', 'America/New_York', '2026-10-26T04:00:00.000Z', '2026-11-02T05:00:00.000Z');
  period('2026-02-28T19:00:00Z', 'month', 'Asia/Kolkata', '2026-02-28T18:30:00.000Z', '2026-03-31T18:30:00.000Z');
  period('2026-05-05T00:00:00Z', 'quarter', 'America/New_York', '2026-04-01T04:00:00.000Z', '2026-07-01T04:00:00.000Z');
  period('2028-02-29T23:30:00Z', 'year', 'Europe/Madrid', '2027-12-31T23:00:00.000Z', '2028-12-31T23:00:00.000Z');
  period('2026-04-01T00:00:00.000Z', 'month', 'UTC', '2026-03-01T00:00:00.000Z', '2026-04-01T00:00:00.000Z');
  period('2026-04-01T00:00:00.001Z', 'month', 'UTC', '2026-04-01T00:00:00.000Z', '2026-05-01T00:00:00.000Z');
});

/** Plays increments of a good and a bad counter, in the order given, and reads the state. */
function afterIncrements(engine: Engine, slo: Slo, increments: readonly Increment[]): SloState {
  const value = { good: 0, bad: 0 };
  let nowMs = 0;
  for (const { tMs, good, bad } of increments) {
    value.good += good;
    value.bad += bad;
    nowMs = Math.max(nowMs, tMs);
    feed(
      engine,
      [
        { labels: series('200'), tMs, value: value.good },
        { labels: series('500'), tMs, value: value.bad },
      ],
      nowMs,
    );
  }
  return engine.state(slo.id, nowMs)!;
}

interface Increment {
  tMs: number;
  good: number;
  bad: number;
}

for (const unit of UNITS) {
  for (const timezone of ZONES) {
    test(`a calendar ${unit} in ${timezone} sums exactly what lies in it, to the millisecond`, () => {
      const slo = calendarSlo(unit, timezone);
      fc.assert(
        fc.property(
          fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2028, 11, 31) }),
          fc.array(
            fc.tuple(
              fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer({ min: -1500, max: 1500 })),
              fc.nat(1000),
              fc.nat(1000),
            ),
            { minLength: 1 },
          ),
          (aroundMs, steps) => {
            const boundaryMs = naivePeriod(aroundMs, unit, timezone).startMs;
            const increments = [...new Map(steps.map((step) => [step[0], step])).values()]
              .sort(([a], [b]) => a - b)
              .map(([offsetMs, good, bad]) => ({ tMs: boundaryMs + offsetMs, good, bad }));
            const engine = new Engine([slo], { settleMs: 0 });
            const first = { tMs: boundaryMs - 2000, good: 0, bad: 0 };
            const state = afterIncrements(engine, slo, [first, ...increments]);
            const asOfMs = increments.at(-1)!.tMs;
            const { startMs, endMs } = naivePeriod(asOfMs, unit, timezone);
            const inside = increments.filter(({ tMs }) => tMs > startMs && tMs <= endMs);
            expect(state.events.good).toBe(inside.reduce((sum, { good }) => sum + good, 0));
            expect(state.events.bad).toBe(inside.reduce((sum, { bad }) => sum + bad, 0));
            expect(state.window).toEqual({
              kind: 'calendar',
              unit,
              timezone,
              start: new Date(startMs).toISOString(),
              end: new Date(endMs).toISOString(),
            });
            expect(state.burnRates[unit]).toBe(state.errorBudget.consumed);
          },
        ),
        { numRuns: 25 },
      );
    });
  }
}

const MARCH_MS = Date.UTC(2026, 2, 1);
const APRIL_MS = Date.UTC(2026, 3, 1);
const MONTH = calendarSlo('month', 'UTC');

/** Reports of a target at these times, with so many bad and good requests more each. */
function play(engine: Engine, increments: readonly Increment[]): void {
  afterIncrements(engine, MONTH, increments);
}

test('a late event of an earlier period is of no window any more', () => {
  const engine = new Engine([MONTH], { settleMs: 0 });
  const lagging = (tMs: number, value: number, nowMs: number): void => {
    feed(engine, [{ labels: series('500', 'b'), tMs, value }], nowMs);
  };
  lagging(APRIL_MS - 30_000, 5, APRIL_MS - 30_000);
  play(engine, [
    { tMs: APRIL_MS - 15_000, good: 0, bad: 0 },
    { tMs: APRIL_MS, good: 90, bad: 10 },
    { tMs: APRIL_MS + 15_000, good: 3, bad: 1 },
  ]);
  expect(engine.state(MONTH.id, APRIL_MS + 15_000)!.events).toEqual({ good: 3, bad: 1, total: 4 });
  lagging(APRIL_MS - 1_000, 1005, APRIL_MS + 20_000);
  expect(engine.state(MONTH.id, APRIL_MS + 20_000)!.events).toEqual({ good: 3, bad: 1, total: 4 });
  lagging(APRIL_MS + 1_000, 1007, APRIL_MS + 21_000);
  expect(engine.state(MONTH.id, APRIL_MS + 21_000)!.events).toEqual({ good: 3, bad: 3, total: 6 });
});

test('a period begins with the whole budget before anything happened in it', () => {
  const engine = new Engine([MONTH], { settleMs: 0 });
  play(engine, [
    { tMs: APRIL_MS - 15_000, good: 0, bad: 0 },
    { tMs: APRIL_MS, good: 90, bad: 10 },
    { tMs: APRIL_MS + 15_000, good: 0, bad: 0 },
  ]);
  const before = engine.state(MONTH.id, APRIL_MS)!;
  expect(before.errorBudget.remaining).toBeCloseTo(-99, 9);
  const state = engine.state(MONTH.id, APRIL_MS + 15_000)!;
  expect(state.sli).toBe(null);
  expect(state.events.total).toBe(0);
  expect(state.errorBudget).toMatchObject({ remaining: 1, consumed: 0, remainingOfProjected: 1 });
});

test('what remains is told of the events so far, and of those of the whole period were they to go on', () => {
  const engine = new Engine([MONTH], { settleMs: 0 });
  const quarterMs = MARCH_MS + 31 * DAY_MS * 0.25;
  play(engine, [
    { tMs: quarterMs - 15_000, good: 0, bad: 0 },
    { tMs: quarterMs, good: 100_000 - 80, bad: 80 },
  ]);
  const { errorBudget } = engine.state(MONTH.id, quarterMs)!;
  // 80 of the 100 that 100,000 requests allow; of the 400 that four times as many would allow.
  expect(errorBudget.remaining).toBeCloseTo(0.2, 9);
  expect(errorBudget.remainingOfProjected).toBeCloseTo(0.8, 9);
  expect(errorBudget.remainingBad).toBeCloseTo(20, 9);
});

test('a calendar period survives a snapshot', () => {
  const engine = new Engine([MONTH], { settleMs: 0 });
  play(engine, [
    { tMs: MARCH_MS + 15_000, good: 0, bad: 0 },
    { tMs: MARCH_MS + 30_000, good: 90, bad: 10 },
  ]);
  const after = new Engine([MONTH], { settleMs: 0 });
  after.restore(engine.snapshot(), MARCH_MS + 30_000);
  expect(after.states(MARCH_MS + 30_000)).toEqual(engine.states(MARCH_MS + 30_000));
});

function keepsItsEvents(from: Slo, to: Slo, what: string): void {
  test(`a window that changes from ${what} keeps the events`, () => {
    const before = new Engine([from], { settleMs: 0 });
    const startMs = MARCH_MS + 4 * DAY_MS;
    afterIncrements(before, from, [
      { tMs: startMs, good: 0, bad: 0 },
      ...Array.from({ length: 10 }, (_, i) => ({ tMs: startMs + (i + 1) * DAY_MS, good: 90, bad: 10 })),
    ]);
    const nowMs = startMs + 10 * DAY_MS;
    const after = new Engine([to], { settleMs: 0 });
    after.restore(before.snapshot(), nowMs);
    expect(after.state(to.id, nowMs)!.events).toEqual({ good: 900, bad: 100, total: 1000 });
  });
}

keepsItsEvents(anSlo(), calendarSlo('month', 'UTC'), '30 days to the month');
keepsItsEvents(anSlo(), calendarSlo('quarter', 'Asia/Kolkata'), '30 days to the quarter');
keepsItsEvents(calendarSlo('month', 'UTC'), calendarSlo('quarter', 'UTC'), 'the month to the quarter');
keepsItsEvents(calendarSlo('quarter', 'UTC'), calendarSlo('month', 'UTC'), 'the quarter to the month');
keepsItsEvents(calendarSlo('month', 'UTC'), calendarSlo('month', 'Europe/Madrid'), 'one time zone to another');
keepsItsEvents(calendarSlo('month', 'UTC'), anSlo(), 'the month to 30 days');
keepsItsEvents(anSlo(), anSlo({}, '90d'), '30 days to 90 days');
keepsItsEvents(anSlo(), { ...anSlo(), objective: 0.9, errorBudget: 0.1 }, 'one objective to another');
test('the windows of a calendar SLO are told as those of any other', () => {
  const engine = new Engine([MONTH], { settleMs: 0 });
  play(engine, [{ tMs: MARCH_MS + 15_000, good: 0, bad: 0 }]);
  const names = Object.keys(engine.state(MONTH.id, MARCH_MS + 15_000)!.burnRates);
  expect(names).toEqual(['5m', '30m', '1h', '2h', '6h', '1d', '3d', 'month']);
});
