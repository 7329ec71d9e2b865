import type { Accounts, LedgerEntry } from './accounts.ts';
import type { SampleBatch } from './batch.ts';
import {
  holdsHistogram,
  SAMPLE_DELTA,
  SAMPLE_HISTOGRAM,
  SAMPLE_HISTOGRAM_DELTA,
  SAMPLE_STALE,
  SAMPLE_VALUE,
  SAMPLE_WIDE,
} from './batch.ts';
import { DuplicateWriters } from './duplicate-writers.ts';
import { increaseOf, isCountable, type NativeHistogram, underThreshold } from './native-histogram.ts';
import type { IngestOutcome } from './outcome.ts';
import type { Replicas } from './replicas.ts';
import { COUNTER, EXISTED_BEFORE, OTHER, type SeriesColumns } from './series-columns.ts';
import {
  CONFLICT,
  DUPLICATE,
  INVALID_VALUE,
  OUT_OF_ORDER,
  type SourceCounts,
  STALE,
  TOO_OLD,
  WRITER_CONFLICT,
} from './source-counts.ts';
import { isReset, isSameStart, overlaps, startsAnew } from './start-time.ts';
import type { Targets } from './targets.ts';
import type { Wiring } from './wiring.ts';

export interface UnusualSamplesParts {
  /** How many SLOs there are. */
  readonly slos: number;
  readonly series: SeriesColumns;
  readonly targets: Targets;
  readonly wiring: Wiring;
  readonly accounts: Accounts;
  readonly replicas: Replicas;
  readonly counts: SourceCounts;
  readonly outcome: IngestOutcome;
}

/**
 * The slow path of ingest: every sample that is not the next value of a known event counter. It is written to be read; the
 * engine's loop takes nearly all samples of a steady sender.
 */
export class UnusualSamples {
  /** Last native histogram of each series that has one. */
  readonly histograms = new Map<number, NativeHistogram>();
  readonly duplicates = new DuplicateWriters();
  /**
   * Per SLO, since when it has listened: a target must have reported after that for a new series to count as newborn. An SLO
   * that has been there from the beginning has always listened.
   */
  readonly listeningSinceMs: Float64Array;
  readonly #series: SeriesColumns;
  readonly #targets: Targets;
  readonly #wiring: Wiring;
  readonly #accounts: Accounts;
  readonly #replicas: Replicas;
  readonly #counts: SourceCounts;
  readonly #outcome: IngestOutcome;

  constructor(parts: UnusualSamplesParts) {
    this.listeningSinceMs = new Float64Array(parts.slos).fill(Number.NEGATIVE_INFINITY);
    this.#series = parts.series;
    this.#targets = parts.targets;
    this.#wiring = parts.wiring;
    this.#accounts = parts.accounts;
    this.#replicas = parts.replicas;
    this.#counts = parts.counts;
    this.#outcome = parts.outcome;
  }

