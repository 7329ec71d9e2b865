import rrule from 'rrule';
import { Temporal } from 'temporal-polyfill';
import { shown } from './problem.ts';

/**
 * Windows that come again, by the RRULE of RFC 5545. Occurrences are counted on the calendar of a time zone: 02:00 is 02:00 by
 * the clock on the wall, in summer and in winter.
 */

export interface Recurrence {
  /** Local time of the first window. */
  readonly start: Temporal.PlainDateTime;
  readonly rule: string;
  readonly durationMs: number;
  readonly timeZone: string;
}

const { RRule } = rrule;
type RuleOptions = ReturnType<typeof RRule.parseString>;

/** Any day will do to find out whether a rule ever comes true. */
const PROBE = new Date(Date.UTC(2024, 0, 1));

/** Why a text is no rule, or null. */
export function ruleFault(text: string): string | null {
  try {
    const options = optionsOf(text);
    const { freq } = options;
    if (freq === undefined) return 'must have a FREQ, as in FREQ=WEEKLY;BYDAY=SU';
    if (freq > RRule.DAILY) return 'must not come more often than DAILY';
    if (freq >= RRule.WEEKLY && isSparse(options)) {
      return 'with this FREQ must have neither BYMONTHDAY, BYYEARDAY, BYWEEKNO nor BYSETPOS, and DAILY no other BY beside an INTERVAL';
    }
    return new RRule({ ...options, until: null, dtstart: PROBE }).after(PROBE, true) === null
      ? 'never comes true'
      : null;
  } catch {
    // What the library says of a text that it cannot read would tell nobody what is wrong with it.
    return `must be an RRULE such as FREQ=WEEKLY;BYDAY=SU, got ${shown(text)}`;
  }
}

function optionsOf(text: string): RuleOptions {
  return RRule.parseString(text.replace(/^RRULE:/i, ''));
}

/**
 * Days that are looked for one by one must be found soon: a rule that never comes true, such as a 30th of February, is looked for
 * up to the year 9999, which takes 20 seconds by the day and half a second by the month.
 */
function isSparse({
  freq,
  interval = 1,
  bymonthday,
  byyearday,
  byweekno,
  bysetpos,
  byweekday,
  bymonth,
}: RuleOptions): boolean {
  const given = (...parts: unknown[]): boolean => parts.some((part) => part !== undefined && part !== null);
  if (given(bymonthday, byyearday, byweekno, bysetpos)) return true;
  return freq === RRule.DAILY && interval !== 1 && given(byweekday, bymonth);
}

/** Whether one of the windows is open, at times that mostly rise. Each window is half-open, `[start, start + duration)`. */
export function openWindows({ start, rule, durationMs, timeZone }: Recurrence): (nowMs: number) => boolean {
  const dtstart = floating(start);
  const set = new RRule({ ...optionsOf(rule), dtstart });
  let fromMs = Number.NaN;
  let untilMs = Number.NaN;
  let lastStartMs: number | null = null;
  return (nowMs) => {
    if (!(nowMs >= fromMs && nowMs < untilMs)) {
      // By the wall's clock, which the rule knows as if it were UTC.
      const local = floating(
        Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDateTime(),
      );
      const last = set.before(local, true);
      const next = set.after(local, false);
      lastStartMs = last === null ? null : instant(last, timeZone);
      fromMs = nowMs;
      untilMs = next === null ? Number.POSITIVE_INFINITY : instant(next, timeZone);
    }
    return lastStartMs !== null && nowMs >= lastStartMs && nowMs < lastStartMs + durationMs;
  };
}

function floating(local: Temporal.PlainDateTime): Date {
  return new Date(local.toZonedDateTime('UTC').epochMilliseconds);
}

function instant(asUtc: Date, timeZone: string): number {
  const local = Temporal.Instant.fromEpochMilliseconds(asUtc.getTime()).toZonedDateTimeISO('UTC').toPlainDateTime();
  return local.toZonedDateTime(timeZone).epochMilliseconds;
}
