import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  holdsHistogram,
  SAMPLE_DELTA,
  SAMPLE_HISTOGRAM,
  SAMPLE_HISTOGRAM_DELTA,
  SAMPLE_STALE,
  SAMPLE_STARTED,
  SAMPLE_VALUE,
  SAMPLE_WIDE,
  SampleBatch,
} from '../../src/engine/batch.ts';
import type { Bucket, NativeHistogram } from '../../src/engine/native-histogram.ts';
import { CorruptRecordError, RecordDecoder, RecordEncoder } from '../../src/store/journal-record.ts';

interface Row {
  readonly series: string;
  readonly timestampMs: number;
  readonly value: number;
  readonly kind: number;
  /** Of the kinds that have one. */
  readonly startMs?: number;
  /** Of a wide row. */
  readonly low?: number;
  /** In place of the value, which is 0. */
  readonly histogram?: NativeHistogram;
}
type Record = readonly [nowMs: number, rows: readonly Row[]];

const HAVE_STARTS = [SAMPLE_STARTED, SAMPLE_DELTA, SAMPLE_WIDE, SAMPLE_HISTOGRAM, SAMPLE_HISTOGRAM_DELTA];
const HISTOGRAM: NativeHistogram = {
  schema: 3,
  count: 6,
  zeroThreshold: 2 ** -128,
  zeroCount: 1,
  positive: [
    [-2, 3],
    [5, 2],
  ],
  negative: [],
  customBounds: [],
  resetHint: 'unknown',
};

/** One run of the process: it gives ids to series in the order in which it meets them. */
class Process {
  readonly names: string[] = [];
  readonly ids = new Map<string, number>();
  readonly encoder = new RecordEncoder({ labelBytes: (id) => Buffer.from(this.names[id]!) });

  idOf(series: string): number {
    let id = this.ids.get(series);
    if (id === undefined) {
      id = this.names.push(series) - 1;
      this.ids.set(series, id);
    }
    return id;
  }

  /** Every second row of the batch is one that changed nothing. */
  encode([nowMs, rows]: Record): Uint8Array {
    const batch = new SampleBatch(1);
    for (const { series, timestampMs, value, kind, startMs = -7, low, histogram } of rows) {
      batch.pushHistogram(this.idOf('unchanged'), 1, HISTOGRAM, 1);
      const id = this.idOf(series);
      if (low !== undefined) batch.pushWide(id, timestampMs, value, low, startMs);
      else if (histogram === undefined) batch.pushStarted(id, timestampMs, value, kind, startMs);
      else batch.pushHistogram(id, timestampMs, histogram, startMs, kind);
    }
    const changed = Uint32Array.from(rows, (_, i) => 2 * i + 1);
    return this.encoder.encode(batch, changed, rows.length, nowMs);
  }
}

/** What a replay leads to, with the labels for the ids. Its ids run backwards, so that a mix-up shows. */
class Replay {
  readonly names: string[] = [];
  readonly records: Record[] = [];
  readonly refuse: (series: string) => boolean;

  constructor(refuse: (series: string) => boolean = () => false) {
    this.refuse = refuse;
  }

  registerCanonical(labelBytes: Uint8Array): number {
    const name = Buffer.from(labelBytes).toString();
    if (this.refuse(name)) return -1;
    if (!this.names.includes(name)) this.names.push(name);
    return 1000 - this.names.indexOf(name);
  }

  push(): never {
    throw new Error('nothing was pushed');
  }

  ingest(batch: SampleBatch, nowMs: number): void {
    const rows: Row[] = [];
    for (let i = 0; i < batch.length; i++) {
      rows.push({
        series: this.names[1000 - batch.seriesIds[i]!]!,
        timestampMs: batch.timestampsMs[i]!,
        value: holdsHistogram(batch.kinds[i]!) ? 0 : batch.values[i]!,
        kind: batch.kinds[i]!,
        ...(HAVE_STARTS.includes(batch.kinds[i]!) && { startMs: batch.startsMs[i]! }),
        ...(batch.kinds[i] === SAMPLE_WIDE && { low: batch.lows[i]! }),
        ...(holdsHistogram(batch.kinds[i]!) && { histogram: batch.histograms[batch.values[i]!]! }),
      });
    }
    this.records.push([nowMs, rows]);
  }
}

