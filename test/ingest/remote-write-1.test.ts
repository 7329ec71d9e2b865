import { compress } from 'snappyjs';
import { expect, test } from 'vitest';
import { TableResolver } from '../../bench/table-resolver.ts';
import { SampleBatch } from '../../src/engine/batch.ts';
import { decodeLabels, formatSeries } from '../../src/engine/label-set.ts';
import { Replicas } from '../../src/engine/replicas.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { INGEST_LIMITS, type IngestLimits } from '../../src/ingest/limits.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { RemoteWrite1 } from '../../src/ingest/remote-write-1.ts';
import { kernel, TwinReader } from './twin-reader.ts';
import {
  type Field,
  fixed64Field,
  label,
  lengthDelimited,
  STALE_BYTES,
  sample,
  series,
  varintField,
} from './wire-writer.ts';

const UP = [label('__name__', 'up'), label('job', 'api')];
const T = 1_767_225_600_000;

function reader(limits: Partial<IngestLimits> = {}, resolver = new TableResolver()) {
  const rejections = new Rejections();
  const walk = new TwinReader(resolver, { ...INGEST_LIMITS, ...limits }, rejections);
  const batch = new SampleBatch(1);
  const { table } = resolver;
  const read = (...fields: Field[]): string[] => {
    const bytes = new Uint8Array(fields.flat());
    walk.read(bytes, batch);
    return Array.from({ length: batch.length }, (_, row) => {
      const canonical = table.labelBytes(batch.seriesIds[row]!);
      const value = batch.kinds[row] === 1 ? 'stale' : batch.values[row]!;
      const text = Object.is(value, -0) ? '-0' : value;
      return `${formatSeries(decodeLabels(canonical, 0, canonical.length))} ${text} @${batch.timestampsMs[row]}`;
    });
  };
  return { read, table, rejections, walk, batch };
}

/** Reads a request four times: the series are unknown, looked up, looked up and linked to each other, and predicted. */
function rowsOf(...fields: Field[]): string[] {
  const { read } = reader();
  const first = read(...fields);
  for (let i = 0; i < 3; i++) expect(read(...fields)).toEqual(first);
  return first;
}

test('a sample of a series becomes a row', () => {
  expect(rowsOf(series(...UP, sample(1.5, T)))).toEqual([`up{job="api"} 1.5 @${T}`]);
});

test('an empty message is an empty batch', () => {
  expect(rowsOf()).toEqual([]);
  expect(rowsOf(series())).toEqual([]);
});

test('several samples of a series, and a series that comes twice, keep the order of the request', () => {
  const other = series(label('__name__', 'down'), sample(9, T));
  const rows = rowsOf(series(...UP, sample(1, T), sample(2, T + 1)), other, series(...UP, sample(3, T + 2)));
  expect(rows).toEqual([
    `up{job="api"} 1 @${T}`,
    `up{job="api"} 2 @${T + 1}`,
    `down 9 @${T}`,
    `up{job="api"} 3 @${T + 2}`,
  ]);
});

test('fields that are left out are zero', () => {
  const f = (content: Field, expected: string) =>
    expect(rowsOf(series(...UP, lengthDelimited(2, content)))).toEqual([`up{job="api"} ${expected}`]);
  f(varintField(2, T), `0 @${T}`);
  f(fixed64Field(1, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]), '1 @0');
  f([], '0 @0');
  f(fixed64Field(1, [0, 0, 0, 0, 0, 0, 0, 0x80]), '-0 @0');
});

test('timestamps of every length and sign are read', () => {
  const f = (timestampMs: number) => {
    expect(rowsOf(series(...UP, sample(1, timestampMs)))).toEqual([`up{job="api"} 1 @${timestampMs}`]);
    expect(rowsOf(series(...UP, lengthDelimited(2, varintField(2, timestampMs))))).toEqual([
      `up{job="api"} 0 @${timestampMs}`,
    ]);
  };
  f(1);
  f(2 ** 35 - 1);
  f(2 ** 35);
  f(2 ** 42 - 1);
  f(2 ** 42);
  f(-1);
  f(-T);
  f(Number.MIN_SAFE_INTEGER);
});

