import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { protobufOfJson } from '../../src/ingest/otlp-json.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { encodeMetricsRequest } from '../../src/ingest/otlp-schema.ts';
import { attributes, counter, nanos, point, request, told } from '../support/otlp.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const T = MIDNIGHT_MS;

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

/** What a JSON body becomes. */
function read(text: string): ReturnType<typeof told> {
  const engine = new Engine([]);
  return told(new OtlpReceiver({ resolver: engine }).read(bytes(text), 'json'), engine);
}

/** The rest of the row of a counter's point that is given as JSON, behind its name. */
function row(pointJson: string, sumJson = '"aggregationTemporality":2,"isMonotonic":true'): string {
  const metric = `{"name":"m","sum":{${sumJson},"dataPoints":[${pointJson}]}}`;
  const { rows, rejected } = read(`{"resourceMetrics":[{"scopeMetrics":[{"metrics":[${metric}]}]}]}`);
  return rows[0]?.slice('m_total '.length) ?? Object.keys(rejected).join();
}

test('JSON becomes the same bytes as protobuf', () => {
  const message = request([counter('m', [point(T, 1), point(T, 2, { a: 'ü' }, T - 1)])], undefined, { name: 'lib' });
  const { resourceMetrics } = message as { resourceMetrics: object[] };
  const big = { resourceMetrics: Array.from({ length: 500 }, () => resourceMetrics[0]) };
  const inOrder = (each: object): Uint8Array => protobufOfJson(bytes(JSON.stringify(each)));
  // The encoder orders fields by their number, which the receiver does not ask for.
  expect(inOrder(big).length).toBe(encodeMetricsRequest(big).length);
});

test('64-bit integers are strings or numbers', () => {
  const time = `"timeUnixNano":"${nanos(T)}"`;
  expect(row(`{${time},"asInt":"5"}`)).toBe(`${T} 5 since 0`);
  expect(row(`{${time},"asInt":5}`)).toBe(`${T} 5 since 0`);
  expect(row(`{${time},"asInt":-5}`)).toBe(`${T} -5 since 0`);
  expect(row(`{${time},"asInt":5.0}`)).toBe(`${T} 5 since 0`);
  expect(row(`{${time},"asInt":"-9223372036854775808"}`)).toBe(`${T} -9223372036854776000 since 0`);
  expect(row(`{${time},"asInt":1e300}`.replace('asInt', 'asDouble'))).toBe(`${T} 1e+300 since 0`);
});

test('times that are bare numbers have lost digits, and are compared as microseconds', () => {
  const both = (start: string, time: string): string =>
    row(`{"startTimeUnixNano":${start},"timeUnixNano":${time},"asInt":1}`);
  const ns = nanos(T, 123_456_789);
  expect(both(ns, ns)).toBe(`${T + 123} 1 since 0`);
  expect(both(`"${ns}"`, `"${ns}"`)).toBe(`${T + 123} 1 since 0`);
  expect(both(nanos(T, 100_000), nanos(T, 300_000))).toBe(`${T} 1 since ${T - 1}`);
  // A whole millisecond must not become the one before because its double is a little less.
  for (const ms of [T, T + 1, T + 7, 1_544_712_660_300]) expect(both('0', nanos(ms))).toBe(`${ms} 1 since 0`);
});

test('enums are numbers or names', () => {
  const time = `{"timeUnixNano":"${nanos(T)}","asInt":1}`;
  const temporality = (json: string): string => row(time, `"aggregationTemporality":${json},"isMonotonic":true`);
  expect(temporality('1')).toBe(`${T} +1 since 0`);
  expect(temporality('"AGGREGATION_TEMPORALITY_DELTA"')).toBe(`${T} +1 since 0`);
  expect(temporality('"AGGREGATION_TEMPORALITY_CUMULATIVE"')).toBe(`${T} 1 since 0`);
  expect(temporality('"AGGREGATION_TEMPORALITY_UNSPECIFIED"')).toBe('unspecified_temporality');
  expect(temporality('7')).toBe('unspecified_temporality');
});

test('numbers that JSON cannot write are strings', () => {
  const value = (json: string): string => row(`{"timeUnixNano":"${nanos(T)}","asDouble":${json}}`);
  expect(value('"NaN"')).toBe(`${T} NaN since 0`);
  expect(value('"Infinity"')).toBe(`${T} Infinity since 0`);
  expect(value('"-Infinity"')).toBe(`${T} -Infinity since 0`);
  expect(value('"1.5"')).toBe(`${T} 1.5 since 0`);
  expect(value('-0.0')).toBe(`${T} 0 since 0`);
});

