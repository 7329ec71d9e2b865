import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SAMPLE_HISTOGRAM, SAMPLE_STALE, SAMPLE_STARTED, SampleBatch } from '../../src/engine/batch.ts';
import { decodeLabels, formatSeries } from '../../src/engine/label-set.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { INGEST_LIMITS, type IngestLimits } from '../../src/ingest/limits.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { RemoteWrite1 } from '../../src/ingest/remote-write-1.ts';
import { RemoteWrite2 } from '../../src/ingest/remote-write-2.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { SymbolTuples } from '../../src/ingest/symbol-tuples.ts';
import {
  doubleBytes,
  type Field,
  fixed64Field,
  lengthDelimited,
  STALE_BYTES,
  sample,
  varint,
  varintField,
} from './wire-writer.ts';

const T = 1_767_225_600_000;
const START = T - 3_600_000;

/** `__name__="up"` is refs 1, 2 and `job="api"` 3, 4. */
const SYMBOLS = ['', '__name__', 'up', 'job', 'api', 'zone', 'a'];
const symbols = (...texts: (string | number[])[]): Field => texts.flatMap((each) => lengthDelimited(4, each));
const refs = (...numbers: number[]): Field =>
  lengthDelimited(
    1,
    numbers.flatMap((ref) => varint(ref)),
  );
const UP = refs(1, 2, 3, 4);
const series = (...fields: Field[]): Field => lengthDelimited(5, fields.flat());
const started = (value: number, timestampMs: number, startMs: number): Field =>
  lengthDelimited(2, [
    ...fixed64Field(1, doubleBytes(value)),
    ...varintField(2, timestampMs),
    ...varintField(3, startMs),
  ]);

class EverythingWanted extends TableResolver {
  override wantsHistograms(): boolean {
    return true;
  }
}

function reader(
  limits: Partial<IngestLimits> = {},
  resolver: TableResolver = new EverythingWanted(),
  known?: SymbolTuples,
) {
  const rejections = new Rejections();
  const ha = { clusterLabel: 'cluster', replicaLabel: '__replica__' };
  const walk = new RemoteWrite2(resolver, { ...INGEST_LIMITS, ...limits }, rejections, ha, known);
  const batch = new SampleBatch(1);
  const { table } = resolver;
  const readBytes = (bytes: Uint8Array): string[] => {
    rejections.clear();
    walk.read(bytes, new DataView(bytes.buffer), bytes.length, batch);
    return Array.from({ length: batch.length }, (_, row) => {
      const canonical = table.labelBytes(batch.seriesIds[row]!);
      const kind = batch.kinds[row]!;
      const startMs = kind === SAMPLE_STARTED || kind === SAMPLE_HISTOGRAM ? ` since ${batch.startsMs[row]}` : '';
      const value = kind === SAMPLE_STALE ? 'stale' : batch.values[row]!;
      const shown = kind === SAMPLE_HISTOGRAM ? `histogram of ${batch.histograms[batch.values[row]!]!.count}` : value;
      const sender = batch.hasSenders && batch.senders[row] !== 0 ? ` from ${batch.senders[row]}` : '';
      const text = Object.is(shown, -0) ? '-0' : shown;
      const labels = formatSeries(decodeLabels(canonical, 0, canonical.length));
      return `${labels} ${text} @${batch.timestampsMs[row]}${startMs}${sender}`;
    });
  };
  const read = (...fields: Field[]) => readBytes(new Uint8Array([...symbols(...SYMBOLS), ...fields.flat()]));
  const written = () => [walk.valid.samples, walk.valid.histograms, walk.valid.exemplars];
  return { read, readBytes, written, table, rejections, walk, batch };
}

/**
 * Reads a request again and again: the series are unknown, looked up, and predicted. A symbol is looked up when a request uses
 * it first, so that a prediction can come true from the second time on.
 */
function rowsOf(...fields: Field[]): string[] {
  const { read } = reader();
  const first = read(...fields);
  expect(read(...fields)).toEqual(first);
  for (let i = 0; i < 2; i++) expect(read(...fields, ...fields, ...fields)).toEqual([...first, ...first, ...first]);
  return first;
}

