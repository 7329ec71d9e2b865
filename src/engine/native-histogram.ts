/**
 * Native histograms: exponential buckets (schema -4..8, base 2^(2^-schema), bucket i = (base^(i-1), base^i]) and custom
 * buckets (schema -53, with explicit upper bounds). Increments, resets and layouts as Prometheus's model/histogram has them;
 * where it differs a start timestamp comes first (ingest.md, rows 28 to 31).
 */

export const CUSTOM_BUCKETS_SCHEMA = -53;
export const SCHEMA_MIN = -4;
export const SCHEMA_MAX = 8;

/** What a sender says about a reset; NO is not believed over a gap, because it speaks of the sender's previous sample. */
export type ResetHint = 'unknown' | 'yes' | 'no' | 'gauge';

export interface NativeHistogram {
  readonly schema: number;
  readonly count: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  /** Bucket index to count, by rising index. */
  readonly positive: readonly Bucket[];
  readonly negative: readonly Bucket[];
  /** Upper bounds of custom buckets, rising; the bucket behind the last one is the overflow. */
  readonly customBounds: readonly number[];
  readonly resetHint: ResetHint;
}

export type Bucket = readonly [index: number, count: number];

/** Every count is one: neither negative nor NaN nor infinite, which a float histogram can be. */
export function isCountable({ count, zeroCount, positive, negative }: NativeHistogram): boolean {
  const isCount = (n: number): boolean => n >= 0 && n < Number.POSITIVE_INFINITY;
  const buckets = (list: readonly Bucket[]): boolean => list.every(([, n]) => isCount(n));
  return isCount(count) && isCount(zeroCount) && buckets(positive) && buckets(negative);
}

/** How many events of an increment were at or under a threshold: at the least, as an estimate, and at the most. */
export interface UnderThreshold {
  readonly count: number;
  readonly lower: number;
  readonly estimate: number;
  readonly upper: number;
}

/** The increase from one histogram of a series to the next. */
export function increaseOf(
  previous: NativeHistogram,
  current: NativeHistogram,
): { increase: NativeHistogram; reset: boolean } {
  if (isReset(previous, current)) return { increase: current, reset: true };
  const [before, after] = sameLayout(previous, current);
  const increase = {
    ...after,
    count: after.count - before.count,
    zeroCount: after.zeroCount - before.zeroCount,
    positive: subtract(after.positive, before.positive),
    negative: subtract(after.negative, before.negative),
  };
  return { increase, reset: false };
}

/**
 * Whether the counter began anew: a hint, fewer events, a finer layout (a client only ever coarsens), or any bucket that fell.
 */
export function isReset(previous: NativeHistogram, current: NativeHistogram): boolean {
  if (current.resetHint === 'yes' || current.count < previous.count) return true;
  if (isCustom(previous) !== isCustom(current)) return true;
  if (!isCustom(current)) {
    if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
    // The zero bucket grew into the middle of a bucket that had events: they cannot be told apart.
    if (current.zeroThreshold > previous.zeroThreshold) {
      const isCut = ([i, n]: Bucket): boolean => n > 0 && cutsBucket(current.zeroThreshold, i, previous.schema);
      if (previous.positive.some(isCut) || previous.negative.some(isCut)) return true;
    }
  }
  const [before, after] = sameLayout(previous, current);
  return (
    after.zeroCount < before.zeroCount ||
    subtract(after.positive, before.positive).some(([, n]) => n < 0) ||
    subtract(after.negative, before.negative).some(([, n]) => n < 0)
  );
}

function cutsBucket(threshold: number, index: number, schema: number): boolean {
  return threshold > bound(index - 1, schema) && threshold < bound(index, schema);
}

function isCustom(histogram: NativeHistogram): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA;
}

/** Both in the coarser of the two layouts: the lower schema and the wider zero bucket, or the bounds they share. */
function sameLayout(a: NativeHistogram, b: NativeHistogram): [NativeHistogram, NativeHistogram] {
  if (isCustom(a)) {
    const shared = a.customBounds.filter((bound) => b.customBounds.includes(bound));
    return [withBounds(a, shared), withBounds(b, shared)];
  }
  const schema = Math.min(a.schema, b.schema);
  const zeroThreshold = Math.max(a.zeroThreshold, b.zeroThreshold);
  // The zero bucket first: it ends at a boundary of the finer layout, which need not be one of the coarser.
  const coarsened = (histogram: NativeHistogram): NativeHistogram =>
    downscale(withZeroThreshold(histogram, zeroThreshold), schema);
  return [coarsened(a), coarsened(b)];
}

