import fc from 'fast-check';
import protobuf from 'protobufjs/light.js';
import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SAMPLE_HISTOGRAM, SAMPLE_STALE, SampleBatch } from '../../src/engine/batch.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { downscale, type NativeHistogram } from '../../src/engine/native-histogram.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { INGEST_LIMITS } from '../../src/ingest/limits.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { TwinReader } from './twin-reader.ts';
import {
  doubleBytes,
  type Field,
  fixed64Field,
  lengthDelimited,
  STALE_BYTES,
  varint,
  varintField,
} from './wire-writer.ts';

/**
 * The walk against a decoder that is driven by the schema, on messages that use every freedom protobuf leaves to a
 * sender. Texts are bytes and values are fixed64 in this schema, so that nothing is repaired on the way.
 */
const schema = protobuf.Root.fromJSON({
  nested: {
    WriteRequest: { fields: { timeseries: { rule: 'repeated', type: 'TimeSeries', id: 1 } } },
    TimeSeries: {
      fields: {
        labels: { rule: 'repeated', type: 'Label', id: 1 },
        samples: { rule: 'repeated', type: 'Sample', id: 2 },
        histograms: { rule: 'repeated', type: 'Histogram', id: 4 },
      },
    },
    Histogram: {
      // Without it a count of 0.0 would be the same as none, and the histogram one of integers.
      oneofs: { count: { oneof: ['countInt', 'countFloat'] } },
      fields: {
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
      },
    },
    BucketSpan: { fields: { offset: { type: 'sint32', id: 1 }, length: { type: 'uint32', id: 2 } } },
    Label: { fields: { name: { type: 'bytes', id: 1 }, value: { type: 'bytes', id: 2 } } },
    Sample: { fields: { value: { type: 'fixed64', id: 1 }, timestamp: { type: 'int64', id: 2 } } },
  },
}).lookupType('WriteRequest');

interface Long {
  readonly low: number;
  readonly high: number;
  toNumber(): number;
}

interface Decoded {
  timeseries: {
    /** An absent text is an empty array. */
    labels: { name: ArrayLike<number>; value: ArrayLike<number> }[];
    samples: { value: Long; timestamp: Long }[];
    histograms: DecodedHistogram[];
  }[];
}

interface DecodedHistogram {
  countInt: Long;
  countFloat: number;
  sum: Long;
  schema: number;
  zeroThreshold: number;
  zeroCountInt: Long;
  zeroCountFloat: number;
  negativeSpans: { offset: number; length: number }[];
  negativeDeltas: Long[];
  negativeCounts: number[];
  positiveSpans: { offset: number; length: number }[];
  positiveDeltas: Long[];
  positiveCounts: number[];
  resetHint: number;
  timestamp: Long;
  customValues: number[];
}

function double({ low, high }: Long): number {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setInt32(0, low, true);
  bits.setInt32(4, high, true);
  return bits.getFloat64(0, true);
}

const isStale = ({ low, high }: Long): boolean => low === 2 && high === 0x7ff00000;

const exact = (number: Long): bigint => BigInt(number.toString());

