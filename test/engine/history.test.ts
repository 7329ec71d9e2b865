import { describe, expect, test } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/engine/duration.ts';
import { type Grid, HistorySums, historyPoints, mergeSlots, type Slot, stretchesOf } from '../../src/engine/history.ts';
import { groupText, HistoryMinutes } from '../../src/engine/history-minutes.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const TEN_MINUTES_MS = 10 * MINUTE_MS;

function minute(end: number, good: number, bad: number): Slot {
  return { endMs: MIDNIGHT_MS + end * MINUTE_MS, lengthMs: MINUTE_MS, good, bad };
}

/** Minutes after midnight. */
function between(sums: HistorySums, from: number, to: number): [good: number, bad: number] {
  sums.read(MIDNIGHT_MS + from * MINUTE_MS, MIDNIGHT_MS + to * MINUTE_MS);
  return [sums.good, sums.bad];
}

describe('stretches', () => {
  test('go back by the minute for 2 days, by ten minutes for 35 and by the hour before that', () => {
    const fine = MIDNIGHT_MS - 2 * DAY_MS;
    const coarse = MIDNIGHT_MS - 35 * DAY_MS;
    expect(stretchesOf(MIDNIGHT_MS)).toEqual([
      { lengthMs: MINUTE_MS, fromMs: fine, untilMs: Number.POSITIVE_INFINITY },
      { lengthMs: TEN_MINUTES_MS, fromMs: coarse, untilMs: fine },
      { lengthMs: HOUR_MS, fromMs: Number.NEGATIVE_INFINITY, untilMs: coarse },
    ]);
  });

  test('meet on a boundary of the coarser one', () => {
    const [minutes, tens] = stretchesOf(MIDNIGHT_MS + MINUTE_MS);
    expect(minutes!.fromMs).toBe(MIDNIGHT_MS - 2 * DAY_MS + TEN_MINUTES_MS);
    expect(tens!.fromMs).toBe(MIDNIGHT_MS - 35 * DAY_MS + HOUR_MS);
  });

  test('are one of minutes while nothing was written', () => {
    expect(stretchesOf(Number.NEGATIVE_INFINITY)[0]!.fromMs).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('merging', () => {
  test('adds a minute to the slot that has its stretch of time', () => {
    const oldMs = MIDNIGHT_MS - 3 * DAY_MS;
    const written: Slot[] = [
      { endMs: oldMs + TEN_MINUTES_MS, lengthMs: TEN_MINUTES_MS, good: 5, bad: 1 },
      { endMs: MIDNIGHT_MS, lengthMs: MINUTE_MS, good: 7, bad: 0 },
    ];
    const minutes = [
      [MIDNIGHT_MS + MINUTE_MS, [1, 1]],
      [MIDNIGHT_MS, [2, 0]],
      [oldMs + 3 * MINUTE_MS, [3, 1]],
      [oldMs + 13 * MINUTE_MS, [4, 0]],
    ] as const;
    expect(mergeSlots(written, minutes, stretchesOf(MIDNIGHT_MS))).toEqual([
      { endMs: oldMs + TEN_MINUTES_MS, lengthMs: TEN_MINUTES_MS, good: 8, bad: 2 },
      { endMs: oldMs + 2 * TEN_MINUTES_MS, lengthMs: TEN_MINUTES_MS, good: 4, bad: 0 },
      { endMs: MIDNIGHT_MS, lengthMs: MINUTE_MS, good: 9, bad: 0 },
      { endMs: MIDNIGHT_MS + MINUTE_MS, lengthMs: MINUTE_MS, good: 1, bad: 1 },
    ]);
    expect(written[0]!.good).toBe(5);
  });
});

describe('sums', () => {
  const sums = new HistorySums([minute(1, 10, 1), minute(3, 20, 2), minute(4, 40, 4)], MIDNIGHT_MS + DAY_MS);

  test('of whole slots are exact, and half-open', () => {
    expect(between(sums, 0, 1)).toEqual([10, 1]);
    expect(between(sums, 1, 2)).toEqual([0, 0]);
    expect(between(sums, 1, 3)).toEqual([20, 2]);
    expect(between(sums, -60, 60)).toEqual([70, 7]);
  });

  test('are pro-rated inside the slot that an edge cuts', () => {
    expect(between(sums, 0.5, 2.5)).toEqual([15, 1.5]);
    expect(between(sums, 3.25, 3.75)).toEqual([20, 2]);
  });

  test('of nothing are nothing', () => {
    expect(between(new HistorySums([], MIDNIGHT_MS), 0, 1)).toEqual([0, 0]);
  });

  test('end with the watermark, whose slot is not over', () => {
    const present = new HistorySums([minute(1, 10, 1), minute(2, 30, 0)], MIDNIGHT_MS + 1.5 * MINUTE_MS);
    expect(between(present, 1, 1.5)).toEqual([30, 0]);
    expect(between(present, 1, 1.25)).toEqual([15, 0]);
    expect(between(present, 0, 60)).toEqual([40, 1]);
  });
});

describe('points', () => {
  const slo = anSlo({ objective: 0.9, errorBudget: 0.1 }, '1h');
  const slots = [minute(1, 90, 10), minute(2, 100, 0), minute(5, 80, 20)];
  const observed = { sinceMs: MIDNIGHT_MS, asOfMs: MIDNIGHT_MS + 5 * MINUTE_MS };

  function grid(from: number, to: number, step: number): Grid {
    return { fromMs: MIDNIGHT_MS + from * MINUTE_MS, toMs: MIDNIGHT_MS + to * MINUTE_MS, stepMs: step * MINUTE_MS };
  }

  test('stand at every step after the first, with the events of their step', () => {
    const points = historyPoints(slo, slots, grid(0, 5, 2), observed);
    expect(points.map(({ t, good, bad, total, sli }) => [t, good, bad, total, sli])).toEqual([
      ['2026-01-01T00:02:00.000Z', 190, 10, 200, 0.95],
      ['2026-01-01T00:04:00.000Z', 0, 0, 0, null],
    ]);
  });

  test('have budget and burn rates as of their time', () => {
    const [first, , last] = historyPoints(slo, slots, grid(0, 6, 2), observed);
    expect(first!.budgetRemaining).toBe(0.5);
    expect(first!.burnRates).toEqual({
      '5m': 0.5,
      '30m': 0.5,
      '1h': 0.5,
      '2h': 0.5,
      '6h': 0.5,
      '1d': 0.5,
      '3d': 0.5,
    });
    expect(last!.budgetRemaining).toBe(0);
    expect(last!.bad).toBe(20);
  });

  test('forget what has left a window', () => {
    const far = historyPoints(slo, slots, grid(58, 62, 1), { ...observed, asOfMs: MIDNIGHT_MS + DAY_MS });
    expect(far.map(({ budgetRemaining }) => budgetRemaining)).toEqual([0, 0, 0, -1]);
  });

  test('know nothing before the first slot and after the watermark', () => {
    const points = historyPoints(slo, slots, grid(-1, 8, 1), observed);
    const known = points.map(({ budgetRemaining }) => budgetRemaining !== null);
    expect(known).toEqual([false, true, true, true, true, true, false, false, false]);
    expect(points.at(-1)!.sli).toBeNull();
    expect(new Set(Object.values(points.at(-1)!.burnRates))).toEqual(new Set([null]));
  });

  test('without any event burn nothing once something was observed, and are null when nothing was', () => {
    const [before, now] = historyPoints(slo, [], grid(3, 5, 1), { ...observed, sinceMs: Number.NaN });
    expect([before!.budgetRemaining, now!.budgetRemaining, now!.sli]).toEqual([null, 1, null]);
    const nothing = { sinceMs: Number.NaN, asOfMs: Number.NaN };
    const unobserved = historyPoints(slo, [], grid(0, 2, 1), nothing);
    expect(unobserved.map(({ total, budgetRemaining }) => [total, budgetRemaining])).toEqual([
      [0, null],
      [0, null],
    ]);
  });

  test('of a calendar window count from where its period begins', () => {
    const periodOf = (tMs: number) => {
      const startMs = (Math.ceil(tMs / HOUR_MS) - 1) * HOUR_MS;
      return { startMs, endMs: startMs + HOUR_MS };
    };
    const calendar = { ...slo, window: { kind: 'calendar', unit: 'week', timezone: 'UTC', periodOf } } as const;
    const days = [minute(58, 50, 50), minute(60, 100, 0), minute(61, 100, 0), minute(62, 95, 5)];
    const points = historyPoints(calendar, days, grid(59, 62, 1), { ...observed, asOfMs: MIDNIGHT_MS + DAY_MS });
    expect(points.map(({ burnRates }) => burnRates['week'])).toEqual([2.5, 0, 0.25]);
    expect(points.map(({ budgetRemaining }) => budgetRemaining)).toEqual([-1.5, 1, 0.75]);
  });
});

describe('minutes that wait', () => {
  test('are counted once for each ledger and minute', () => {
    const minutes = new HistoryMinutes();
    const eu = { region: 'eu' };
    minutes.add('a/b', null, 60_000, 1, 0);
    minutes.add('a/b', null, 60_000, 2, 1);
    minutes.add('a/b', eu, 60_000, 4, 0);
    minutes.add('a/b', null, 120_000, 1, 0);
    expect(minutes.size).toBe(3);
    expect(minutes.newestMs).toBe(120_000);
    expect(minutes.of('a/b', null)!.minutes.get(60_000)).toEqual([3, 1]);
    expect(minutes.of('a/b', { region: 'eu' })!.minutes.get(60_000)).toEqual([4, 0]);
    expect(minutes.of('a/c', null)).toBeUndefined();
  });

  test('know a group by its labels, in whatever order', () => {
    expect(groupText({ b: '2', a: '1' })).toBe(groupText({ a: '1', b: '2' }));
    expect(groupText({ a: '1' })).not.toBe(groupText({ a: '2' }));
    expect(groupText(null)).toBe('');
  });
});
