import protobuf from 'protobufjs/light.js';
import { compress as compressSnappy } from 'snappyjs';
import type { Bucket, NativeHistogram } from '../engine/native-histogram.ts';

/**
 * Remote write 1.0 as a sender writes it, for the demo, the bench and the tests: readable and slow. What arrives is
 * read by remote-write-1.ts.
 */

export interface WireSample {
  readonly value: number;
  readonly timestampMs: number;
  /** A stale marker in place of the value. */
  readonly stale?: boolean;
}

export interface WireHistogram {
  readonly histogram: NativeHistogram;
  readonly timestampMs: number;
  /** Of the observations; 0 when left out. */
  readonly sum?: number;
  /** A stale marker in place of the sum. */
  readonly stale?: boolean;
}

export interface WireSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly WireSample[];
  readonly histograms?: readonly WireHistogram[];
}

/** Its sum is fixed64, as the values of samples are. */
export const HISTOGRAM_FIELDS = {
  countInt: { type: 'uint64', id: 1 },
  countFloat: { type: 'double', id: 2 },
  sum: { type: 'fixed64', id: 3 },
  schema: { type: 'sint32', id: 4 },
  zeroThreshold: { type: 'double', id: 5 },
  zeroCountInt: { type: 'uint64', id: 6 },
  zeroCountFloat: { type: 'double', id: 7 },
  negativeSpans: { rule: 'repeated', type: 'BucketSpan', id: 8 },
  negativeDeltas: { rule: 'repeated', type: 'sint64', id: 9 },
  negativeCounts: { rule: 'repeated', type: 'double', id: 10 },
  positiveSpans: { rule: 'repeated', type: 'BucketSpan', id: 11 },
  positiveDeltas: { rule: 'repeated', type: 'sint64', id: 12 },
  positiveCounts: { rule: 'repeated', type: 'double', id: 13 },
  resetHint: { type: 'uint32', id: 14 },
  timestamp: { type: 'int64', id: 15 },
  customValues: { rule: 'repeated', type: 'double', id: 16 },
};
export const BUCKET_SPAN_FIELDS = { offset: { type: 'sint32', id: 1 }, length: { type: 'uint32', id: 2 } };

const root = protobuf.Root.fromJSON({
  nested: {
    prometheus: {
      nested: {
        WriteRequest: { fields: { timeseries: { rule: 'repeated', type: 'TimeSeries', id: 1 } } },
        TimeSeries: {
          fields: {
            labels: { rule: 'repeated', type: 'Label', id: 1 },
            samples: { rule: 'repeated', type: 'Sample', id: 2 },
            histograms: { rule: 'repeated', type: 'Histogram', id: 4 },
          },
        },
        Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
        // The value is a double, which is the same eight bytes: as fixed64 its bits reach the wire untouched, whereas
        // JavaScript may change the payload of a NaN, and the payload is what makes a stale marker.
        Sample: { fields: { value: { type: 'fixed64', id: 1 }, timestamp: { type: 'int64', id: 2 } } },
        Histogram: { fields: HISTOGRAM_FIELDS },
        BucketSpan: { fields: BUCKET_SPAN_FIELDS },
      },
    },
  },
});
const writeRequest = root.lookupType('prometheus.WriteRequest');

const RESET_HINTS = ['unknown', 'yes', 'no', 'gauge'];

export const STALE_BITS = { low: 2, high: 0x7ff00000, unsigned: true };
const bits = new DataView(new ArrayBuffer(8));

export function valueBits(value: number): { low: number; high: number; unsigned: boolean } {
  bits.setFloat64(0, value, true);
  return { low: bits.getInt32(0, true), high: bits.getInt32(4, true), unsigned: true };
}

/** Buckets as spans of neighbours, their counts, and the steps from each count to the next. */
function spansOf(buckets: readonly Bucket[]) {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const [index] of buckets) {
    if (index === next && spans.length > 0) spans.at(-1)!.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  const counts = buckets.map(([, count]) => count);
  return { spans, counts, deltas: counts.map((count, i) => count - (counts[i - 1] ?? 0)) };
}

/** Whole counts are written as integers. */
export function histogramMessage({ histogram, timestampMs, sum = 0, stale }: WireHistogram) {
  const { schema, count, zeroThreshold, zeroCount, customBounds, resetHint } = histogram;
  const positive = spansOf(histogram.positive);
  const negative = spansOf(histogram.negative);
  const isWhole = [count, zeroCount, ...positive.counts, ...negative.counts].every(Number.isSafeInteger);
  return {
    ...(isWhole
      ? {
          countInt: count,
          zeroCountInt: zeroCount,
          negativeDeltas: negative.deltas,
          positiveDeltas: positive.deltas,
        }
      : {
          countFloat: count,
          zeroCountFloat: zeroCount,
          negativeCounts: negative.counts,
          positiveCounts: positive.counts,
        }),
    sum: stale ? STALE_BITS : valueBits(sum),
    schema,
    zeroThreshold,
    negativeSpans: negative.spans,
    positiveSpans: positive.spans,
    resetHint: RESET_HINTS.indexOf(resetHint),
    timestamp: timestampMs,
    customValues: customBounds,
  };
}

/** A prometheus.WriteRequest. Zeros and empty strings of labels and samples are left out, as proto3 does. */
export function encodeWriteRequest(series: readonly WireSeries[]): Uint8Array {
  const timeseries = series.map(({ labels, samples, histograms = [] }) => ({
    labels: labels.map(([name, value]) => ({ ...(name !== '' && { name }), ...(value !== '' && { value }) })),
    samples: samples.map(({ value, timestampMs, stale }) => ({
      ...((stale || !Object.is(value, 0)) && { value: stale ? STALE_BITS : valueBits(value) }),
      ...(timestampMs !== 0 && { timestamp: timestampMs }),
    })),
    histograms: histograms.map(histogramMessage),
  }));
  return writeRequest.encode({ timeseries }).finish();
}

/** A body in snappy's block format. */
export function compress(bytes: Uint8Array): Uint8Array {
  // A copy, because snappyjs answers a Buffer with a Buffer.
  return compressSnappy(new Uint8Array(bytes));
}