function row(series: string, timestampMs: number, value: number, kind = SAMPLE_VALUE): Row {
  return { series, timestampMs, value, kind };
}

/** A record with a checksum that fits its bytes. */
function forged(...bytes: number[]): Uint8Array {
  const record = Uint8Array.of(0, 0, 0, 0, ...bytes);
  new DataView(record.buffer).setUint32(0, crc32(record.subarray(4)), true);
  return record;
}

const TIMESTAMP = fc.oneof(
  fc.integer({ min: 1_760_000_000_000, max: 1_760_000_100_000 }),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -1, -15_000, 2 ** 52, -(2 ** 52), 2 ** 53, 2 ** 63, -(2 ** 63), 2 ** 51 - 1, 2 ** 51, -(2 ** 51)),
);
const VALUE = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.double(),
  fc.constantFrom(0, -0, -1, 0.5, 1e300, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, 2 ** 60),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);
const SERIES = fc.constantFrom('a', 'b', 'c', 'd', 'e{job="é"}', '');
const PLAIN_ROW: fc.Arbitrary<Row> = fc.record(
  {
    series: SERIES,
    timestampMs: TIMESTAMP,
    value: VALUE,
    kind: fc.constantFrom(SAMPLE_VALUE, SAMPLE_VALUE, SAMPLE_STALE, 255),
  },
  { noNullPrototype: true },
);
const STARTED_ROW: fc.Arbitrary<Row> = fc.record(
  {
    series: SERIES,
    timestampMs: TIMESTAMP,
    value: VALUE,
    kind: fc.constantFrom(SAMPLE_STARTED, SAMPLE_DELTA),
    startMs: fc.oneof(TIMESTAMP, fc.constantFrom(0, 1_759_999_999_999.5)),
  },
  { noNullPrototype: true },
);
const WIDE_ROW: fc.Arbitrary<Row> = fc.record(
  {
    series: SERIES,
    timestampMs: TIMESTAMP,
    value: VALUE,
    kind: fc.constant(SAMPLE_WIDE),
    startMs: TIMESTAMP,
    low: fc.integer({ min: -1024, max: 1024 }).filter((low) => low !== 0),
  },
  { noNullPrototype: true },
);
const COUNT = fc.oneof(
  { weight: 9, arbitrary: fc.oneof(fc.nat(300), fc.maxSafeNat()) },
  { weight: 1, arbitrary: VALUE },
);
const BUCKETS: fc.Arbitrary<Bucket[]> = fc
  .array(fc.tuple(fc.oneof(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })), COUNT), {
    maxLength: 4,
  })
  .map((buckets) => [...new Map(buckets)].sort(([a], [b]) => a - b));
const ROW_HISTOGRAM: fc.Arbitrary<NativeHistogram> = fc.oneof(
  // Of one layout, with counts that go up and down.
  fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)).map(
    ([a, b, c]): NativeHistogram => ({
      ...HISTOGRAM,
      count: a + b + c,
      zeroCount: c,
      positive: [
        [-2, a],
        [5, b],
      ],
    }),
  ),
  fc.record<NativeHistogram>(
    {
      schema: fc.constantFrom(-4, 0, 8, -53),
      count: COUNT,
      zeroThreshold: fc.constantFrom(0, -0, 2 ** -128, 1),
      zeroCount: COUNT,
      positive: BUCKETS,
      negative: BUCKETS,
      customBounds: fc.array(fc.double({ noNaN: true }), { maxLength: 3 }),
      resetHint: fc.constantFrom('unknown', 'yes', 'no', 'gauge'),
    },
    { noNullPrototype: true },
  ),
);
const HISTOGRAM_ROW: fc.Arbitrary<Row> = fc.record(
  {
    series: SERIES,
    timestampMs: TIMESTAMP,
    value: fc.constant(0),
    kind: fc.constantFrom(SAMPLE_HISTOGRAM, SAMPLE_HISTOGRAM_DELTA),
    startMs: TIMESTAMP,
    histogram: ROW_HISTOGRAM,
  },
  { noNullPrototype: true },
);
const ROW = fc.oneof(PLAIN_ROW, STARTED_ROW, WIDE_ROW, HISTOGRAM_ROW);
/** Runs of equal steps, as scrapes and backfills make them. */
const SCRAPE: fc.Arbitrary<Row[]> = fc
  .tuple(TIMESTAMP, fc.constantFrom(0, 15_000), fc.nat(200), VALUE)
  .map(([start, step, count, value]) => Array.from({ length: count }, (_, i) => row(`s${i}`, start + i * step, value)));
