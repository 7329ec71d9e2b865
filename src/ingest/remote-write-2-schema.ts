import protobuf from 'protobufjs/light.js';
import {
  BUCKET_SPAN_FIELDS,
  HISTOGRAM_FIELDS,
  histogramMessage,
  STALE_BITS,
  valueBits,
  type WireHistogram,
  type WireSample,
} from './remote-write-schema.ts';

/**
 * Remote write 2.0 as a sender writes it, for the bench and the tests: readable and slow. What arrives is read by
 * remote-write-2.ts.
 */

export interface WireSample2 extends WireSample {
  /** 0 when it is unknown. */
  readonly startMs?: number;
}

export interface WireHistogram2 extends WireHistogram {
  readonly startMs?: number;
}

export interface WireExemplar {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly value: number;
  readonly timestampMs: number;
}

/** Metadata of a counter, for instance, is of type 1. */
export interface WireMetadata {
  readonly type?: number;
  readonly help?: string;
  readonly unit?: string;
}

/** Every series of remote write 1.0 is one of 2.0 as well. */
export interface WireSeries2 {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly WireSample2[];
  readonly histograms?: readonly WireHistogram2[];
  readonly exemplars?: readonly WireExemplar[];
  readonly metadata?: WireMetadata;
}

/** Types of the specification; values are fixed64 as in the schema of remote write 1.0. */
export const REMOTE_WRITE_2_TYPES = {
  Request: {
    fields: {
      symbols: { rule: 'repeated', type: 'string', id: 4 },
      timeseries: { rule: 'repeated', type: 'TimeSeries', id: 5 },
    },
  },
  TimeSeries: {
    fields: {
      labelsRefs: { rule: 'repeated', type: 'uint32', id: 1, options: { packed: true } },
      samples: { rule: 'repeated', type: 'Sample', id: 2 },
      histograms: { rule: 'repeated', type: 'Histogram', id: 3 },
      exemplars: { rule: 'repeated', type: 'Exemplar', id: 4 },
      metadata: { type: 'Metadata', id: 5 },
    },
  },
  Sample: {
    fields: {
      value: { type: 'fixed64', id: 1 },
      timestamp: { type: 'int64', id: 2 },
      startTimestamp: { type: 'int64', id: 3 },
    },
  },
  Exemplar: {
    fields: {
      labelsRefs: { rule: 'repeated', type: 'uint32', id: 1, options: { packed: true } },
      value: { type: 'fixed64', id: 2 },
      timestamp: { type: 'int64', id: 3 },
    },
  },
  Metadata: {
    fields: {
      type: { type: 'uint32', id: 1 },
      helpRef: { type: 'uint32', id: 3 },
      unitRef: { type: 'uint32', id: 4 },
    },
  },
  Histogram: { fields: { ...HISTOGRAM_FIELDS, startTimestamp: { type: 'int64', id: 17 } } },
  BucketSpan: { fields: BUCKET_SPAN_FIELDS },
};

const request = protobuf.Root.fromJSON({ nested: REMOTE_WRITE_2_TYPES }).lookupType('Request');

/** An io.prometheus.write.v2.Request. Symbols stand in the order of their first use; zeros are left out, as proto3 does. */
export function encodeRequest2(series: readonly WireSeries2[]): Uint8Array {
  const refs = new Map([['', 0]]);
  const refOf = (text: string): number => {
    const present = refs.get(text);
    if (present !== undefined) return present;
    refs.set(text, refs.size);
    return refs.size - 1;
  };
  const refsOf = (labels: WireSeries2['labels']): number[] => labels.flat().map(refOf);
  const timeseries = series.map(({ labels, samples, histograms = [], exemplars = [], metadata = {} }) => ({
    labelsRefs: refsOf(labels),
    samples: samples.map(({ value, timestampMs, startMs = 0, stale }) => ({
      ...((stale || !Object.is(value, 0)) && { value: stale ? STALE_BITS : valueBits(value) }),
      ...(timestampMs !== 0 && { timestamp: timestampMs }),
      ...(startMs !== 0 && { startTimestamp: startMs }),
    })),
    histograms: histograms.map((histogram) => ({
      ...histogramMessage(histogram),
      ...(histogram.startMs && { startTimestamp: histogram.startMs }),
    })),
    exemplars: exemplars.map(({ labels: own, value, timestampMs }) => ({
      labelsRefs: refsOf(own),
      value: valueBits(value),
      timestamp: timestampMs,
    })),
    metadata: {
      ...(metadata.type && { type: metadata.type }),
      ...(metadata.help && { helpRef: refOf(metadata.help) }),
      ...(metadata.unit && { unitRef: refOf(metadata.unit) }),
    },
  }));
  return request.encode({ symbols: [...refs.keys()], timeseries }).finish();
}