test('a sample of a series becomes a row', () => {
  expect(rowsOf(series(UP, sample(1.5, T)))).toEqual([`up{job="api"} 1.5 @${T}`]);
});

test('an empty message, and one of symbols alone, is an empty batch', () => {
  const { readBytes } = reader();
  expect(readBytes(new Uint8Array(0))).toEqual([]);
  expect(readBytes(new Uint8Array(symbols(...SYMBOLS)))).toEqual([]);
  expect(rowsOf(series())).toEqual([]);
});

test('a request of remote write 1.0 is an empty message, as the field numbers were chosen for', () => {
  const { readBytes, table } = reader();
  const bytes = encodeWriteRequest([{ labels: [['__name__', 'up']], samples: [{ value: 1, timestampMs: T }] }]);
  expect(readBytes(bytes)).toEqual([]);
  expect(table.size).toBe(0);
});

test('several samples of a series, and a series that comes twice, keep the order of the request', () => {
  const other = series(refs(1, 6), sample(9, T));
  expect(rowsOf(series(UP, sample(1, T), sample(2, T + 1)), other, series(UP, sample(3, T + 2)))).toEqual([
    `up{job="api"} 1 @${T}`,
    `up{job="api"} 2 @${T + 1}`,
    `a 9 @${T}`,
    `up{job="api"} 3 @${T + 2}`,
  ]);
});

test('fields that are left out are zero, and a stale marker is known by its bits', () => {
  const f = (content: Field, expected: string) =>
    expect(rowsOf(series(UP, lengthDelimited(2, content)))).toEqual([`up{job="api"} ${expected}`]);
  f(varintField(2, T), `0 @${T}`);
  f([...varintField(2, T), ...varintField(3, START)], `0 @${T} since ${START}`);
  f([], '0 @0');
  f(fixed64Field(1, doubleBytes(-0)), '-0 @0');
  f([...fixed64Field(1, STALE_BYTES), ...varintField(2, T)], `stale @${T}`);
  f([...fixed64Field(1, STALE_BYTES), ...varintField(2, T), ...varintField(3, START)], `stale @${T}`);
  f([...fixed64Field(1, [1, 0, 0, 0, 0, 0, 0xf8, 0x7f]), ...varintField(2, T)], `NaN @${T}`);
  f([...varintField(2, T), ...fixed64Field(1, STALE_BYTES)], `stale @${T}`);
});

test('a start timestamp is read in its place, and in that of the release candidate 3', () => {
  const f = (fields: Field[], expected: string[]) =>
    expect(rowsOf(series(UP, ...fields))).toEqual(expected.map((row) => `up{job="api"} ${row}`));
  f([started(5, T, START)], [`5 @${T} since ${START}`]);
  f([started(5, T, 0)], [`5 @${T}`]);
  f([started(5, T, -1)], [`5 @${T} since -1`]);
  f([sample(5, T), varintField(6, START)], [`5 @${T} since ${START}`]);
  f([varintField(6, START), sample(5, T), sample(6, T + 1)], [`5 @${T} since ${START}`, `6 @${T + 1} since ${START}`]);
  f([sample(5, T), varintField(6, 0)], [`5 @${T}`]);
  f([started(5, T, START), sample(6, T + 1), varintField(6, 7)], [`5 @${T} since ${START}`, `6 @${T + 1} since 7`]);
  f([lengthDelimited(2, fixed64Field(1, STALE_BYTES)), varintField(6, START)], ['stale @0']);
});

const histogram = (count: number, ...more: Field[]): Field =>
  lengthDelimited(3, [...varintField(1, count), ...varintField(6, count), ...varintField(15, T), ...more.flat()]);

