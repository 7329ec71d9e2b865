import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { decodeSeries, formatSeries } from '../../src/engine/label-set.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import {
  type Attributes,
  attributes,
  bodyOf,
  CUMULATIVE,
  counter,
  DELTA,
  nanos,
  point,
  received,
  request,
  told,
} from '../support/otlp.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const T = MIDNIGHT_MS;
const START = T - 60_000;
const TARGET = 'instance="a", job="api"';

/** The rows of a request with these metrics, all accepted. */
function rows(metrics: readonly object[], resource?: Attributes, scope?: object): string[] {
  const { rows: all, rejected } = received(request(metrics, resource, scope));
  expect(rejected).toEqual({});
  return all;
}

// Sums and gauges.

test('what a sum or a gauge becomes depends on its kind, its temporality and its start', () => {
  const becomes = (metric: object, expected: string): void =>
    expect(rows([metric])).toEqual([expected.replace('{}', `{${TARGET}}`)]);
  const sum = (dataPoint: object, aggregationTemporality: number, isMonotonic = true): object => ({
    name: 'm',
    sum: { dataPoints: [dataPoint], aggregationTemporality, isMonotonic },
  });
  becomes(sum(point(T, 7, {}, START), CUMULATIVE), `m_total{} ${T} 7 since ${START}`);
  becomes(sum(point(T, 7), CUMULATIVE), `m_total{} ${T} 7 since 0`);
  becomes(sum(point(T, 7, {}, T), CUMULATIVE), `m_total{} ${T} 7 since 0`);
  becomes(sum(point(T, 7, {}, T + 1), CUMULATIVE), `m_total{} ${T} 7 since 0`);
  becomes(sum(point(T, 7.5, {}, START), CUMULATIVE), `m_total{} ${T} 7.5 since ${START}`);
  becomes(sum(point(T, 7, {}, START), DELTA), `m_total{} ${T} +7 since ${START}`);
  becomes(sum(point(T, 7), DELTA), `m_total{} ${T} +7 since 0`);
  becomes(sum(point(T, 7, {}, T), DELTA), `m_total{} ${T} +7 since ${T}`);
  becomes(sum(point(T, 0, {}, START), DELTA), `m_total{} ${T} +0 since ${START}`);
  becomes(sum(point(T, -7, {}, START), CUMULATIVE, false), `m{} ${T} -7`);
  becomes({ name: 'm', gauge: { dataPoints: [point(T, -7)] } }, `m{} ${T} -7`);
  becomes({ name: 'm', gauge: { dataPoints: [point(T, 0.25)] } }, `m{} ${T} 0.25`);
  becomes({ name: 'm', gauge: { dataPoints: [{ timeUnixNano: nanos(T), asInt: '0' }] } }, `m{} ${T} 0`);
  becomes(sum({ ...point(T, 7, {}, START), flags: 1 }, CUMULATIVE), `m_total{} ${T} stale`);
  becomes(sum({ timeUnixNano: nanos(T), flags: 1 }, DELTA), `m_total{} ${T} stale`);
  becomes({ name: 'm', gauge: { dataPoints: [{ timeUnixNano: nanos(T), flags: 1 }] } }, `m{} ${T} stale`);
  becomes({ name: 'm', gauge: { dataPoints: [{ ...point(T, 3), flags: 2 }] } }, `m{} ${T} 3`);
});

