import fc from 'fast-check';
import protobuf from 'protobufjs/light.js';
import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SAMPLE_HISTOGRAM, SAMPLE_STALE, SAMPLE_STARTED, SampleBatch } from '../../src/engine/batch.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { INGEST_LIMITS } from '../../src/ingest/limits.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { RemoteWrite2 } from '../../src/ingest/remote-write-2.ts';
import { REMOTE_WRITE_2_TYPES } from '../../src/ingest/remote-write-2-schema.ts';
import { SymbolTuples } from '../../src/ingest/symbol-tuples.ts';
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
 * The walk against a decoder that is driven by the schema, on messages that use every freedom protobuf leaves to a sender.
 * Symbols are bytes and values fixed64 in this schema, so that nothing is repaired on the way; exemplars are bytes and
 * metadata is unknown, because nobody looks into them.
 */
const { Sample, Histogram, BucketSpan, TimeSeries } = REMOTE_WRITE_2_TYPES;
const schema = protobuf.Root.fromJSON({
  nested: {
    Request: {
      fields: {
        symbols: { rule: 'repeated', type: 'bytes', id: 4 },
        timeseries: { rule: 'repeated', type: 'TimeSeries', id: 5 },
      },
    },
    TimeSeries: {
      fields: {
        labelsRefs: TimeSeries.fields.labelsRefs,
        samples: TimeSeries.fields.samples,
        histograms: TimeSeries.fields.histograms,
        exemplars: { rule: 'repeated', type: 'bytes', id: 4 },
        createdTimestamp: { type: 'int64', id: 6 },
      },
    },
    Sample,
    Histogram,
    BucketSpan,
  },
}).lookupType('Request');

interface Long {
  readonly low: number;
  readonly high: number;
  toNumber(): number;
}

interface Decoded {
  symbols: ArrayLike<number>[];
  timeseries: {
    labelsRefs: number[];
    samples: { value: Long; timestamp: Long; startTimestamp: Long }[];
    histograms: { timestamp: Long; startTimestamp: Long; countInt: Long }[];
    exemplars: unknown[];
    createdTimestamp: Long;
  }[];
}

interface Read {
  /** A row as text: canonical labels in hex, kind and start, bits of the value, time. */
  samples: string[];
  /** In no order between series. */
  histograms: string[];
  written: [samples: number, histograms: number, exemplars: number];
}

function rowText(labels: Uint8Array, stale: boolean, startMs: number, value: number, timestampMs: number): string {
  const bits = stale ? 'stale' : `${Buffer.from(doubleBytes(value)).toString('hex')} since ${startMs}`;
  return `${Buffer.from(labels).toString('hex')} ${bits} ${timestampMs}`;
}

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The canonical labels of a series, null when it has to be rejected. */
function canonicalLabels(refs: readonly number[], symbols: readonly ArrayLike<number>[]): Uint8Array | null {
  if (refs.length % 2 !== 0 || refs.some((ref) => ref >= symbols.length)) return null;
  const pairs: [string, string][] = [];
  try {
    for (let i = 0; i < refs.length; i += 2) {
      const [name, value] = [refs[i]!, refs[i + 1]!].map((ref) => text.decode(Uint8Array.from(symbols[ref]!)));
      pairs.push([name!, value!]);
    }
  } catch {
    return null;
  }
  if (pairs.some(([name, value]) => name === '' || name.includes('\0') || value.includes('\0'))) return null;
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) return null;
  if (!pairs.some(([name, value]) => name === '__name__' && value !== '')) return null;
  return encodeLabels(labelSet(pairs));
}