test('samples of every layout are read behind the labels of a predicted series', () => {
  const f = (content: Field, expected: string) =>
    expect(rowsOf(series(UP, lengthDelimited(2, content)))).toEqual([`up{job="api"} ${expected}`]);
  const value = fixed64Field(1, doubleBytes(5));
  f([...value, ...varintField(2, T), ...varintField(3, 5)], `5 @${T} since 5`);
  f([...value, ...varintField(2, T), ...varintField(3, START), ...varintField(9, 1)], `5 @${T} since ${START}`);
  f([...value, ...varintField(2, T), ...varintField(3, START), ...varintField(2, 7)], `5 @7 since ${START}`);
  f(
    [...value, ...varintField(2, T), ...varintField(3, START), ...varintField(3, START + 1)],
    `5 @${T} since ${START + 1}`,
  );
  f([...value, ...varintField(2, T), ...varintField(2, T + 1)], `5 @${T + 1}`);
  f([...varintField(2, T), ...value], `5 @${T}`);
  f([...varintField(3, START), ...value, ...varintField(2, T)], `5 @${T} since ${START}`);
  f([...value, ...value, ...varintField(2, T)], `5 @${T}`);
  f([...value, ...varintField(2, 2 ** 42)], `5 @${2 ** 42}`);
  f([...value, ...varintField(2, -T)], `5 @${-T}`);
  f(value, '5 @0');
});

test('native histograms are read with their start', () => {
  const f = (fields: Field[], expected: string) =>
    expect(rowsOf(series(UP, ...fields))).toEqual([`up{job="api"} ${expected}`]);
  f([histogram(7)], `histogram of 7 @${T} since 0`);
  f([histogram(7, varintField(17, START))], `histogram of 7 @${T} since ${START}`);
  f([histogram(7), varintField(6, START)], `histogram of 7 @${T} since ${START}`);
  f([histogram(7, fixed64Field(3, STALE_BYTES))], `stale @${T}`);
});

test('exemplars, metadata and unwanted histograms count as written, in the order in which Prometheus writes them', () => {
  const exemplar = lengthDelimited(4, [...refs(3, 4), ...fixed64Field(2, STALE_BYTES)]);
  const metadata = lengthDelimited(5, []);
  const unknown = [...varintField(90, 1), ...lengthDelimited(92, 'x')];
  const { read, written, walk, table } = reader({}, new TableResolver());
  for (let i = 0; i < 3; i++) {
    const whole = series(UP, sample(1, T), exemplar, histogram(3), metadata);
    expect(read(unknown, whole, series(refs(1, 6), exemplar, exemplar, metadata))).toEqual([`up{job="api"} 1 @${T}`]);
    expect(written()).toEqual([1, 1, 3]);
    expect([walk.seriesCount, walk.histogramCount, table.size]).toEqual([2, 1, 1]);
  }
});

test('metadata with all its fields behind a sample is passed over', () => {
  const metadata = lengthDelimited(5, [...varintField(1, 1), ...varintField(3, 5), ...varintField(4, 6)]);
  expect(rowsOf(series(UP, sample(1, T), metadata), series(UP, metadata, sample(2, T)))).toEqual([
    `up{job="api"} 1 @${T}`,
    `up{job="api"} 2 @${T}`,
  ]);
});

test('references are the same series packed, unpacked, split, padded and wherever they stand', () => {
  const { read, table } = reader();
  const one = (...numbers: number[]): Field => numbers.flatMap((ref) => varintField(1, ref));
  const layouts = [
    [UP, sample(1, T)],
    [one(1, 2, 3, 4), sample(1, T)],
    [refs(1, 2, 3), sample(1, T), refs(4)],
    [refs(1, 2), one(3), refs(), refs(4), sample(1, T)],
    [sample(1, T), UP],
    [
      lengthDelimited(
        1,
        [1, 2, 3, 4].flatMap((ref) => varint(ref, 2)),
      ),
      sample(1, T),
    ],
    [
      lengthDelimited(
        1,
        [1, 2, 3, 4].flatMap((ref) => varint(ref, 4)),
      ),
      sample(1, T),
    ],
    [lengthDelimited(1, [1, 2, 3, 4], 1), sample(1, T)],
    [refs(3, 4, 1, 2), sample(1, T)],
    [refs(1, 2, 3, 4, 5, 0), sample(1, T)],
  ];
  for (let i = 0; i < 3; i++) {
    for (const layout of layouts) expect(read(series(...layout))).toEqual([`up{job="api"} 1 @${T}`]);
    expect(read(...layouts.map((layout) => series(...layout)))).toHaveLength(layouts.length);
  }
  // Unsorted, and with an empty label: the rest is canonical.
  expect([table.size, table.aliasCount]).toEqual([1, 2]);
});

