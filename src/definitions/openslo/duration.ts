import { DAY_MS, formatDuration, parseDuration } from '../../engine/duration.ts';
import type { Duration } from '../../engine/slo.ts';

/** OpenSLO's durations: one number and one unit, of which `m` is a minute and `M` a month. */

const SHORTHAND = /^(\d+)([mhdwMQY])$/;
/** OpenSLO leaves open how long these are; they are what its own SDK takes them for. */
const LONG_UNITS: Readonly<Record<string, number>> = { M: 30 * DAY_MS, Q: 90 * DAY_MS, Y: 365 * DAY_MS };

/** `1M` -> 30d; null when the text is no duration of OpenSLO's. */
export function parseShorthand(text: string): Duration | null {
  const [, count, unit] = SHORTHAND.exec(text) ?? [];
  if (count === undefined || unit === undefined) return null;
  const unitMs = LONG_UNITS[unit];
  return parseDuration(unitMs === undefined ? text : formatDuration(Number(count) * unitMs));
}

/** The window of a time slice, which may also be a number of minutes. */
export function parseSliceWindow(text: string): Duration | null {
  return parseShorthand(/^\d+$/.test(text) ? `${text}m` : text);
}
