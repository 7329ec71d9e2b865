import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SAMPLE_HISTOGRAM, SAMPLE_STALE } from '../../src/engine/batch.ts';
import type { Bucket, NativeHistogram } from '../../src/engine/native-histogram.ts';
import type { IngestLimits } from '../../src/ingest/limits.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import {
  compress,
  encodeWriteRequest,
  type WireHistogram,
  type WireSeries,
} from '../../src/ingest/remote-write-schema.ts';
import {
  doubleBytes,
  type Field,
  fixed64Field,
  label,
  lengthDelimited,
  sample,
  series,
  varint,
  varintField,
} from './wire-writer.ts';

const T = 1_767_225_600_000;
const UP = [label('__name__', 'latency'), label('job', 'api')];

const GOOD: NativeHistogram = {
  schema: 3,
  count: 10,
  zeroThreshold: 2 ** -128,
  zeroCount: 1,
  positive: [
    [-5, 2],
    [-4, 3],
    [7, 1],
  ],
  negative: [[2, 3]],
  customBounds: [],
  resetHint: 'unknown',
};
const CUSTOM: NativeHistogram = {
  ...GOOD,
  schema: -53,
  count: 6,
  zeroThreshold: 0,
  zeroCount: 0,
  positive: [
    [0, 2],
    [1, 3],
    [2, 1],
  ],
  negative: [],
  customBounds: [0.1, 0.5],
};

function of(...histograms: WireHistogram[]): WireSeries {
  return { labels: [['__name__', 'latency'], ['job', 'api']], samples: [], histograms }; // biome-ignore format: a row
}

function receiver(wants = true, limits: Partial<IngestLimits> = {}) {
  const resolver = new TableResolver({}, wants);
  const made = new RemoteWriteReceiver(resolver, limits);
  return { resolver, read: (bytes: Uint8Array) => made.read(compress(bytes)) };
}

/** What becomes of a request, three times: the series is unknown, known, and known again. */
function histogramsOf(bytes: Uint8Array, limits: Partial<IngestLimits> = {}): readonly NativeHistogram[] {
  const { read } = receiver(true, limits);
  const first = [...read(bytes).batch.histograms];
  for (let i = 0; i < 2; i++) expect(read(bytes).batch.histograms).toEqual(first);
  return first;
}

test('a native histogram becomes a row', () => {
  const f = (histogram: NativeHistogram) => {
    expect(histogramsOf(encodeWriteRequest([of({ histogram, timestampMs: T, sum: 3.5 })]))).toEqual([histogram]);
  };
  f(GOOD);
  f(CUSTOM);
  f({ ...GOOD, resetHint: 'yes' });
  f({ ...GOOD, resetHint: 'gauge' });
  f({ ...GOOD, count: 10.5, zeroCount: 1.5 });
  f({ ...CUSTOM, customBounds: [], count: 2, positive: [[0, 2]] });
  f({ ...GOOD, count: 0, zeroCount: 0, positive: [], negative: [] });
  f({ ...GOOD, count: Number.MAX_SAFE_INTEGER, zeroCount: Number.MAX_SAFE_INTEGER, positive: [], negative: [] });
  f({ ...GOOD, schema: -4 });
  f({ ...GOOD, schema: 8 });
});

test('a finer schema than the finest is brought down to it', () => {
  const positive: Bucket[] = [
    [1, 2],
    [2, 3],
    [3, 1],
    [2 ** 30, 3],
  ];
  const histogram = { ...GOOD, schema: 9, positive, negative: [] };
  expect(histogramsOf(encodeWriteRequest([of({ histogram, timestampMs: T })]))).toEqual([
    {
      ...histogram,
      schema: 8,
      positive: [
        [1, 5],
        [2, 1],
        [2 ** 29, 3],
      ],
    },
  ]);
});