test('symbols may stand behind the series, have other numbers in each request, and be many', () => {
  const { readBytes } = reader();
  const request = (order: string[], last: boolean) => {
    const table = symbols(...order);
    const numbers = ['__name__', 'up', 'job', 'api'].map((each) => order.indexOf(each));
    const body = [...series(refs(...numbers), sample(1, T)), ...series(refs(...numbers), sample(2, T))];
    return new Uint8Array(last ? [...body, ...table] : [...table, ...body]);
  };
  const fillers = (count: number) => Array.from({ length: count }, (_, i) => `filler ${i}`);
  const expected = [`up{job="api"} 1 @${T}`, `up{job="api"} 2 @${T}`];
  for (const count of [0, 1, 130, 16_500]) {
    const order = ['', ...fillers(count), 'api', 'job', 'up', '__name__'];
    for (let i = 0; i < 2; i++) {
      expect(readBytes(request(order, false))).toEqual(expected);
      expect(readBytes(request(order, true))).toEqual(expected);
    }
  }
});

test('a series of which the predicted one is a beginning or an extension is another series', () => {
  const { read } = reader();
  const short = series(refs(1, 2), sample(1, T));
  const long = series(refs(1, 2, 3, 4), sample(2, T));
  const first = series(refs(1, 6), sample(0, T));
  const f = (one: Field, rows: string[], other: Field, row: string) => {
    for (let i = 0; i < 3; i++)
      expect(read(first, one, first, one)).toEqual([`a 0 @${T}`, ...rows, `a 0 @${T}`, ...rows]);
    expect(read(first, one, first, other)).toEqual([`a 0 @${T}`, ...rows, `a 0 @${T}`, row]);
  };
  for (let i = 0; i < 2; i++) {
    f(short, [`up 1 @${T}`], long, `up{job="api"} 2 @${T}`);
    f(long, [`up{job="api"} 2 @${T}`], short, `up 1 @${T}`);
  }
});

test('both protocols know a series by the same bytes', () => {
  const resolver = new TableResolver();
  const second = reader({}, resolver);
  const first = new RemoteWrite1(resolver, INGEST_LIMITS, new Rejections());
  const story = [{ labels: [['__name__', 'up'], ['job', 'é'.repeat(200)]] as const, samples: [{ value: 1, timestampMs: T }] }]; // biome-ignore format: a row
  const bytes = encodeWriteRequest(story);
  first.read(bytes, new DataView(bytes.buffer, bytes.byteOffset), bytes.length, new SampleBatch());
  expect(second.readBytes(new Uint8Array(encodeRequest2(story)))).toEqual([`up{job="${'é'.repeat(200)}"} 1 @${T}`]);
  expect([resolver.table.size, resolver.table.aliasCount]).toEqual([1, 0]);
});

test('the replica of an HA pair is the sender of its samples and no label', () => {
  const { readBytes, table } = reader();
  const request = (replica: string) =>
    new Uint8Array(
      encodeRequest2(
        ['up', 'down'].map((name) => ({
          labels: [['__name__', name], ['__replica__', replica], ['cluster', 'eu']], // biome-ignore format: a row
          samples: [{ value: 1, timestampMs: T }],
        })),
      ),
    );
  for (let i = 0; i < 3; i++) {
    for (const [replica, sender] of [
      ['a', 1],
      ['b', 2],
    ] as const) {
      // biome-ignore format: a row
      expect(readBytes(request(replica))).toEqual([
        `up{cluster="eu"} 1 @${T} from ${sender}`,
        `down{cluster="eu"} 1 @${T} from ${sender}`,
      ]);
    }
  }
  expect(table.size).toBe(2);
});