/** What a histogram means; null when it contradicts itself. Integers are added up as such. */
function histogramOf(message: DecodedHistogram): NativeHistogram | null {
  const { schema, zeroThreshold, customValues } = message;
  // The senders of these tests write one kind of counts or the other.
  const isFloat = Object.hasOwn(message, 'countFloat');
  const whole = (n: bigint): number => (n >= 0n && n < 2n ** 53n ? Number(n) : Number.NaN);
  const lay = (spans: DecodedHistogram['positiveSpans'], counts: number[]): [number, number][] | null => {
    if (spans.reduce((sum, { length }) => sum + length, 0) !== counts.length) return null;
    if (spans.slice(1).some(({ offset }) => offset < 0)) return null;
    let next = 0;
    const indexes = spans.flatMap(({ offset, length }) => {
      const first = next + offset;
      next = first + length;
      return Array.from({ length }, (_, i) => first + i);
    });
    return indexes.map((index, i) => [index, counts[i]!]);
  };
  const running = (deltas: Long[]): number[] => {
    let sum = 0n;
    return deltas.map((delta) => {
      sum += exact(delta);
      return whole(sum);
    });
  };
  const positive = lay(message.positiveSpans, isFloat ? message.positiveCounts : running(message.positiveDeltas));
  const negative = lay(message.negativeSpans, isFloat ? message.negativeCounts : running(message.negativeDeltas));
  if (positive === null || negative === null) return null;
  const count = isFloat ? message.countFloat : whole(exact(message.countInt));
  const zeroCount = isFloat ? message.zeroCountFloat : whole(exact(message.zeroCountInt));
  const counts = [zeroCount, ...positive.map(([, n]) => n), ...negative.map(([, n]) => n)];
  if (![count, ...counts].every((n) => n >= 0 && n <= Number.MAX_SAFE_INTEGER)) return null;
  const missing = count - counts.reduce((sum, n) => sum + n, 0);
  const least = isFloat ? -1e-9 * count : 0;
  if (missing < least || (missing > -least && !Number.isNaN(double(message.sum)))) return null;
  if (!Number.isFinite(zeroThreshold) || zeroThreshold < 0) return null;
  if (schema === -53) {
    if (zeroThreshold !== 0 || zeroCount !== 0 || message.negativeSpans.length > 0) return null;
    if (!customValues.every((bound, i) => Number.isFinite(bound) && (i === 0 || bound > customValues[i - 1]!)))
      return null;
    if (positive.some(([index, n]) => n > 0 && (index < 0 || index > customValues.length))) return null;
  } else if (schema < -4 || schema > 52 || customValues.length > 0) return null;
  const histogram: NativeHistogram = {
    schema,
    count,
    zeroThreshold,
    zeroCount,
    positive: positive.filter(([, n]) => n > 0),
    negative: negative.filter(([, n]) => n > 0),
    customBounds: customValues,
    resetHint: (['unknown', 'yes', 'no', 'gauge'] as const)[message.resetHint] ?? 'unknown',
  };
  return schema > 8 ? downscale(histogram, 8) : histogram;
}

/** A row as text: canonical labels in hex, kind, bits of the value, time. */
function rowText(labels: Uint8Array, stale: boolean, value: number, timestampMs: number): string {
  return `${Buffer.from(labels).toString('hex')} ${stale ? 'stale' : Buffer.from(doubleBytes(value)).toString('hex')} ${timestampMs}`;
}

function histogramText(labels: Uint8Array, histogram: NativeHistogram, timestampMs: number): string {
  return `${Buffer.from(labels).toString('hex')} ${JSON.stringify(histogram)} ${timestampMs}`;
}

