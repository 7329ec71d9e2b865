import { gzipSync } from 'node:zlib';
import protobuf from 'protobufjs/light.js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { bodyOf, counter as counterMetric, DELTA, nanos, point, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const SLO = anSlo({
  sli: {
    kind: 'events',
    total: [counter('requests_total', { job: 'api' })],
    given: 'bad',
    selectors: [counter('requests_total', { code: /5../ })],
  },
});

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

let server: TestServer;

beforeEach(async () => {
  const address = { host: '127.0.0.1', port: 0 };
  server = await TestServer.start(NOON_MS, [SLO], {}, { http: address, grpc: null, promoteResourceAttributes: [] });
});

afterEach(() => server.stop());

/** Requests counted since the minute before, as deltas. */
function deltas(counts: Record<string, number>, tMs = NOON_MS): object {
  const points = Object.entries(counts).map(([code, value]) => point(tMs, value, { code }, tMs - 60_000));
  return request([counterMetric('requests', points, DELTA)]);
}

function post(
  body: Uint8Array | string,
  headers: Record<string, string> = {},
  url = server.service.url,
): Promise<Response> {
  return fetch(`${url}/v1/metrics`, { method: 'POST', body, headers: { 'content-type': PROTOBUF, ...headers } });
}

async function events(): Promise<SloState['events']> {
  server.nowMs += 5_000;
  return (await server.json<SloState>('/api/v1/slos/api/availability')).events;
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

const responses = protobuf.Root.fromJSON({
  nested: {
    Status: { fields: { code: { type: 'int32', id: 1 }, message: { type: 'string', id: 2 } } },
    PartialSuccess: {
      fields: { rejectedDataPoints: { type: 'int64', id: 1 }, errorMessage: { type: 'string', id: 2 } },
    },
    Response: { fields: { partialSuccess: { type: 'PartialSuccess', id: 1 } } },
  },
});

function decoded(type: string, bytes: Uint8Array): Record<string, unknown> {
  const message = responses.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number });
}

test('points behind those of a replica that is not elected are rejected one by one', async () => {
  const pair = (replica: string) => ({ 'service.name': 'api', cluster: 'eu', __replica__: replica });
  const histogram = { count: '2', sum: 1, bucketCounts: ['1', '1'], explicitBounds: [1] };
  const points = [1, 2, 3].map((i) => ({
    ...histogram,
    timeUnixNano: nanos(NOON_MS),
    attributes: point(1, 1, { i })['attributes'],
  }));
  const ofPair = (replica: string): object =>
    request([{ name: 'seconds', histogram: { aggregationTemporality: 2, dataPoints: points } }], pair(replica));
  for (const message of [ofPair('a'), deltas({ 200: 1, 500: 1 })]) await post(bodyOf(message, 'protobuf'));
  const late = deltas({ 200: 1, 500: 1 }, NOON_MS - 1) as { resourceMetrics: object[] };
  const resourceMetrics = [...(ofPair('b') as typeof late).resourceMetrics, ...late.resourceMetrics];
  const response = await post(bodyOf({ resourceMetrics }, 'json'), { 'content-type': JSON_TYPE });
  const { partialSuccess } = (await response.json()) as { partialSuccess: Record<string, string> };
  expect(partialSuccess['errorMessage']).toMatch(
    /^2 of 5 data points rejected: 2 late_delta; all others were applied\n/,
  );
});

test('full success is an empty answer of the same type, plain or compressed, on both ports', async () => {
  const otlpUrl = `http://127.0.0.1:${server.service.otlp.httpPort}`;
  const body = bodyOf(deltas({ 200: 10, 500: 1 }), 'protobuf');
  const json = bodyOf(deltas({ 200: 20, 500: 2 }, NOON_MS + 60_000), 'json');
  const accepted = async (answer: Promise<Response>, type: string, text: string): Promise<void> => {
    const response = await answer;
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([200, type, text]);
  };
  await accepted(post(body), PROTOBUF, '');
  await accepted(post(body, {}, otlpUrl), PROTOBUF, '');
  await accepted(post(gzipSync(body), { 'content-encoding': 'gzip' }), PROTOBUF, '');
  server.nowMs += 60_000;
  await accepted(post(json, { 'content-type': JSON_TYPE }), JSON_TYPE, '{}');
  await accepted(post(json, { 'content-type': 'Application/JSON; charset=utf-8' }, otlpUrl), JSON_TYPE, '{}');
  await accepted(post(gzipSync(json), { 'content-type': JSON_TYPE, 'content-encoding': 'GZIP' }), JSON_TYPE, '{}');
  await accepted(post('', {}), PROTOBUF, '');
  await accepted(post('{}', { 'content-type': JSON_TYPE }), JSON_TYPE, '{}');
  expect(await events()).toEqual({ good: 30, bad: 3, total: 33 });
});