test('samples and histograms may stand in one series, and a stale marker is one for both', () => {
  const both: WireSeries = {
    ...of(
      { histogram: GOOD, timestampMs: T + 1 },
      // All that a stale marker says beside its sum means nothing.
      { histogram: { ...GOOD, count: 3 }, timestampMs: T + 2, stale: true },
    ),
    samples: [{ value: 7, timestampMs: T }],
  };
  const { read } = receiver();
  for (let i = 0; i < 3; i++) {
    const { batch, rejections, histogramCount } = read(encodeWriteRequest([both]));
    expect([...batch.kinds.subarray(0, batch.length)]).toEqual([0, SAMPLE_HISTOGRAM, SAMPLE_STALE]);
    expect([...batch.timestampsMs.subarray(0, batch.length)]).toEqual([T, T + 1, T + 2]);
    expect([...batch.seriesIds.subarray(0, batch.length)]).toEqual([0, 0, 0]);
    expect([...batch.startsMs.subarray(1, 2)]).toEqual([0]);
    expect([rejections.total, histogramCount]).toEqual([0, 0]);
  }
});

test('histograms that nobody wants are skipped and counted, whatever is in them', () => {
  const bad = { ...GOOD, count: 3 };
  const { read } = receiver(false);
  const series = { ...of({ histogram: bad, timestampMs: T }, { histogram: GOOD, timestampMs: T }) };
  for (let i = 0; i < 3; i++) {
    const request = encodeWriteRequest([{ ...series, samples: [{ value: 1, timestampMs: T }] }]);
    const { batch, rejections, histogramCount } = read(request);
    expect([batch.length, rejections.total, histogramCount]).toEqual([1, 0, 2]);
  }
});

test('a histogram that contradicts itself is rejected alone, with a reason and an example', () => {
  const f = (change: Partial<NativeHistogram>, example: string, sum = 1, base = GOOD) => {
    const { read } = receiver();
    const bad = { histogram: { ...base, ...change }, timestampMs: T + 1, sum };
    const bytes = encodeWriteRequest([of({ histogram: GOOD, timestampMs: T }, bad)]);
    for (let i = 0; i < 3; i++) {
      const { batch, rejections } = read(bytes);
      expect(batch.length).toBe(1);
      expect([rejections.total, rejections.samples.invalid_histogram]).toEqual([1, 1]);
      expect(rejections.examples).toEqual([`a native histogram ${example}: latency{job="api"}`]);
    }
  };
  f({ count: 9 }, 'counts 9 observations and has 10 in its buckets');
  f({ count: 11 }, 'counts 11 observations and has 10 in its buckets');
  f({ count: 9 }, 'counts 9 observations and has 10 in its buckets', Number.NaN);
  f({ schema: 53 }, 'has the unknown schema 53');
  f({ schema: -5 }, 'has the unknown schema -5');
  f({ zeroThreshold: -1 }, 'has the zero threshold -1');
  f({ zeroThreshold: Number.NaN }, 'has the zero threshold NaN');
  f({ customBounds: [1] }, 'has bounds that do not fit its buckets');
  f({ customBounds: [0.5, 0.5] }, 'has bounds that do not fit its buckets', 1, CUSTOM);
  f({ customBounds: [0.5, 0.1] }, 'has bounds that do not fit its buckets', 1, CUSTOM);
  f({ customBounds: [0.5, Number.POSITIVE_INFINITY] }, 'has bounds that do not fit its buckets', 1, CUSTOM);
  f({ customBounds: [0.1] }, 'has bounds that do not fit its buckets', 1, CUSTOM);
  f({ zeroThreshold: 1 }, 'has bounds that do not fit its buckets', 1, CUSTOM);
  const notCount = 'has a count that is negative, no number or above 2^53';
  f({ positive: [[1, -1]] }, notCount);
  f({ positive: [[1, 0.5], [2, Number.NaN]] }, notCount); // biome-ignore format: a row
  f({ count: 2 ** 53 + 2, positive: [[1, 0.5]] }, notCount);
  f({ zeroCount: Number.POSITIVE_INFINITY }, notCount);
});

test('observations of NaN are in the count and in no bucket, and make the sum NaN', () => {
  const histogram = { ...GOOD, count: 12 };
  expect(histogramsOf(encodeWriteRequest([of({ histogram, timestampMs: T, sum: Number.NaN })]))).toEqual([histogram]);
});

/** A request of one series with one histogram of these fields. */
function request(...fields: Field[]): Uint8Array {
  return new Uint8Array(series(...UP, lengthDelimited(4, fields.flat())));
}
const span = (offset: number, length: number) =>
  lengthDelimited(11, [...varintField(1, offset < 0 ? -2 * offset - 1 : 2 * offset), ...varintField(2, length)]);

