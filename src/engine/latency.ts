import type { FeedColumns } from './series-columns.ts';

/**
 * Classic histograms. Good is the cumulative bucket whose `le` equals the threshold. A threshold between two buckets is
 * estimated by linear interpolation, from 0 below the first bucket; nothing of the +Inf bucket is taken for good. Every bucket
 * therefore has a weight, and as all of it is linear, each bucket's increase is added by itself as it arrives.
 *
 * The layout of one histogram (the labels without `le`): buckets appear one by one, and each may move the weights of others.
 */
export class BucketLayout {
  readonly #thresholdSeconds: number;
  readonly #feeds: FeedColumns;
  /** By rising `le`: the bound and the feed rows whose weights it has. */
  readonly #buckets: { readonly le: number; readonly events: number; readonly bounds: number }[] = [];

  constructor(thresholdSeconds: number, feeds: FeedColumns) {
    this.#thresholdSeconds = thresholdSeconds;
    this.#feeds = feeds;
  }

  /** A bucket has appeared; `events` is the feed row of its good and bad events, `bounds` that of the lower and upper count. */
  add(le: number, events: number, bounds: number): void {
    const at = this.#buckets.findIndex((bucket) => bucket.le > le);
    this.#buckets.splice(at === -1 ? this.#buckets.length : at, 0, { le, events, bounds });
    for (const bucket of this.#buckets) this.#weigh(bucket, 0, 0, 0);
    const above = this.#buckets.findIndex((bucket) => bucket.le >= this.#thresholdSeconds);
    const upper = this.#buckets[above];
    const lower = above === -1 ? this.#buckets.at(-1) : this.#buckets[above - 1];
    if (upper?.le === this.#thresholdSeconds) {
      this.#weigh(upper, 1, 1, 1);
      return;
    }
    const lowerLe = lower?.le ?? 0;
    const share =
      upper === undefined || upper.le === Number.POSITIVE_INFINITY
        ? 0
        : (this.#thresholdSeconds - lowerLe) / (upper.le - lowerLe);
    if (lower !== undefined) this.#weigh(lower, 1 - share, 1, 0);
    if (upper !== undefined) this.#weigh(upper, share, 0, 1);
    // Above the highest bucket that is known the lower count is all there is to say.
    else if (lower !== undefined) this.#weigh(lower, 1, 1, 1);
  }

  #weigh(bucket: { events: number; bounds: number }, good: number, lower: number, upper: number): void {
    this.#feeds.good[bucket.events] = good;
    // Good events are no bad ones: the total counts every event as bad until a bucket says otherwise.
    this.#feeds.bad[bucket.events] = -good;
    this.#feeds.good[bucket.bounds] = lower;
    this.#feeds.bad[bucket.bounds] = upper;
  }
}

/** A bucket bound as a number: `0.30`, `1`, `1.0`, `+Inf`; NaN when it is none. */
export function parseBound(le: string): number {
  if (le === '+Inf' || le === 'Inf') return Number.POSITIVE_INFINITY;
  return le === '' ? Number.NaN : Number(le);
}
