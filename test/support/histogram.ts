import type { Bucket, NativeHistogram } from '../../src/engine/native-histogram.ts';

/**
 * A naive process with a histogram: it remembers every observation and bins them all whenever it is scraped, in whatever layout
 * it has by then.
 */
export interface Layout {
  /** -4 to 8, or -53 for custom buckets. */
  schema: number;
  zeroThreshold: number;
  /** Of custom buckets. */
  bounds: readonly number[];
}

export function binned(observations: readonly number[], layout: Layout): NativeHistogram {
  const custom = layout.schema === -53;
  const positive = new Map<number, number>();
  const negative = new Map<number, number>();
  let zeroCount = 0;
  for (const seen of observations) {
    // An observation of NaN is counted and is in no bucket.
    if (Number.isNaN(seen)) continue;
    if (custom) {
      const at = layout.bounds.findIndex((upper) => seen <= upper);
      count(positive, at === -1 ? layout.bounds.length : at);
    } else if (Math.abs(seen) <= layout.zeroThreshold) {
      zeroCount++;
    } else {
      count(seen > 0 ? positive : negative, bucketOf(Math.abs(seen), layout.schema));
    }
  }
  return {
    schema: layout.schema,
    count: observations.length,
    zeroThreshold: layout.zeroThreshold,
    zeroCount,
    positive: sorted(positive),
    negative: sorted(negative),
    customBounds: layout.bounds,
    resetHint: 'unknown',
  };
}

function count(buckets: Map<number, number>, index: number): void {
  buckets.set(index, (buckets.get(index) ?? 0) + 1);
}

function sorted(buckets: Map<number, number>): Bucket[] {
  return [...buckets].sort(([a], [b]) => a - b);
}

/** Upper bound of the bucket with this index. */
export function upperBound(index: number, schema: number): number {
  return 2 ** (index / 2 ** schema);
}

/** The bucket `(upperBound(i - 1), upperBound(i)]` that holds a positive value. */
export function bucketOf(value: number, schema: number): number {
  let index = Math.ceil(Math.log2(value) * 2 ** schema);
  while (upperBound(index - 1, schema) >= value) index--;
  while (upperBound(index, schema) < value) index++;
  return index;
}

/** How many observations are at or under a threshold: those that surely are, an interpolation, and those that may be. */
export function naiveUnder(
  observations: readonly number[],
  layout: Layout,
  threshold: number,
): { lower: number; estimate: number; upper: number } {
  let lower = 0;
  let estimate = 0;
  let upper = 0;
  const anyNegative = observations.some((seen) => seen < 0 && -seen > layout.zeroThreshold);
  for (const seen of observations) {
    if (Number.isNaN(seen)) continue;
    const [from, to, logarithmic] = boundsAround(seen, layout, anyNegative);
    if (to <= threshold) {
      lower++;
      estimate++;
      upper++;
    } else if (from < threshold) {
      upper++;
      if (Number.isFinite(to) && Number.isFinite(from)) {
        estimate += logarithmic
          ? (Math.log(threshold) - Math.log(from)) / (Math.log(to) - Math.log(from))
          : (threshold - from) / (to - from);
      }
    }
  }
  return { lower, estimate, upper };
}

function boundsAround(
  seen: number,
  { schema, zeroThreshold, bounds }: Layout,
  anyNegative: boolean,
): [from: number, to: number, logarithmic: boolean] {
  if (schema === -53) {
    const to = bounds.find((upper) => seen <= upper) ?? Number.POSITIVE_INFINITY;
    const from = bounds.findLast((upper) => seen > upper) ?? (to > 0 ? 0 : Number.NEGATIVE_INFINITY);
    return [from, to, false];
  }
  if (Math.abs(seen) <= zeroThreshold) return [anyNegative ? -zeroThreshold : 0, zeroThreshold, false];
  const index = bucketOf(Math.abs(seen), schema);
  const from = Math.max(upperBound(index - 1, schema), zeroThreshold);
  const to = upperBound(index, schema);
  return seen > 0 ? [from, to, true] : [-to, -from, true];
}
