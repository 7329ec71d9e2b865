/** Instants as people and programs write them: RFC 3339, or Unix seconds. */

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;
const SECONDS = /^-?\d+(?:\.\d+)?$/;
/** What a date of JavaScript can be. */
const TIME_MAX_MS = 8.64e15;

/** Unix milliseconds; NaN when the text is neither. */
export function timeOfText(text: string): number {
  if (SECONDS.test(text)) return timeOfSeconds(Number(text));
  const date = RFC_3339.exec(text)?.[1];
  return date === undefined || !isDate(date) ? Number.NaN : Date.parse(text.toUpperCase());
}

/** Unix milliseconds of Unix seconds; NaN for what no date can be. */
export function timeOfSeconds(seconds: number): number {
  // Adding 0 makes a -0 an ordinary 0.
  const ms = Math.round(seconds * 1000) + 0;
  return Math.abs(ms) <= TIME_MAX_MS ? ms : Number.NaN;
}

/** Of the 30th of February JavaScript makes the 2nd of March. */
function isDate(text: string): boolean {
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}
