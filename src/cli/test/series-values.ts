import { shown } from '../../definitions/problem.ts';

/**
 * The `values` of a scenario's series, in promtool's notation:
 *
 *     1 2 3          three samples               _ _x5        one, five intervals without a sample
 *     0+60x20        0, 60, … 1200: 21 samples   stale        a stale marker
 *     5-1x3          5, 4, 3, 2                  1x3          1, 1, 1, 1: the value and three repetitions
 *
 * Numbers are read as promtool reads them: `010` is octal, steps are added one by one, NaN and Inf neither step nor
 * repeat.
 */

/** `count` consecutive intervals: nothing, a stale marker, or `first`, `first + step`, … */
export interface ValueRun {
  readonly kind: 'omitted' | 'stale' | 'value';
  readonly count: number;
  readonly first: number;
  readonly step: number;
}

/** Text that is not in the notation; `offset` is the offending character's, from 0. */
export class NotationError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const ITEM = /\S+/g;
const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_][A-Za-z_0-9]*/y;
const COUNT = /\d+(?![\d.eE])/y;
const OCTAL = /^0[0-7]+$/;

/** Reads the whole text; throws `NotationError` at the first character that does not fit. */
export function readSeriesValues(text: string): ValueRun[] {
  const runs: ValueRun[] = [];
  for (const item of text.matchAll(ITEM)) runs.push(readItem(text, item.index, item.index + item[0].length));
  return runs;
}

function readItem(text: string, start: number, end: number): ValueRun {
  if (text.startsWith('{{', start)) {
    throw new NotationError('native histograms are not supported by this version', start);
  }
  let at = start;
  if (text[at] === '_') {
    at++;
    if (at === end) return { kind: 'omitted', count: 1, first: 0, step: 0 };
    return { kind: 'omitted', count: readCount(text, at, end), first: 0, step: 0 };
  }

  const sign = text[at] === '-' ? -1 : 1;
  if (text[at] === '-' || text[at] === '+') at++;
  const word = matchAt(WORD, text, at);
  if (word !== '') return readWord(word, sign, at, at > start);
  const first = readNumber(text, at);
  at += first.length;
  if (at === end) return { kind: 'value', count: 1, first: sign * first.value, step: 0 };

  let step = 0;
  if (text[at] === '+' || text[at] === '-') {
    const direction = text[at] === '-' ? -1 : 1;
    const number = readNumber(text, at + 1);
    step = direction * number.value;
    at += 1 + number.length;
  }
  // `1x3` is the value at time 0 and three more.
  return { kind: 'value', count: readCount(text, at, end) + 1, first: sign * first.value, step };
}

function readWord(word: string, sign: number, at: number, signed: boolean): ValueRun {
  if (word === 'stale' && !signed) return { kind: 'stale', count: 1, first: 0, step: 0 };
  const lower = word.toLowerCase();
  if (lower === 'nan') return { kind: 'value', count: 1, first: Number.NaN, step: 0 };
  if (lower === 'inf') return { kind: 'value', count: 1, first: sign * Number.POSITIVE_INFINITY, step: 0 };
  throw new NotationError(`must be a number, _ or stale, got ${shown(word)}`, at);
}

function readNumber(text: string, at: number): { value: number; length: number } {
  const digits = matchAt(NUMBER, text, at);
  if (digits === '') throw new NotationError(`must be a number, got ${quoted(text, at)}`, at);
  const value = OCTAL.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  if (!Number.isFinite(value)) throw new NotationError(`the number ${digits} is out of range`, at);
  return { value, length: digits.length };
}

/** `x` and a whole number, up to the item's end. */
function readCount(text: string, at: number, end: number): number {
  if (text[at] !== 'x') throw new NotationError(`must be x and a number of repetitions, got ${quoted(text, at)}`, at);
  const digits = matchAt(COUNT, text, at + 1);
  const count = Number(digits);
  if (digits === '' || !Number.isSafeInteger(count)) {
    throw new NotationError(`must be a whole number of repetitions, got ${quoted(text, at + 1)}`, at + 1);
  }
  const next = at + 1 + digits.length;
  if (next !== end) throw new NotationError(`must be followed by white space, got ${quoted(text, next)}`, next);
  return count;
}

function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** What stands at `at`, up to the next white space, for a message. */
function quoted(text: string, at: number): string {
  const rest = matchAt(/\S+/y, text, at);
  return rest === '' ? 'nothing' : shown(rest);
}

/** Walks the runs one interval at a time; 30 days of values never exist at once. */
export class ValueCursor {
  readonly runs: readonly ValueRun[];
  run: number;
  index: number;
  value: number;

  constructor(runs: readonly ValueRun[]) {
    this.runs = runs;
    this.run = 0;
    this.index = 0;
    this.value = 0;
    this.#enter();
  }

  /** What the present interval holds; null once the values are over. */
  get kind(): ValueRun['kind'] | null {
    return this.run < this.runs.length ? this.runs[this.run]!.kind : null;
  }

  advance(): void {
    const run = this.runs[this.run]!;
    this.index++;
    this.value += run.step;
    if (this.index < run.count) return;
    this.run++;
    this.#enter();
  }

  /** Begins the run at `this.run`; runs of no interval (`_x0`) are passed over. */
  #enter(): void {
    while (this.run < this.runs.length && this.runs[this.run]!.count === 0) this.run++;
    this.index = 0;
    this.value = this.run < this.runs.length ? this.runs[this.run]!.first : 0;
  }
}