test('start and time are compared to the nanosecond', () => {
  const since = (startNs: string, timeNs: string, aggregationTemporality: number): string => {
    const dataPoint = { startTimeUnixNano: startNs, timeUnixNano: timeNs, asInt: '1' };
    const [row] = rows([{ name: 'm', sum: { dataPoints: [dataPoint], aggregationTemporality, isMonotonic: true } }]);
    return row!.slice(row!.indexOf('since') + 6);
  };
  expect(since(nanos(T, 300), nanos(T, 300), CUMULATIVE)).toBe('0');
  // It began in the same millisecond: known, and before its time.
  expect(since(nanos(T, 299), nanos(T, 300), CUMULATIVE)).toBe(String(T - 1));
  expect(since(nanos(T, 301), nanos(T, 300), CUMULATIVE)).toBe('0');
  expect(since(nanos(T, 0), nanos(T, 300_000), DELTA)).toBe(String(T));
  expect(since(nanos(T, 301), nanos(T, 300), DELTA)).toBe('0');
  expect(since(nanos(T, 999_999), nanos(T + 1, 0), CUMULATIVE)).toBe(String(T));
});

test('integers keep all the digits that a double has', () => {
  const value = (asInt: string): string => rows([counter('m', [{ timeUnixNano: nanos(T), asInt }])])[0]!.split(' ')[3]!;
  expect(value('9007199254740991')).toBe('9007199254740991');
  expect(value('4294967296')).toBe('4294967296');
  expect(value('-4294967297')).toBe('-4294967297');
  expect(value('-1')).toBe('-1');
});

// Histograms.

function histogram(fields: object, aggregationTemporality = CUMULATIVE): object {
  const dataPoint = { timeUnixNano: nanos(T), startTimeUnixNano: nanos(START), ...fields };
  return { name: 'h', unit: 's', histogram: { dataPoints: [dataPoint], aggregationTemporality } };
}

test('an explicit histogram becomes cumulative buckets, a count and a sum', () => {
  const buckets = { count: '6', sum: 2.5, bucketCounts: ['1', '2', '3'], explicitBounds: [0.1, 1] };
  expect(rows([histogram(buckets)])).toEqual([
    `h_seconds_bucket{${TARGET}, le="0.1"} ${T} 1 since ${START}`,
    `h_seconds_bucket{${TARGET}, le="1"} ${T} 3 since ${START}`,
    `h_seconds_bucket{${TARGET}, le="+Inf"} ${T} 6 since ${START}`,
    `h_seconds_count{${TARGET}} ${T} 6 since ${START}`,
    `h_seconds_sum{${TARGET}} ${T} 2.5 since ${START}`,
  ]);
  expect(rows([histogram(buckets, DELTA)]).map((row) => row.slice(row.lastIndexOf('} ') + 2))).toEqual([
    `${T} +1 since ${START}`,
    `${T} +3 since ${START}`,
    `${T} +6 since ${START}`,
    `${T} +6 since ${START}`,
    `${T} +2.5 since ${START}`,
  ]);
});

test('a histogram may have no buckets, a single one, or no sum', () => {
  const values = (fields: object): string[] =>
    rows([histogram(fields)]).map((row) => row.replace(/\{.*le="(.*?)"\}/, '<$1>').replace(/\{.*\}/, ''));
  const at = (value: number): string => `${T} ${value} since ${START}`;
  expect(values({ count: '4' })).toEqual([`h_seconds_bucket<+Inf> ${at(4)}`, `h_seconds_count ${at(4)}`]);
  expect(values({ count: '4', sum: 0, bucketCounts: ['4'] })).toEqual([
    `h_seconds_bucket<+Inf> ${at(4)}`,
    `h_seconds_count ${at(4)}`,
    `h_seconds_sum ${at(0)}`,
  ]);
  expect(values({})).toEqual([`h_seconds_bucket<+Inf> ${at(0)}`, `h_seconds_count ${at(0)}`]);
});

function exponential(fields: object, aggregationTemporality = CUMULATIVE): object {
  const dataPoint = { timeUnixNano: nanos(T), startTimeUnixNano: nanos(START), ...fields };
  return { name: 'e', unit: 's', exponentialHistogram: { dataPoints: [dataPoint], aggregationTemporality } };
}

