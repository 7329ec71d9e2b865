import { Temporal } from 'temporal-polyfill';
import { DAY_MS, HOUR_MS, MINUTE_MS, parseDuration, SECOND_MS } from '../engine/duration.ts';
import { timeOfText } from '../engine/instant.ts';
import type { Duration } from '../engine/slo.ts';
import { readCheck } from './check-expression.ts';
import { readLabelMatcher } from './label-matcher.ts';
import { parseShorthand, parseSliceWindow } from './openslo/duration.ts';
import { shown } from './problem.ts';
import { ruleFault } from './recurrence.ts';
import { hasVariables } from './secret.ts';
import { type Fault, isFault, readSelector } from './selector.ts';

/** Texts with a form of their own. A schema names one (`Type.String({form: 'duration'})`), the reader parses it again. */

export const ID_LENGTH_MAX = 128;
const ROLLING_MAX_MS = 400 * DAY_MS;
const CONTROL = /\p{Cc}/u;

/** Stands for `{{service}}` while a template is checked: a name of the same length, so that every character keeps its place. */
const SERVICE_TEMPLATE = '{{service}}';
const SERVICE_STAND_IN = 'the_service';

function fault(message: string): Fault {
  return { message };
}

function id(text: string): Fault | null {
  if (text === '') return fault('must not be empty');
  if ([...text].length > ID_LENGTH_MAX) return fault(`must have at most ${ID_LENGTH_MAX} characters`);
  const wrong = CONTROL.exec(text) ?? /\//.exec(text);
  if (wrong === null) return null;
  return { message: `must not contain ${wrong[0] === '/' ? "'/'" : 'a control character'}`, at: wrong.index };
}

const SLOTH_NAME = /^[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]$/;

function slothName(text: string): Fault | null {
  if (!SLOTH_NAME.test(text)) {
    return fault(
      `must be two or more letters, digits, -, _ or . between a letter or digit at either end, got ${shown(text)}`,
    );
  }
  return id(text);
}

function labelName(text: string): Fault | null {
  if (text === '') return fault('a label name must not be empty');
  return text === '__name__' ? fault('__name__ is the name of a metric, not a label') : null;
}

function durationBetween(leastMs: number, least: string, mostMs: number, most: string): (text: string) => Fault | null {
  return (text) => {
    const parsed = parseDuration(text);
    if (parsed === null) return fault(`must be a duration such as 5m or 1h30m, got ${shown(text)}`);
    if (parsed.ms < leastMs) return fault(`must be at least ${least}, got ${text}`);
    return parsed.ms > mostMs ? fault(`must be at most ${most}, got ${text}`) : null;
  };
}

const sliceDuration = durationBetween(SECOND_MS, '1s', DAY_MS, '1d');

function slice(text: string): Fault | null {
  const wrong = sliceDuration(text);
  if (wrong !== null) return wrong;
  const { ms } = parseDuration(text)!;
  return DAY_MS % ms === 0 && ms % SECOND_MS === 0 ? null : fault(`must divide a day in whole seconds, got ${text}`);
}

export const RATE = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*\/\s*([smhdSMHD])$/;
const RATE_UNIT_SECONDS: Readonly<Record<string, number>> = {
  s: 1,
  m: MINUTE_MS / SECOND_MS,
  h: HOUR_MS / SECOND_MS,
  d: DAY_MS / SECOND_MS,
};

/** `600/m` -> 10 a second; null when the text is no rate. */
export function parseRate(text: string): number | null {
  const match = RATE.exec(text);
  if (match === null) return null;
  const perSecond = Number(match[1]) / RATE_UNIT_SECONDS[match[2]!.toLowerCase()]!;
  return Number.isFinite(perSecond) ? perSecond : null;
}

function rate(text: string): Fault | null {
  return parseRate(text) === null ? fault(`must be a rate such as 10/s or 600/m, got ${shown(text)}`) : null;
}

export const PERCENT = /^(\d+(?:\.\d+)?)\s*%$/;

/** `99.9%` -> 99.9; null when the text is no percentage above 0 and below 100. */
export function parsePercent(text: string): number | null {
  const percent = Number(PERCENT.exec(text.trim())?.[1]);
  return percent > 0 && percent < 100 ? percent : null;
}

function percent(text: string): Fault | null {
  if (!PERCENT.test(text.trim())) return fault(`must be a percentage such as 99.9%, got ${shown(text)}`);
  return parsePercent(text) === null ? fault(`must be between 0% and 100%, got ${text}`) : null;
}

const NUMBER = /^\d+(?:\.\d+)?$/;

/** A percentage without its sign, as a text. */
function objective(text: string): Fault | null {
  const value = NUMBER.test(text) ? Number(text) : Number.NaN;
  return value > 0 && value < 100 ? null : fault(`must be between 0 and 100, got ${shown(text)}`);
}

export const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|kB|MB|GB)?$/;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
};

/** `32MiB` or a plain number of bytes; null when the text is no size above 0. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text);
  if (match === null) return null;
  const bytes = Number(match[1]) * SIZE_UNITS[match[2] ?? 'B']!;
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : null;
}

function size(text: string): Fault | null {
  return parseSize(text) === null ? fault(`must be a size such as 32MiB, got ${shown(text)}`) : null;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const ADDRESS = /^(?:\[([^\][]+)\]|([^\s:[\]]*)):(\d{1,5})$/;

/** `HOST:PORT`, `:PORT` (every interface) or `[::1]:PORT`; null when the text is none of them. */
export function parseAddress(text: string): Address | null {
  const match = ADDRESS.exec(text);
  if (match === null || Number(match[3]) > 65_535) return null;
  return { host: match[1] ?? (match[2] || '0.0.0.0'), port: Number(match[3]) };
}