/** Histograms of series that are not known come behind all other rows, so they and stale markers are compared in any order. */
function arranged(rows: readonly string[]): string[] {
  const isLate = (row: string) => / stale |\{/.test(row);
  return [...rows.filter((row) => !isLate(row)), ...rows.filter(isLate).sort()];
}

/** What the specification asks for, without regard to speed. */
function expectedRows(bytes: Uint8Array): string[] {
  const request = schema.decode(bytes) as unknown as Decoded;
  const rows: string[] = [];
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (const { labels, samples, histograms } of request.timeseries) {
    let pairs: [string, string][];
    try {
      pairs = labels.map(({ name, value }) => [
        text.decode(Uint8Array.from(name)),
        text.decode(Uint8Array.from(value)),
      ]);
    } catch {
      continue;
    }
    if (pairs.some(([name, value]) => name === '' || name.includes('\0') || value.includes('\0'))) continue;
    if (new Set(pairs.map(([name]) => name)).size < pairs.length) continue;
    if (!pairs.some(([name, value]) => name === '__name__' && value !== '')) continue;
    const canonical = encodeLabels(labelSet(pairs));
    for (const { value, timestamp } of samples) {
      rows.push(rowText(canonical, isStale(value), double(value), timestamp.toNumber()));
    }
    for (const message of histograms) {
      const timestampMs = message.timestamp.toNumber();
      if (isStale(message.sum)) rows.push(rowText(canonical, true, 0, timestampMs));
      const histogram = isStale(message.sum) ? null : histogramOf(message);
      if (histogram !== null) rows.push(histogramText(canonical, histogram, timestampMs));
    }
  }
  return arranged(rows);
}

function reader() {
  const resolver = new TableResolver({}, true);
  const walk = new TwinReader(resolver, INGEST_LIMITS, new Rejections());
  const batch = new SampleBatch(1);
  return (bytes: Uint8Array): string[] => {
    walk.read(bytes, batch);
    const rows = Array.from({ length: batch.length }, (_, row) => {
      const labels = resolver.table.labelBytes(batch.seriesIds[row]!);
      const value = batch.values[row]!;
      const timestampMs = batch.timestampsMs[row]!;
      if (batch.kinds[row] === SAMPLE_HISTOGRAM) return histogramText(labels, batch.histograms[value]!, timestampMs);
      return rowText(labels, batch.kinds[row] === SAMPLE_STALE, value, timestampMs);
    });
    return arranged(rows);
  };
}

const unknownFrom = (least: number) =>
  fc.oneof(
    fc
      .tuple(fc.integer({ min: least, max: 2 ** 29 - 1 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
      .map(([n, v]) => varintField(n, v)),
    fc.integer({ min: least, max: 3_000 }).map((n) => fixed64Field(n, STALE_BYTES)),
    fc
      .tuple(fc.integer({ min: least, max: 40 }), fc.uint8Array({ maxLength: 20 }))
      .map(([n, bytes]) => lengthDelimited(n, bytes)),
    fc.integer({ min: least, max: 40 }).map((n): Field => [...varint(n * 8 + 5), 1, 2, 3, 4]),
  );
const unknownField = unknownFrom(5);
const exemplar = fc.uint8Array({ maxLength: 9 }).map((bytes) => lengthDelimited(3, bytes));

/** Now and then. */
function seldom<T>(arbitrary: fc.Arbitrary<T>, maxLength = 1): fc.Arbitrary<T[]> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<T[]>([]) },
    { weight: 1, arbitrary: fc.array(arbitrary, { maxLength }) },
  );
}

/** Mostly as given, sometimes in any order. */
function shuffled(fields: fc.Arbitrary<Field[]>): fc.Arbitrary<Field[]> {
  return fields.chain((list) =>
    fc.oneof(
      { weight: 2, arbitrary: fc.constant(list) },
      { weight: 1, arbitrary: fc.shuffledSubarray(list, { minLength: list.length }) },
    ),
  );
}

const padding = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) },
);
const name = fc.constantFrom('__name__', 'job', 'instance', 'code', 'le', 'Zone', 'é', '\ue000', '\u{1f600}', '');
const value = fc.oneof(
  fc
    .constantFrom('', 'api', '200', '500', 'x'.repeat(130), 'http_requests_total', '\ufeffapi', 'a\0')
    .map((text) => [...new TextEncoder().encode(text)]),
  fc.constant([0xff]),
);
const label = shuffled(
  fc
    .tuple(name, value, padding, seldom(unknownField), seldom(value))
    .map(([n, v, pad, unknown, again]) => [
      lengthDelimited(1, n, pad),
      ...again.map((bytes) => lengthDelimited(2, bytes)),
      ...(v.length > 0 ? [lengthDelimited(2, v, pad)] : []),
      ...unknown,
    ]),
).chain((fields) => padding.map((pad) => lengthDelimited(1, fields.flat(), pad)));
const metricName = fc
  .constantFrom('up', 'http_requests_total')
  .map((text): Field => lengthDelimited(1, [...lengthDelimited(1, '__name__'), ...lengthDelimited(2, text)]));