test('series that cannot be used are rejected alone, with a reason, an example, and all that they hold', () => {
  const limits = { labelsMax: 3, labelNameBytesMax: 10, labelValueBytesMax: 20 };
  const f = (texts: (string | number[])[], bad: Field, reason: string, example: string) => {
    const { readBytes, rejections, written, table } = reader(limits);
    const exemplar = lengthDelimited(4, []);
    const good = series(UP, sample(1, T), exemplar);
    const rejected = series(bad, sample(7, T), histogram(1), exemplar, sample(8, T));
    const bytes = new Uint8Array([...symbols(...SYMBOLS, ...texts), ...good, ...rejected, ...good]);
    for (let i = 0; i < 2; i++) {
      expect(readBytes(bytes)).toEqual([`up{job="api"} 1 @${T}`, `up{job="api"} 1 @${T}`]);
      expect(Object.entries(rejections.samples).filter(([, samples]) => samples > 0)).toEqual([[reason, 3]]);
      expect(rejections.examples).toEqual([example]);
      expect(written()).toEqual([2, 0, 2]);
      expect(table.size).toBe(1);
    }
  };
  f([], refs(), 'missing_metric_name', 'no metric name: {}');
  f([], refs(3, 4), 'missing_metric_name', 'no metric name: {job="api"}');
  f([], refs(1, 0), 'missing_metric_name', 'no metric name: {__name__=""}');
  f([], refs(1, 2, 3, 4, 3, 6), 'duplicate_label', 'label "job" is repeated: up{job="api", job="a"}');
  f([], refs(1, 2, 0, 4), 'empty_label_name', 'a label has no name: up');
  f([[0xff]], refs(1, 2, 3, 7), 'invalid_utf8', 'label "job" is not valid UTF-8 text: up');
  f([[0x61, 0]], refs(1, 2, 7, 4), 'invalid_utf8', 'a label name is not valid UTF-8 text: up');
  f([], refs(1, 2, 3), 'invalid_label_refs', '3 label references, which is no even number');
  f([], refs(1, 2, 3, 4, 7, 6), 'invalid_label_refs', 'a label reference of 7, there are 7 symbols');
  f([], refs(1, 2, 3, 7), 'invalid_label_refs', 'a label reference of 7, there are 7 symbols');
  f([], refs(1, 2, 3, 4_294_967_295), 'invalid_label_refs', 'a label reference of 4294967295, there are 7 symbols');
  f([], refs(1, 2, 3, 4, 5, 6, 2, 2), 'label_limit', 'more than 3 labels: up{job="api", zone="a"}');
  f([], refs(...Array(500).fill(1)), 'label_limit', 'more than 3 labels: __name__'); // biome-ignore format: a row
  f(['elevenbytes'], refs(1, 2, 7, 4), 'label_limit', 'a label name of 11 bytes, the limit is 10: up');
  f(['x'.repeat(21)], refs(1, 2, 3, 7), 'label_limit', 'label "job" has 21 bytes, the limit is 20: up');
});

test('a histogram that contradicts itself is rejected alone', () => {
  const { read, rejections, written } = reader();
  const bad = lengthDelimited(3, [...varintField(1, 5), ...varintField(15, T)]);
  for (let i = 0; i < 2; i++) {
    expect(read(series(UP, bad, histogram(3)))).toEqual([`up{job="api"} histogram of 3 @${T} since 0`]);
    expect([rejections.samples.invalid_histogram, written()]).toEqual([1, [0, 1, 0]]);
  }
});

test('exemplars alone are accepted, unless their references lead nowhere', () => {
  const { read, rejections, written, table } = reader();
  const exemplar = lengthDelimited(4, []);
  expect(read(series(refs(3, 4), exemplar), series(UP, exemplar, exemplar))).toEqual([]);
  expect([rejections.total, written(), table.size]).toEqual([0, [0, 0, 3], 0]);
  expect(read(series(refs(3), exemplar, exemplar), series(refs(9, 9), exemplar))).toEqual([]);
  expect([rejections.samples.invalid_label_refs, written()]).toEqual([3, [0, 0, 0]]);
});

function refusal(read: () => unknown): { code: string; message: string } {
  try {
    read();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(IngestError);
    const { code, message } = thrown as IngestError;
    return { code, message };
  }
  throw new Error('it was read');
}