test('what is null is absent, what is unknown is ignored, and nothing is inherited', () => {
  const time = `"timeUnixNano":"${nanos(T)}"`;
  expect(row(`{${time},"asInt":"5","startTimeUnixNano":null,"attributes":null,"exemplars":[{"x":1}]}`)).toBe(
    `${T} 5 since 0`,
  );
  expect(row(`{${time},"asInt":null}`)).toBe('missing_value');
  expect(row(`{${time},"__proto__":{"asInt":"5"},"constructor":1,"toString":{}}`)).toBe('missing_value');
  expect(row(`{"time_unix_nano":"${nanos(T)}","as_int":"5"}`)).toBe(`${T} 5 since 0`);
  expect(({} as Record<string, unknown>)['asInt']).toBeUndefined();
  expect(read('{}').rows).toEqual([]);
  expect(read('{"resourceMetrics":[]}').rows).toEqual([]);
  expect(read('{"resourceMetrics":[{}]}').rows).toEqual([]);
});

test('half a surrogate pair is no text', () => {
  const of = attributes({ a: 'x\ud800' });
  const metric = counter('m', [
    { ...point(T, 1), attributes: of },
    { ...point(T, 1), attributes: attributes({ a: '😀' }) },
  ]);
  const { rows, rejected } = read(JSON.stringify(request([metric], {})));
  expect(rows).toEqual([`m_total{a="😀"} ${T} 1 since 0`]);
  expect(rejected).toEqual({ invalid_utf8: 1 });
});

test('what is not OTLP is refused, naming the place', () => {
  const refused = (text: string, message: string): void => {
    let error: unknown;
    try {
      read(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, text).toBeInstanceOf(IngestError);
    expect((error as IngestError).message).toBe(message);
    expect((error as IngestError).code).toBe('malformed_json');
  };
  const inPoint = (fields: string): string =>
    `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"sum":{"dataPoints":[{}, {${fields}}]}}]}]}]}`;
  const path = 'resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[1]';
  refused('[]', 'malformed JSON: it must be an object, got []');
  refused('"x"', 'malformed JSON: it must be an object, got "x"');
  refused('null', 'malformed JSON: it must be an object, got null');
  refused('{"resourceMetrics":{}}', 'malformed JSON: resourceMetrics must be an array, got {}');
  refused('{"resourceMetrics":[null]}', 'malformed JSON: resourceMetrics[0] must be an object, got null');
  refused(inPoint('"timeUnixNano":"soon"'), `malformed JSON: ${path}.timeUnixNano must be a whole number, got "soon"`);
  refused(inPoint('"timeUnixNano":-1'), `malformed JSON: ${path}.timeUnixNano must not be negative, got -1`);
  refused(inPoint('"timeUnixNano":1.5'), `malformed JSON: ${path}.timeUnixNano must be a whole number, got 1.5`);
  refused(
    inPoint('"asInt":"9223372036854775808"'),
    `malformed JSON: ${path}.asInt has more than 64 bits, got "9223372036854775808"`,
  );
  refused(inPoint('"asInt":1e300'), `malformed JSON: ${path}.asInt must be a whole number, got 1e+300`);
  refused(inPoint('"asDouble":"one"'), `malformed JSON: ${path}.asDouble must be a number, got "one"`);
  refused(inPoint('"asDouble":true'), `malformed JSON: ${path}.asDouble must be a number, got true`);
  refused(inPoint('"flags":4294967296'), `malformed JSON: ${path}.flags has more than 32 bits, got 4294967296`);
  refused(inPoint('"attributes":[{"key":1}]'), `malformed JSON: ${path}.attributes[0].key must be a string, got 1`);
  refused(
    inPoint('"attributes":[{"value":{"boolValue":"true"}}]'),
    `malformed JSON: ${path}.attributes[0].value.boolValue must be true or false, got "true"`,
  );
  expect(() => read('{"resourceMetrics":')).toThrow(/^malformed JSON: Unexpected end/);
  expect(() => new OtlpReceiver({ resolver: new Engine([]) }).read(Uint8Array.of(0x22, 0xff, 0x22), 'json')).toThrow(
    'malformed JSON: it is not UTF-8',
  );
});

test('a depth bomb is refused at once', () => {
  const started = performance.now();
  expect(() => read('['.repeat(4_000_000))).toThrow('malformed JSON: nested more than 100 deep');
  expect(() => read(`{"a":${'['.repeat(100)}`)).toThrow('malformed JSON: nested more than 100 deep');
  expect(performance.now() - started).toBeLessThan(1_000);
  // Brackets in texts are none.
  expect(read(`{"x":"${'[{'.repeat(1000)}\\"[["}`).rows).toEqual([]);
});

test('a JSON body may be smaller than one of protobuf', () => {
  const receiver = new OtlpReceiver({ resolver: new Engine([]), limits: { jsonBytesMax: 10, decodedBytesMax: 20 } });
  expect(() => receiver.read(bytes('{"a":"bcd"}'), 'json')).toThrow('the JSON body has 11 bytes, the limit is 10');
  expect(() => receiver.read(new Uint8Array(21), 'protobuf')).toThrow('the body has 21 bytes, the limit is 20');
});