const bits = fc.oneof(
  fc.constant(STALE_BYTES),
  fc.constantFrom(0, -0, 1, Number.NaN, Number.POSITIVE_INFINITY, 1e308, 5e-324).map(doubleBytes),
  fc.integer({ min: 0, max: 1e9 }).map(doubleBytes),
);
const time = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
  fc.constantFrom(0, -1, 1, Number.MIN_SAFE_INTEGER),
  fc.integer(),
);
const sample = shuffled(
  fc
    .tuple(seldom(bits), fc.option(bits, { freq: 5 }), fc.option(time, { freq: 9 }), seldom(unknownField))
    .map(([earlier, b, t, unknown]) => [
      ...earlier.map((bytes) => fixed64Field(1, bytes)),
      ...(b === null ? [] : [fixed64Field(1, b)]),
      ...(t === null ? [] : [varintField(2, t)]),
      ...unknown,
    ]),
).chain((fields) => padding.map((pad) => lengthDelimited(2, fields.flat(), pad)));
/** A repeated scalar: packed, one by one, or some of both. */
function repeated(number: number, wireType: number, values: readonly number[][]): fc.Arbitrary<Field[]> {
  return fc
    .nat(values.length)
    .map((split) => [
      ...(split > 0 ? [lengthDelimited(number, values.slice(0, split).flat())] : []),
      ...values.slice(split).map((bytes): Field => [...varint(number * 8 + wireType), ...bytes]),
    ]);
}
const zigzag = (n: number): number => (n < 0 ? -2 * n - 1 : 2 * n);
const span = fc.tuple(fc.integer({ min: -3, max: 9 }), fc.nat(4));
const side = (numbers: readonly [spans: number, deltas: number, counts: number], isFloat: boolean) =>
  fc
    .array(span, { maxLength: 3 })
    .chain((spans) => {
      const length = spans.reduce((sum, [, n]) => sum + n, 0);
      return fc.tuple(
        fc.constant(spans),
        fc.array(fc.nat(9), { minLength: length, maxLength: length }),
        seldom(fc.nat(3)),
      );
    })
    .chain(([spans, counts, more]) => {
      const written = [...counts, ...more];
      // The first offset may be negative, a later one now and then.
      const fields = spans.map(([offset, length], i) =>
        lengthDelimited(numbers[0], [
          ...varintField(1, zigzag(i === 0 || length === 3 ? offset : Math.abs(offset))),
          ...varintField(2, length),
        ]),
      );
      const rest = isFloat
        ? repeated(numbers[2], 1, written.map(doubleBytes))
        : repeated(
            numbers[1],
            0,
            written.map((n, i) => varint(zigzag(n - (written[i - 1] ?? 0)))),
          );
      return rest.map((lists) => ({ fields: [...fields, ...lists], total: counts.reduce((sum, n) => sum + n, 0) }));
    });
/** The usual value, now and then another one. */
function mostly<T>(usual: T, ...others: T[]): fc.Arbitrary<T> {
  return fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) });
}

