import type { Duration } from './slo.ts';

/** Prometheus durations: `5m`, `1h30m`, `28d`. A year is 365 days and a week 7, as in Prometheus. */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * DAY_MS],
  ['w', 7 * DAY_MS],
  ['d', DAY_MS],
  ['h', HOUR_MS],
  ['m', MINUTE_MS],
  ['s', SECOND_MS],
  ['ms', 1],
];

export const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** Reads a Prometheus duration; null when the text is none. `0` needs no unit. */
export function parseDuration(text: string): Duration | null {
  if (text === '0') return { text, ms: 0 };
  const match = DURATION.exec(text);
  if (match === null || text === '') return null;
  let ms = 0;
  for (let i = 0; i < UNITS.length; i++) {
    const count = match[i + 1];
    if (count !== undefined) ms += Number(count) * UNITS[i]![1];
  }
  return Number.isSafeInteger(ms) ? { text, ms } : null;
}

function format(ms: number, units: readonly (readonly [string, number])[]): string {
  if (ms === 0) return '0s';
  let rest = ms;
  let text = '';
  for (const [unit, unitMs] of units) {
    const count = Math.floor(rest / unitMs);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * unitMs;
  }
  return text;
}

/** Days and smaller: `1d1h43m`, `30d`. */
export function formatDuration(ms: number): string {
  return format(ms, UNITS.slice(2));
}

/** As Prometheus itself prints a duration: weeks and years only when nothing is left over (28d is `4w`, 30d is `30d`). */
export function formatPrometheusDuration(ms: number): string {
  for (const [unit, unitMs] of UNITS.slice(0, 2)) {
    if (ms > 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return formatDuration(ms);
}

export function duration(text: string): Duration {
  const parsed = parseDuration(text);
  if (parsed === null) throw new Error(`BUG: not a duration: ${text}`);
  return parsed;
}
