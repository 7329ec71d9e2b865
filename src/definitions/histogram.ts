import { SECOND_MS } from '../engine/duration.ts';
import { parseBound } from '../engine/latency.ts';
import type { LatencySli, Matcher } from '../engine/slo.ts';
import { selectorKey } from './selector-key.ts';
import { selectorText } from './selector-text.ts';

/** Classic histograms as other tools select them: a `_bucket` of one bound, and the `_count`. */

/** A threshold is a duration. */
const OTHER_UNIT = /_(?:(?:milli|micro|nano)seconds|[mun]s|bytes)$/;

/**
 * The latency SLI of a bucket and a count; null when they are not those of one histogram in seconds, or when the bound is no
 * duration in whole milliseconds. Then the bucket can still be counted as it is.
 */
export function latencyOf(bucket: readonly Matcher[], count: readonly Matcher[]): LatencySli | null {
  const bound = bucket.find(({ name, op }) => name === 'le' && op === '=');
  const ofBucket = histogramOf(bucket, '_bucket')?.filter((matcher) => matcher !== bound);
  const histogram = histogramOf(count, '_count');
  if (bound === undefined || ofBucket === undefined || histogram === null) return null;
  if (selectorKey(ofBucket) !== selectorKey(histogram)) return null;
  const seconds = parseBound(bound.value);
  const thresholdSeconds = Math.round(seconds * SECOND_MS) / SECOND_MS;
  if (!(seconds > 0 && Number.isFinite(seconds)) || thresholdSeconds !== seconds) return null;
  return { kind: 'latency', histogram: { text: selectorText(histogram), matchers: histogram }, thresholdSeconds };
}

/** What selects the histogram of which these select a part. */
function histogramOf(matchers: readonly Matcher[], suffix: string): Matcher[] | null {
  const name = matchers.find((matcher) => matcher.name === '__name__' && matcher.op === '=');
  if (name === undefined || !name.value.endsWith(suffix)) return null;
  const value = name.value.slice(0, -suffix.length);
  if (value === '' || OTHER_UNIT.test(value)) return null;
  return matchers.map((matcher) =>
    matcher === name ? { ...name, value, matches: (text) => text === value } : matcher,
  );
}
