import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { WireWriter } from '../../src/ingest/wire-writer.ts';
import { anyValue, bodyOf, counter, nanos, point, request, told } from '../support/otlp.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const T = MIDNIGHT_MS;

function read(
  body: Uint8Array<ArrayBuffer>,
  limits: ConstructorParameters<typeof OtlpReceiver>[0]['limits'] = {},
): ReturnType<typeof told> {
  const engine = new Engine([]);
  return told(new OtlpReceiver({ resolver: engine, limits }).read(body, 'protobuf'), engine);
}

/** Wraps bytes into message fields, the outermost first. */
function inside(numbers: readonly number[], content: Uint8Array): Uint8Array<ArrayBuffer> {
  let bytes = content;
  for (const number of [...numbers].reverse()) {
    const writer = new WireWriter();
    writer.tag(number, 2);
    writer.delimited(bytes);
    bytes = writer.finish();
  }
  return new Uint8Array(bytes);
}

/** A value within arrays, `depth` values in all. */
function nested(depth: number): unknown {
  return depth === 1 ? 'x' : [nested(depth - 1)];
}

test('attribute values may nest 32 deep', () => {
  const body = (depth: number): Uint8Array<ArrayBuffer> => {
    const attribute = { key: 'a', value: anyValue(nested(depth)) };
    return bodyOf(request([counter('m', [{ ...point(T, 1), attributes: [attribute] }])], {}), 'protobuf');
  };
  expect(read(body(32)).rows[0]).toContain('[[');
  expect(() => read(body(33))).toThrow('attribute values are nested more than 32 deep');
  // As deep as the body is long, without a stack of that depth.
  const bomb = inside(
    [1, 2, 2, 7, 1, 7, 2, ...Array.from({ length: 4000 }, (_, i) => (i % 2 === 0 ? 5 : 1))],
    new Uint8Array(),
  );
  expect(() => read(bomb)).toThrow('attribute values are nested more than 32 deep');
});

test('malformed protobuf is refused, naming the byte', () => {
  const refused = (body: Uint8Array<ArrayBuffer>, message: string): void => {
    expect(() => read(body)).toThrow(message);
  };
  refused(Uint8Array.of(0x0a, 0x05, 0x00), 'malformed protobuf at byte 1: a length of 5, 1 bytes are left');
  refused(
    Uint8Array.of(0x08, 0x01),
    'malformed protobuf at byte 0: resourceMetrics of ExportMetricsServiceRequest is a length, and has wire type 0',
  );
  refused(Uint8Array.of(0x7b), 'malformed protobuf at byte 1: wire type 3');
  refused(Uint8Array.of(0x00), 'malformed protobuf at byte 0: field number 0');
  const dataPoint = [1, 2, 2, 7, 1];
  refused(
    inside(dataPoint, Uint8Array.of(0x18, 0x01)),
    'timeUnixNano of NumberDataPoint is eight bytes, and has wire type 0',
  );
  refused(inside(dataPoint, Uint8Array.of(0x19, 0x01)), 'a fixed value is cut off');
  refused(inside([1, 2, 2, 9, 1], Uint8Array.of(0x32, 0x03, 1, 2, 3)), 'packed bucketCounts of 3 bytes');
  refused(inside([1, 2, 2, 10, 1, 8], Uint8Array.of(0x12, 0x01, 0x80)), 'a varint is cut off');
});

test('bombs of counts are refused before anything is made of them', () => {
  const limits = { samplesPerRequestMax: 100, seriesPerRequestMax: 10 };
  const empties = (path: readonly number[], count: number, number: number): Uint8Array<ArrayBuffer> =>
    inside(path, Uint8Array.from(Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? (number << 3) | 2 : 0))));
  const tooMany = 'the request has more than 10 resources, scopes and metrics';
  expect(() => read(empties([], 11, 1), limits)).toThrow(tooMany);
  expect(() => read(empties([1, 2], 9, 2), limits)).toThrow(tooMany);
  const points = 'the request has more than 100 data points and buckets';
  expect(() => read(empties([1, 2, 2, 7], 101, 1), limits)).toThrow(points);
  expect(() => read(empties([1, 2, 2, 9], 34, 1), limits)).toThrow(points);
  expect(() => read(inside([1, 2, 2, 9, 1, 6], new Uint8Array(8 * 98)), limits)).toThrow(points);
  expect(() => read(inside([1, 2, 2, 10, 1, 8, 2], new Uint8Array(100)), limits)).toThrow(points);
  expect(read(empties([], 10, 1), limits).points).toBe(0);
  expect(read(empties([1, 2, 2, 7], 100, 1), limits).rejected).toEqual({ missing_metric_name: 100 });
});

test('fields in any order, unpacked, repeated or in several pieces mean the same', () => {
  const metric = (writer: WireWriter): void => {
    const sum = inside([7], Uint8Array.of(0x10, 0x02, 0x18, 0x01));
    const writePoint = (value: number): Uint8Array => {
      const inner = new WireWriter();
      inner.tag(6, 1);
      inner.fixed64(value, 0);
      inner.tag(3, 1);
      const ns = BigInt(nanos(T));
      inner.fixed64(Number(ns & 0xffffffffn), Number(ns >> 32n));
      return inside([7, 1], inner.finish());
    };
    // The data points, then the name, then the rest of the sum.
    writer.raw(writePoint(5));
    writer.raw(inside([1], new TextEncoder().encode('old')));
    writer.raw(inside([1], new TextEncoder().encode('m')));
    writer.raw(sum);
  };
  const content = new WireWriter();
  metric(content);
  expect(read(inside([1, 2, 2], content.finish())).rows).toEqual([`m_total ${T} 5 since 0`]);
});

test('a resource after its metrics is theirs', () => {
  const full = bodyOf(request([counter('m', [point(T, 1)])]), 'protobuf');
  const header = full.length < 130 ? 2 : 3;
  const content = full.subarray(header);
  const resourceLength = 2 + content[1]!;
  const swapped = Buffer.concat([content.subarray(resourceLength), content.subarray(0, resourceLength)]);
  expect(read(inside([1], swapped))).toEqual(read(full));
});

test('a body that is cut or changed anywhere is read or refused, and nothing else', () => {
  const metrics = [
    counter('m', [point(T, 1, { a: ['x', { b: 1n }] }, T - 1)]),
    {
      name: 'h',
      histogram: {
        aggregationTemporality: 1,
        dataPoints: [{ timeUnixNano: nanos(T), count: '3', bucketCounts: ['1', '2'], explicitBounds: [1] }],
      },
    },
    {
      name: 'e',
      exponentialHistogram: {
        aggregationTemporality: 2,
        dataPoints: [{ timeUnixNano: nanos(T), count: '3', positive: { offset: -1, bucketCounts: ['1', '2'] } }],
      },
    },
    { name: 's', summary: { dataPoints: [{ timeUnixNano: nanos(T), count: '3', sum: 1 }] } },
  ];
  const body = bodyOf(request(metrics, undefined, { name: 'lib' }), 'protobuf');
  const engine = new Engine([]);
  const receiver = new OtlpReceiver({ resolver: engine });
  const tolerate = (bytes: Uint8Array<ArrayBuffer>): void => {
    try {
      engine.ingest(receiver.read(bytes, 'protobuf').batch, T);
    } catch (error) {
      expect(error).toBeInstanceOf(IngestError);
    }
  };
  for (let length = 0; length < body.length; length++) tolerate(body.slice(0, length));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
      const changed = body.slice();
      for (const [at, byte] of changes) changed[at] = byte;
      tolerate(changed);
    }),
    { numRuns: 5_000 },
  );
});
