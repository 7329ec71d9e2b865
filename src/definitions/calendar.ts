import { Temporal } from 'temporal-polyfill';
import type { Period, PeriodOf } from '../engine/calendar.ts';
import type { CalendarUnit } from '../engine/slo.ts';

/**
 * Calendar periods of a time zone. One begins with the first instant of its first day, wherever the clocks put that, so that it
 * is as long as its days are: March 2026 in Berlin has 743 hours.
 */

const LENGTH: Readonly<Record<CalendarUnit, Temporal.DurationLike>> = {
  week: { weeks: 1 },
  month: { months: 1 },
  quarter: { months: 3 },
  year: { years: 1 },
};

/** The first day of the week (from Monday), month, quarter or year that a day is in. */
export function firstDay(day: Temporal.PlainDate, unit: CalendarUnit): Temporal.PlainDate {
  switch (unit) {
    case 'week':
      return day.subtract({ days: day.dayOfWeek - 1 });
    case 'month':
      return day.with({ day: 1 });
    case 'quarter':
      return day.with({ month: day.month - ((day.month - 1) % 3), day: 1 });
    case 'year':
      return day.with({ month: 1, day: 1 });
  }
}

/** Half-open `(startMs, endMs]`: a time exactly on a boundary belongs to the period that ends there. */
export function calendarPeriods(unit: CalendarUnit, timeZone: string): PeriodOf {
  const begins = (day: Temporal.PlainDate): number => day.toZonedDateTime(timeZone).epochMilliseconds;
  let last: Period = { startMs: Number.NaN, endMs: Number.NaN };
  return (tMs) => {
    if (tMs > last.startMs && tMs <= last.endMs) return last;
    const instant = Temporal.Instant.fromEpochMilliseconds(Math.ceil(tMs) - 1);
    let day = firstDay(instant.toZonedDateTimeISO(timeZone).toPlainDate(), unit);
    let next = day.add(LENGTH[unit]);
    // Where clocks go back over midnight, the last hour of a day is there again after the next day has begun.
    if (begins(next) < tMs) [day, next] = [next, next.add(LENGTH[unit])];
    last = { startMs: begins(day), endMs: begins(next) };
    return last;
  };
}
