import { type PendingRow, PendingRows } from './pending.ts';
import type { Aggregate, Slo } from './slo.ts';
import type { Timekeeper } from './timekeeper.ts';

/**
 * Time slices: each complete slice `(endMs - sliceMs, endMs]` is one event, good or bad. It is complete once the watermark
 * reaches its end; the first, partly observed slice is no event.
 *
 * A judge keeps what is pending and says, slice after slice, which share of it was good.
 */
export interface SliceJudge {
  /** Whether a sample from a slice that is closed still says something about the next ones. */
  readonly takesLate: boolean;
  /** Takes everything up to `endMs`; the good share of the slice, 0..1, or null when it holds nothing to judge by. */
  close(endMs: number): number | null;
  /** Two numbers at event time `tMs`: series slot and value, or good and bad events. */
  post(tMs: number, a: number, b: number): void;
  save(): SliceJudgeSave;
  load(save: SliceJudgeSave): void;
}

export interface SliceJudgeSave {
  pending: PendingRow[];
  /** Two numbers a series slot. */
  series: (readonly [a: number, b: number])[];
}

export interface SlicesSave extends SliceJudgeSave {
  sinceMs: number;
  nextEndMs: number;
}

/** Whether the events of an SLO are time slices. */
export function isSliced({ sli, budgeting }: Slo): boolean {
  if (budgeting !== 'occurrences') return true;
  return sli.kind === 'freshness' || sli.kind === 'throughput' || sli.kind === 'threshold';
}

export class Slices {
  readonly judge: SliceJudge;
  readonly #sliceMs: number;
  readonly #emptyShare: number | null;
  readonly #time: Timekeeper;
  readonly #longestWindowMs: number;
  /** Nothing was observed before: the SLO began to listen then, or its group appeared. */
  sinceMs: number;
  /** End of the next slice to be closed; NaN before the first. */
  nextEndMs = Number.NaN;

  /** With `sinceMs` at Infinity the first sample says since when there is something to observe. */
  constructor(slo: Slo, time: Timekeeper, longestWindowMs: number, sinceMs: number) {
    if (slo.slice === null) throw new Error(`BUG: ${slo.id} has no slice`);
    this.#sliceMs = slo.slice.ms;
    this.#emptyShare = slo.emptySlice === 'ignore' ? null : slo.emptySlice === 'good' ? 1 : 0;
    this.#time = time;
    this.#longestWindowMs = longestWindowMs;
    this.sinceMs = sinceMs;
    this.judge = judgeOf(slo);
  }