test('what cannot be used is a partial success that says how much and why, in either type', async () => {
  const bare = { timeUnixNano: nanos(NOON_MS) };
  const late = point(NOON_MS - 60_000, 1, { code: '200' }, NOON_MS - 120_000);
  await post(bodyOf(deltas({ 200: 10 }), 'protobuf'));
  const message = request([
    counterMetric('requests', [bare, point(NOON_MS, 3, { code: '503' }, NOON_MS - 60_000), late], DELTA),
    counterMetric('other', [point(NOON_MS + 3_600_000, 1)]),
  ]);
  const text =
    '3 of 4 data points rejected: 1 missing_value, 1 late_delta, 1 too_new; all others were applied\n' +
    'a data point without a value: requests\n' +
    'late_delta: requests_total{code="200", instance="a", job="api"} at 2026-01-01T11:59:00.000Z\n' +
    'too_new: other_total{instance="a", job="api"} at 2026-01-01T13:00:00.000Z';
  const protobufAnswer = await post(bodyOf(message, 'protobuf'));
  expect(protobufAnswer.status).toBe(200);
  expect(decoded('Response', await bytesOf(protobufAnswer))).toEqual({
    partialSuccess: { rejectedDataPoints: 3, errorMessage: text },
  });
  const jsonAnswer = await post(bodyOf(message, 'json'), { 'content-type': JSON_TYPE });
  expect(await jsonAnswer.json()).toEqual({ partialSuccess: { rejectedDataPoints: '3', errorMessage: text } });
  expect(await events()).toEqual({ good: 10, bad: 3, total: 13 });
});

test('a histogram that is late is one data point, however many buckets it has', async () => {
  const histogram = (tMs: number): object => ({
    name: 'h',
    histogram: {
      aggregationTemporality: DELTA,
      dataPoints: [
        {
          timeUnixNano: nanos(tMs),
          startTimeUnixNano: nanos(tMs - 60_000),
          count: '3',
          sum: 1,
          bucketCounts: ['1', '2'],
          explicitBounds: [1],
        },
      ],
    },
  });
  const slo = anSlo({ sli: { kind: 'latency', histogram: counter('h', { job: 'api' }), thresholdSeconds: 1 } });
  await server.stop();
  server = await TestServer.start(NOON_MS, [slo]);
  await post(bodyOf(request([histogram(NOON_MS)]), 'protobuf'));
  const again = await post(bodyOf(request([histogram(NOON_MS)]), 'protobuf'));
  expect((await bytesOf(again)).length).toBe(0);
  const late = await post(bodyOf(request([histogram(NOON_MS - 30_000)]), 'json'), { 'content-type': JSON_TYPE });
  expect(((await late.json()) as { partialSuccess: object }).partialSuccess).toMatchObject({ rejectedDataPoints: '1' });
  expect(await events()).toEqual({ good: 1, bad: 2, total: 3 });
});

test('another value at the same time is rejected, the same one is not', async () => {
  const of = (value: number): Uint8Array<ArrayBuffer> =>
    bodyOf(request([counterMetric('requests', [point(NOON_MS, value, { code: '200' })])]), 'json');
  const headers = { 'content-type': JSON_TYPE };
  expect(await (await post(of(1), headers)).text()).toBe('{}');
  expect(await (await post(of(1), headers)).text()).toBe('{}');
  expect(await (await post(of(2), headers)).text()).toContain('1 of 1 data points rejected: 1 conflict');
});

test('a bad request is refused with a Status in its own encoding, and nothing of it is applied', async () => {
  const refused = async (answer: Promise<Response>, status: number, code: number, message: string): Promise<void> => {
    const response = await answer;
    const bytes = await bytesOf(response);
    const isJson = response.headers.get('content-type') === JSON_TYPE;
    const body = isJson ? JSON.parse(bytes.toString()) : decoded('Status', bytes);
    expect([response.status, body]).toEqual([status, { code, message }]);
  };
  const body = bodyOf(deltas({ 200: 10 }), 'protobuf');
  const json = { 'content-type': JSON_TYPE };
  const gzip = { 'content-encoding': 'gzip' };
  await refused(
    post(body.subarray(0, 20)),
    400,
    3,
    'malformed_protobuf: malformed protobuf at byte 1: a length of 119, 18 bytes are left',
  );
  await refused(
    post('{"resourceMetrics":{}}', json),
    400,
    3,
    'malformed_json: malformed JSON: resourceMetrics must be an array, got {}',
  );
  await refused(post(body, gzip), 400, 3, 'malformed_gzip: malformed gzip: incorrect header check');
  await refused(
    post(gzipSync(body).subarray(0, 30), gzip),
    400,
    3,
    'malformed_gzip: malformed gzip: unexpected end of file',
  );
  await refused(
    post(body, { 'content-type': 'text/plain' }),
    415,
    3,
    'unsupported_otlp_type: the content type text/plain is not read here: send application/x-protobuf or application/json, OTLP metrics',
  );
  await refused(
    post(body, { 'content-encoding': 'zstd' }),
    415,
    3,
    'unsupported_otlp_encoding: the content encoding zstd is not read here: send gzip, or no compression',
  );
  await refused(post(new Uint8Array(4_000_001)), 413, 8, 'decoded_too_large: the body has more than 4000000 bytes');
  await refused(post(' '.repeat(2_000_001), json), 413, 8, 'decoded_too_large: the body has more than 2000000 bytes');
  const get = await fetch(`${server.service.url}/v1/metrics`);
  expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
  expect(await events()).toEqual({ good: 0, bad: 0, total: 0 });
});