function withBounds(histogram: NativeHistogram, bounds: readonly number[]): NativeHistogram {
  if (bounds.length === histogram.customBounds.length) return histogram;
  const counts = new Map<number, number>();
  for (const [index, count] of histogram.positive) {
    const upper = histogram.customBounds[index] ?? Number.POSITIVE_INFINITY;
    const at = bounds.findIndex((bound) => bound >= upper);
    add(counts, at === -1 ? bounds.length : at, count);
  }
  return { ...histogram, customBounds: bounds, positive: sorted(counts) };
}

/** Merges buckets until the schema is reached: `((i - 1) >> d) + 1`. */
export function downscale(histogram: NativeHistogram, schema: number): NativeHistogram {
  const steps = histogram.schema - schema;
  if (steps <= 0) return histogram;
  const factor = 2 ** steps;
  const merge = (buckets: readonly Bucket[]): Bucket[] => {
    const counts = new Map<number, number>();
    for (const [index, count] of buckets) add(counts, Math.floor((index - 1) / factor) + 1, count);
    return sorted(counts);
  };
  return { ...histogram, schema, positive: merge(histogram.positive), negative: merge(histogram.negative) };
}

/** Takes what lies below the threshold into the zero bucket. */
export function withZeroThreshold(histogram: NativeHistogram, zeroThreshold: number): NativeHistogram {
  if (zeroThreshold <= histogram.zeroThreshold) return histogram;
  let { zeroCount } = histogram;
  const outside = (buckets: readonly Bucket[]): Bucket[] =>
    buckets.filter(([index, count]) => {
      if (bound(index, histogram.schema) > zeroThreshold) return true;
      zeroCount += count;
      return false;
    });
  const positive = outside(histogram.positive);
  const negative = outside(histogram.negative);
  return { ...histogram, zeroThreshold, zeroCount, positive, negative };
}

function subtract(after: readonly Bucket[], before: readonly Bucket[]): Bucket[] {
  const counts = new Map(after.map(([index, count]) => [index, count]));
  for (const [index, count] of before) add(counts, index, -count);
  return sorted(counts);
}

function add(counts: Map<number, number>, index: number, count: number): void {
  counts.set(index, (counts.get(index) ?? 0) + count);
}

function sorted(counts: ReadonlyMap<number, number>): Bucket[] {
  return [...counts].sort((a, b) => a[0] - b[0]);
}

/** Upper bound of an exponential bucket. */
export function bound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}

/**
 * How much of a histogram lies at or under a threshold. Inside an exponential bucket the estimate is log-linear, inside a
 * custom or the zero bucket linear, as PromQL's histogram_fraction has it; the zero bucket begins at 0 when nothing is
 * negative. NaN observations are in the count and in no bucket: not provably good, hence bad.
 */
export function underThreshold(histogram: NativeHistogram, thresholdSeconds: number): UnderThreshold {
  let lower = 0;
  let estimate = 0;
  let upper = 0;
  const take = (from: number, to: number, count: number, share: () => number): void => {
    if (count <= 0) return;
    if (to <= thresholdSeconds) {
      lower += count;
      estimate += count;
      upper += count;
    } else if (from < thresholdSeconds) {
      estimate += count * share();
      upper += count;
    }
  };
  const linear = (from: number, to: number) => (): number =>
    Number.isFinite(to) && Number.isFinite(from) ? (thresholdSeconds - from) / (to - from) : 0;
  if (isCustom(histogram)) {
    for (const [index, count] of histogram.positive) {
      const to = histogram.customBounds[index] ?? Number.POSITIVE_INFINITY;
      const before = histogram.customBounds[index - 1];
      // The first bucket begins at 0 unless its own bound is negative.
      const from = before ?? (to > 0 ? 0 : Number.NEGATIVE_INFINITY);
      take(from, to, count, linear(from, to));
    }
    return { count: histogram.count, lower, estimate, upper };
  }
  const { schema, zeroThreshold } = histogram;
  const negative = histogram.negative.reduce((sum, [, count]) => sum + count, 0);
  // Every latency threshold is above zero, so whatever is negative is under it.
  lower += negative;
  estimate += negative;
  upper += negative;
  const zeroFrom = negative > 0 ? -zeroThreshold : 0;
  take(zeroFrom, zeroThreshold, histogram.zeroCount, linear(zeroFrom, zeroThreshold));
  for (const [index, count] of histogram.positive) {
    const from = Math.max(bound(index - 1, schema), zeroThreshold);
    const to = bound(index, schema);
    take(from, to, count, () => Math.log2(thresholdSeconds / from) / Math.log2(to / from));
  }
  return { count: histogram.count, lower, estimate, upper };
}