  /**
   * Every sample that is not the next value of a known event counter: first samples, stale markers, gauges, declared deltas,
   * start timestamps, native histograms. Returns whether it changed anything.
   */
  apply(batch: SampleBatch, row: number, oldestMs: number): boolean {
    const outcome = this.#outcome;
    const { lastMs, lastValue, lastLow, lastStartMs } = this.#series;
    const id = batch.seriesIds[row]!;
    const tMs = batch.timestampsMs[row]!;
    const value = batch.values[row]!;
    const kind = batch.kinds[row]!;
    const low = kind === SAMPLE_WIDE ? batch.lows[row]! : 0;
    const startMs = kind === SAMPLE_VALUE || kind === SAMPLE_STALE ? 0 : batch.startsMs[row]!;
    const previousMs = lastMs[id]!;
    if (kind === SAMPLE_STALE) {
      outcome.stale++;
      this.#note(id, STALE);
      return this.#stale(id, tMs);
    }
    const isHistogram = holdsHistogram(kind);
    const isDelta = kind === SAMPLE_DELTA || kind === SAMPLE_HISTOGRAM_DELTA;
    if (isHistogram ? !isCountable(batch.histograms[value]!) : !this.#isUsable(id, value)) {
      outcome.invalidValue++;
      this.#note(id, INVALID_VALUE);
      return false;
    }
    if (tMs <= previousMs) {
      const isDuplicate = tMs === previousMs && (isHistogram || (value === lastValue[id] && low === lastLow[id]));
      if (isDuplicate) outcome.duplicate++;
      else if (tMs < previousMs) outcome.outOfOrder++;
      else outcome.conflict++;
      this.#note(id, isDuplicate ? DUPLICATE : tMs < previousMs ? OUT_OF_ORDER : CONFLICT);
      // What is late of a cumulative series has been told by now; what a delta tells is nowhere else.
      if (!isDuplicate && (isDelta || tMs === previousMs)) outcome.lose(row, isDelta ? 'late_delta' : 'conflict');
      return false;
    }
    const previousStartMs = lastStartMs[id]!;
    if (isDelta && startMs !== 0 && startMs < previousMs) {
      // Part of what it tells has been counted already: two writers of one series.
      this.#writerConflict(id);
      outcome.lose(row, 'late_delta');
      return false;
    }
    outcome.accepted++;
    if (overlaps(previousStartMs, previousMs, startMs)) this.#writerConflict(id);
    lastMs[id] = tMs;
    lastStartMs[id] = startMs;
    const first = !(previousMs > EXISTED_BEFORE);
    if (first) this.#appear(id, tMs);
    const old = tMs <= oldestMs;
    if (old) {
      outcome.tooOld++;
      this.#note(id, TOO_OLD);
    }
    if (kind === SAMPLE_HISTOGRAM_DELTA) {
      if (!old) this.#histogramIncrease(id, tMs, batch.histograms[value]!);
      return true;
    }
    if (kind === SAMPLE_HISTOGRAM) {
      this.#histogram(batch, row, startMs, previousMs, previousStartMs, old);
      return true;
    }
    const previousValue = lastValue[id]!;
    const previousLow = lastLow[id]!;
    this.#keepValue(id, value, low);
    if (old) return true;
    this.#gauges(id, tMs, value);
    if (!this.#isCounter(id)) return true;
    if (kind !== SAMPLE_DELTA && !first && this.#isQuarantined(id, tMs, previousValue, value)) return true;
    // The doubles around 2^60 are 256 apart: what the values lack of whole numbers is in their low parts.
    const increase = value - previousValue + (low - previousLow);
    if (kind === SAMPLE_DELTA) {
      this.#increase(id, tMs, value);
    } else if (first) {
      this.#firstSample(id, tMs, value, startMs, previousMs === EXISTED_BEFORE);
    } else if (
      increase < 0 &&
      !startsAnew(previousStartMs, previousMs, startMs, tMs) &&
      batch.hasSenders &&
      this.isHandOver(batch, row)
    ) {
      this.#writerConflict(id);
      this.#keepValue(id, previousValue, previousLow);
      // What the journal says, for whoever replays it knows no sender.
      batch.values[row] = previousValue;
      batch.lows[row] = previousLow;
      batch.startsMs[row] = startMs;
      if (previousLow !== 0) batch.kinds[row] = SAMPLE_WIDE;
      this.#increase(id, tMs, 0);
    } else if (isReset(previousStartMs, previousMs, startMs, tMs, increase < 0)) {
      outcome.resets++;
      if (increase < 0) this.watch(id, previousValue);
      this.#increase(id, tMs, value);
    } else if (increase < 0) {
      // The start timestamp says that nothing began anew, so two writers share one identity: keep the higher baseline.
      this.#writerConflict(id);
      this.#keepValue(id, previousValue, previousLow);
    } else {
      this.#increase(id, tMs, increase);
    }
    return true;
  }

  #keepValue(id: number, value: number, low: number): void {
    this.#series.lastValue[id] = value;
    this.#series.lastLow[id] = low;
    // The ingest loop subtracts values and nothing else.
    if (low !== 0) this.#series.role[id] = OTHER;
  }

  /** A counter fell from `before`: for a while its samples come here, to see whether two writers share it. */
  watch(id: number, before: number): void {
    if (this.duplicates.fell(id, before)) this.#series.role[id] = OTHER;
  }

  /** Of a counter with two writers only the higher one is followed. */
  #isQuarantined(id: number, tMs: number, previousValue: number, value: number): boolean {
    const suspect = this.duplicates.get(id);
    if (suspect === undefined) return false;
    this.duplicates.observe(suspect, value);
    const { highest } = suspect;
    const quarantined = !Number.isNaN(highest);
    if (quarantined) {
      if (value < previousValue) this.duplicates.fell(id, previousValue);
      if (value >= highest) {
        suspect.highest = value;
        this.#increase(id, tMs, value - highest);
      } else {
        this.#writerConflict(id);
      }
    }
    const isCounterAlone = this.#wiring.othersOf(id).length === 0 && this.#series.lastLow[id] === 0;
    if (this.duplicates.isCalm(suspect) && isCounterAlone) this.#series.role[id] = COUNTER;
    return quarantined;
  }

