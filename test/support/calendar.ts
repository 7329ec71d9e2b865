import type { Period } from '../../src/engine/calendar.ts';
import type { CalendarUnit, SloWindow } from '../../src/engine/slo.ts';

/**
 * Calendar periods, found the naive way: midnights are where the local date changes, and they are searched for with nothing but
 * Intl.
 */
interface LocalDate {
  year: number;
  month: number;
  day: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localDate(tMs: number, timezone: string): LocalDate {
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      calendar: 'gregory',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
    });
    formats.set(timezone, format);
  }
  const parts = format.formatToParts(tMs);
  const number = (type: string): number => Number(parts.find((part) => part.type === type)!.value);
  return { year: number('year'), month: number('month'), day: number('day') };
}

function daysSinceEpoch({ year, month, day }: LocalDate): number {
  return Date.UTC(year, month - 1, day) / 86_400_000;
}

/** The first millisecond of a local date. */
function midnight(date: LocalDate, timezone: string): number {
  const wanted = daysSinceEpoch(date);
  // No zone is further than a day from UTC. Dates never go back, so the change can be bisected.
  let before = (wanted - 2) * 86_400_000;
  let after = (wanted + 2) * 86_400_000;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (daysSinceEpoch(localDate(middle, timezone)) < wanted) before = middle;
    else after = middle;
  }
  return after;
}

/** The first day of the period, and that of the next one. */
function firstDays(date: LocalDate, unit: CalendarUnit): [LocalDate, LocalDate] {
  const { year, month } = date;
  const normal = (y: number, m: number, d: number): LocalDate => {
    const utc = new Date(Date.UTC(y, m - 1, d));
    return { year: utc.getUTCFullYear(), month: utc.getUTCMonth() + 1, day: utc.getUTCDate() };
  };
  if (unit === 'year') return [normal(year, 1, 1), normal(year + 1, 1, 1)];
  if (unit === 'month') return [normal(year, month, 1), normal(year, month + 1, 1)];
  if (unit === 'quarter') {
    const first = 3 * Math.floor((month - 1) / 3) + 1;
    return [normal(year, first, 1), normal(year, first + 3, 1)];
  }
  const sinceMonday = (new Date(Date.UTC(year, month - 1, date.day)).getUTCDay() + 6) % 7;
  return [normal(year, month, date.day - sinceMonday), normal(year, month, date.day - sinceMonday + 7)];
}

/** The period `(start, end]` that holds `tMs`: midnight itself is the last instant of the period before. */
export function naivePeriod(tMs: number, unit: CalendarUnit, timezone: string): Period {
  const [first, next] = firstDays(localDate(tMs - 1, timezone), unit);
  return { startMs: midnight(first, timezone), endMs: midnight(next, timezone) };
}

export function calendarWindow(unit: CalendarUnit, timezone: string): SloWindow {
  return { kind: 'calendar', unit, timezone, periodOf: (tMs) => naivePeriod(tMs, unit, timezone) };
}