test('an exponential histogram becomes a native one, whose buckets are numbered by their upper bounds', () => {
  const buckets = {
    count: '10',
    sum: 1,
    scale: 3,
    zeroCount: '1',
    positive: { offset: -2, bucketCounts: ['2', '0', '3'] },
    negative: { offset: 4, bucketCounts: ['4'] },
  };
  const native = {
    schema: 3,
    count: 10,
    zeroCount: 1,
    positive: [
      [-1, 2],
      [1, 3],
    ],
    negative: [[5, 4]],
  };
  expect(rows([exponential(buckets)])).toEqual([`e_seconds{${TARGET}} ${T} ${JSON.stringify(native)} since ${START}`]);
  expect(rows([exponential(buckets, DELTA)])).toEqual([
    `e_seconds{${TARGET}} ${T} +${JSON.stringify(native)} since ${START}`,
  ]);
});

test('a scale above 8 is brought down to it', () => {
  const positive = { offset: -5, bucketCounts: ['1', '1', '1', '1', '1', '1', '1', '1'] };
  const [row] = rows([exponential({ count: '8', scale: 10, positive })]);
  // Indices -5..2 of OTLP, shifted right by two, are -2, -1 (four times), 0 (three times).
  const native = {
    schema: 8,
    count: 8,
    zeroCount: 0,
    positive: [
      [-1, 1],
      [0, 4],
      [1, 3],
    ],
    negative: [],
  };
  expect(row).toContain(JSON.stringify(native));
});

test('a summary becomes its count and its sum', () => {
  const dataPoint = {
    timeUnixNano: nanos(T),
    startTimeUnixNano: nanos(START),
    count: '3',
    sum: 1.5,
    quantileValues: [{ quantile: 0.5, value: 1 }],
  };
  expect(rows([{ name: 's', unit: 's', summary: { dataPoints: [dataPoint] } }])).toEqual([
    `s_seconds_count{${TARGET}} ${T} 3 since ${START}`,
    `s_seconds_sum{${TARGET}} ${T} 1.5 since ${START}`,
  ]);
});

// Rejected points.