const UINT64_MAX = 2n ** 64n - 1n;
const histogram = fc
  .record({
    isFloat: fc.boolean(),
    schema: fc.oneof(fc.constantFrom(0, 3, 8, -4, 9, 11, 52, -53), mostly(-53, -5, 53)),
    zero: fc.constantFrom(0, 2),
    off: mostly(0, 1, -1),
    sum: fc.oneof(mostly(doubleBytes(7), STALE_BYTES), fc.constant(doubleBytes(Number.NaN))),
    threshold: mostly(0, 2 ** -128, -1),
    hint: fc.nat(5),
    bounds: mostly(
      [0.1, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
      [1, 1],
      [1, Number.POSITIVE_INFINITY],
      [],
    ),
    time,
    first: mostly(0n, UINT64_MAX),
    last: mostly(null, UINT64_MAX, 2n ** 53n - 1n, 2n ** 53n),
  })
  .chain((made) => {
    const isCustom = made.schema === -53;
    const none = fc.constant({ fields: [] as Field[], total: 0 });
    return fc.tuple(
      fc.constant(made),
      side([11, 12, 13], made.isFloat),
      isCustom ? none : fc.oneof(none, side([8, 9, 10], made.isFloat)),
      isCustom
        ? repeated(16, 1, made.bounds.map(doubleBytes))
        : mostly<Field[]>([], [fixed64Field(16, doubleBytes(1))]),
      seldom(unknownFrom(18)),
    );
  })
  .map(([made, positive, negative, bounds, unknown]) => {
    const { isFloat, schema, off, sum, threshold, hint, first, last } = made;
    const zero = schema === -53 ? 0 : made.zero;
    const count = Math.max(0, positive.total + negative.total + zero + off);
    const fields = [
      varintField(1, first),
      isFloat ? fixed64Field(2, doubleBytes(count)) : varintField(1, last ?? count),
      fixed64Field(3, STALE_BYTES),
      fixed64Field(3, sum),
      varintField(4, zigzag(schema)),
      fixed64Field(5, doubleBytes(threshold)),
      isFloat ? fixed64Field(7, doubleBytes(zero)) : varintField(6, zero),
      varintField(14, hint),
      varintField(15, made.time),
      ...positive.fields,
      ...negative.fields,
      ...bounds,
      ...unknown,
    ];
    return lengthDelimited(4, fields.flat());
  });
const series = shuffled(
  fc
    .tuple(
      seldom(metricName, 1),
      metricName,
      fc.array(label, { maxLength: 4 }),
      fc.array(sample, { maxLength: 3 }),
      seldom(histogram, 2),
      seldom(fc.oneof(unknownField, exemplar), 3),
    )
    .map(([twice, first, labels, samples, histograms, others]) => [
      ...twice,
      first,
      ...labels,
      ...samples,
      ...histograms,
      ...others,
    ]),
).chain((fields) => padding.map((pad) => lengthDelimited(1, fields.flat(), pad)));
const request = shuffled(
  fc
    .tuple(
      fc.array(series, { maxLength: 6 }),
      seldom(unknownField),
      seldom(fc.constant(lengthDelimited(3, 'metadata'))),
    )
    .map(([list, unknown, metadata]) => [...list, ...unknown, ...metadata]),
).map((fields) => new Uint8Array(fields.flat()));

test('the walk reads what a schema-driven decoder reads, whether the series are unknown, looked up or predicted', () => {
  let rows = 0;
  let histograms = 0;
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), (requests) => {
      const read = reader();
      for (let i = 0; i < 4; i++) {
        for (const bytes of requests) {
          const expected = expectedRows(bytes);
          expect(read(bytes)).toEqual(expected);
          rows += expected.length;
          histograms += expected.filter((row) => row.includes('{')).length;
        }
      }
    }),
    { numRuns: 1_000 },
  );
  expect(rows).toBeGreaterThan(5_000);
  expect(histograms).toBeGreaterThan(200);
});

test('native histograms are read and refused as a schema-driven decoder and bigints have it', () => {
  const outcomes = { read: 0, refused: 0 };
  fc.assert(
    fc.property(fc.array(fc.tuple(metricName, histogram), { minLength: 1, maxLength: 4 }), (list) => {
      const bytes = new Uint8Array(list.flatMap(([name, message]) => lengthDelimited(1, [...name, ...message])));
      const read = reader();
      const expected = expectedRows(bytes);
      for (let i = 0; i < 3; i++) expect(read(bytes)).toEqual(expected);
      outcomes.read += expected.length;
      outcomes.refused += list.length - expected.length;
    }),
    { numRuns: 1_000 },
  );
  expect(outcomes.read).toBeGreaterThan(500);
  expect(outcomes.refused).toBeGreaterThan(500);
});

test('mutated and truncated messages are accepted and refused as the schema-driven decoder does', () => {
  const mutation = fc.tuple(fc.nat(), fc.nat(255));
  const outcomes = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(request, fc.array(mutation, { maxLength: 2 }), fc.option(fc.nat()), (valid, mutations, cut) => {
      const read = reader();
      read(valid);
      const bytes = cut === null ? valid.slice() : valid.slice(0, cut % (valid.length + 1));
      for (const [at, byte] of mutations) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      let ours: string[] | null = null;
      try {
        ours = read(bytes);
      } catch (thrown) {
        if (!(thrown instanceof IngestError)) throw thrown;
        // Refused here on purpose, and read there: groups, and varints whose tenth byte has bits that do not fit.
        if (/wire type [34]$|more than 64 bits$/.test(thrown.message)) return;
      }
      let theirs: string[] | null = null;
      try {
        theirs = expectedRows(bytes);
      } catch {}
      expect(ours).toEqual(theirs);
      outcomes[ours === null ? 'refused' : 'accepted']++;
      // A refused message has left nothing behind that would disturb the next.
      expect(read(valid)).toEqual(expectedRows(valid));
    }),
    { numRuns: 2_000 },
  );
  expect(outcomes.accepted).toBeGreaterThan(200);
  expect(outcomes.refused).toBeGreaterThan(200);
});
