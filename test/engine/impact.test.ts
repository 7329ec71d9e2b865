import fc from 'fast-check';
import { expect, test } from 'vitest';
import { calendarPeriods } from '../../src/definitions/calendar.ts';
import { burnRate } from '../../src/engine/burn-rate.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/engine/duration.ts';
import { HistorySums, type Slot } from '../../src/engine/history.ts';
import { impactOf } from '../../src/engine/impact.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SLO = anSlo({ objective: 0.9, errorBudget: 0.1 }, '1h');

function minute(at: number, good: number, bad: number): Slot {
  return { endMs: MIDNIGHT_MS + at * MINUTE_MS, lengthMs: MINUTE_MS, good, bad };
}

function at(minutes: number): number {
  return MIDNIGHT_MS + minutes * MINUTE_MS;
}

function text(minutes: number): string {
  return new Date(at(minutes)).toISOString();
}

const OBSERVED = { sinceMs: at(0), asOfMs: at(600) };

test('an incident costs its bad events, out of the budget of the window that ends with it', () => {
  const slots = [minute(1, 100, 0), minute(11, 10, 4), minute(13, 10, 2), minute(20, 74, 0)];
  expect(impactOf(SLO, slots, at(10), at(20), OBSERVED)).toEqual({
    from: text(10),
    to: text(20),
    events: { good: 94, bad: 6, total: 100 },
    budgetSpent: 0.3,
    remainingBefore: 1,
    remainingAfter: 0.7,
    lowestRemaining: 1 - 6 / 126 / 0.1,
    lowestAt: text(13),
  });
});

test('the budget is at its lowest also when good events leave the window', () => {
  const slots = [minute(1, 1000, 0), minute(30, 90, 10)];
  const { lowestAt, lowestRemaining } = impactOf(SLO, slots, at(25), at(80), OBSERVED);
  expect([lowestAt, lowestRemaining]).toEqual([text(61), 0]);
});

test('what was not observed is null', () => {
  const slots = [minute(5, 90, 10)];
  const observed = { sinceMs: at(4), asOfMs: at(8) };
  const f = (from: number, to: number, ...expected: (number | string | null)[]): void => {
    const impact = impactOf(SLO, slots, at(from), at(to), observed);
    const { remainingBefore, remainingAfter, lowestRemaining, lowestAt } = impact;
    expect([remainingBefore, remainingAfter, lowestRemaining, lowestAt]).toEqual(expected);
  };
  f(0, 6, null, 0, 0, text(5));
  f(6, 20, 0, 0, 0, text(6));
  f(10, 20, null, null, null, null);
  f(0, 3, null, null, null, null);
});

test('an SLO without events has spent nothing', () => {
  const nothing = { sinceMs: Number.NaN, asOfMs: Number.NaN };
  expect(impactOf(SLO, [], at(0), at(10), nothing)).toMatchObject({ budgetSpent: 0, remainingAfter: null });
});

test('of a calendar window the budget is that of the period so far', () => {
  const slo = { ...SLO, window: { kind: 'calendar', unit: 'month', timezone: 'UTC' } as const };
  const calendar = { ...slo, window: { ...slo.window, periodOf: calendarPeriods('month', 'UTC') } };
  const slots = [
    { endMs: MIDNIGHT_MS - HOUR_MS, lengthMs: HOUR_MS, good: 0, bad: 1000 },
    { endMs: MIDNIGHT_MS + HOUR_MS, lengthMs: HOUR_MS, good: 95, bad: 5 },
  ];
  const observed = { sinceMs: MIDNIGHT_MS - DAY_MS, asOfMs: MIDNIGHT_MS + DAY_MS };
  const impact = impactOf(calendar, slots, MIDNIGHT_MS, MIDNIGHT_MS + 2 * HOUR_MS, observed);
  expect(impact).toMatchObject({ budgetSpent: 0.5, remainingBefore: -9, remainingAfter: 0.5 });
});

test('no moment of the interval has less left than the lowest', () => {
  const slotsOf = fc
    .array(fc.tuple(fc.nat(240), fc.nat(100), fc.nat(10)), { minLength: 1, maxLength: 30 })
    .map((minutes) => [...new Map(minutes.map((each) => [each[0], each])).values()].sort(([a], [b]) => a - b))
    .map((minutes) => minutes.map((each) => minute(...each)));
  fc.assert(
    fc.property(slotsOf, fc.nat(120), fc.integer({ min: 1, max: 120 }), (slots, from, length) => {
      const observed = { sinceMs: at(-1), asOfMs: at(240) };
      const { lowestRemaining } = impactOf(SLO, slots, at(from), at(from + length), observed);
      const sums = new HistorySums(slots, at(240));
      for (let tMs = at(from); tMs <= at(from + length); tMs += 7_000) {
        sums.read(tMs - HOUR_MS, tMs);
        const remaining = 1 - burnRate(sums.good, sums.bad, SLO.errorBudget);
        expect(remaining).toBeGreaterThanOrEqual(lowestRemaining! - 1e-9);
      }
    }),
  );
});