  /** A number for the judge. What belongs to a slice that is closed already comes too late. */
  post(tMs: number, a: number, b: number): void {
    this.appear(tMs);
    if (this.judge.takesLate || !(tMs <= this.nextEndMs - this.#sliceMs)) this.judge.post(tMs, a, b);
  }

  /** There is something to observe as of `tMs`. */
  appear(tMs: number): void {
    if (this.sinceMs === Number.POSITIVE_INFINITY) this.sinceMs = tMs;
  }

  /** Closes every slice that ends by the watermark. */
  settle(watermarkMs: number, add: (tMs: number, good: number, bad: number) => void): void {
    const sliceMs = this.#sliceMs;
    const { scope } = this.#time;
    if (Number.isNaN(this.nextEndMs)) {
      const beginMs = Math.max(scope.firstMs, this.sinceMs);
      if (!Number.isFinite(beginMs)) return;
      // The first whole slice.
      this.#skipTo((Math.ceil(beginMs / sliceMs) + 1) * sliceMs);
    }
    // What no window reaches any more need not be judged.
    const oldestMs = Math.floor((watermarkMs - this.#longestWindowMs) / sliceMs) * sliceMs;
    if (this.nextEndMs < oldestMs) this.#skipTo(oldestMs);
    for (; this.nextEndMs <= watermarkMs; this.nextEndMs += sliceMs) {
      const share = this.judge.close(this.nextEndMs);
      const reported = scope.reportedWithin(sliceMs, this.nextEndMs);
      const good = reported && share !== null ? share : this.#emptyShare;
      if (good !== null) add(this.nextEndMs, good, 1 - good);
    }
  }

  save(): SlicesSave {
    return { sinceMs: this.sinceMs, nextEndMs: this.nextEndMs, ...this.judge.save() };
  }

  load(save: SlicesSave): void {
    this.sinceMs = save.sinceMs;
    this.nextEndMs = save.nextEndMs;
    this.judge.load(save);
  }

  #skipTo(endMs: number): void {
    this.judge.close(endMs - this.#sliceMs);
    this.nextEndMs = endMs;
  }
}

function judgeOf(slo: Slo): SliceJudge {
  const { sli } = slo;
  switch (sli.kind) {
    case 'freshness':
      return new FreshnessJudge(sli.source, sli.thresholdSeconds, sli.aggregate ?? 'max');
    case 'throughput':
      return new ThroughputJudge(slo.slice!.ms / 1000, sli.bound, sli.perSecond, sli.aggregate ?? 'sum');
    case 'threshold':
      return new ThresholdJudge(sli.op, sli.value, sli.aggregate);
    default:
      return new EventsJudge(slo.budgeting === 'timeslices' ? slo.sliceTarget! : null);
  }
}

export function aggregateOf(values: readonly number[], aggregate: Aggregate): number {
  switch (aggregate) {
    case 'max':
      return Math.max(...values);
    case 'min':
      return Math.min(...values);
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    case 'avg':
      return values.reduce((sum, value) => sum + value, 0) / values.length;
  }
}

/** What every judge of series keeps: pending samples, and two numbers for each series. */
abstract class SeriesJudge implements SliceJudge {
  abstract readonly takesLate: boolean;
  readonly #pending = new PendingRows();
  /** By series slot. */
  protected readonly series: [a: number, b: number][] = [];

  protected abstract readonly empty: readonly [number, number];
  protected abstract take(series: [number, number], tMs: number, value: number): void;
  protected abstract judge(endMs: number): number | null;

  post(tMs: number, slot: number, value: number): void {
    this.#pending.insert(tMs, slot, value);
  }

  close(endMs: number): number | null {
    this.#pending.drain(endMs, (tMs, slot, value) => this.take(this.#at(slot), tMs, value));
    return this.judge(endMs);
  }

  #at(slot: number): [number, number] {
    while (this.series.length <= slot) this.series.push([...this.empty]);
    return this.series[slot]!;
  }

  save(): SliceJudgeSave {
    return { pending: this.#pending.rows(), series: this.series };
  }

  load(save: SliceJudgeSave): void {
    this.#pending.load(save.pending);
    save.series.forEach(([a, b], slot) => {
      this.#at(slot)[0] = a;
      this.#at(slot)[1] = b;
    });
  }
}

/** The age at the slice's end, worst series first; an `age` gauge keeps ageing between its samples. */
class FreshnessJudge extends SeriesJudge {
  /** The newest sample of a series holds until the next, however late it comes. */
  readonly takesLate = true;
  readonly #source: 'timestamp' | 'age';
  readonly #thresholdSeconds: number;
  readonly #aggregate: Aggregate;
  /** Event time and value of the newest sample; NaN while the series has none or is stale. */
  protected readonly empty = [Number.NaN, Number.NaN] as const;

  constructor(source: 'timestamp' | 'age', thresholdSeconds: number, aggregate: Aggregate) {
    super();
    this.#source = source;
    this.#thresholdSeconds = thresholdSeconds;
    this.#aggregate = aggregate;
  }

  protected take(series: [number, number], tMs: number, value: number): void {
    series[0] = Number.isNaN(value) ? Number.NaN : tMs;
    series[1] = value;
  }

  protected judge(endMs: number): number | null {
    const ages: number[] = [];
    for (const [tMs, value] of this.series) {
      if (Number.isNaN(tMs)) continue;
      ages.push(this.#source === 'timestamp' ? endMs / 1000 - value : value + (endMs - tMs) / 1000);
    }
    if (ages.length === 0) return null;
    return aggregateOf(ages, this.#aggregate) <= this.#thresholdSeconds ? 1 : 0;
  }
}

/**
 * The increase in the slice per second, summed over the series. No increase at all is a rate of zero; a series without a sample
 * in the slice has no rate that could be the least, or dilute an average.
 */
class ThroughputJudge extends SeriesJudge {
  readonly takesLate = false;
  readonly #sliceSeconds: number;
  readonly #bound: 'min' | 'max';
  readonly #perSecond: number;
  readonly #aggregate: Aggregate;
  /** Increase in the open slice, and from how many samples. */
  protected readonly empty = [0, 0] as const;

  constructor(sliceSeconds: number, bound: 'min' | 'max', perSecond: number, aggregate: Aggregate) {
    super();
    this.#sliceSeconds = sliceSeconds;
    this.#bound = bound;
    this.#perSecond = perSecond;
    this.#aggregate = aggregate;
  }

  protected take(series: [number, number], _tMs: number, value: number): void {
    if (Number.isNaN(value)) return;
    series[0] += value;
    series[1] += 1;
  }

  protected judge(_endMs: number): number {
    const sampled = this.series.filter(([, samples]) => samples > 0);
    const rates = sampled.map(([increase]) => increase / this.#sliceSeconds);
    for (const series of sampled) {
      series[0] = 0;
      series[1] = 0;
    }
    const rate = rates.length === 0 ? 0 : aggregateOf(rates, this.#aggregate);
    return (this.#bound === 'min' ? rate >= this.#perSecond : rate <= this.#perSecond) ? 1 : 0;
  }
}

/** The mean of the slice's samples against a bound; with an aggregate, that of each series' mean. */
class ThresholdJudge extends SeriesJudge {
  readonly takesLate = false;
  readonly #op: 'lt' | 'lte' | 'gt' | 'gte';
  readonly #value: number;
  readonly #aggregate: Aggregate | null;
  /** Sum and count of the open slice. */
  protected readonly empty = [0, 0] as const;

  constructor(op: 'lt' | 'lte' | 'gt' | 'gte', value: number, aggregate: Aggregate | null) {
    super();
    this.#op = op;
    this.#value = value;
    this.#aggregate = aggregate;
  }

  protected take(series: [number, number], _tMs: number, value: number): void {
    if (Number.isNaN(value)) return;
    series[0] += value;
    series[1] += 1;
  }

  protected judge(_endMs: number): number | null {
    const sampled = this.series.filter(([, count]) => count > 0);
    const observed =
      this.#aggregate === null
        ? sampled.reduce((sum, [value]) => sum + value, 0) / sampled.reduce((sum, [, count]) => sum + count, 0)
        : aggregateOf(
            sampled.map(([sum, count]) => sum / count),
            this.#aggregate,
          );
    for (const series of this.series) {
      series[0] = 0;
      series[1] = 0;
    }
    if (sampled.length === 0) return null;
    return this.#holds(observed) ? 1 : 0;
  }

  #holds(observed: number): boolean {
    switch (this.#op) {
      case 'lt':
        return observed < this.#value;
      case 'lte':
        return observed <= this.#value;
      case 'gt':
        return observed > this.#value;
      case 'gte':
        return observed >= this.#value;
    }
  }
}

/**
 * Slices of good and bad events. With a target (`timeslices`) a slice is good when its good share reaches it; without
 * (`ratioTimeslices`) a slice counts by its good share. A slice without events is an empty one.
 */
class EventsJudge implements SliceJudge {
  readonly takesLate = false;
  readonly #target: number | null;
  readonly #pending = new PendingRows();

  constructor(target: number | null) {
    this.#target = target;
  }

  post(tMs: number, good: number, bad: number): void {
    this.#pending.add(tMs, good, bad);
  }

  close(endMs: number): number | null {
    let good = 0;
    let bad = 0;
    this.#pending.drain(endMs, (_tMs, goodEvents, badEvents) => {
      good += goodEvents;
      bad += badEvents;
    });
    if (good + bad <= 0) return null;
    const share = Math.min(Math.max(good / (good + bad), 0), 1);
    if (this.#target === null) return share;
    return share >= this.#target ? 1 : 0;
  }

  save(): SliceJudgeSave {
    return { pending: this.#pending.rows(), series: [] };
  }

  load(save: SliceJudgeSave): void {
    this.#pending.load(save.pending);
  }
}