test('the last of repeated scalar fields counts', () => {
  const one = fixed64Field(1, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  const two = fixed64Field(1, [0, 0, 0, 0, 0, 0, 0, 0x40]);
  const content = [...one, ...varintField(2, 5), ...two, ...varintField(2, 6)];
  expect(rowsOf(series(...UP, lengthDelimited(2, content)))).toEqual(['up{job="api"} 2 @6']);
  const name = [
    ...lengthDelimited(1, 'x'),
    ...lengthDelimited(2, 'y'),
    ...lengthDelimited(1, '__name__'),
    ...lengthDelimited(2, 'up'),
  ];
  expect(rowsOf(series(lengthDelimited(1, name), sample(1, T)))).toEqual([`up 1 @${T}`]);
});

test('a stale marker is its exact bits and no other NaN', () => {
  const f = (bits: number[], expected: string) => {
    const content = [...fixed64Field(1, bits), ...varintField(2, T)];
    const late = [...varintField(2, T), ...fixed64Field(1, bits)];
    const row = `up{job="api"} ${expected} @${T}`;
    expect(rowsOf(series(...UP, lengthDelimited(2, content)))).toEqual([row]);
    expect(rowsOf(series(...UP, lengthDelimited(2, late)))).toEqual([row]);
  };
  f(STALE_BYTES, 'stale');
  f([1, 0, 0, 0, 0, 0, 0xf8, 0x7f], 'NaN');
  f([3, 0, 0, 0, 0, 0, 0xf0, 0x7f], 'NaN');
  f([2, 0, 0, 0, 0, 0, 0xf8, 0x7f], 'NaN');
  f([2, 0, 0, 0, 0, 0, 0xf0, 0xff], 'NaN');
  f([2, 0, 0, 0, 1, 0, 0xf0, 0x7f], 'NaN');
  f([0, 0, 0, 0, 0, 0, 0xf0, 0x7f], 'Infinity');
});

test('exemplars, metadata, histograms and unknown fields are skipped, and histograms counted', () => {
  const { read, walk } = reader();
  const exemplar = lengthDelimited(3, [...label('trace_id', 'abc'), ...fixed64Field(2, STALE_BYTES)]);
  const histogram = lengthDelimited(4, varintField(1, 5));
  const metadata = lengthDelimited(3, lengthDelimited(2, 'up'));
  const unknown = [
    ...varintField(90, 1),
    ...fixed64Field(91, STALE_BYTES),
    ...lengthDelimited(92, 'x'),
    0xed,
    5,
    1,
    2,
    3,
    4,
  ];
  const request = [
    varintField(2, 1),
    metadata,
    series(unknown, ...UP, exemplar, sample(1, T), histogram, unknown, sample(2, T + 1), histogram),
    unknown,
  ];
  for (let i = 0; i < 4; i++) {
    expect(read(...request)).toEqual([`up{job="api"} 1 @${T}`, `up{job="api"} 2 @${T + 1}`]);
    expect([walk.seriesCount, walk.histogramCount]).toEqual([1, 2]);
  }
});

test('a series without samples and histograms is not registered', () => {
  const { read, table } = reader();
  expect(read(series(...UP), series(...UP, lengthDelimited(3, [])))).toEqual([]);
  expect(table.size).toBe(0);
});

test('labels are the same series wherever and however they stand', () => {
  const { read, table } = reader();
  const name = label('__name__', 'up');
  const job = label('job', 'api');
  const paddedJob = lengthDelimited(1, [...lengthDelimited(1, 'job', 2), ...lengthDelimited(2, 'api')], 1);
  const swappedJob = lengthDelimited(1, [...lengthDelimited(2, 'api'), ...lengthDelimited(1, 'job')]);
  const extendedJob = lengthDelimited(1, [
    ...lengthDelimited(1, 'job'),
    ...lengthDelimited(2, 'api'),
    ...varintField(7, 1),
  ]);
  const layouts = [
    [name, job, sample(1, T)],
    [job, name, sample(1, T)],
    [sample(1, T), name, job],
    [name, sample(1, T), job],
    [name, lengthDelimited(3, []), job, sample(1, T)],
    [name, label('empty', ''), job, sample(1, T)],
    [name, lengthDelimited(1, lengthDelimited(1, 'absent')), job, sample(1, T)],
    [name, paddedJob, sample(1, T)],
    [name, swappedJob, sample(1, T)],
    [name, extendedJob, sample(1, T)],
  ];
  for (let i = 0; i < 4; i++) {
    for (const layout of layouts) expect(read(series(...layout))).toEqual([`up{job="api"} 1 @${T}`]);
    expect(read(...layouts.map((layout) => series(...layout)))).toHaveLength(layouts.length);
  }
  expect([table.size, table.aliasCount]).toEqual([1, 6]);
});

test('a series whose labels begin with those of the predicted one is another series', () => {
  const longer = series(...UP, label('zone', 'a'), sample(2, T));
  const late = series(...UP, sample(3, T), label('zone', 'b'));
  const { read } = reader();
  for (let i = 0; i < 4; i++) {
    expect(read(series(...UP, sample(1, T)))).toEqual([`up{job="api"} 1 @${T}`]);
    expect(read(longer)).toEqual([`up{job="api", zone="a"} 2 @${T}`]);
    expect(read(series(...UP, sample(1, T)), late)).toEqual([
      `up{job="api"} 1 @${T}`,
      `up{job="api", zone="b"} 3 @${T}`,
    ]);
  }
});

test('labels that differ from the predicted ones in a single byte, wherever, are another series', () => {
  for (const length of [1, 2, 3, 4, 17, 30]) {
    const value = 'a'.repeat(length);
    const { read } = reader();
    const first = series(...UP, sample(1, T));
    const predicted = series(label('__name__', 'x'), label('v', value), sample(2, T));
    for (let i = 0; i < 4; i++) read(first, predicted);
    for (let at = 0; at < length; at++) {
      const other = `${value.slice(0, at)}b${value.slice(at + 1)}`;
      const rows = read(first, series(label('__name__', 'x'), label('v', other), sample(3, T)));
      expect(rows[1]).toBe(`x{v="${other}"} 3 @${T}`);
      expect(read(first, predicted)[1]).toBe(`x{v="${value}"} 2 @${T}`);
      expect(read(first, predicted)[1]).toBe(`x{v="${value}"} 2 @${T}`);
    }
  }
});

test('a series that ends within the labels of the predicted one is not it', () => {
  const { read, table } = reader();
  const first = series(...UP, sample(1, T));
  for (let i = 0; i < 4; i++) read(first, series(...UP, label('zone', 'a'), sample(2, T)));
  expect(read(first, series(...UP))).toEqual([`up{job="api"} 1 @${T}`]);
  expect(table.size).toBe(2);
});

test('when no alias fits any more a series is still found, by its labels', () => {
  const { read, table } = reader({}, new TableResolver({ aliasesMax: 0 }));
  const unsorted = series(label('job', 'api'), label('__name__', 'up'), sample(1, T));
  for (let i = 0; i < 4; i++) expect(read(unsorted)).toEqual([`up{job="api"} 1 @${T}`]);
  expect([table.size, table.aliasCount]).toEqual([1, 0]);
});

test('series that cannot be used are rejected alone, with a reason and an example', () => {
  const bad = (bytes: number[]) => lengthDelimited(1, [...lengthDelimited(1, 'path'), ...lengthDelimited(2, bytes)]);
  const badName = lengthDelimited(1, [...lengthDelimited(1, [0xff]), ...lengthDelimited(2, 'v')]);
  const limits = { labelsMax: 4, labelNameBytesMax: 10, labelValueBytesMax: 20 };
  const f = (labels: Field[], reason: string, example: string) => {
    const { read, rejections, table } = reader(limits);
    const good = series(...UP, sample(1, T));
    const rejected = series(...labels, sample(7, T), sample(8, T));
    expect(read(good, rejected, good)).toEqual([`up{job="api"} 1 @${T}`, `up{job="api"} 1 @${T}`]);
    expect(Object.entries(rejections.samples).filter(([, samples]) => samples > 0)).toEqual([[reason, 2]]);
    expect([rejections.total, rejections.examples]).toEqual([2, [example]]);
    expect(table.size).toBe(1);
    expect(read(good)).toHaveLength(1);
    expect(rejections.total).toBe(0);
  };
  f([], 'missing_metric_name', 'no metric name: {}');
  f([label('job', 'api')], 'missing_metric_name', 'no metric name: {job="api"}');
  f([label('__name__', ''), label('job', 'api')], 'missing_metric_name', 'no metric name: {__name__="", job="api"}');
  f([...UP, label('job', 'b')], 'duplicate_label', 'label "job" is repeated: up{job="api", job="b"}');
  f([...UP, label('job', 'api')], 'duplicate_label', 'label "job" is repeated: up{job="api", job="api"}');
  f([...UP, label('job', '')], 'duplicate_label', 'label "job" is repeated: up{job="api", job=""}');
  f([...UP, label('', 'x')], 'empty_label_name', 'a label has no name: up{job="api"}');
  f([...UP, lengthDelimited(1, [])], 'empty_label_name', 'a label has no name: up{job="api"}');
  f([...UP, bad([0xff])], 'invalid_utf8', 'label "path" is not valid UTF-8 text: up{job="api"}');
  f([...UP, bad([0xed, 0xa0, 0x80])], 'invalid_utf8', 'label "path" is not valid UTF-8 text: up{job="api"}');
  f([...UP, bad([0xc0, 0x80])], 'invalid_utf8', 'label "path" is not valid UTF-8 text: up{job="api"}');
  f([...UP, bad([0x61, 0])], 'invalid_utf8', 'label "path" is not valid UTF-8 text: up{job="api"}');
  f([...UP, badName], 'invalid_utf8', 'a label name is not valid UTF-8 text: up{job="api"}');
  f(
    [...UP, label('a', '1'), label('b', '2'), label('c', '3')],
    'label_limit',
    'more than 4 labels: up{job="api", a="1", b="2"}',
  );
  f([...UP, label('elevenbytes', 'x')], 'label_limit', 'a label name of 11 bytes, the limit is 10: up{job="api"}');
  f([...UP, label('path', 'x'.repeat(21))], 'label_limit', 'label "path" has 21 bytes, the limit is 20: up{job="api"}');
});

test('labels at their limits, with any text, are accepted', () => {
  const { read } = reader({ labelsMax: 3, labelNameBytesMax: 10, labelValueBytesMax: 6 });
  const rows = read(
    series(
      label('__name__', 'up'),
      label('constructor'.slice(0, 10), 'é😀'),
      label('a\u{feff}', '\u{fffd}'),
      sample(1, T),
    ),
  );
  expect(rows).toEqual([`up{"a\\ufeff"="\u{fffd}", constructo="é😀"} 1 @${T}`]);
});

test('series beyond the limit of the table are rejected, those that are known go on', () => {
  const { read, rejections } = reader({}, new TableResolver({ seriesMax: 1 }));
  const request = [series(...UP, sample(1, T)), series(label('__name__', 'other'), sample(1, T))];
  expect(read(...request)).toEqual([`up{job="api"} 1 @${T}`]);
  expect(rejections.samples.series_limit).toBe(1);
  expect(rejections.examples).toEqual(['the limit of series is reached: other']);
});

test('at most five examples of at most 200 characters are kept, without control characters', () => {
  const { read, rejections } = reader();
  const long = label('text', `\n${'😀'.repeat(300)}`);
  read(...Array.from({ length: 8 }, () => series(long, sample(1, T))));
  expect(rejections.samples.missing_metric_name).toBe(8);
  expect(rejections.examples).toHaveLength(5);
  const example = rejections.examples[0]!;
  expect(example.length).toBeLessThanOrEqual(200);
  expect(example.startsWith('no metric name: {text="\\u000a😀')).toBe(true);
  expect(example.endsWith('😀…')).toBe(true);
});

test('a malformed message is refused as a whole and registers nothing', () => {
  const good = series(...UP, sample(1, T));
  const f = (tail: Field, message: string) => {
    const { read, table } = reader();
    let code = '';
    try {
      read(good, tail);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(IngestError);
      code = (thrown as IngestError).code;
      expect((thrown as IngestError).message).toBe(
        message.replace(/\+(\d+)/, (_, n) => String(good.length + Number(n))),
      );
    }
    expect(code).toBe('malformed_protobuf');
    expect(table.size).toBe(0);
    expect(read(good)).toHaveLength(1);
  };
  f([0x0a], 'malformed protobuf at byte +1: a varint is cut off');
  f([0x0a, 1], 'malformed protobuf at byte +1: a length of 1, 0 bytes are left');
  f([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], 'malformed protobuf at byte +1: a length of 4294967295, 0 bytes are left');
  f([0x0a, 0x80, 0x80, 0x80, 0x80, 0x10], 'malformed protobuf at byte +1: a length of 4294967296, 0 bytes are left');
  f([0x0b, 0x0c], 'malformed protobuf at byte +1: wire type 3');
  f([0x00], 'malformed protobuf at byte +0: field number 0');
  f(series([0x0a, 5]), 'malformed protobuf at byte +3: a length of 5, 0 bytes are left');
  f(series([0x0a, 2, 0x0a, 5]), 'malformed protobuf at byte +5: a length of 5, 0 bytes are left');
  f(series([0x0a, 1, 0x0e]), 'malformed protobuf at byte +5: wire type 6');
  f(series([0x12, 3, 0x09, 1, 2]), 'malformed protobuf at byte +5: a fixed value is cut off');
  f(series([0x12, 2, 0x10, 0x80]), 'malformed protobuf at byte +5: a varint is cut off');
  f(series([0x12, 1, 0x13]), 'malformed protobuf at byte +5: wire type 3');
  f(series([0x22, 9]), 'malformed protobuf at byte +3: a length of 9, 0 bytes are left');
});

test('samples that only look like the common ones are read by their fields', () => {
  const value = fixed64Field(1, [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  const f = (content: Field, expected: string) =>
    expect(rowsOf(series(...UP, lengthDelimited(2, content)))).toEqual([`up{job="api"} ${expected}`]);
  f([...value, ...varintField(3, T)], '1 @0');
  f(varintField(3, T), '0 @0');
  f([...fixed64Field(3, STALE_BYTES), ...varintField(2, T)], `0 @${T}`);
  const { read } = reader();
  const good = series(...UP, sample(1, T));
  for (let i = 0; i < 4; i++) read(good);
  const short = varintField(2, 2 ** 34);
  expect(() => read(series(...UP, lengthDelimited(2, [...value, ...short, 0])))).toThrow('field number 0');
  expect(() => read(series(...UP, lengthDelimited(2, [...short, 0])))).toThrow('field number 0');
});

test('a sample that is cut off after the labels of a known series is refused', () => {
  const { read } = reader();
  const good = series(...UP, sample(1, T));
  for (let i = 0; i < 4; i++) read(good);
  const labels = UP.flat();
  const zero = lengthDelimited(2, varintField(2, T));
  for (const whole of [sample(1, T), zero]) {
    for (let length = 1; length < whole.length; length++) {
      const cut = series(labels, whole.slice(0, length));
      expect(() => read(good, cut)).toThrow('malformed protobuf');
      // What comes next is not read as the rest of the sample.
      expect(() => read(good, [...cut, ...whole.slice(length)])).toThrow('malformed protobuf');
    }
  }
});

test('a request with too many series or samples is refused', () => {
  const f = (limits: Partial<IngestLimits>, code: string, message: string) => {
    const { read, table } = reader(limits);
    const two = series(...UP, sample(1, T), sample(2, T));
    expect(read(two)).toHaveLength(2);
    const error = (() => {
      try {
        return read(two, two);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code, message });
    expect(table.size).toBe(1);
  };
  f({ seriesPerRequestMax: 1 }, 'too_many_series', 'the request has more than 1 series');
  f({ samplesPerRequestMax: 3 }, 'too_many_samples', 'the request has more than 3 samples');
  const { read } = reader({ samplesPerRequestMax: 3 });
  expect(() => read(series(...Array(4).fill(lengthDelimited(2, []))))).toThrow('the request has more than 3 samples');
});

test.each([
  ['TypeScript', null],
  ['the kernel', kernel],
])('a table that was replaced by a smaller one is read as a new one, by %s', (_, kernel) => {
  const replaceable = {
    table: new TableResolver().table,
    replicas: new Replicas(30_000),
    wantsHistograms: () => false,
    register: (labels: never, bytes: Uint8Array) => TableResolver.prototype.register.call(replaceable, labels, bytes),
  };
  const walk = new RemoteWrite1(replaceable, INGEST_LIMITS, new Rejections());
  const batch = new SampleBatch();
  const names = ['a', 'b', 'c'];
  const bytes = new Uint8Array(names.flatMap((name) => series(label('__name__', name), sample(1, T))));
  const read = (message = bytes) => {
    const length = kernel?.decode(compress(message), message.length);
    kernel?.lend(batch);
    if (kernel === null) walk.read(message, new DataView(message.buffer), message.length, batch);
    else walk.read(kernel.decoded, kernel.decodedView, length!, batch, kernel);
    return [...batch.seriesIds.subarray(0, batch.length)];
  };
  read();
  expect(read()).toEqual([0, 1, 2]);
  replaceable.table = new TableResolver().table;
  expect(read()).toEqual([0, 1, 2]);
  expect(read()).toEqual([0, 1, 2]);
  expect(replaceable.table.size).toBe(3);
  replaceable.table = new TableResolver().table;
  expect(read(new Uint8Array(series(sample(1, T))))).toEqual([]);
});
