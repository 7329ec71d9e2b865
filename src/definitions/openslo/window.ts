import { Temporal } from 'temporal-polyfill';
import type { CalendarUnit, SloWindow } from '../../engine/slo.ts';
import { calendarPeriods, firstDay } from '../calendar.ts';
import { FORMS } from '../forms.ts';
import type { Part } from '../part.ts';
import { shown } from '../problem.ts';
import { DEFAULTS } from '../sli.ts';
import { parseShorthand } from './duration.ts';
import type { Spec } from './schema.ts';

/** `timeWindow`: rolling, or a calendar window that begins with its unit. */

type TimeWindow = NonNullable<Spec<'SLO'>['timeWindow']>[number];

const UNITS: Readonly<Record<string, CalendarUnit>> = { '1w': 'week', '1M': 'month', '1Q': 'quarter', '1Y': 'year' };
const LOCAL_TIME = /^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}$/;

export function readTimeWindow(spec: Part<Spec<'SLO'>>): SloWindow | null {
  const windows = spec.at('timeWindow');
  if (windows === null || windows.value.length === 0) {
    spec.warning(`has no timeWindow: ${DEFAULTS.window.duration.text} is taken`);
    return DEFAULTS.window;
  }
  const [window] = windows.items();
  const isRolling = window?.at('isRolling') ?? null;
  if (window === undefined || isRolling?.sound() === false) return null;
  return isRolling?.value ? readRolling(window) : readCalendar(window);
}

function readRolling(window: Part<TimeWindow>): SloWindow | null {
  const calendar = window.at('calendar');
  calendar?.error('a rolling window has no calendar; leave it out, or write isRolling: false');
  const length = window.at('duration');
  if (!length?.sound()) return null;
  const duration = parseShorthand(length.value)!;
  const wrong = FORMS.rollingWindow(duration.text);
  if (wrong !== null) {
    const meant = length.value.endsWith('m') ? '; m is a minute and M a month' : '';
    return length.error(`${wrong.message}${meant}`);
  }
  return calendar === null ? { kind: 'rolling', duration } : null;
}

function readCalendar(window: Part<TimeWindow>): SloWindow | null {
  const duration = window.at('duration');
  const unit = duration?.sound() ? readUnit(duration) : null;
  const calendar = window.at('calendar');
  if (calendar === null) return window.missing('calendar', 'is required where isRolling is not true');
  const startTime = calendar.at('startTime');
  const begins = startTime?.sound() ? beginsUnit(startTime, unit) : false;
  const timezone = calendar.get('timeZone');
  if (unit === null || timezone === null || !begins) return null;
  return { kind: 'calendar', unit, timezone, periodOf: calendarPeriods(unit, timezone) };
}

function readUnit(duration: Part<string>): CalendarUnit | null {
  const unit = UNITS[duration.value];
  if (unit !== undefined) return unit;
  return duration.error(
    duration.value === '1m'
      ? 'a calendar window of 1m is one minute; write 1M for a month'
      : `of a calendar window must be 1w, 1M, 1Q or 1Y, got ${duration.value}`,
  );
}

/** Calendar windows are weeks from Monday, months, quarters and years: whoever begins one elsewhere means another window. */
function beginsUnit(startTime: Part<string>, unit: CalendarUnit | null): boolean {
  const start = parseLocalTime(startTime.value);
  if (start === null) {
    startTime.error(`must be a local time such as 2026-01-01 00:00:00, got ${shown(startTime.value)}`);
    return false;
  }
  if (unit === null) return true;
  const first = firstDay(start.toPlainDate(), unit);
  if (start.equals(first.toPlainDateTime())) return true;
  startTime.error(`must be the first midnight of a ${unit}, such as ${first} 00:00:00, got ${startTime.value}`);
  return false;
}

function parseLocalTime(text: string): Temporal.PlainDateTime | null {
  if (!LOCAL_TIME.test(text)) return null;
  try {
    return Temporal.PlainDateTime.from(text.replace(' ', 'T'), { overflow: 'reject' });
  } catch {
    // A RangeError: there is no such day or hour.
    return null;
  }
}