function address(text: string): Fault | null {
  return parseAddress(text) === null ? fault(`must be HOST:PORT such as 127.0.0.1:9490, got ${shown(text)}`) : null;
}

function timeZone(text: string): Fault | null {
  try {
    // Newer engines also take `+01:00`, which has no summer time and so is no time zone.
    if (/^[A-Za-z]/.test(text) && new Intl.DateTimeFormat('en', { timeZone: text })) return null;
  } catch {
    // A RangeError is the only way in which Intl says that it does not know a name.
  }
  return fault(`must be an IANA time zone such as Europe/Madrid, got ${shown(text)}`);
}

function selector(text: string): Fault | null {
  const read = readSelector(text);
  return isFault(read) ? read : null;
}

function instant(text: string): Fault | null {
  const isTime = !Number.isNaN(timeOfText(text));
  return isTime ? null : fault(`must be a time in RFC 3339 or Unix seconds, got ${shown(text)}`);
}

function expiry(text: string): Fault | null {
  const isKnown = parseDuration(text) !== null || instant(text) === null;
  return isKnown
    ? null
    : fault(`must be a time in RFC 3339 or Unix seconds, or a duration such as 2h, got ${shown(text)}`);
}

const LINE_LENGTH_MAX = 1000;

/** Some text on one line. */
function line(text: string): Fault | null {
  if (text.trim() === '') return fault('must not be empty');
  if (text.length > LINE_LENGTH_MAX) return fault(`must have at most ${LINE_LENGTH_MAX} characters`);
  const wrong = CONTROL.exec(text);
  return wrong === null ? null : { message: 'must be one line, without control characters', at: wrong.index };
}

function check(text: string): Fault | null {
  const read = readCheck(text);
  return isFault(read) ? read : null;
}

function selectorTemplate(text: string): Fault | null {
  const wrong = selector(text.replaceAll(SERVICE_TEMPLATE, SERVICE_STAND_IN));
  return wrong && { ...wrong, message: wrong.message.replaceAll(SERVICE_STAND_IN, SERVICE_TEMPLATE) };
}

/** One of OpenSLO's durations, and held against a form as the duration that it stands for. */
function shorthand(
  form: (text: string) => Fault | null,
  parse: (text: string) => Duration | null = parseShorthand,
): (text: string) => Fault | null {
  return (text) => {
    const parsed = parse(text);
    return parsed === null
      ? fault(`must be a duration such as 5m, 1h, 28d, 4w, 1M, 1Q or 1Y, got ${shown(text)}`)
      : form(parsed.text);
  };
}

const YEARS_MS = 10 * 365 * DAY_MS;

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function dnsLabel(text: string): Fault | null {
  if (DNS_LABEL.test(text)) return null;
  return fault(`must be an RFC 1123 label of at most 63 lower case letters, digits and inner '-', got ${shown(text)}`);
}

function labelMatcher(text: string): Fault | null {
  const read = readLabelMatcher(text);
  return 'message' in read ? read : null;
}

function httpUrl(text: string): Fault | null {
  return isHttpUrl(text) ? null : fault(`must be a URL such as https://slipstream.example, got ${shown(text)}`);
}

/** A URL that may hold a secret, which a message must not show. */
function secretUrl(text: string): Fault | null {
  return hasVariables(text) || isHttpUrl(text) ? null : fault('must be a URL that begins with http:// or https://');
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const LOCAL_TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?$/;

function localTime(text: string): Fault | null {
  try {
    if (LOCAL_TIME.test(text) && Temporal.PlainDateTime.from(text, { overflow: 'reject' })) return null;
  } catch {
    // A RangeError: there is no such day or hour.
  }
  return fault(`must be a local time such as 2026-01-04T02:00, got ${shown(text)}`);
}

function recurrence(text: string): Fault | null {
  const message = ruleFault(text);
  return message === null ? null : fault(message);
}

const delay = durationBetween(0, '0s', YEARS_MS, '10y');
const alertWindow = durationBetween(SECOND_MS, '1s', ROLLING_MAX_MS, '400d');

/** Null, or what is wrong with a text of that form. */
export const FORMS = {
  id,
  dnsLabel,
  slothName,
  labelName,
  /** Longer than nothing. */
  duration: durationBetween(1, '1ms', YEARS_MS, '10y'),
  /** As long as a timer can be: 2^31 - 1 ms. */
  timer: durationBetween(1, '1ms', 24 * DAY_MS, '24d'),
  delay,
  alertWindow,
  rollingWindow: durationBetween(HOUR_MS, '1h', ROLLING_MAX_MS, '400d'),
  slice,
  shorthand: shorthand(delay),
  shorthandAlertWindow: shorthand(alertWindow),
  shorthandSlice: shorthand(slice, parseSliceWindow),
  rate,
  percent,
  objective,
  size,
  address,
  timeZone,
  labelMatcher,
  httpUrl,
  secretUrl,
  localTime,
  recurrence,
  selector,
  selectorTemplate,
  check,
  instant,
  expiry,
  line,
} satisfies Record<string, (text: string) => Fault | null>;

export type Form = keyof typeof FORMS;

/** Puts the name of a service where `{{service}}` stands, as it is written between double quotes. */
export function fillService(template: string, service: string): string {
  return template.replaceAll(SERVICE_TEMPLATE, service.replaceAll(/["\\]/g, String.raw`\$&`));
}
