import { decodeSeries, formatSeries, type LabelSet, labelValue, readings } from './label-set.ts';
import type { SeriesColumns } from './series-columns.ts';
import type { SeriesTable } from './series-table.ts';
import type { Matcher } from './slo.ts';
import type { Wanted } from './slo-index.ts';
import { type PushSourceState, timeText } from './sources.ts';

/**
 * Why an SLO has data, or has none: which series each of its selectors matches, and what nearly matches one that matches
 * nothing. Every known series is looked at, some thousands at a time, so that whoever asks holds nobody else up.
 */

export interface SelectorState {
  readonly as: string;
  readonly selector: string;
  /** How many series match. */
  readonly series: number;
  readonly examples: readonly string[];
  /** Event time of the newest sample of any of them. */
  readonly lastSample: string | null;
  /** Only of a selector that matches nothing. */
  readonly nearMisses?: NearMisses;
}

export interface NearMisses {
  /** Series of that name whose other labels do not match: what they have instead, by matcher. */
  readonly sameName: {
    readonly series: number;
    readonly examples: readonly string[];
    readonly mismatches: readonly {
      readonly matcher: string;
      readonly series: number;
      readonly seen: readonly string[];
    }[];
  };
  /** Names of series that match in everything but the name; the likeliest first. */
  readonly sameLabels: { readonly series: number; readonly names: readonly string[] };
}

export interface TargetExample {
  readonly job: string;
  readonly instance: string;
  readonly lastSample: string | null;
}

export interface LeftOut {
  /** Series that it wants were refused so often because too many are known. */
  readonly refusedSeries: number;
  /** Series that would make a group too many. */
  readonly overflowSeries: number;
}

export interface SloSources {
  readonly slo: string;
  readonly sliKind: string;
  /** The targets that the selectors could match by job and instance, those heard last first. */
  readonly targets: { readonly total: number; readonly examples: readonly TargetExample[] };
  readonly selectors: readonly SelectorState[];
  /** What is missing from its numbers; null when nothing is. */
  readonly degraded: LeftOut | null;
  /** What was pushed since the process began; null when nothing was. */
  readonly pushes: PushSourceState | null;
}

const EXAMPLES_MAX = 5;
const SEEN_MAX = 10;
/** Names are kept to find the likeliest among them. */
const NAMES_MAX = 1000;

export class SelectorWalk {
  readonly #table: SeriesTable;
  readonly #series: SeriesColumns;
  readonly #selectors: readonly SelectorFinds[];

  constructor(wanted: readonly Wanted[], table: SeriesTable, series: SeriesColumns) {
    this.#table = table;
    this.#series = series;
    this.#selectors = wanted.map((one) => new SelectorFinds(one));
  }

  /** Looks at the series from one id to before another. */
  walk(fromId: number, toId: number): void {
    for (let id = fromId; id < toId; id++) {
      const { labels, originals } = decodeSeries(this.#table.labelBytes(id));
      const read = readings(labels, originals);
      const lastMs = this.#series.lastMs[id]!;
      for (const selector of this.#selectors) selector.look(labels, read, lastMs);
    }
  }

  get selectors(): SelectorState[] {
    return this.#selectors.map((selector) => selector.state());
  }
}

interface Mismatch {
  readonly matcher: string;
  series: number;
  readonly seen: Set<string>;
}

class SelectorFinds {
  readonly #wanted: Wanted;
  /** The one name it asks for, or null. */
  readonly #name: string | null;
  #count = 0;
  readonly #examples: string[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;
  #sameName = 0;
  readonly #sameNameExamples: string[] = [];
  readonly #mismatches = new Map<Matcher, Mismatch>();
  #sameLabels = 0;
  readonly #names = new Set<string>();

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.#name = wanted.matchers.find(({ name, op }) => name === '__name__' && op === '=')?.value ?? null;
  }

  look(labels: LabelSet, read: readonly LabelSet[], lastMs: number): void {
    let closest: readonly Matcher[] | null = null;
    let taken = labels;
    for (const reading of read) {
      const failing = this.#wanted.matchers.filter((matcher) => !matcher.matches(labelValue(reading, matcher.name)));
      if (closest !== null && failing.length >= closest.length) continue;
      closest = failing;
      taken = reading;
    }
    if (closest === null) return;
    if (closest.length === 0) this.#match(labels, lastMs);
    else if (this.#count === 0) this.#miss(closest, labels, taken);
  }

  #match(labels: LabelSet, lastMs: number): void {
    this.#count++;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(formatSeries(labels));
    if (lastMs > this.#lastMs) this.#lastMs = lastMs;
  }

  #miss(failing: readonly Matcher[], labels: LabelSet, taken: LabelSet): void {
    const ofName = failing.filter(({ name }) => name === '__name__').length;
    if (ofName === 0 && this.#name !== null) {
      this.#sameName++;
      if (this.#sameNameExamples.length < EXAMPLES_MAX) this.#sameNameExamples.push(formatSeries(labels));
      for (const matcher of failing) this.#mismatch(matcher, labelValue(taken, matcher.name));
    } else if (ofName === failing.length && this.#wanted.matchers.length > ofName) {
      this.#sameLabels++;
      if (this.#names.size < NAMES_MAX) this.#names.add(labelValue(taken, '__name__'));
    }
  }

  #mismatch(matcher: Matcher, value: string): void {
    const text = `${matcher.name}${matcher.op}${JSON.stringify(matcher.value)}`;
    const mismatch = this.#mismatches.get(matcher) ?? { matcher: text, series: 0, seen: new Set<string>() };
    this.#mismatches.set(matcher, mismatch);
    mismatch.series++;
    if (mismatch.seen.size < SEEN_MAX) mismatch.seen.add(value);
  }

  state(): SelectorState {
    const { as, text } = this.#wanted;
    const found = {
      as,
      selector: text,
      series: this.#count,
      examples: this.#examples,
      lastSample: timeText(this.#lastMs),
    };
    if (this.#count > 0) return found;
    const mismatches = [...this.#mismatches.values()].map((one) => ({ ...one, seen: [...one.seen].sort() }));
    return {
      ...found,
      nearMisses: {
        sameName: { series: this.#sameName, examples: this.#sameNameExamples, mismatches },
        sameLabels: { series: this.#sameLabels, names: this.#likeliest() },
      },
    };
  }

  #likeliest(): string[] {
    const wanted = this.#name ?? '';
    return [...this.#names]
      .map((name): [number, string] => [likeness(name, wanted), name])
      .sort(([a, first], [b, second]) => b - a || (first < second ? -1 : 1))
      .slice(0, EXAMPLES_MAX)
      .map(([, name]) => name);
  }
}

/** How much of two names is the same from either end: a missing suffix, or one letter. */
function likeness(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let head = 0;
  while (head < length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  return (2 * (head + tail)) / (a.length + b.length);
}