/** What the specification asks for, without regard to speed. */
function expected(bytes: Uint8Array): Read {
  const { symbols, timeseries } = schema.decode(bytes) as unknown as Decoded;
  if (symbols.length > 0 && symbols[0]!.length > 0) throw new Error('the first symbol is not the empty text');
  const read: Read = { samples: [], histograms: [], written: [0, 0, 0] };
  for (const { labelsRefs, samples, histograms, exemplars, createdTimestamp } of timeseries) {
    const refsAreGood = labelsRefs.length % 2 === 0 && labelsRefs.every((ref) => ref < symbols.length);
    // Exemplars alone are counted, whosoever they are.
    const alone = samples.length + histograms.length === 0;
    const labels = canonicalLabels(labelsRefs, symbols);
    if (alone ? !refsAreGood : labels === null) continue;
    read.written[0] += samples.length;
    read.written[1] += histograms.length;
    read.written[2] += exemplars.length;
    for (const { value, timestamp, startTimestamp } of samples) {
      const bits = new DataView(new ArrayBuffer(8));
      bits.setInt32(0, value.low, true);
      bits.setInt32(4, value.high, true);
      const stale = value.low === 2 && value.high === 0x7ff00000;
      const startMs = startTimestamp.toNumber() || createdTimestamp.toNumber();
      read.samples.push(rowText(labels!, stale, startMs, bits.getFloat64(0, true), timestamp.toNumber()));
    }
    for (const { timestamp, startTimestamp, countInt } of histograms) {
      const startMs = startTimestamp.toNumber() || createdTimestamp.toNumber();
      read.histograms.push(rowText(labels!, false, startMs, countInt.toNumber(), timestamp.toNumber()));
    }
  }
  read.histograms.sort();
  return read;
}

class EverythingWanted extends TableResolver {
  override wantsHistograms(): boolean {
    return true;
  }
}

function reader(tuples = new SymbolTuples()) {
  const resolver = new EverythingWanted();
  const walk = new RemoteWrite2(resolver, INGEST_LIMITS, new Rejections(), null, tuples);
  const batch = new SampleBatch(1);
  return (bytes: Uint8Array): Read => {
    walk.read(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length, batch);
    const { samples, histograms, exemplars } = walk.valid;
    const read: Read = { samples: [], histograms: [], written: [samples, histograms, exemplars] };
    for (let row = 0; row < batch.length; row++) {
      const labels = resolver.table.labelBytes(batch.seriesIds[row]!);
      const kind = batch.kinds[row]!;
      const isHistogram = kind === SAMPLE_HISTOGRAM;
      const startMs = kind === SAMPLE_STARTED || isHistogram ? batch.startsMs[row]! : 0;
      const value = isHistogram ? batch.histograms[batch.values[row]!]!.count : batch.values[row]!;
      const line = rowText(labels, kind === SAMPLE_STALE, startMs, value, batch.timestampsMs[row]!);
      (isHistogram ? read.histograms : read.samples).push(line);
    }
    read.histograms.sort();
    return read;
  };
}

