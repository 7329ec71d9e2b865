import { MINUTE_MS } from './duration.ts';

/**
 * Targets, `(job, instance)`, and their clocks: when was a target heard, and since when without a hole.
 *
 * This decides whether the first sample of a series is news. A series that appears on a target which was already being
 * received has been born since its last report, so all it counted happened since; otherwise its value is an opening balance.
 */

/** A silence of more than this many of the target's own intervals is a hole. */
const HOLE_INTERVALS = 3;
/** While a target has reported only once its interval is not known; a longer silence is taken for a hole. */
const FIRST_INTERVAL_MAX_MS = 5 * MINUTE_MS;

export class Targets {
  size = 0;
  /** Newest event time; -Infinity before the first. */
  newestMs = new Float64Array(64).fill(Number.NEGATIVE_INFINITY);
  /** The event time before the newest. */
  previousMs = new Float64Array(64).fill(Number.NEGATIVE_INFINITY);
  /** First event time of the present run: since then there was no hole. */
  runStartMs = new Float64Array(64).fill(Number.POSITIVE_INFINITY);
  /** The target's own interval; 0 while unknown. */
  intervalMs = new Float64Array(64);
  /** Length of the hole before the present run, or 0. */
  holeMs = new Float64Array(64);
  readonly jobs: string[] = [];
  readonly instances: string[] = [];
  /** The scopes each target belongs to. */
  readonly scopes: number[][] = [];
  readonly #ids = new Map<string, Map<string, number>>();

  /** The id of a target, or -1. */
  find(job: string, instance: string): number {
    return this.#ids.get(job)?.get(instance) ?? -1;
  }

  add(job: string, instance: string, scopes: number[]): number {
    const id = this.size++;
    if (id === this.newestMs.length) this.#grow();
    const byInstance = this.#ids.get(job) ?? new Map<string, number>();
    this.#ids.set(job, byInstance.set(instance, id));
    this.jobs.push(job);
    this.instances.push(instance);
    this.scopes.push(scopes);
    return id;
  }

  #grow(): void {
    const size = this.newestMs.length * 2;
    const grow = (from: Float64Array, fill: number): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(size).fill(fill);
      to.set(from);
      return to;
    };
    this.newestMs = grow(this.newestMs, Number.NEGATIVE_INFINITY);
    this.previousMs = grow(this.previousMs, Number.NEGATIVE_INFINITY);
    this.runStartMs = grow(this.runStartMs, Number.POSITIVE_INFINITY);
    this.intervalMs = grow(this.intervalMs, 0);
    this.holeMs = grow(this.holeMs, 0);
  }

  /**
   * Moves a target's clock; `tMs` must be newer than its newest.
   * Returns the time since which it is now known to have been up: its previous report, or `tMs` after a hole.
   */
  advance(target: number, tMs: number): number {
    const newest = this.newestMs[target]!;
    this.previousMs[target] = newest;
    this.newestMs[target] = tMs;
    if (newest === Number.NEGATIVE_INFINITY) {
      this.runStartMs[target] = tMs;
      return tMs;
    }
    const gapMs = tMs - newest;
    const intervalMs = this.intervalMs[target]!;
    const longestMs = intervalMs === 0 ? FIRST_INTERVAL_MAX_MS : HOLE_INTERVALS * intervalMs;
    if (gapMs <= longestMs) {
      // A decaying maximum: some targets report one scrape at several timestamps, and the short gaps between those must
      // not pass for the interval; one missed scrape is forgotten after two regular ones.
      this.intervalMs[target] = Math.max(gapMs, intervalMs - gapMs / 2);
      return newest;
    }
    const earlierHoleMs = this.holeMs[target]!;
    this.holeMs[target] = gapMs;
    const runMs = newest - this.runStartMs[target]!;
    const ofAKind = gapMs <= HOLE_INTERVALS * earlierHoleMs && earlierHoleMs <= HOLE_INTERVALS * gapMs;
    if (runMs <= earlierHoleMs && ofAKind) {
      // Two silences of a kind with no more than that between them are a rhythm, not two holes.
      this.intervalMs[target] = gapMs;
      this.runStartMs[target] = newest;
      return newest;
    }
    this.runStartMs[target] = tMs;
    return tMs;
  }

  /**
   * Whether the target was already being received, without a hole, when a series appeared on it at `tMs`, by somebody who
   * has been listening since `sinceMs`.
   */
  wasReceivedBefore(target: number, tMs: number, sinceMs: number): boolean {
    if (!(this.runStartMs[target]! < tMs)) return false;
    // For a series that arrives after the target's next report only the run's start is certain to lie before it.
    const reportMs = tMs === this.newestMs[target] ? this.previousMs[target]! : this.runStartMs[target]!;
    return reportMs >= sinceMs;
  }

  save(): TargetSave[] {
    return this.jobs.map((job, i) => ({
      job,
      instance: this.instances[i]!,
      newestMs: this.newestMs[i]!,
      previousMs: this.previousMs[i]!,
      runStartMs: this.runStartMs[i]!,
      intervalMs: this.intervalMs[i]!,
      holeMs: this.holeMs[i]!,
    }));
  }

  load(target: number, save: TargetSave): void {
    this.newestMs[target] = save.newestMs;
    this.previousMs[target] = save.previousMs;
    this.runStartMs[target] = save.runStartMs;
    this.intervalMs[target] = save.intervalMs;
    this.holeMs[target] = save.holeMs;
  }
}

export interface TargetSave {
  job: string;
  instance: string;
  newestMs: number;
  previousMs: number;
  runStartMs: number;
  intervalMs: number;
  holeMs: number;
}