test('a point that cannot be used is rejected with its reason, and all others are taken', () => {
  const rejects = (metric: object, reason: string, example: string): void => {
    const { rows: kept, rejected, examples } = received(request([metric, counter('ok', [point(T, 1, {}, START)])]));
    expect(rejected).toEqual({ [reason]: 1 });
    expect(examples).toEqual([example]);
    expect(kept).toEqual([`ok_total{${TARGET}} ${T} 1 since ${START}`]);
  };
  const one = point(T, 1, {}, START);
  const sum = (aggregationTemporality: number, isMonotonic = true): object => ({
    name: 'm',
    sum: { dataPoints: [one], aggregationTemporality, isMonotonic },
  });
  const bare = { timeUnixNano: nanos(T) };
  const a = attributes({ a: '1' })[0]!;
  rejects(counter('m', [{ ...one, timeUnixNano: '0' }]), 'missing_time', 'a data point without a time: m');
  rejects(counter('m', [{ asInt: '1' }]), 'missing_time', 'a data point without a time: m');
  rejects(counter('m', [bare]), 'missing_value', 'a data point without a value: m');
  rejects({ name: 'm', gauge: { dataPoints: [bare] } }, 'missing_value', 'a data point without a value: m');
  rejects(sum(0), 'unspecified_temporality', 'neither delta nor cumulative: m');
  rejects(sum(3), 'unspecified_temporality', 'neither delta nor cumulative: m');
  rejects(histogram({}, 0), 'unspecified_temporality', 'neither delta nor cumulative: h');
  rejects(exponential({}, 0), 'unspecified_temporality', 'neither delta nor cumulative: e');
  rejects(sum(DELTA, false), 'delta_of_gauge', 'a delta of a sum that may fall: m');
  rejects(counter('', [one]), 'missing_metric_name', 'a metric has no name');
  rejects(counter('m', [{ ...one, attributes: [a, a] }]), 'duplicate_label', 'attribute "a" is repeated: m');
  rejects(
    counter('m', [{ ...one, attributes: [{ value: { stringValue: 'x' } }] }]),
    'empty_label_name',
    'an attribute has no key: m',
  );
  rejects(counter('m', [point(T, 1, { a: 'x\0' })]), 'invalid_utf8', 'attribute "a" is not valid UTF-8 text: m');
  rejects(
    counter('m', [point(T, 1, { a: 'x'.repeat(5000) })]),
    'label_limit',
    'attribute "a" has 5003 bytes, the limit is 4096: m',
  );
  const many = Object.fromEntries(Array.from({ length: 63 }, (_, i) => [`k${i}`, 'v']));
  rejects(counter('m', [point(T, 1, many)]), 'label_limit', 'more than 64 labels: m');
  rejects(counter('m', [point(T, 1, { ...many, b: '', c: '' })]), 'label_limit', 'more than 64 attributes: m');
  rejects(counter('m', [point(T, 1, { ['k'.repeat(2000)]: '1' })]), 'label_limit', 'a label name of 2000 bytes: m');

  const invalid = (metric: object, what: string): void => rejects(metric, 'invalid_histogram', what);
  invalid(
    histogram({ count: '5', bucketCounts: ['1', '2'], explicitBounds: [1] }),
    'a histogram that counts 5 observations and has 3 in its buckets: h',
  );
  invalid(
    histogram({ count: '3', bucketCounts: ['1', '2'], explicitBounds: [1, 2] }),
    'a histogram with 2 bounds and 2 counts: h',
  );
  invalid(histogram({ count: '3', explicitBounds: [1] }), 'a histogram with 1 bounds and 0 counts: h');
  const rising = 'a histogram whose bounds are not finite numbers that rise: h';
  invalid(histogram({ count: '3', bucketCounts: ['1', '1', '1'], explicitBounds: [2, 1] }), rising);
  invalid(histogram({ count: '3', bucketCounts: ['1', '1', '1'], explicitBounds: [1, 1] }), rising);
  invalid(histogram({ count: '2', bucketCounts: ['1', '1'], explicitBounds: ['NaN'] }), rising);
  invalid(histogram({ count: '2', bucketCounts: ['1', '1'], explicitBounds: ['Infinity'] }), rising);
  invalid(histogram({ count: '9007199254740993' }), 'a histogram with a count above 2^53: h');
  invalid(exponential({ count: '1', scale: -5 }), 'an exponential histogram of scale -5: e');
  invalid(exponential({ count: '1', scale: 53 }), 'an exponential histogram of scale 53: e');
  invalid(
    exponential({ count: '1', zeroCount: '2' }),
    'a histogram that counts 1 observations and has 2 in its buckets: e',
  );
  invalid(
    exponential({ count: '1', zeroCount: '1', zeroThreshold: -1 }),
    'an exponential histogram with the zero threshold -1: e',
  );
  const bucketCounts = Array.from({ length: 5000 }, () => '0');
  invalid(exponential({ positive: { bucketCounts } }), 'a histogram of more than 4096 buckets: e');
  invalid(
    histogram({ bucketCounts, explicitBounds: bucketCounts.slice(1).map((_, i) => i) }),
    'a histogram of more than 4096 buckets: h',
  );
});

test('a bad resource or scope takes all its points with it', () => {
  const point2 = counter('m', [point(T, 1), point(T, 2, { a: 'b' })]);
  const attribute = attributes({ x: 'y' })[0]!;
  const twice = {
    resourceMetrics: [
      { resource: { attributes: [attribute, attribute] }, scopeMetrics: [{ metrics: [point2] }] },
      { resource: {}, scopeMetrics: [{ scope: { attributes: [attribute, attribute] }, metrics: [point2] }] },
      { resource: {}, scopeMetrics: [{ metrics: [point2] }] },
    ],
  };
  const { rejected, points } = received(twice);
  expect([rejected, points]).toEqual([{ duplicate_label: 4 }, 2]);
});

// Labels.