const unknownField = fc.oneof(
  fc
    .tuple(fc.integer({ min: 20, max: 2 ** 29 - 1 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map(([n, v]) => varintField(n, v)),
  fc.integer({ min: 20, max: 3_000 }).map((n) => fixed64Field(n, STALE_BYTES)),
  fc
    .tuple(fc.integer({ min: 20, max: 40 }), fc.uint8Array({ maxLength: 20 }))
    .map(([n, bytes]) => lengthDelimited(n, bytes)),
  fc.integer({ min: 20, max: 40 }).map((n): Field => [...varint(n * 8 + 5), 1, 2, 3, 4]),
);

/** Now and then. */
function seldom<T>(arbitrary: fc.Arbitrary<T>, maxLength = 1): fc.Arbitrary<T[]> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant<T[]>([]) },
    { weight: 1, arbitrary: fc.array(arbitrary, { minLength: 1, maxLength }) },
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

const FILLERS = Array.from({ length: 140 }, (_, i) => `filler ${i}`);
const TEXTS = ['__name__', 'up', 'http_requests_total', 'job', 'instance', 'code', 'le', 'Zone', 'é', '\ue000'].concat([
  '\u{1f600}',
  'api',
  '200',
  '500',
  'x'.repeat(130),
  '\ufeffapi',
  'a\0',
]);
const encoder = new TextEncoder();
const POOL: number[][] = [...TEXTS.map((each) => [...encoder.encode(each)]), [0xff]];
const numberOf = (each: string): number => TEXTS.indexOf(each);

/** Symbols behind the empty one, by their place in POOL: another order in each request, sometimes beyond one byte. */
const table = fc.tuple(
  fc.shuffledSubarray([...POOL.keys()], { minLength: POOL.length }),
  fc.constantFrom(0, 0, 0, FILLERS.length),
);

/** A symbol of the pool, or the empty one. */
const name = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom('job', 'instance', 'code', 'le', 'Zone', 'é', '\ue000', '\u{1f600}').map(numberOf),
  },
  { weight: 1, arbitrary: fc.constantFrom(-1, numberOf('__name__'), numberOf('a\0'), POOL.length - 1) },
);
const value = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('api', '200', '500', 'x'.repeat(130), '\ufeffapi').map(numberOf) },
  { weight: 1, arbitrary: fc.constantFrom(-1, numberOf('a\0'), POOL.length - 1) },
);
const metricName = fc.constantFrom('up', 'http_requests_total').map(numberOf);
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
    .tuple(
      seldom(bits),
      fc.option(bits, { freq: 5 }),
      fc.option(time, { freq: 9 }),
      fc.option(time, { freq: 1 }),
      seldom(unknownField),
    )
    .map(([earlier, b, t, start, unknown]) => [
      ...earlier.map((bytes) => fixed64Field(1, bytes)),
      ...(b === null ? [] : [fixed64Field(1, b)]),
      ...(t === null ? [] : [varintField(2, t)]),
      ...(start === null ? [] : [varintField(3, start)]),
      ...unknown,
    ]),
).chain((fields) => padding.map((pad) => lengthDelimited(2, fields.flat(), pad)));
/** Valid ones: all observations in the zero bucket. What makes one invalid is tested with the reader of histograms. */
const histogram = shuffled(
  fc
    .tuple(fc.nat(1_000), time, fc.option(time, { freq: 1 }), seldom(unknownField))
    .map(([count, t, start, unknown]) => [
      varintField(1, count),
      varintField(6, count),
      varintField(15, t),
      ...(start === null ? [] : [varintField(17, start)]),
      ...unknown,
    ]),
).map((fields) => lengthDelimited(3, fields.flat()));

interface SeriesPlan {
  labels: number[];
  wrong: 'odd' | 'beyond' | null;
  shape: 'packed' | 'unpacked' | 'split';
  pad: number;
  others: Field[];
  order: number;
}

const seriesPlan: fc.Arbitrary<SeriesPlan> = fc.record({
  labels: fc
    .tuple(
      metricName,
      fc.uniqueArray(fc.tuple(name, value), { maxLength: 4, selector: ([n]) => n }),
      seldom(fc.tuple(name, value)),
    )
    .map(([metric, labels, more]) => [numberOf('__name__'), metric, ...labels.flat(), ...more.flat()]),
  wrong: fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom('odd' as const, 'beyond' as const) },
  ),
  shape: fc.oneof(
    { weight: 4, arbitrary: fc.constant('packed' as const) },
    { weight: 1, arbitrary: fc.constantFrom('unpacked' as const, 'split' as const) },
  ),
  pad: padding,
  others: fc
    .tuple(
      fc.array(sample, { maxLength: 3 }),
      seldom(
        fc.uint8Array({ maxLength: 9 }).map((bytes) => lengthDelimited(4, bytes)),
        2,
      ),
      seldom(histogram, 2),
      fc.option(
        fc.uint8Array({ maxLength: 6 }).map((bytes) => lengthDelimited(5, bytes)),
        { freq: 4 },
      ),
      seldom(time.map((t) => varintField(6, t))),
      seldom(unknownField),
    )
    .map(([samples, exemplars, histograms, metadata, created, unknown]) => [
      ...samples,
      ...exemplars,
      ...histograms,
      ...(metadata === null ? [] : [metadata]),
      ...created,
      ...unknown,
    ]),
  // 0: labels first; else behind so many fields.
  order: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
});