  #appear(id: number, tMs: number): void {
    const { feedStart, feedCount } = this.#series;
    const { account } = this.#wiring.feeds;
    for (let feed = feedStart[id]!; feed < feedStart[id]! + feedCount[id]!; feed++) {
      this.#accounts.appear(account[feed]!, tMs);
    }
    for (const { entry } of this.#wiring.othersOf(id)) entry.ledger.appear(tMs);
  }

  /** Gauges may be negative; counters may not. */
  #isUsable(id: number, value: number): boolean {
    if (!Number.isFinite(value)) return false;
    return value >= 0 || !this.#isCounter(id);
  }

  #isCounter(id: number): boolean {
    return this.#series.feedCount[id]! > 0 || this.#wiring.othersOf(id).some(({ kind }) => kind === 'rate');
  }

  #stale(id: number, tMs: number): boolean {
    const { lastMs } = this.#series;
    const isFirst = Number.isNaN(lastMs[id]!);
    // It existed before we met it, so its next value is no news.
    if (isFirst) lastMs[id] = EXISTED_BEFORE;
    const gauges = this.#wiring.othersOf(id).filter(({ kind }) => kind === 'gauge');
    if (tMs < lastMs[id]!) return isFirst;
    for (const { entry, slot } of gauges) entry.ledger.postSample(tMs, slot, Number.NaN);
    return isFirst || gauges.length > 0;
  }

  /** Samples that are events, or judged in slices, by their value. */
  #gauges(id: number, tMs: number, value: number): void {
    for (const { kind, entry, slot } of this.#wiring.othersOf(id)) {
      if (kind === 'gauge') entry.ledger.postSample(tMs, slot, value);
      if (kind === 'probe') {
        const good = Math.min(Math.max(value, 0), 1);
        this.#accounts.add(entry.events, tMs, good, 1 - good);
      }
    }
  }

  /** A counter went up by `increase`. */
  #increase(id: number, tMs: number, increase: number): void {
    const { feedStart, feedCount } = this.#series;
    const { account, good, bad } = this.#wiring.feeds;
    for (let feed = feedStart[id]!; feed < feedStart[id]! + feedCount[id]!; feed++) {
      this.#accounts.add(account[feed]!, tMs, good[feed]! * increase, bad[feed]! * increase);
    }
    for (const { kind, entry, slot } of this.#wiring.othersOf(id)) {
      if (kind === 'rate') entry.ledger.postSample(tMs, slot, increase);
    }
  }

  /** The first sample counts in full for every SLO that can know the series to be newborn, and nothing for the others. */
  #firstSample(id: number, tMs: number, value: number, startMs: number, existedBefore: boolean): void {
    const { feedStart, feedCount } = this.#series;
    const { account, good, bad } = this.#wiring.feeds;
    let newborn = false;
    for (let feed = feedStart[id]!; feed < feedStart[id]! + feedCount[id]!; feed++) {
      if (!this.#isNewborn(id, tMs, startMs, existedBefore, this.#accounts.sloOf[account[feed]!]!)) continue;
      newborn = true;
      this.#accounts.add(account[feed]!, tMs, good[feed]! * value, bad[feed]! * value);
    }
    for (const { kind, entry, slot } of this.#wiring.othersOf(id)) {
      if (kind !== 'rate' || !this.#isNewborn(id, tMs, startMs, existedBefore, entry.slo)) continue;
      newborn = true;
      entry.ledger.postSample(tMs, slot, value);
    }
    if (newborn) this.#outcome.newborn++;
    else this.#outcome.openingBalance++;
  }

  /**
   * Provably newborn for an SLO: its start timestamp lies inside our coverage, or its target was already being received when it
   * appeared and it had not been heard of before.
   */
  #isNewborn(id: number, tMs: number, startMs: number, existedBefore: boolean, slo: number): boolean {
    const listeningSinceMs = this.listeningSinceMs[slo]!;
    const coveredSinceMs = Math.max(this.#accounts.scopeOf(slo).firstMs, listeningSinceMs);
    if (startMs !== 0 && startMs < tMs && startMs >= coveredSinceMs) return true;
    return !existedBefore && this.#targets.wasReceivedBefore(this.#series.target[id]!, tMs, listeningSinceMs);
  }

  #histogram(
    batch: SampleBatch,
    row: number,
    startMs: number,
    previousMs: number,
    previousStartMs: number,
    old: boolean,
  ): void {
    const id = batch.seriesIds[row]!;
    const tMs = batch.timestampsMs[row]!;
    let histogram = batch.histograms[batch.values[row]!]!;
    const previous = previousMs > EXISTED_BEFORE ? this.histograms.get(id) : undefined;
    let increase = histogram;
    let reset = previous !== undefined && startsAnew(previousStartMs, previousMs, startMs, tMs);
    if (previous !== undefined && !reset) {
      let step = increaseOf(previous, histogram);
      if (step.reset && histogram.resetHint !== 'yes' && isSameStart(previousStartMs, startMs, tMs)) {
        this.#writerConflict(id);
        return;
      }
      if (step.reset && histogram.resetHint !== 'yes' && batch.hasSenders && this.isHandOver(batch, row)) {
        this.#writerConflict(id);
        histogram = { ...previous, resetHint: 'unknown' };
        step = increaseOf(previous, histogram);
        // What the journal says, for whoever replays it knows no sender.
        batch.histograms[batch.values[row]!] = histogram;
      }
      increase = step.increase;
      reset = step.reset;
    }
    this.histograms.set(id, histogram);
    // A histogram that may go down counts nothing.
    if (old || histogram.resetHint === 'gauge') return;
    if (reset) this.#outcome.resets++;
    let newborn = false;
    for (const { kind, entry } of this.#wiring.othersOf(id)) {
      const { sli } = entry.ledger.slo;
      if (kind !== 'native' || sli.kind !== 'latency') continue;
      if (previous === undefined) {
        if (!this.#isNewborn(id, tMs, startMs, previousMs === EXISTED_BEFORE, entry.slo)) continue;
        newborn = true;
      }
      this.#countHistogram(entry, sli.thresholdSeconds, tMs, increase);
    }
    if (previous !== undefined) return;
    if (newborn) this.#outcome.newborn++;
    else this.#outcome.openingBalance++;
  }

  /** A declared delta, which is an increment by itself and no baseline of the next one. */
  #histogramIncrease(id: number, tMs: number, increase: NativeHistogram): void {
    for (const { kind, entry } of this.#wiring.othersOf(id)) {
      const { sli } = entry.ledger.slo;
      if (kind === 'native' && sli.kind === 'latency') this.#countHistogram(entry, sli.thresholdSeconds, tMs, increase);
    }
  }

  #countHistogram(entry: LedgerEntry, thresholdSeconds: number, tMs: number, increase: NativeHistogram): void {
    const { count, lower, estimate, upper } = underThreshold(increase, thresholdSeconds);
    this.#accounts.add(entry.events, tMs, estimate, count - estimate);
    this.#accounts.add(entry.bounds, tMs, lower, upper);
  }

  /** Whether a decrease can come from the hand-over between two replicas of an HA pair. */
  isHandOver(batch: SampleBatch, row: number): boolean {
    const intervalMs = this.#targets.intervalMs[this.#series.target[batch.seriesIds[row]!]!]!;
    return this.#replicas.isHandOver(batch.senders[row]!, batch.timestampsMs[row]!, intervalMs);
  }

  /** An outcome outside the ingest loop, for the source of the series. */
  #note(id: number, which: number): void {
    this.#counts.note(this.#series.target[id]!, which);
  }

  #writerConflict(id: number): void {
    this.#outcome.writerConflict++;
    this.#note(id, WRITER_CONFLICT);
  }
}
