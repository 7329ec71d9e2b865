/**
 * OTLP's names as Prometheus writes them: underscores for what is no letter or digit, the unit and `_total` as suffixes
 * (the strategy UnderscoreEscapingWithSuffixes of OpenTelemetry's compatibility specification).
 */

const UNITS = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tebibytes'],
  ['kBy', 'kilobytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);
const UNITS_PER = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['min', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** What a metric's name says of its kind. */
export type NameKind = 'counter' | 'gauge' | 'other';

/** A name without a single letter or digit of ASCII stays as it is: nothing of it would be left. */
export function metricName(name: string, unit: string, kind: NameKind): string {
  const words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '');
  if (words.length === 0) return name;
  const [main = '', per = ''] = unit.split(/\/(.*)/s).map((part) => part.trim());
  const perUnit = escapedUnit(isAnnotation(per) ? '' : (UNITS_PER.get(per) ?? per));
  addOnce(words, escapedUnit(isAnnotation(main) ? '' : (UNITS.get(main) ?? main)));
  addOnce(words, perUnit === '' ? '' : `per_${perUnit}`);
  if (kind === 'counter') moveToEnd(words, 'total');
  // Counters of things are given the unit 1 all too often.
  if (kind === 'gauge' && unit === '1') moveToEnd(words, 'ratio');
  const joined = words.join('_');
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

/** `{requests}` says what is counted, and is no unit. */
function isAnnotation(unit: string): boolean {
  return /[{}]/.test(unit);
}

function escapedUnit(unit: string): string {
  return unit.replace(/[^a-zA-Z0-9:]+/g, '_').replace(/^_|_$/g, '');
}

function addOnce(words: string[], word: string): void {
  if (word !== '' && !words.includes(word)) words.push(word);
}

function moveToEnd(words: string[], word: string): void {
  const others = words.filter((each) => each !== word);
  words.splice(0, words.length, ...others, word);
}

/** A key without a single letter or digit of ASCII stays as it is. */
export function labelName(key: string): string {
  if (!/[a-zA-Z0-9]/.test(key)) return key;
  const escaped = key.replace(/[^a-zA-Z0-9_]/gu, '_');
  if (/^\d/.test(escaped)) return `key_${escaped}`;
  return /^_(?!_)/.test(escaped) ? `key${escaped}` : escaped;
}

/** A bucket's bound as Prometheus writes it: in plain digits, never with an exponent. */
export function boundText(bound: number): string {
  const text = String(bound);
  const [digits = '', exponent] = text.split('e');
  if (exponent === undefined) return text;
  const sign = digits.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = digits.replace('-', '').split('.');
  const point = whole.length + Number(exponent);
  const all = whole + fraction;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${all}`;
  return `${sign}${all.padEnd(point, '0')}`;
}
