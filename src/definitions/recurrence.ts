import rrule from 'rrule';
import { Temporal } from 'temporal-polyfill';

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

/** Why a text is no rule, or null. */
export function ruleFault(text: string): string | null {
  try {
    const { freq } = rrule.RRule.parseString(text.replace(/^RRULE:/i, ''));
    if (freq === undefined) return 'must have a FREQ, as in FREQ=WEEKLY;BYDAY=SU';
    // One that comes again within the minute has to be looked for over all the years since its start.
    if (freq > rrule.RRule.HOURLY) return 'must not come more often than HOURLY';
    return null;
  } catch (error) {
    const { message } = error as Error;
    return `must be an RRULE such as FREQ=WEEKLY;BYDAY=SU: ${message.charAt(0).toLowerCase()}${message.slice(1)}`;
  }
}

/** Whether one of the windows is open, at times that mostly rise. Each window is half-open, `[start, start + duration)`. */
export function openWindows({ start, rule, durationMs, timeZone }: Recurrence): (nowMs: number) => boolean {
  const dtstart = floating(start);
  const set = new rrule.RRule({ ...rrule.RRule.parseString(rule.replace(/^RRULE:/i, '')), dtstart });
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
