import { shown } from '../../definitions/problem.ts';
import type { NativeHistogram } from '../../engine/native-histogram.ts';
import { readHistogram, stepped, whyNotStep } from './histogram-notation.ts';
import { matchAt, NotationError, quoted, readNumber } from './number-notation.ts';

/**
 * The `values` of a scenario's series, in promtool's notation:
 *
 *     1 2 3          three samples               _ _x5        one, five intervals without a sample
 *     0+60x20        0, 60, … 1200: 21 samples   stale        a stale marker
 *     5-1x3          5, 4, 3, 2                  1x3          1, 1, 1, 1: the value and three repetitions
 *     {{count:1}}    a native histogram          {{…}}+{{…}}x3   a histogram and three more, each larger by the second
 *
 * Numbers are read as promtool reads them: `010` is octal, steps are added one by one, NaN and Inf neither step nor
 * repeat.
 */

/** `count` consecutive intervals: nothing, a stale marker, or `first`, `first + step`, … */
export type ValueRun = NumberRun | HistogramRun;

interface NumberRun {
  readonly kind: 'omitted' | 'stale' | 'value';
  readonly count: number;
  readonly first: number;
  readonly step: number;
}

interface HistogramRun {
  readonly kind: 'histogram';
  readonly count: number;
  readonly first: NativeHistogram;
  /** Null when the histogram is repeated. */
  readonly step: NativeHistogram | null;
  /** 1 or -1: whether the step is added or taken away. */
  readonly sign: number;
}

const SPACE = /\s*/y;
const ITEM = /\S+/y;
const WORD = /[A-Za-z_][A-Za-z_0-9]*/y;
const COUNT = /\d+(?![\d.eE])/y;

/** Reads the whole text; throws `NotationError` at the first character that does not fit. */
export function readSeriesValues(text: string): ValueRun[] {
  const runs: ValueRun[] = [];
  let at = matchAt(SPACE, text, 0).length;
  while (at < text.length) {
    const { run, end } = text.startsWith('{{', at) ? readHistograms(text, at) : readItem(text, at);
    runs.push(run);
    at = end + matchAt(SPACE, text, end).length;
  }
  return runs;
}

/** `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3` or `{{…}}-{{…}}x3`. */
function readHistograms(text: string, start: number): { run: HistogramRun; end: number } {
  const { histogram: first, end: firstEnd } = readHistogram(text, start);
  let at = firstEnd;
  const operator = text[at];
  let step: NativeHistogram | null = null;
  if (operator === '+' || operator === '-') {
    if (!text.startsWith('{{', at + 1)) {
      throw new NotationError(`must be a histogram, got ${quoted(text, at + 1)}`, at + 1);
    }
    const read = readHistogram(text, at + 1);
    const why = whyNotStep(first, read.histogram);
    if (why !== null) throw new NotationError(why, at + 1);
    step = read.histogram;
    at = read.end;
  }
  const end = at + matchAt(ITEM, text, at).length;
  const count = step === null && at === end ? 1 : readCount(text, at, end) + 1;
  return { run: { kind: 'histogram', count, first, step, sign: operator === '-' ? -1 : 1 }, end };
}

function readItem(text: string, start: number): { run: NumberRun; end: number } {
  const end = start + matchAt(ITEM, text, start).length;
  return { run: readNumbers(text, start, end), end };
}

function readNumbers(text: string, start: number, end: number): NumberRun {
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

function readWord(word: string, sign: number, at: number, signed: boolean): NumberRun {
  if (word === 'stale' && !signed) return { kind: 'stale', count: 1, first: 0, step: 0 };
  const lower = word.toLowerCase();
  if (lower === 'nan') return { kind: 'value', count: 1, first: Number.NaN, step: 0 };
  if (lower === 'inf') return { kind: 'value', count: 1, first: sign * Number.POSITIVE_INFINITY, step: 0 };
  throw new NotationError(`must be a number, _ or stale, got ${shown(word)}`, at);
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

/** Walks the runs one interval at a time; 30 days of values never exist at once. */
export class ValueCursor {
  readonly runs: readonly ValueRun[];
  run: number;
  index: number;
  /** Where the kind is `value`. */
  value: number;
  /** Where the kind is `histogram`. */
  histogram: NativeHistogram | null;

  constructor(runs: readonly ValueRun[]) {
    this.runs = runs;
    this.run = 0;
    this.index = 0;
    this.value = 0;
    this.histogram = null;
    this.#enter();
  }

  /** What the present interval holds; null once the values are over. */
  get kind(): ValueRun['kind'] | null {
    return this.run < this.runs.length ? this.runs[this.run]!.kind : null;
  }

  advance(): void {
    const run = this.runs[this.run]!;
    this.index++;
    if (this.index >= run.count) {
      this.run++;
      this.#enter();
    } else if (run.kind === 'histogram') {
      if (run.step !== null) this.histogram = stepped(this.histogram!, run.sign, run.step);
    } else this.value += run.step;
  }

  /** Begins the run at `this.run`; runs of no interval (`_x0`) are passed over. */
  #enter(): void {
    while (this.run < this.runs.length && this.runs[this.run]!.count === 0) this.run++;
    const run = this.runs[this.run];
    this.index = 0;
    this.value = run === undefined || run.kind === 'histogram' ? 0 : run.first;
    this.histogram = run?.kind === 'histogram' ? run.first : null;
  }
}