function refusal(bytes: Uint8Array, limits: Partial<IngestLimits> = {}): string[] {
  const { read } = receiver(true, limits);
  read(bytes);
  const { batch, rejections } = read(bytes);
  expect(batch.length).toBe(0);
  expect(rejections.samples.invalid_histogram).toBe(1);
  return rejections.examples.map((text) => text.replace(': latency{job="api"}', '').replace('a native histogram ', ''));
}

test('spans that claim more than there is allocate nothing', () => {
  const deltas = lengthDelimited(12, varint(2));
  const claim = [span(0, 2 ** 32 - 1), span(0, 2 ** 32 - 1), deltas];
  expect(refusal(request(...claim))).toEqual(['has positive spans of 8589934590 buckets and 1 counts']);
  expect(refusal(request(span(0, 1), span(-1, 1), lengthDelimited(12, [2, 0]), varintField(1, 2)))).toEqual([
    'has positive spans that overlap',
  ]);
  const wide = (buckets: number) => [
    span(0, buckets),
    lengthDelimited(12, new Array(buckets).fill(0)),
    varintField(15, T),
  ];
  expect(refusal(request(...wide(101)), { histogramBucketsMax: 100 })).toEqual(['has more than 100 buckets']);
  expect(histogramsOf(request(...wide(100)), { histogramBucketsMax: 100 })).toHaveLength(1);
  expect(refusal(request(...wide(100_000)))).toEqual(['has more than 4096 buckets']);
  expect(refusal(request(...new Array(5_000).fill(span(1, 0))))).toEqual(['has more than 4096 buckets']);
});

test('counts that add up only modulo 2^64 do not', () => {
  // Two buckets of 2^63 are none for whoever adds 64 bits; deltas are zigzag, so the second is 0.
  const half = [...varint(2n ** 64n - 2n), ...varint(0)];
  expect(refusal(request(span(0, 2), lengthDelimited(12, half), varintField(1, 0)))).toEqual([
    'has a count that is negative, no number or above 2^53',
  ]);
  expect(refusal(request(varintField(1, 2n ** 64n - 1n), varintField(6, 2n ** 64n - 1n)))).toEqual([
    'has a count that is negative, no number or above 2^53',
  ]);
});

test('a malformed histogram of a series that is new or wanted refuses the request, and registers nothing', () => {
  const f = (field: Field, message: string) => {
    const { read, resolver } = receiver();
    const good = series(...UP, sample(1, T));
    const bad = series(...UP, lengthDelimited(4, field));
    const bytes = new Uint8Array([...good, ...bad]);
    expect(() => read(bytes)).toThrow(message);
    expect(resolver.table.size).toBe(0);
    read(new Uint8Array(good));
    expect(() => read(bytes)).toThrow(message);
  };
  f(lengthDelimited(13, [1, 2, 3]), 'packed doubles of 3 bytes');
  f(lengthDelimited(12, [0x80]), 'a varint is cut off');
  f([0x5a, 9], 'a length of 9, 0 bytes are left');
  f(lengthDelimited(11, [0x08]), 'a varint is cut off');
  f(fixed64Field(3, doubleBytes(1)).slice(0, 5), 'a fixed value is cut off');
});

test('histograms are samples to the limit of them', () => {
  const three = of(...new Array(3).fill({ histogram: GOOD, timestampMs: T }));
  const { read } = receiver(true, { samplesPerRequestMax: 2 });
  for (let i = 0; i < 2; i++) {
    expect(() => read(encodeWriteRequest([three]))).toThrow('the request has more than 2 samples');
    read(encodeWriteRequest([of({ histogram: GOOD, timestampMs: T })]));
  }
});

test('a series that is rejected takes its histograms with it', () => {
  const { read } = receiver();
  const nameless = { ...of({ histogram: GOOD, timestampMs: T }), labels: [['job', 'api']] as const };
  const { batch, rejections } = read(encodeWriteRequest([nameless, of({ histogram: GOOD, timestampMs: T })]));
  expect([batch.length, rejections.samples.missing_metric_name]).toEqual([1, 1]);
});
