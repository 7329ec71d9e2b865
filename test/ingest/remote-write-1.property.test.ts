import fc from 'fast-check';
import protobuf from 'protobufjs/light.js';
import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SAMPLE_STALE, SampleBatch } from '../../src/engine/batch.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { INGEST_LIMITS } from '../../src/ingest/limits.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { RemoteWrite1 } from '../../src/ingest/remote-write-1.ts';
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
      },
    },
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
  }[];
}

/** A row as text: canonical labels in hex, kind, bits of the value, time. */
function rowText(labels: Uint8Array, stale: boolean, value: number, timestampMs: number): string {
  return `${Buffer.from(labels).toString('hex')} ${stale ? 'stale' : Buffer.from(doubleBytes(value)).toString('hex')} ${timestampMs}`;
}

/** What the specification asks for, without regard to speed. */
function expectedRows(bytes: Uint8Array): string[] {
  const request = schema.decode(bytes) as unknown as Decoded;
  const rows: string[] = [];
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (const { labels, samples } of request.timeseries) {
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
      const { low, high } = value;
      const bits = new DataView(new ArrayBuffer(8));
      bits.setInt32(0, low, true);
      bits.setInt32(4, high, true);
      rows.push(rowText(canonical, low === 2 && high === 0x7ff00000, bits.getFloat64(0, true), timestamp.toNumber()));
    }
  }
  return rows;
}

function reader() {
  const resolver = new TableResolver();
  const walk = new RemoteWrite1(resolver, INGEST_LIMITS, new Rejections());
  const batch = new SampleBatch(1);
  return (bytes: Uint8Array): string[] => {
    walk.read(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length, batch);
    return Array.from({ length: batch.length }, (_, row) => {
      const stale = batch.kinds[row] === SAMPLE_STALE;
      return rowText(
        resolver.table.labelBytes(batch.seriesIds[row]!),
        stale,
        batch.values[row]!,
        batch.timestampsMs[row]!,
      );
    });
  };
}

const unknownField = fc.oneof(
  fc
    .tuple(fc.integer({ min: 5, max: 2 ** 29 - 1 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map(([n, v]) => varintField(n, v)),
  fc.integer({ min: 5, max: 3_000 }).map((n) => fixed64Field(n, STALE_BYTES)),
  fc
    .tuple(fc.integer({ min: 5, max: 40 }), fc.uint8Array({ maxLength: 20 }))
    .map(([n, bytes]) => lengthDelimited(n, bytes)),
  fc.integer({ min: 5, max: 40 }).map((n): Field => [...varint(n * 8 + 5), 1, 2, 3, 4]),
);
const exemplarOrHistogram = fc
  .tuple(fc.constantFrom(3, 4), fc.uint8Array({ maxLength: 9 }))
  .map(([n, bytes]) => lengthDelimited(n, bytes));

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
const series = shuffled(
  fc
    .tuple(
      seldom(metricName, 1),
      metricName,
      fc.array(label, { maxLength: 4 }),
      fc.array(sample, { maxLength: 3 }),
      seldom(fc.oneof(unknownField, exemplarOrHistogram), 3),
    )
    .map(([twice, first, labels, samples, others]) => [...twice, first, ...labels, ...samples, ...others]),
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
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), (requests) => {
      const read = reader();
      for (let i = 0; i < 4; i++) {
        for (const bytes of requests) {
          const expected = expectedRows(bytes);
          expect(read(bytes)).toEqual(expected);
          rows += expected.length;
        }
      }
    }),
    { numRuns: 1_000 },
  );
  expect(rows).toBeGreaterThan(5_000);
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
