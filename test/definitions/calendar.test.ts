import fc from 'fast-check';
import { expect, test } from 'vitest';
import { calendarPeriods } from '../../src/definitions/calendar.ts';
import { DAY_MS, HOUR_MS } from '../../src/engine/duration.ts';
import type { CalendarUnit } from '../../src/engine/slo.ts';
import { slosOf } from './reading.ts';

const UNITS: readonly CalendarUnit[] = ['week', 'month', 'quarter', 'year'];

function period(unit: CalendarUnit, zone: string, at: string): [start: string, end: string] {
  const { startMs, endMs } = calendarPeriods(unit, zone)(Date.parse(at));
  return [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
}

test('a period is that of the time zone, through summer time and the lengths of months', () => {
  const f = (unit: CalendarUnit, zone: string, at: string, start: string, end: string): void =>
    expect(period(unit, zone, at), `${unit} ${zone} ${at}`).toEqual([`${start}:00.000Z`, `${end}:00.000Z`]);
  f('month', 'UTC', '2026-02-14T12:00:00Z', '2026-02-01T00:00', '2026-03-01T00:00');
  f('month', 'UTC', '2028-02-29T12:00:00Z', '2028-02-01T00:00', '2028-03-01T00:00');
  f('month', 'Europe/Madrid', '2026-03-31T21:59:00Z', '2026-02-28T23:00', '2026-03-31T22:00');
  f('month', 'Europe/Madrid', '2026-03-31T22:01:00Z', '2026-03-31T22:00', '2026-04-30T22:00');
  f('week', 'UTC', '2026-01-01T12:00:00Z', '2025-12-29T00:00', '2026-01-05T00:00');
  f('week', 'America/New_York', '2026-03-08T12:00:00Z', '2026-03-02T05:00', '2026-03-09T04:00');
  f('quarter', 'Asia/Kolkata', '2026-05-05T12:00:00Z', '2026-03-31T18:30', '2026-06-30T18:30');
  f('year', 'Pacific/Auckland', '2026-07-01T00:00:00Z', '2025-12-31T11:00', '2026-12-31T11:00');
  // No midnight: the first of the month begins at one o'clock.
  f('month', 'America/Asuncion', '2017-10-15T12:00:00Z', '2017-10-01T04:00', '2017-11-01T03:00');
  f('week', 'Africa/Cairo', '2025-04-24T12:00:00Z', '2025-04-20T22:00', '2025-04-27T21:00');
  // A whole day that was not.
  f('month', 'Pacific/Apia', '2011-12-31T00:00:00Z', '2011-12-01T10:00', '2011-12-31T10:00');
});

test('a time exactly on a boundary belongs to the period that ends there', () => {
  const boundary = Date.UTC(2026, 1, 1);
  for (const first of [boundary - 1, boundary, boundary + 1, boundary + 40 * DAY_MS]) {
    const periodOf = calendarPeriods('month', 'UTC');
    periodOf(first);
    expect(periodOf(boundary)).toEqual({ startMs: Date.UTC(2026, 0, 1), endMs: boundary });
    expect(periodOf(boundary + 0.5)).toEqual({ startMs: boundary, endMs: Date.UTC(2026, 2, 1) });
    expect(periodOf(boundary + 1)).toEqual({ startMs: boundary, endMs: Date.UTC(2026, 2, 1) });
  }
});

test('a day whose last hour comes twice, the second time after the next day began, keeps the order of periods', () => {
  // St. John's went from 00:01 on the first of November 2009 back to 23:01 of October.
  const periodOf = calendarPeriods('month', 'America/St_Johns');
  const november = Date.UTC(2009, 10, 1, 2, 30);
  expect(periodOf(november).endMs).toBe(november);
  expect(periodOf(november + HOUR_MS / 2).startMs).toBe(november);
});

test('the last period is kept', () => {
  const periodOf = calendarPeriods('month', 'UTC');
  const period = periodOf(Date.UTC(2026, 0, 2));
  expect(periodOf(Date.UTC(2026, 0, 31))).toBe(period);
});

test('a definition with a calendar window knows its periods', () => {
  const [slo] = slosOf(`apiVersion: slipstream/v1
service: billing
slos:
  - name: month
    objective: 99
    window: {calendar: month, timezone: Europe/Madrid}
    sli: {probe: {gauge: up}}
`);
  const { window } = slo!;
  expect(window).toMatchObject({ kind: 'calendar', unit: 'month', timezone: 'Europe/Madrid' });
  expect(window.kind === 'calendar' && window.periodOf(Date.UTC(2026, 2, 31, 23))).toEqual({
    startMs: Date.UTC(2026, 2, 31, 22),
    endMs: Date.UTC(2026, 3, 30, 22),
  });
});

/** Year, month, day and day of the week (Monday is 1), as Intl has them. */
function localDay(zone: string): (tMs: number) => { year: number; month: number; day: number; weekday: number } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'iso8601',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  return (tMs) => {
    const parts = new Map(format.formatToParts(tMs).map(({ type, value }) => [type, Number(value)]));
    const [year, month, day] = [parts.get('year')!, parts.get('month')!, parts.get('day')!];
    return { year, month, day, weekday: ((new Date(Date.UTC(year, month - 1, day)).getUTCDay() + 6) % 7) + 1 };
  };
}

function isFirstDay(unit: CalendarUnit, { month, day, weekday }: ReturnType<ReturnType<typeof localDay>>): boolean {
  if (unit === 'week') return weekday === 1;
  return day === 1 && (unit === 'month' || (unit === 'quarter' ? month % 3 === 1 : month === 1));
}

test('in every time zone a period lies between the first instants of two first days, as Intl sees them', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
      fc.constantFrom(...UNITS),
      fc.integer({ min: Date.UTC(1995, 0, 2), max: Date.UTC(2040, 0, 1) }),
      (zone, unit, tMs) => {
        const dayOf = localDay(zone);
        const periodOf = calendarPeriods(unit, zone);
        const { startMs, endMs } = periodOf(tMs);
        expect(tMs > startMs && tMs <= endMs).toBe(true);
        for (const boundary of [startMs, endMs]) {
          const before = dayOf(boundary - 1);
          const after = dayOf(boundary);
          expect(isFirstDay(unit, after)).toBe(true);
          expect([before.year, before.month, before.day]).not.toEqual([after.year, after.month, after.day]);
        }
        const days = { week: [7, 7], month: [28, 31], quarter: [90, 92], year: [365, 366] }[unit] as [number, number];
        expect(endMs - startMs).toBeGreaterThanOrEqual((days[0] - 1) * DAY_MS - 2 * HOUR_MS);
        expect(endMs - startMs).toBeLessThanOrEqual((days[1] + 1) * DAY_MS);
        // Nothing between two periods, and nothing twice.
        expect(periodOf(endMs + 1).startMs).toBe(endMs);
        expect(calendarPeriods(unit, zone)(startMs).endMs).toBe(startMs);
        expect(calendarPeriods(unit, zone)(endMs)).toEqual({ startMs, endMs });
      },
    ),
    { numRuns: 400 },
  );
});
