/**
 * Classic histograms. Good is the cumulative bucket whose `le` equals the threshold. A threshold between two buckets is
 * estimated by linear interpolation, from 0 below the first bucket; nothing of the +Inf bucket is taken for good. As all of it is
 * linear, each bucket's increase is added by itself as it arrives, with a weight.
 *
 * The layout of one histogram (the labels without `le`): buckets appear one by one. At most two have a weight, those next to the
 * threshold, and one that has lost it never gets it back: a bucket can only appear nearer to the threshold than they are.
 */
export class BucketLayout {
  readonly #thresholdSeconds: number;
  readonly #weigh: WeighBucket;
  /** The nearest buckets at or above the threshold and below it. */
  #upper: Bucket | null = null;
  #lower: Bucket | null = null;

  constructor(thresholdSeconds: number, weigh: WeighBucket) {
    this.#thresholdSeconds = thresholdSeconds;
    this.#weigh = weigh;
  }

  /** The bucket of a series has appeared. */
  add(le: number, series: number): void {
    const upper = this.#upper;
    const lower = this.#lower;
    if (le >= this.#thresholdSeconds) {
      if (upper === null || le < upper.le) this.#upper = { le, series };
    } else if (lower === null || le > lower.le) this.#lower = { le, series };
    if (this.#upper === upper && this.#lower === lower) return;
    if (upper !== null && upper !== this.#upper) this.#weigh(upper.series, 0, 0, 0);
    if (lower !== null && lower !== this.#lower) this.#weigh(lower.series, 0, 0, 0);
    this.#weighBoth(this.#upper, this.#lower);
  }

  #weighBoth(upper: Bucket | null, lower: Bucket | null): void {
    const isExact = upper?.le === this.#thresholdSeconds;
    // Above the highest bucket that is known the lower count is all there is to say.
    if (upper === null) this.#weigh(lower!.series, 1, 1, 1);
    else if (isExact) {
      this.#weigh(upper.series, 1, 1, 1);
      if (lower !== null) this.#weigh(lower.series, 0, 0, 0);
    } else {
      const lowerLe = lower?.le ?? 0;
      const isOpen = upper.le === Number.POSITIVE_INFINITY;
      const share = isOpen ? 0 : (this.#thresholdSeconds - lowerLe) / (upper.le - lowerLe);
      if (lower !== null) this.#weigh(lower.series, 1 - share, 1, 0);
      this.#weigh(upper.series, share, 0, 1);
    }
  }
}

interface Bucket {
  readonly le: number;
  readonly series: number;
}

/** Each event that a bucket counts is so many good ones, and so many of the lower and upper count. */
export type WeighBucket = (series: number, good: number, lower: number, upper: number) => void;

/** A bucket bound as a number: `0.30`, `1`, `1.0`, `+Inf`; NaN when it is none. */
export function parseBound(le: string): number {
  if (le === '+Inf' || le === 'Inf') return Number.POSITIVE_INFINITY;
  return le === '' ? Number.NaN : Number(le);
}
