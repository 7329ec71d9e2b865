import { shown } from '../../definitions/problem.ts';
import {
  type Bucket,
  CUSTOM_BUCKETS_SCHEMA,
  downscale,
  type NativeHistogram,
  type ResetHint,
  SCHEMA_MAX,
  SCHEMA_MIN,
  withZeroThreshold,
} from '../../engine/native-histogram.ts';
import { NotationError, readNumber } from './number-notation.ts';

/**
 * A native histogram in promtool's notation:
 *
 *     {{schema:1 sum:5 count:26 z_bucket:2 z_bucket_w:0.001 buckets:[5 10 7] offset:-3 n_buckets:[2] n_offset:1}}
 *     {{schema:-53 count:22 custom_values:[0.5 1] buckets:[5 10 7]}}
 *
 * Every part is optional and 0 by default. An offset is the index of the first bucket, which at 0 ends at 1; that of custom
 * buckets is the place of its bound in `custom_values`.
 */

const PARTS = [
  'schema',
  'sum',
  'count',
  'z_bucket',
  'z_bucket_w',
  'buckets',
  'offset',
  'n_buckets',
  'n_offset',
  'custom_values',
  'counter_reset_hint',
] as const;
type Part = (typeof PARTS)[number];

const HINTS: Readonly<Record<string, ResetHint>> = {
  unknown: 'unknown',
  reset: 'yes',
  not_reset: 'no',
  gauge: 'gauge',
};

const SPACE = /\s*/y;
const WORD = /[a-z_]+/iy;
const WHOLE = /-?\d+(?![\d.eE])/y;
/** What a list of numbers or a scalar ends at. */
const REST = /[^\s\]}]*/y;

/** Where each part was found, for what is wrong with the whole. */
interface Found {
  readonly at: ReadonlyMap<Part, number>;
  readonly numbers: ReadonlyMap<Part, number>;
  readonly lists: ReadonlyMap<Part, readonly number[]>;
  readonly hint: ResetHint;
}

/** Reads from the `{{` at `start` on; `end` is behind the `}}`. */
export function readHistogram(text: string, start: number): { histogram: NativeHistogram; end: number } {
  let position = start + 2;
  const take = (pattern: RegExp): string => {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0] ?? '';
    position += found.length;
    return found;
  };
  const expected = (what: string, at: number): never => {
    REST.lastIndex = at;
    const got = REST.exec(text)?.[0] || text.slice(at, at + 2);
    throw new NotationError(`must be ${what}, got ${got === '' ? 'nothing' : shown(got)}`, at);
  };
  const number = (): number => {
    const sign = text[position] === '-' ? -1 : 1;
    if (text[position] === '-' || text[position] === '+') position++;
    const word = take(WORD).toLowerCase();
    if (word === 'nan') return Number.NaN;
    if (word === 'inf') return sign * Number.POSITIVE_INFINITY;
    position -= word.length;
    const { value, length } = readNumber(text, position);
    position += length;
    return sign * value;
  };
  const list = (): number[] => {
    if (text[position] !== '[') expected('a list such as [5 10 7]', position);
    position++;
    const values: number[] = [];
    for (;;) {
      const spaces = take(SPACE);
      if (text[position] === ']') break;
      if (values.length > 0 && spaces === '') expected('white space or ]', position);
      values.push(number());
    }
    position++;
    return values;
  };

  const at = new Map<Part, number>();
  const numbers = new Map<Part, number>();
  const lists = new Map<Part, readonly number[]>();
  let hint: ResetHint = 'unknown';
  for (;;) {
    const spaces = take(SPACE);
    if (text.startsWith('}}', position)) break;
    if (at.size > 0 && spaces === '') expected('white space or }}', position);
    const word = take(WORD);
    const partAt = position - word.length;
    const part = PARTS.find((name) => name === word.toLowerCase());
    if (part === undefined) return expected(`a part of a histogram (${PARTS.join(', ')}) or }}`, partAt);
    if (at.has(part)) throw new NotationError(`${part} is given twice`, partAt);
    if (text[position] !== ':') expected(`: after ${part}`, position);
    position++;
    at.set(part, position);
    if (part === 'counter_reset_hint') {
      const name = take(WORD);
      const known = HINTS[name.toLowerCase()];
      if (known === undefined) return expected(Object.keys(HINTS).join(', '), position - name.length);
      hint = known;
    } else if (part === 'schema' || part === 'offset' || part === 'n_offset') {
      const whole = take(WHOLE);
      if (whole === '') expected('a whole number', position);
      numbers.set(part, Number(whole));
    } else if (part === 'buckets' || part === 'n_buckets' || part === 'custom_values') lists.set(part, list());
    else numbers.set(part, number());
  }
  return { histogram: build({ at, numbers, lists, hint }, start), end: position + 2 };
}