test('a malformed message is refused as a whole and registers nothing', () => {
  const f = (fields: Field[], message: string | RegExp) => {
    const { read, table } = reader();
    const good = series(UP, sample(1, T));
    const refused = refusal(() => read(good, ...fields));
    expect(refused.code).toBe('malformed_protobuf');
    expect(refused.message).toMatch(message);
    expect(table.size).toBe(0);
    expect(read(good)).toHaveLength(1);
    // Known and predicted, it is refused as well.
    read(good, good, good);
    const { message: later } = refusal(() => read(good, good, ...fields));
    expect(later.replace(/\d+/, '')).toBe(refused.message.replace(/\d+/, ''));
  };
  f([[0x2a, 5]], 'a length of 5, 0 bytes are left');
  f([[0x22, 5]], 'a length of 5, 0 bytes are left');
  f([[0x2b]], 'wire type 3');
  f([[0x00]], 'field number 0');
  f([series([0x0a, 5])], 'a length of 5, 0 bytes are left');
  f([series([0x0a, 4, 1, 2, 3])], 'a length of 4, 3 bytes are left');
  f([series([0x0a, 1, 0x81])], 'a varint is cut off');
  f([series([0x0a, 4, 1, 2, 3, 0x84])], 'a varint is cut off');
  f([series([0x0a, 5, 1, 2, 3, 0x84, 0x80])], 'a varint is cut off');
  f([series([0x0a, 6, 1, 2, 3, 0x84, 0x80, 0x80])], 'a varint is cut off');
  f([series([0x08, 0x81])], 'a varint is cut off');
  f([series(UP, [0x12])], 'a varint is cut off');
  f([series(UP, [0x12, 3, 0x09, 1, 2])], 'a fixed value is cut off');
  f([series(UP, [0x12, 2, 0x10, 0x80])], 'a varint is cut off');
  f([series(UP, [0x12, 8, ...varintField(2, T), 0x18])], 'a varint is cut off');
  f([series(UP, [0x1a, 1, 0x09])], 'a fixed value is cut off');
  f([series(UP, [0x22, 9])], 'a length of 9, 0 bytes are left');
  f([series(UP, sample(1, T), [0x2a, 9])], 'a length of 9, 0 bytes are left');
  f([series(UP, sample(1, T), [0x2a])], 'a varint is cut off');
  f([series(UP, [0x30])], 'a varint is cut off');
});

test('a series that ends within the references of the predicted one is refused', () => {
  const { readBytes } = reader();
  // The number of `job` is a tag, so that what completes the references behind the series is a field of the request.
  const fillers = Array.from({ length: 35 }, (_, i) => `filler ${i}`);
  const table = symbols('', '__name__', 'up', 'x', 'api', ...fillers, 'job');
  const whole = series(refs(1, 2, 0x28, 4), sample(1, T));
  for (let i = 0; i < 2; i++) expect(readBytes(new Uint8Array([...table, ...whole, ...whole]))).toHaveLength(2);
  const torn = [...table, ...whole, 0x2a, 4, 0x0a, 4, 1, 2, 0x28, 4];
  expect(refusal(() => readBytes(new Uint8Array(torn))).message).toMatch('a length of 4, 2 bytes are left');
});

test('a sample that is cut off after the labels of a known series is refused', () => {
  const { read } = reader();
  const good = series(UP, started(1, T, START));
  read(good, good, good);
  const whole = started(1, T, START);
  for (let length = 1; length < whole.length; length++) {
    expect(() => read(good, good, series(UP, whole.slice(0, length)))).toThrow('malformed protobuf');
  }
});

test('the first symbol must be the empty text', () => {
  const { readBytes, table } = reader();
  const bytes = new Uint8Array([...symbols('__name__', 'up'), ...series(refs(0, 1), sample(1, T))]);
  expect(refusal(() => readBytes(bytes))).toEqual({
    code: 'malformed_protobuf',
    message: 'malformed protobuf at byte 2: the first symbol is not the empty text',
  });
  expect(table.size).toBe(0);
});