test('job and instance stand for the resource', () => {
  const target = (resource: Attributes): string => {
    const [row] = rows([{ name: 'm', gauge: { dataPoints: [point(T, 1)] } }], resource);
    return row!.slice(0, row!.indexOf(` ${T}`));
  };
  const service = { 'service.name': 'api' };
  expect(target(service)).toBe('m{job="api"}');
  expect(target({ ...service, 'service.namespace': 'shop' })).toBe('m{job="shop/api"}');
  expect(target({ 'service.namespace': 'shop' })).toBe('m');
  expect(target({ ...service, 'service.instance.id': 'i-1' })).toBe('m{instance="i-1", job="api"}');
  expect(target({ ...service, 'host.name': 'h' })).toBe('m{job="api"}');
  expect(target({})).toBe('m');
  // What does not become a label may be as much and as long as it is.
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, 'v'.repeat(5000)]));
  expect(target({ ...many, ...service })).toBe('m{job="api"}');
});

test('a scope with a name is part of the identity', () => {
  const labels = (scope: object): string =>
    rows([{ name: 'm', gauge: { dataPoints: [point(T, 1)] } }], {}, scope)[0]!.split(` ${T}`)[0]!;
  expect(labels({})).toBe('m');
  expect(labels({ name: 'lib' })).toBe('m{otel_scope_name="lib"}');
  expect(labels({ name: 'lib', version: '1.2' })).toBe('m{otel_scope_name="lib", otel_scope_version="1.2"}');
  expect(labels({ name: 'lib', attributes: attributes({ 'a.b': true }) })).toBe(
    'm{otel_scope_a_b="true", otel_scope_name="lib"}',
  );
  expect(labels({ name: 'lib', attributes: attributes({ name: 'x' }) })).toBe(
    'm{exported_otel_scope_name="x", otel_scope_name="lib"}',
  );
});

test('attributes become labels', () => {
  const labels = (of: Attributes, resource: Attributes = {}): string =>
    rows([{ name: 'm', gauge: { dataPoints: [point(T, 1, of)] } }], resource)[0]!.split(` ${T}`)[0]!;
  expect(labels({ 'http.route': '/a', code: 200n })).toBe('m{code="200", http_route="/a"}');
  expect(labels({ a: true, b: false, c: 1.5, d: -7n })).toBe('m{a="true", b="false", c="1.5", d="-7"}');
  expect(labels({ a: 9223372036854775807n, b: -9223372036854775808n })).toBe(
    'm{a="9223372036854775807", b="-9223372036854775808"}',
  );
  expect(labels({ a: ['x', 1n, true, ['y']] })).toBe(String.raw`m{a="[\"x\",1,true,[\"y\"]]"}`);
  expect(labels({ a: { z: 'x', b: 2n } })).toBe(String.raw`m{a="{\"b\":2,\"z\":\"x\"}"}`);
  expect(labels({ a: '', b: null })).toBe('m');
  expect(labels({ 'a.b': '2', 'a-b': '1', a_b: '3' })).toBe('m{a_b="1;2;3"}');
  expect(labels({ job: 'mine' })).toBe('m{job="mine"}');
  expect(labels({ job: 'mine', instance: 'x' }, { 'service.name': 'api', 'service.instance.id': 'a' })).toBe(
    `m{exported_instance="x", exported_job="mine", ${TARGET}}`,
  );
  expect(labels({ __name__: 'other' })).toBe('m{exported___name__="other"}');
  expect(labels({ __proto__x: '1', constructor: 'c' })).toBe('m{__proto__x="1", constructor="c"}');
  expect(labels({ 'größe.🙂': 'ü' })).toBe('m{gr__e__="ü"}');
});