function build({ at, numbers, lists, hint }: Found, start: number): NativeHistogram {
  const wrong = (part: Part, message: string): never => {
    throw new NotationError(`${part} ${message}`, at.get(part) ?? start);
  };
  const schema = numbers.get('schema') ?? 0;
  const custom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (!custom && (schema < SCHEMA_MIN || schema > SCHEMA_MAX)) {
    wrong('schema', `must be ${SCHEMA_MIN} to ${SCHEMA_MAX}, or ${CUSTOM_BUCKETS_SCHEMA} with custom_values`);
  }
  const customBounds = lists.get('custom_values') ?? [];
  if (!custom && customBounds.length > 0) wrong('custom_values', `needs schema:${CUSTOM_BUCKETS_SCHEMA}`);
  if (customBounds.some((bound, i) => i > 0 && !(bound > customBounds[i - 1]!))) wrong('custom_values', 'must rise');
  const offset = numbers.get('offset') ?? 0;
  const positive = buckets(lists.get('buckets') ?? [], offset);
  if (custom && (offset < 0 || positive.some(([index]) => index > customBounds.length))) {
    wrong('buckets', `must have at most one bucket more than custom_values, which has ${customBounds.length}`);
  }
  const negative = buckets(lists.get('n_buckets') ?? [], numbers.get('n_offset') ?? 0);
  if (custom && negative.length > 0) wrong('n_buckets', `cannot be with schema:${CUSTOM_BUCKETS_SCHEMA}`);
  return {
    schema,
    count: numbers.get('count') ?? 0,
    zeroThreshold: numbers.get('z_bucket_w') ?? 0,
    zeroCount: numbers.get('z_bucket') ?? 0,
    positive,
    negative,
    customBounds,
    resetHint: hint,
  };
}

function buckets(counts: readonly number[], offset: number): Bucket[] {
  return counts.map((count, i) => [offset + i, count]);
}

/** Why a histogram cannot be stepped by another one; null when it can. A finer step is merged, a coarser one cannot be split. */
export function whyNotStep(base: NativeHistogram, step: NativeHistogram): string | null {
  const custom = base.schema === CUSTOM_BUCKETS_SCHEMA;
  if (custom !== (step.schema === CUSTOM_BUCKETS_SCHEMA)) return 'exponential and custom buckets do not add up';
  if (base.schema > step.schema) return `a step of schema ${step.schema} does not fit into schema ${base.schema}`;
  const sameBounds =
    base.customBounds.length === step.customBounds.length &&
    base.customBounds.every((b, i) => b === step.customBounds[i]);
  return sameBounds ? null : 'the custom_values of a step must be those of its base';
}

/** `base + sign * step`, in the layout of the base with the wider zero bucket. */
export function stepped(base: NativeHistogram, sign: number, step: NativeHistogram): NativeHistogram {
  const zeroThreshold = Math.max(base.zeroThreshold, step.zeroThreshold);
  const to = withZeroThreshold(base, zeroThreshold);
  const by = downscale(withZeroThreshold(step, zeroThreshold), base.schema);
  return {
    ...to,
    zeroThreshold,
    count: to.count + sign * by.count,
    zeroCount: to.zeroCount + sign * by.zeroCount,
    positive: added(to.positive, sign, by.positive),
    negative: added(to.negative, sign, by.negative),
    resetHint: hintOf(base.resetHint, step.resetHint),
  };
}

function added(to: readonly Bucket[], sign: number, by: readonly Bucket[]): Bucket[] {
  const counts = new Map(to);
  for (const [index, count] of by) counts.set(index, (counts.get(index) ?? 0) + sign * count);
  return [...counts].sort((a, b) => a[0] - b[0]);
}

/** As Prometheus reconciles them: a gauge stays one, and what differs is unknown. */
function hintOf(base: ResetHint, step: ResetHint): ResetHint {
  if (base === step) return base;
  return base === 'gauge' || step === 'gauge' ? 'gauge' : 'unknown';
}