test('a request with too many symbols, series, samples or label bytes is refused', () => {
  const f = (limits: Partial<IngestLimits>, code: string, message: string, ...more: Field[]) => {
    const { read, table } = reader(limits);
    const two = series(UP, sample(1, T), sample(2, T));
    for (let i = 0; i < 3; i++) {
      expect(read(two)).toHaveLength(2);
      expect(refusal(() => read(two, ...more))).toEqual({ code, message });
    }
    expect(table.size).toBe(1);
  };
  const two = series(UP, sample(1, T), sample(2, T));
  f({ symbolsPerRequestMax: 7 }, 'too_many_symbols', 'the request has more than 7 symbols', symbols('x'));
  f({ seriesPerRequestMax: 1 }, 'too_many_series', 'the request has more than 1 series', two);
  f({ samplesPerRequestMax: 3 }, 'too_many_samples', 'the request has more than 3 samples', two);
  const histograms = series(UP, histogram(1), histogram(1));
  f({ samplesPerRequestMax: 3 }, 'too_many_samples', 'the request has more than 3 samples', histograms);
  const what = (bytes: number) =>
    `the labels of the request have ${bytes} bytes when they are written out, the limit is 55`;
  f({ decodedBytesMax: 55 }, 'decoded_too_large', what(56), two);
  f({ decodedBytesMax: 55 }, 'decoded_too_large', what(60), series(refs(1, 2, 3, 6, 0, 0), sample(1, T)));
});

test('one long symbol that a thousand series refer to is refused before it is written out', () => {
  const { readBytes, table } = reader({ decodedBytesMax: 50_000_000 });
  const series1000 = Array.from({ length: 1000 }, () => series(refs(1, 2, 3, 4), sample(1, T))).flat();
  const bytes = new Uint8Array([...symbols('', '__name__', 'up', 'job', 'x'.repeat(100_000)), ...series1000]);
  expect(refusal(() => readBytes(bytes)).code).toBe('decoded_too_large');
  expect(table.size).toBe(0);
});

test('symbols and tuples are forgotten when there are too many, and series are known all the same', () => {
  const { read, table } = reader({}, new TableResolver(), new SymbolTuples({ symbolsMax: 5, tuplesMax: 1 }));
  const one = series(refs(1, 2, 3, 4), sample(1, T));
  const other = series(refs(1, 2, 5, 6), sample(2, T));
  for (let i = 0; i < 4; i++) {
    expect(read(one, other, one)).toEqual([`up{job="api"} 1 @${T}`, `up{zone="a"} 2 @${T}`, `up{job="api"} 1 @${T}`]);
  }
  expect([table.size, table.aliasCount]).toEqual([2, 0]);
});

test('symbols that no accepted series uses are not remembered', () => {
  const known = new SymbolTuples();
  const { readBytes } = reader({}, new TableResolver(), known);
  for (let i = 0; i < 10; i++) {
    const own = [`help ${i}`, `trace ${i}`, `job ${i}`];
    const nameless = series(refs(3, 9), sample(1, T));
    readBytes(new Uint8Array([...symbols(...SYMBOLS, ...own), ...nameless, ...series(UP, sample(1, T))]));
  }
  expect([known.symbols.size, known.tuples.size]).toEqual([4, 1]);
});

test('when the engine was replaced everything is learnt anew', () => {
  const resolver = {
    table: new TableResolver().table,
    replicas: new TableResolver().replicas,
    register: (labels: never, bytes: Uint8Array) =>
      TableResolver.prototype.register.call(resolver as never, labels, bytes),
    wantsHistograms: () => false,
  };
  const walk = new RemoteWrite2(resolver, INGEST_LIMITS, new Rejections());
  const batch = new SampleBatch();
  const read = (...fields: Field[]) => {
    const bytes = new Uint8Array([...symbols(...SYMBOLS), ...fields.flat()]);
    walk.read(bytes, new DataView(bytes.buffer), bytes.length, batch);
    return [...batch.seriesIds.subarray(0, batch.length)];
  };
  const [one, other] = [series(refs(1, 2), sample(1, T)), series(UP, sample(1, T))];
  expect(read(one, other)).toEqual([0, 1]);
  expect(read(one, other)).toEqual([0, 1]);
  resolver.table = new TableResolver().table;
  expect(read(other, one)).toEqual([0, 1]);
  expect(read(other, one)).toEqual([0, 1]);
});