test('resource attributes that are promoted are labels of every series', () => {
  const resource = { 'service.name': 'api', 'k8s.pod.name': 'pod-1', 'host.name': 'h' };
  const metric = { name: 'm', gauge: { dataPoints: [point(T, 1, { k8s_pod_name: 'x' })] } };
  const { rows: all } = received(request([metric], resource), { promoted: ['k8s.pod.name', 'absent'] });
  expect(all).toEqual([`m{exported_k8s_pod_name="x", job="api", k8s_pod_name="pod-1"} ${T} 1`]);
});

test('a series can be selected by the names that OTLP has for it', () => {
  const engine = new Engine([]);
  const receiver = new OtlpReceiver({ resolver: engine });
  const originals = (metric: object): (string | null)[] => {
    const { batch } = receiver.read(bodyOf(request([metric]), 'protobuf'), 'protobuf');
    return Array.from(batch.seriesIds.subarray(0, batch.length), (id) => {
      const { originals: names } = decodeSeries(engine.table.labelBytes(id));
      return names && formatSeries(names);
    });
  };
  const service = '"service.instance.id"="a", "service.name"="api"';
  expect(originals(counter('http.requests', [point(T, 1, { 'http.code': 200n, route: '/' })]))).toEqual([
    `{"http.requests", "http.code"="200", ${service}}`,
  ]);
  expect(originals({ name: 'plain', gauge: { dataPoints: [point(T, 1, { route: '/' })] } })).toEqual([`{${service}}`]);
  expect(originals(histogram({ count: '1', sum: 1, bucketCounts: ['1', '0'], explicitBounds: [1] }))).toEqual([
    `h_bucket{${service}}`,
    `h_bucket{${service}}`,
    `h_count{${service}}`,
    `h_sum{${service}}`,
  ]);
});

// Streams that come again.

test('a stream that comes again is the same series, in whatever order its attributes and fields are', () => {
  const engine = new Engine([]);
  const receiver = new OtlpReceiver({ resolver: engine });
  const dataPoint = point(T, 1, { a: '1', b: '2' });
  const { attributes: list, ...rest } = dataPoint as { attributes: object[] };
  const shuffled = { attributes: [...list].reverse(), ...rest };
  const ids = [dataPoint, dataPoint, shuffled].flatMap((each) => {
    const { batch } = receiver.read(bodyOf(request([counter('m', [each])]), 'json'), 'json');
    return [...batch.seriesIds.subarray(0, batch.length)];
  });
  expect(ids).toEqual([0, 0, 0]);
});

test('streams that are too many to be remembered are read all the same', () => {
  const engine = new Engine([]);
  const receiver = new OtlpReceiver({ resolver: engine, streamsMax: 1 });
  const metrics = ['x', 'y'].map((name) => counter(name, [point(T, 1, { a: '1' }), point(T, 2, { a: '2' })]));
  const both = {
    resourceMetrics: ['a', 'b'].flatMap((name) => resourceMetrics(request(metrics, { 'service.name': name }))),
  };
  const first = told(receiver.read(bodyOf(both, 'protobuf'), 'protobuf'), engine);
  expect(first.points).toBe(8);
  expect(told(receiver.read(bodyOf(both, 'protobuf'), 'protobuf'), engine)).toEqual(first);
  expect(engine.seriesCount).toBe(8);
});

function resourceMetrics(message: object): object[] {
  return (message as { resourceMetrics: object[] }).resourceMetrics;
}

test('when there is no room for another series its points are rejected', () => {
  const engine = new Engine([], { seriesMax: 1 });
  const receiver = new OtlpReceiver({ resolver: engine });
  const metric = counter('m', [point(T, 1)]);
  const resources = ['1', '2'].flatMap((instance) => {
    const { resourceMetrics } = request([metric], { 'service.instance.id': instance }) as { resourceMetrics: object[] };
    return resourceMetrics;
  });
  const body = bodyOf({ resourceMetrics: resources }, 'protobuf');
  const { rejected, points } = told(receiver.read(body, 'protobuf'), engine);
  expect([rejected, points]).toEqual([{ series_limit: 1 }, 1]);
});
