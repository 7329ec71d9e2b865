import { MINUTE_MS } from './duration.ts';

/**
 * What became of the samples of each target since the process began, and how they arrived.
 *
 * The ingest loop notes only what is unusual; who sent how much is counted batch by batch, beside it.
 */

/** What can become of a sample, beside being accepted. */
export const UNMATCHED_SERIES = 0;
export const DUPLICATE = 1;
export const OUT_OF_ORDER = 2;
export const CONFLICT = 3;
export const WRITER_CONFLICT = 4;
export const STALE = 5;
export const INVALID_VALUE = 6;
export const TOO_OLD = 7;
export const TOO_NEW = 8;
/** By these numbers. */
export const OUTCOMES = [
  'unmatched',
  'duplicate',
  'out_of_order',
  'conflict',
  'writer_conflict',
  'stale',
  'invalid_value',
  'too_old',
  'too_new',
] as const;

/** The rate is that of the present and the last period of this length. */
const PERIOD_MS = MINUTE_MS;

export class SourceCounts {
  /** By target. */
  samples = new Float64Array(64);
  /** Arrival of its last sample; NaN before the first. */
  arrivedMs = new Float64Array(64).fill(Number.NaN);
  readonly protocols: string[] = [];
  /** By target and outcome. */
  outcomes = new Float64Array(64 * OUTCOMES.length);
  /** The least time from a sample's timestamp to its arrival in the present period and in the last; Infinity without any. */
  #lagMs = new Float64Array(64).fill(Number.POSITIVE_INFINITY);
  #lastLagMs = new Float64Array(64).fill(Number.POSITIVE_INFINITY);
  /** Samples when the present period began, and when the last one did. */
  #atBegin = new Float64Array(64);
  #atLastBegin = new Float64Array(64);
  #beganMs = Number.NaN;
  #lastBeganMs = Number.NaN;

  reserve(targets: number): void {
    if (targets <= this.samples.length) return;
    const size = Math.max(targets, 2 * this.samples.length);
    this.samples = grown(this.samples, size, 0);
    this.arrivedMs = grown(this.arrivedMs, size, Number.NaN);
    this.outcomes = grown(this.outcomes, size * OUTCOMES.length, 0);
    this.#lagMs = grown(this.#lagMs, size, Number.POSITIVE_INFINITY);
    this.#lastLagMs = grown(this.#lastLagMs, size, Number.POSITIVE_INFINITY);
    this.#atBegin = grown(this.#atBegin, size, 0);
    this.#atLastBegin = grown(this.#atLastBegin, size, 0);
  }

  /** A batch begins. */
  begin(nowMs: number): void {
    this.#turn(nowMs);
  }

  /** A run of a target's samples in a batch, of which some belong to series that no SLO wants: a scrape at a time. */
  countRun(target: number, samples: number, unmatched: number, protocol: string, nowMs: number): void {
    this.samples[target]! += samples;
    this.outcomes[target * OUTCOMES.length + UNMATCHED_SERIES]! += unmatched;
    this.arrivedMs[target] = nowMs;
    this.protocols[target] = protocol;
  }

  /** An unusual outcome of one sample. */
  note(target: number, which: number): void {
    this.outcomes[target * OUTCOMES.length + which]!++;
  }

  /** A target's clock moved to `tMs`. */
  heard(target: number, tMs: number, nowMs: number): void {
    const lagMs = nowMs - tMs;
    if (lagMs < this.#lagMs[target]!) this.#lagMs[target] = lagMs;
  }

  #turn(nowMs: number): void {
    if (nowMs - this.#beganMs < PERIOD_MS) return;
    const idle = nowMs - this.#beganMs >= 2 * PERIOD_MS;
    this.#atLastBegin.set(idle ? this.samples : this.#atBegin);
    // After a silence, or in the beginning, one period stands for the last: a rate over no time would be any number.
    this.#lastBeganMs = Number.isNaN(this.#beganMs) || idle ? nowMs - PERIOD_MS : this.#beganMs;
    this.#atBegin.set(this.samples);
    this.#beganMs = nowMs;
    if (idle) this.#lastLagMs.fill(Number.POSITIVE_INFINITY);
    else this.#lastLagMs.set(this.#lagMs);
    this.#lagMs.fill(Number.POSITIVE_INFINITY);
  }

  /** Samples per second of the last one to two minutes. */
  rate(target: number, nowMs: number): number {
    this.#turn(nowMs);
    const sinceMs = nowMs - this.#lastBeganMs;
    return sinceMs > 0 ? (1000 * (this.samples[target]! - this.#atLastBegin[target]!)) / sinceMs : 0;
  }

  /** The least time from timestamp to arrival of late; negative when the target's clock is ahead of ours. NaN without any. */
  skewMs(target: number): number {
    const lagMs = Math.min(this.#lagMs[target]!, this.#lastLagMs[target]!);
    return Number.isFinite(lagMs) ? lagMs : Number.NaN;
  }

  /** Forgets how many there were, for replaying a journal is no receiving. */
  restart(): void {
    this.samples.fill(0);
    this.outcomes.fill(0);
    this.#atBegin.fill(0);
    this.#atLastBegin.fill(0);
    this.#lagMs.fill(Number.POSITIVE_INFINITY);
    this.#lastLagMs.fill(Number.POSITIVE_INFINITY);
    this.#beganMs = Number.NaN;
    this.#lastBeganMs = Number.NaN;
    this.protocols.length = 0;
  }
}

function grown(from: Float64Array, size: number, fill: number): Float64Array<ArrayBuffer> {
  const to = new Float64Array(size).fill(fill);
  to.set(from);
  return to;
}