test('a gzip bomb is refused when it has grown to the limit', async () => {
  const bomb = gzipSync(Buffer.alloc(200_000_000));
  const response = await post(bomb, { 'content-encoding': 'gzip' });
  expect(response.status).toBe(413);
  expect(decoded('Status', await bytesOf(response))).toEqual({
    code: 8,
    message: 'decoded_too_large: the decompressed body would have more than 4000000 bytes',
  });
});

test('the port of its own answers nothing else', async () => {
  const url = `http://127.0.0.1:${server.service.otlp.httpPort}`;
  const response = await fetch(`${url}/v1/traces`, { method: 'POST', body: 'x' });
  expect([response.status, await response.text()]).toEqual([
    404,
    '{"error":{"code":"not_found","message":"there is nothing at /v1/traces"}}',
  ]);
});

test('what was acknowledged survives a restart: deltas, starts and native histograms', async () => {
  const slos = [
    SLO,
    anSlo({
      id: 'api/latency',
      name: 'latency',
      sli: { kind: 'latency', histogram: counter('e', {}), thresholdSeconds: 1 },
    }),
    anSlo({
      id: 'api/deltas',
      name: 'deltas',
      sli: { kind: 'latency', histogram: counter('d', {}), thresholdSeconds: 1 },
    }),
  ];
  await server.stop();
  server = await TestServer.start(NOON_MS, slos);
  const exponential = (
    name: string,
    aggregationTemporality: number,
    counts: number[],
    tMs: number,
    startMs: number,
  ): object => ({
    name,
    exponentialHistogram: {
      aggregationTemporality,
      dataPoints: [
        {
          timeUnixNano: nanos(tMs),
          startTimeUnixNano: nanos(startMs),
          count: String(counts.reduce((a, b) => a + b)),
          positive: { offset: -1, bucketCounts: counts.map(String) },
        },
      ],
    },
  });
  const at = (minute: number): object => {
    const tMs = NOON_MS + minute * 60_000;
    return request([
      counterMetric('requests', [point(tMs, 100 + 10 * minute, { code: '200' }, NOON_MS - 1)]),
      exponential('e', 2, [5 + 2 * minute, 1 + minute], tMs, NOON_MS - 1),
      exponential('d', DELTA, [2, 1], tMs, tMs - 60_000),
    ]);
  };
  for (const minute of [0, 1]) {
    server.nowMs = NOON_MS + minute * 60_000;
    expect(await (await post(bodyOf(at(minute), 'protobuf'))).text()).toBe('');
  }
  await server.service.snapshot();
  server.nowMs = NOON_MS + 2 * 60_000;
  await post(bodyOf(at(2), 'protobuf'));
  const states = async (): Promise<SloState[]> => {
    const { slos: all } = await server.json<{ slos: SloState[] }>('/api/v1/slos');
    // Alerts are judged by the tick, and a start is one.
    return all.map((state) => ({ ...state, alerts: [] }));
  };
  server.nowMs += 5_000;
  const before = await states();
  await server.restart();
  expect(await states()).toEqual(before);
  await post(bodyOf(at(2), 'protobuf'));
  expect(await states()).toEqual(before);
  expect(before.map(({ name, events: { good, bad } }) => [name, good, bad])).toEqual([
    ['availability', 20, 0],
    ['latency', 4, 2],
    ['deltas', 6, 3],
  ]);
});

test('OTLP is counted by itself', async () => {
  await post(bodyOf(deltas({ 200: 10, 500: 1 }), 'protobuf'));
  const text = await (await server.get('/metrics')).text();
  expect(text).toContain('slipstream_samples_accepted_total{protocol="otlp"} 2\n');
  expect(text).toContain('slipstream_http_requests_total{route="/v1/metrics",code="200"} 1\n');
});