const RECORD: fc.Arbitrary<Record> = fc.tuple(fc.oneof(fc.integer(), fc.double()), fc.oneof(fc.array(ROW), SCRAPE));

describe('a journal record', () => {
  it('comes back bit for bit, over epochs and snapshots', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: RECORD },
      { weight: 1, arbitrary: fc.constantFrom('epoch' as const, 'snapshot' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        let process = new Process();
        const decoder = new RecordDecoder();
        const replay = new Replay();
        const expected: Record[] = [];
        for (const step of steps) {
          if (step === 'epoch') process = new Process();
          else if (step === 'snapshot') process.encoder.restartValues();
          else {
            decoder.decode(process.encode(step), expected.length + 1, replay);
            expected.push(step);
          }
        }
        expect(replay.records).toStrictEqual(expected);
      }),
    );
  });

  it('is detected when any of its bytes is damaged, missing or too many', () => {
    const damage = fc.oneof(
      fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })).map(([at, mask]) => (bytes: Uint8Array) => {
        const damaged = bytes.slice();
        damaged[at % bytes.length]! ^= mask;
        return damaged;
      }),
      fc.nat().map((length) => (bytes: Uint8Array) => bytes.slice(0, length % bytes.length)),
      fc.uint8Array({ minLength: 1, maxLength: 9 }).map((more) => (bytes: Uint8Array) => Buffer.concat([bytes, more])),
    );
    fc.assert(
      fc.property(RECORD, damage, (record, damaged) => {
        const bytes = damaged(new Process().encode(record));
        const decode = () => new RecordDecoder().decode(bytes, 7, new Replay());
        expect(decode).toThrow(CorruptRecordError);
        expect(decode).toThrow(/^journal record 7 cannot be read: it/);
      }),
    );
  });

  it('with a right checksum and wrong contents is refused with words', () => {
    const header = [2, 1, ...new Array(8).fill(0)];
    const defined = [...header, 1, 0, 1, 97]; // Series 0 is "a".
    const refuses = (bytes: number[], reason: string) => {
      const decode = () => new RecordDecoder().decode(forged(...bytes), 3, new Replay());
      expect(decode).toThrow(
        `journal record 3 cannot be read: ${reason}; restore a backup, or move the data directory`,
      );
    };
    const big = [0xff, 0xff, 0xff, 0xff, 0x0f];
    refuses([1, 1], 'it has only 6 bytes');
    refuses([1, ...header.slice(1), 0, 0], 'it has version 1, and this program reads version 2');
    refuses([2, 8, ...header.slice(2), 0, 0], 'its flags are 8');
    refuses([...header], 'it ends too early');
    refuses([...header, 0x80], 'it ends too early');
    refuses([...header, 0, 0, 0], 'bytes follow its end');
    refuses([...header, 1, 0, 9, 97], 'it ends too early');
    refuses([...header, 1, ...big, 0, 0], 'series id 4294967295 is too big');
    refuses([...header, 0, ...big], 'it has 4294967295 rows');
    refuses([...header, 0, ...new Array(8).fill(0xff)], 'a number is too long');
    refuses([...header, 0, ...new Array(9).fill(0x80), 0], 'a number is too long');
    refuses([...header, 0, 1, 0, 0, 0, 4, 5], 'series 0 is not defined');
    refuses([...defined, 1, 4, 0, 0, 4, 5], 'series 1 is not defined');
    refuses([...defined, 1, 2, 0, 0, 4, 5], 'series -1 is not defined');
    refuses([...defined, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f], 'series 0.5 is not defined');
    refuses([...defined, 1, 1, 2, 0, 0, 4, 5], 'a run is longer than the column');
    refuses([...defined, 1, 5, 0, 0, 0, 4, 5], 'a run is empty');
    refuses([...defined, 1, 0, 0, 0, 8, 5, 5], 'a run is longer than the column');
    refuses([...defined, 1, 0, 0, 0, 0], 'a run is empty');
    refuses([...defined, 1, 0, 0, 0, 6, 0, 0], 'it ends too early');
    expect(new RecordDecoder().decode(forged(...defined, 1, 0, 0, 0, 4, 5), 3, new Replay()).applied).toBe(1);
    // One row of kind SAMPLE_HISTOGRAM, with the start 0.
    const one = [...defined, 1, 0, 0, 16, 7, 0];
    const zeroThreshold = new Array(8).fill(0);
    refuses([...one.slice(0, -1)], 'it ends too early');
    refuses([...one], 'it ends too early');
    refuses([...one, 32], 'a histogram begins with 32');
    refuses([...one, 1], 'series 0 has no histogram to build on');
    refuses([...one, 0, 6, ...zeroThreshold.slice(1)], 'it ends too early');
    refuses([...one, 0, 6, ...zeroThreshold, 0, 9, 0, 0, 0], 'it ends too early');
    refuses([...one, 0, 6, ...zeroThreshold, ...big, 0, 0, 0], 'it ends too early');
    refuses([...one, 4, 6, ...zeroThreshold, 0, 0, 0, 1, 2, 3], 'it ends too early');
    const read = new Replay();
    new RecordDecoder().decode(forged(...one, 8, 6, ...zeroThreshold, 0, 1, 3, 0, 9, 2, 7), 3, read);
    expect(read.records[0]![1][0]!.histogram).toEqual({
      ...HISTOGRAM,
      count: 9,
      zeroThreshold: 0,
      zeroCount: 2,
      positive: [[-2, 7]],
      resetHint: 'yes',
    });
  });

  it('of a new epoch cannot mean a series of the old one', () => {
    const decoder = new RecordDecoder();
    const header = [2, 1, ...new Array(8).fill(0)];
    const oneRow = [1, 0, 0, 0, 4, 5];
    decoder.decode(forged(...header, 1, 0, 1, 97, ...oneRow), 1, new Replay());
    expect(() => decoder.decode(forged(...header, 0, ...oneRow), 2, new Replay())).toThrow('series 0 is not defined');
  });

  it('defines a series once an epoch', () => {
    const record: Record = [1, [row('http_requests_total', 1000, 5), row('http_requests_total', 2000, 6)]];
    const name = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1').split('http_requests_total').length - 1;
    const process = new Process();
    expect(name(process.encode(record))).toBe(1);
    expect(name(process.encode(record))).toBe(0);
    process.encoder.restartValues();
    expect(name(process.encode(record))).toBe(0);
    expect(name(new Process().encode(record))).toBe(1);
  });

  it('is read on from a snapshot by the ids of the snapshot', () => {
    const process = new Process();
    process.encode([1, [row('a', 1000, 70_000), row('b', 1000, 80_000)]]);
    process.encoder.restartValues();
    const after: Record = [2, [row('b', 2000, 80_001), row('a', 2000, 70_001), row('c', 2000, 1)]];
    const bytes = process.encode(after);

    const replay = new Replay();
    const present = new Map(['b', 'a'].map((name) => [name, replay.registerCanonical(Buffer.from(name))]));
    const ids = Int32Array.from(process.names, (name) => present.get(name) ?? -1);
    new RecordDecoder(ids).decode(bytes, 2, replay);
    expect(replay.records).toStrictEqual([after]);
  });

  it('loses only the rows of series that are refused on replay', () => {
    const process = new Process();
    const replay = new Replay((series) => series === 'b');
    const decoder = new RecordDecoder();
    const rows = [row('a', 1000, 1), row('b', 1000, 2), row('c', 1000, 3), row('b', 2000, 4)];
    expect(decoder.decode(process.encode([1, rows]), 1, replay)).toEqual({ applied: 2, refused: 2 });
    expect(decoder.decode(process.encode([2, rows]), 2, replay)).toEqual({ applied: 2, refused: 2 });
    expect(replay.records).toStrictEqual([
      [1, [rows[0], rows[2]]],
      [2, [rows[0], rows[2]]],
    ]);
  });

  it('refuses to write what could not be read', () => {
    const encoder = new RecordEncoder({ labelBytes: () => new Uint8Array(1) });
    const batch = new SampleBatch(2);
    batch.push(-1, 1, 1, 0);
    batch.push(2 ** 26 + 1, 1, 1, 0);
    expect(() => encoder.encode(batch, Uint32Array.of(0), 1, 1)).toThrow('series id 4294967295; at most 67108864');
    expect(() => encoder.encode(batch, Uint32Array.of(1), 1, 1)).toThrow('series id 67108865; at most 67108864');
    expect(() => encoder.encode(batch, new Uint32Array(0), 2 ** 24 + 1, 1)).toThrow('a record of 16777217 rows');
  });

  it('of an observation into buckets that were there costs some bytes, whatever the histogram holds', () => {
    const process = new Process();
    const buckets = Array.from({ length: 60 }, (_, i): Bucket => [i, 1_000_000 + i]);
    const histogram = (more: number): NativeHistogram => ({
      ...HISTOGRAM,
      count: 61_000_000 + more,
      positive: buckets.map(([index, count]) => [index, index === 30 ? count + more : count]),
    });
    const encode = (more: number) =>
      process.encode([1, [{ ...row('a', more, 0, SAMPLE_HISTOGRAM), startMs: 0, histogram: histogram(more) }]]).length;
    expect(encode(0)).toBeLessThan(350);
    expect(encode(5)).toBeLessThan(100);
    process.encoder.restartValues();
    expect(encode(6)).toBeGreaterThan(200);
  });

  it('of plain values is as long as ever', () => {
    const plain = (kind: number) =>
      new Process().encode([1, Array.from({ length: 50 }, (_, i) => row(`s${i}`, 1000, i, kind))]).length;
    // 14 of the header, 4 or 5 a definition, 1 a value, and 12 for everything else.
    expect(plain(SAMPLE_VALUE)).toBe(316);
  });

  it('costs under 3 bytes a sample for the counters of a fleet', () => {
    // 40 targets, 60 counters each, some of them slow; a request holds the samples of 10 targets.
    let seed = 1;
    const random = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
      return seed / 2 ** 32;
    };
    const perSecond = Float64Array.from({ length: 2400 }, () => random() * random() * 60);
    const values = Float64Array.from({ length: 2400 }, () => Math.floor(random() * 1e6));
    const process = new Process();
    let bytes = 0;
    let samples = 0;
    for (let scrape = 0; scrape < 20; scrape++) {
      for (let request = 0; request < 4; request++) {
        const rows: Row[] = [];
        for (let target = request * 10; target < request * 10 + 10; target++) {
          const timestampMs = 1_760_000_000_000 + scrape * 15_000 + target * 331 + Math.floor(random() * 4);
          for (let id = target * 60; id < target * 60 + 60; id++) {
            const increase = Math.floor(perSecond[id]! * 15 * (0.8 + 0.4 * random()));
            values[id]! += increase;
            if (scrape === 0 || increase > 0) rows.push(row(`counter-${id}`, timestampMs, values[id]!));
          }
        }
        const record = process.encode([1_760_000_000_000 + scrape * 15_000, rows]);
        // The first scrape holds the definitions.
        if (scrape === 0) continue;
        bytes += record.length;
        samples += rows.length;
      }
    }
    expect(samples).toBeGreaterThan(40_000);
    expect(bytes / samples).toBeLessThan(3);
  });
});