function seriesField(plan: SeriesPlan, refOf: (symbol: number) => number): Field {
  let refs = plan.labels.map(refOf);
  if (plan.wrong === 'odd') refs = refs.slice(1);
  if (plan.wrong === 'beyond') refs = [...refs, 5_000_000, 0];
  const packed = (some: number[]) =>
    lengthDelimited(
      1,
      some.flatMap((ref) => varint(ref, plan.pad)),
    );
  let fields: Field[] = [packed(refs)];
  if (plan.shape === 'unpacked') fields = refs.map((ref) => varintField(1, ref));
  if (plan.shape === 'split') fields = [packed(refs.slice(0, 3)), packed([]), packed(refs.slice(3))];
  return lengthDelimited(
    5,
    [...plan.others.slice(0, plan.order), ...fields, ...plan.others.slice(plan.order)].flat(),
    plan.pad,
  );
}

const request = fc
  .tuple(
    table,
    fc.array(seriesPlan, { maxLength: 6 }),
    fc.integer({ min: 1, max: 3 }),
    seldom(unknownField),
    fc.boolean(),
    fc.nat(20),
  )
  .map(([[order, fillers], plans, times, unknown, symbolsLast, broken]) => {
    const refOf = (symbol: number) => (symbol === -1 ? 0 : 1 + fillers + order.indexOf(symbol));
    const symbols = [
      ...(broken === 20 ? [] : [lengthDelimited(4, '')]),
      ...FILLERS.slice(0, fillers).map((each) => lengthDelimited(4, each)),
      ...order.map((symbol) => lengthDelimited(4, POOL[symbol]!)),
    ];
    // Symbols are looked up when a request uses them first: predictions come true when it repeats itself.
    const once = plans.map((plan) => seriesField(plan, refOf));
    const series = [...Array.from({ length: times }, () => once).flat(), ...unknown];
    return new Uint8Array((symbolsLast && plans.length > 2 ? [...series, ...symbols] : [...symbols, ...series]).flat());
  });

function outcomeOf(read: (bytes: Uint8Array) => Read, bytes: Uint8Array): Read | null | 'strict' {
  try {
    return read(bytes);
  } catch (thrown) {
    // Groups, and varints of more than 64 bits, are refused here on purpose, and read there.
    if (thrown instanceof IngestError && /wire type [34]$|more than 64 bits$/.test(thrown.message)) return 'strict';
    if (thrown instanceof RangeError || thrown instanceof TypeError) throw thrown;
    return null;
  }
}

function expectedOutcome(bytes: Uint8Array): Read | null {
  try {
    return expected(bytes);
  } catch {
    return null;
  }
}

test('the walk reads what a schema-driven decoder reads, whether the series are unknown, looked up or predicted', () => {
  let rows = 0;
  fc.assert(
    fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), fc.boolean(), (requests, tight) => {
      // A cache that is too small is thrown away again and again, and must make no difference.
      const read = reader(tight ? new SymbolTuples({ symbolsMax: 9, tuplesMax: 2 }) : new SymbolTuples());
      for (let i = 0; i < 3; i++) {
        for (const bytes of requests) {
          const naive = expectedOutcome(bytes);
          expect(outcomeOf(read, bytes)).toEqual(naive);
          rows += naive?.samples.length ?? 0;
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
      outcomeOf(read, valid);
      const bytes = cut === null ? valid.slice() : valid.slice(0, cut % (valid.length + 1));
      for (const [at, byte] of mutations) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      const ours = outcomeOf(read, bytes);
      if (ours === 'strict') return;
      const theirs = expectedOutcome(bytes);
      expect(ours === null).toBe(theirs === null);
      // A mutated histogram may contradict itself, which the schema does not know.
      if (ours !== null) {
        expect(ours.samples).toEqual(theirs!.samples);
        expect([ours.written[0], ours.written[2]]).toEqual([theirs!.written[0], theirs!.written[2]]);
      }
      outcomes[ours === null ? 'refused' : 'accepted']++;
      // A refused message has left nothing behind that would disturb the next.
      expect(outcomeOf(read, valid)).toEqual(expectedOutcome(valid));
    }),
    { numRuns: 2_000 },
  );
  expect(outcomes.accepted).toBeGreaterThan(200);
  expect(outcomes.refused).toBeGreaterThan(200);
});
