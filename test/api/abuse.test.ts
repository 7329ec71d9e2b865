import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';
import {
  doubleBytes,
  fixed64Field,
  label,
  lengthDelimited,
  sample,
  series,
  varint,
  varintField,
} from '../ingest/wire-writer.ts';
import { bodyOf, counter as counterMetric, nanos, point, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

/** What somebody who means harm can send. After each attempt the server answers, and its numbers are right. */

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const ANSWER_BYTES_MAX = 1024;
/** Of an attack: none may hold the event loop. */
const ATTACK_MS_MAX = 2_000;

const PROTOBUF = { 'content-type': 'application/x-protobuf' };
const PROTOBUF_2 = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
const JSON_TYPE = { 'content-type': 'application/json' };

let server: TestServer;
let step: number;

beforeEach(async () => {
  const victim = anSlo({
    id: 'api/victim',
    name: 'victim',
    groupBy: ['constructor'],
    sli: {
      kind: 'events',
      total: [counter('victim', {})],
      given: 'bad',
      selectors: [counter('victim', { code: /5../ })],
    },
  });
  const latency = anSlo({
    id: 'api/latency',
    name: 'latency',
    sli: { kind: 'latency', histogram: counter('seconds', {}), thresholdSeconds: 1 },
  });
  server = await TestServer.start(NOON_MS, [anSlo(), victim, latency]);
  step = 0;
});

afterEach(async () => {
  await goesOn();
  expect(server.log.filter(({ msg }) => String(msg).startsWith('BUG'))).toEqual([]);
  await server.stop();
});

/** A scrape more of the SLO that nobody attacks: it counts exactly what it counted, on every path. */
async function goesOn(): Promise<void> {
  server.nowMs += 15_000;
  const counts = { 200: 1000 + 50 * step, 500: 2 * step };
  expect((await server.post(compress(encodeWriteRequest(scrape(server.nowMs, counts))))).status).toBe(204);
  server.nowMs += 5_000;
  const { events } = await server.json<SloState>('/api/v1/slos/api/availability');
  expect(events).toEqual({ good: 50 * step, bad: 2 * step, total: 52 * step });
  step++;
}

type Send = (bytes: Uint8Array | readonly number[] | string, headers?: Record<string, string>) => Promise<Response>;

const asBody = (bytes: Uint8Array | readonly number[] | string): Uint8Array | string =>
  typeof bytes === 'string' ? bytes : Uint8Array.from(bytes);

const rw1: Send = (bytes) => server.post(compress(asBody(bytes) as Uint8Array));
const rw2: Send = (bytes) => server.post(compress(asBody(bytes) as Uint8Array), PROTOBUF_2);
const snappy: Send = (bytes) => server.post(asBody(bytes));
const otlp: Send = (bytes, headers = {}) => post('/v1/metrics', { ...PROTOBUF, ...headers }, asBody(bytes));
const otlpJson: Send = (bytes, headers = {}) => post('/v1/metrics', { ...JSON_TYPE, ...headers }, asBody(bytes));
const pushed: Send = (bytes, headers = {}) => post('/api/v1/events', { ...JSON_TYPE, ...headers }, asBody(bytes));

function post(path: string, headers: Record<string, string>, body: Uint8Array | string): Promise<Response> {
  return fetch(server.service.url + path, { method: 'POST', headers, body });
}

/** An attack has this answer, soon and short, and leaves nothing behind. */
async function f(attack: Promise<Response>, status: number, text: string | RegExp = /^/): Promise<void> {
  const started = performance.now();
  const response = await attack;
  const got = await response.text();
  expect(performance.now() - started).toBeLessThan(ATTACK_MS_MAX);
  expect(response.status, got).toBe(status);
  expect(got).toMatch(text);
  // Beside its message, an answer of OTLP or of JSON has an envelope.
  expect(Buffer.byteLength(got)).toBeLessThanOrEqual(ANSWER_BYTES_MAX + 64);
  await goesOn();
}

const repeated = (bytes: readonly number[], times: number): Uint8Array =>
  Uint8Array.from({ length: bytes.length * times }, (_, i) => bytes[i % bytes.length]!);

test('a snappy bomb', async () => {
  await f(snappy([...varint(2 ** 32 - 1), 0]), 413, 'decoded_too_large');
  await f(snappy([...varint(2 ** 32), 0]), 400, 'malformed_snappy');
  await f(snappy([...varint(3_999_999), 0]), 400, 'malformed_snappy');
  await f(snappy([0x01, 0xfc, 0, 0, 0, 0x80, 0, 0]), 400, 'malformed_snappy');
  await f(rw1(new Uint8Array(4_000_001)), 413, 'decoded_too_large');
});

test('a gzip bomb, in one member or many, and garbage behind', async () => {
  const gzip = { 'content-encoding': 'gzip' };
  const member = gzipSync(new Uint8Array(3_000_000));
  const bomb = gzipSync(new Uint8Array(100_000_000));
  await f(otlp(bomb, gzip), 413, 'decoded_too_large');
  await f(otlp(Buffer.concat([member, member]), gzip), 413, 'decoded_too_large');
  await f(otlpJson(Buffer.concat([member, bomb]), gzip), 413, 'decoded_too_large');
  await f(otlp(gzipSync(bomb), gzip), 400, 'malformed_protobuf');
  const good = gzipSync('{}');
  await f(otlpJson(Buffer.concat([good, Buffer.alloc(1_000_000)]), gzip), 200, /^\{\}$/);
  await f(otlpJson(Buffer.concat([good, Buffer.from('garbage')]), gzip), 400, 'malformed_gzip');
  await f(otlpJson(Buffer.concat([good, Buffer.from([0x1f, 0x8b, 1])]), gzip), 400, 'malformed_gzip');
});

test('a compression that is not known', async () => {
  for (const encoding of ['zstd', 'deflate', 'br', 'gzip, gzip']) {
    const header = { 'content-encoding': encoding };
    await f(server.post('x', header), 415, 'unsupported_encoding');
    await f(otlp('x', header), 415, 'unsupported_otlp_encoding');
    await f(otlpJson('x', header), 415, 'unsupported_otlp_encoding');
  }
});

test('huge varints, lengths beyond the end and padded zeros', async () => {
  const endless = [...new Array(10).fill(0x80), 1];
  const tenth = [...new Array(9).fill(0xff), 2];
  const lengths = [endless, tenth, varint(2 ** 31), varint(2 ** 32 - 1), varint(2n ** 63n), [5], [0x80]];
  for (const length of lengths) {
    await f(rw1([0x0a, ...length]), 400, 'malformed_protobuf');
    await f(rw2([0x2a, ...length]), 400, 'malformed_protobuf');
    await f(otlp([0x0a, ...length]), 400, 'malformed_protobuf');
  }
  await f(rw1(lengthDelimited(1, [], 5)), 204);
});

test('groups and wire types that there are not', async () => {
  for (const wireType of [3, 4, 6, 7]) {
    for (const send of [rw1, rw2, otlp]) await f(send([8 + wireType, 1]), 400, 'malformed_protobuf');
    await f(rw1(lengthDelimited(1, [8 + wireType])), 400, 'malformed_protobuf');
  }
  await f(rw1(repeated([0x0b], 100_000)), 400, 'malformed_protobuf');
});

test('values nested in values', async () => {
  let value: number[] = lengthDelimited(1, 'x');
  for (let depth = 0; depth < 1_500; depth++) value = lengthDelimited(5, lengthDelimited(1, value));
  const attribute = lengthDelimited(1, [...lengthDelimited(1, 'k'), ...lengthDelimited(2, value)]);
  const response = await otlp(lengthDelimited(1, lengthDelimited(1, attribute)));
  expect([200, 400]).toContain(response.status);
  await goesOn();
});

test('a flood of empty messages', async () => {
  await f(rw1(repeated([0x0a, 0], 500_000)), 413, 'too_many_series');
  await f(rw2(repeated([0x2a, 0], 500_000)), 413, 'too_many_series');
  await f(rw1(lengthDelimited(1, repeated([0x12, 0], 500_000))), 413, 'too_many_samples');
  await f(rw1(lengthDelimited(1, repeated([0x0a, 0], 500_000))), 204);
  const points = lengthDelimited(
    1,
    lengthDelimited(2, lengthDelimited(2, lengthDelimited(7, repeated([0x0a, 0], 500_000)))),
  );
  await f(otlp(points), 413, 'too_many_samples');
  expect((await otlp(repeated([0x0a, 0], 500_000))).status).toBeLessThan(500);
  expect((await otlpJson(`{"resourceMetrics":[${'{},'.repeat(500_000)}{}]}`)).status).toBeLessThan(500);
});

test('a histogram that says to have more buckets than it has', async () => {
  const span = (offset: number, length: number): number[] => [...varintField(1, offset), ...varintField(2, length)];
  const histogram = (...fields: number[][]): number[] =>
    series(
      label('__name__', 'seconds'),
      lengthDelimited(4, [...varintField(1, 1), ...varintField(15, NOON_MS), ...fields.flat()]),
    );
  await f(rw1(histogram(lengthDelimited(11, span(0, 2 ** 32 - 1)), varintField(12, 2))), 400, 'invalid_histogram');
  await f(rw1(histogram(lengthDelimited(11, span(2 ** 32 - 1, 1)), varintField(12, 2))), 204);
  const counts = Array.from({ length: 9_000 }, () => '1');
  const point = {
    timeUnixNano: nanos(NOON_MS),
    count: '9000',
    scale: 20,
    positive: { offset: -(2 ** 31), bucketCounts: counts },
  };
  const metric = { name: 'seconds', exponentialHistogram: { aggregationTemporality: 2, dataPoints: [point] } };
  await f(otlp(bodyOf(request([metric]), 'protobuf')), 200, 'invalid_histogram');
});

test('a table of symbols that is large when it is written out', async () => {
  await f(rw2(repeated([0x22, 0], 1_900_000)), 413, 'too_many_symbols');
  const long = lengthDelimited(4, 'x'.repeat(900_000));
  const refs = lengthDelimited(5, lengthDelimited(1, repeated([1, 1], 500_000)));
  await f(rw2([...lengthDelimited(4, ''), ...long, ...refs]), 204);
  const one = [...lengthDelimited(1, repeated([1, 1], 50)), ...lengthDelimited(2, varintField(2, NOON_MS))];
  await f(
    rw2([...lengthDelimited(4, ''), ...long, ...repeated(lengthDelimited(5, one), 900)]),
    413,
    'decoded_too_large',
  );
  for (const bad of [[1], [9, 9], [0, 2 ** 31], [1, 2 ** 32 - 1]]) {
    const packed = lengthDelimited(
      1,
      bad.flatMap((ref) => varint(ref)),
    );
    const broken = lengthDelimited(5, [...packed, ...lengthDelimited(2, varintField(2, NOON_MS))]);
    await f(rw2([...lengthDelimited(4, ''), ...lengthDelimited(4, 'x'), ...broken]), 400, 'invalid_label_refs');
  }
});

const own = (labels: WireSeries['labels'], value = 1, timestampMs = server.nowMs): WireSeries => ({
  labels: [['__name__', 'victim'], ...labels],
  samples: [{ timestampMs, value }],
});

/** The same series by every way that carries labels. */
async function byEveryWay(labels: WireSeries['labels'], status: number, text: RegExp): Promise<void> {
  await f(rw1(encodeWriteRequest([own(labels)])), status, text);
  await f(rw2(encodeRequest2([own(labels)])), status, text);
  const attributes = labels.map(([key, value]) => ({ key, value: { stringValue: value } }));
  const points = [{ ...point(server.nowMs, 1), attributes }];
  const message = request([counterMetric('victim', points)]);
  const rejected = status === 204 ? /^(\{\})?$/ : text;
  await f(otlp(bodyOf(message, 'protobuf')), 200, rejected);
  await f(otlpJson(bodyOf(message, 'json')), 200, rejected);
}

test('more, longer and emptier labels than a series may have', async () => {
  const many = Array.from({ length: 65 }, (_, i) => [`l${i}`, 'x'] as const);
  await byEveryWay(many, 400, /label_limit/);
  await byEveryWay([['l'.repeat(1_025), 'x']], 400, /label_limit/);
  await byEveryWay([['l', 'x'.repeat(4_097)]], 400, /label_limit/);
  await f(rw1(encodeWriteRequest([own([['', 'x']])])), 400, 'empty_label_name');
});

test('labels that are twice there', async () => {
  await byEveryWay(
    [
      ['a', '1'],
      ['a', '2'],
    ],
    400,
    /duplicate_label/,
  );
});

test('text that is none', async () => {
  await byEveryWay([['a', 'x\0y']], 400, /invalid_utf8/);
  const raw = (value: number[]): number[] =>
    series(
      label('__name__', 'victim'),
      lengthDelimited(1, [...lengthDelimited(1, 'a'), ...lengthDelimited(2, value)]),
      sample(1, server.nowMs),
    );
  for (const value of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82]]) {
    await f(rw1(raw(value)), 400, 'invalid_utf8');
  }
  const text = JSON.stringify(request([counterMetric('victim', [point(server.nowMs, 1, { a: 'half' })])]));
  await f(otlpJson(text.replace('half', '\\ud800')), 200, 'invalid_utf8');
  await f(otlpJson(Buffer.from(text.replace('half', '\xff'), 'latin1')), 400, 'malformed_json');
  await f(pushed(Buffer.from('["\xff"]', 'latin1')), 400, 'malformed_json');
});

test('labels named as the parts of an object', async () => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    for (const value of ['__proto__', 'constructor', 'valueOf']) await byEveryWay([[name, value]], 204, /^$/);
  }
  await f(otlpJson('{"__proto__": {"resourceMetrics": 1}, "constructor": 2}'), 200, /^\{\}$/);
  const events = '[{"slo": "__proto__", "good": 1, "bad": 0}, {"__proto__": {"slo": "api/availability"}, "good": 1}]';
  await f(pushed(events), 400, 'invalid_events');
  const response = await server.get('/api/v1/slos/__proto__/constructor');
  expect(response.status).toBe(404);
  const { slos } = await server.json<{ slos: SloState[] }>('/api/v1/slos');
  expect(slos.length).toBeGreaterThan(1);
  expect(({} as Record<string, unknown>)['slo']).toBeUndefined();
});

test('times of another age', async () => {
  const at = (time: bigint): number[] =>
    series(
      label('__name__', 'victim'),
      lengthDelimited(2, [...fixed64Field(1, doubleBytes(7)), ...varintField(2, time)]),
    );
  const now = BigInt(server.nowMs);
  for (const time of [2n ** 63n - 1n, 2n ** 53n, now * 1_000_000n, now + 86_400_000n * 10n]) {
    await f(rw1(at(time)), 400, 'too_new');
  }
  for (const time of [-(2n ** 63n), -1n, 0n, 1n, -(2n ** 53n)]) {
    const response = await rw1(at(time));
    expect([204, 400], await response.text()).toContain(response.status);
    await goesOn();
  }
  for (const time of ['18446744073709551615', '9223372036854775808', '1']) {
    const message = request([counterMetric('victim', [{ timeUnixNano: time, asInt: '1' }])]);
    expect((await otlp(bodyOf(message, 'protobuf'))).status).toBe(200);
    await goesOn();
  }
});

test('a series as far ahead as one may be takes nothing from the others', async () => {
  const ahead = scrape(server.nowMs + 600_000, { 404: 7 });
  await f(rw1(encodeWriteRequest(ahead)), 204);
  for (let i = 0; i < 3; i++) await goesOn();
  await f(rw1(encodeWriteRequest(scrape(server.nowMs + 600_001, { 404: 7 }))), 400, 'too_new');
});

test('values at the edges of a double', async () => {
  const values = [-0, 1e308, 1.7e308, 5e-324, 1e308, -1e308, Number.MAX_VALUE, Number.NaN, Number.POSITIVE_INFINITY, 0];
  for (const value of values) {
    const response = await rw1(encodeWriteRequest([own([['code', '200']], value), own([['code', '500']], value)]));
    expect(response.status, await response.text()).toBe(204);
    await goesOn();
  }
  const state = await server.json<{ slos: SloState[] }>('/api/v1/slos');
  const numbers = JSON.stringify(state.slos).match(/null|-?\d[\d.e+-]*/g)!;
  expect(numbers.every((text) => text === 'null' || text.includes('-') || Number.isFinite(Number(text)))).toBe(true);
  expect((await server.get('/metrics')).status).toBe(200);
});

/** The answer to bytes of a connection of their own, which the server must end. */
function raw(...parts: (string | Uint8Array)[]): Promise<string> {
  const { hostname, port } = new URL(server.service.url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    for (const part of parts) socket.write(part);
    socket.end();
  });
}

const HEAD = 'POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n';

test('a length that is a lie, and bodies without an end', async () => {
  expect(await raw(`${HEAD}Content-Length: 100\r\n\r\n`, 'short')).not.toContain(' 204 ');
  const smuggled = 'the rest is another request\r\n\r\n';
  expect(await raw(`${HEAD}Content-Length: 1\r\n\r\n`, Uint8Array.of(0), smuggled)).toContain('HTTP/1.1 400 ');
  expect(await raw(`${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toContain(' 400 ');
  expect(await raw(`${HEAD}Content-Length: -1\r\n\r\n`)).toContain(' 400 ');
  expect(await raw(`${HEAD}Content-Length: 99999999999999\r\n\r\n`)).toMatch(/^(HTTP\/1.1 413 |HTTP\/1.1 400 )/);
  await goesOn();
  for (const path of ['/api/v1/write', '/v1/metrics', '/api/v1/events']) {
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 100_000;
        controller.enqueue(new Uint8Array(100_000));
      },
    });
    const headers = path === '/api/v1/events' ? JSON_TYPE : PROTOBUF;
    const init = { method: 'POST', headers, body, duplex: 'half' } as RequestInit;
    const status = await fetch(server.service.url + path, init).then(
      (response) => response.status,
      () => 'cut off',
    );
    expect([413, 'cut off']).toContain(status);
    expect(sent).toBeLessThan(40_000_000);
    await goesOn();
  }
});

test('a body that asks for leave is judged by its headers', async () => {
  const asking = (path: string, type: string, length: number): Promise<string> =>
    raw(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`,
    );
  expect(await asking('/api/v1/write', 'text/plain', 1)).toMatch(/^HTTP\/1.1 415 /);
  expect(await asking('/v1/metrics', 'text/plain', 1)).toMatch(/^HTTP\/1.1 415 /);
  expect(await asking('/v1/metrics', 'application/json', 2_000_001)).toMatch(/^HTTP\/1.1 413 /);
  expect(await asking('/v1/metrics', 'application/x-protobuf', 4_000_001)).toMatch(/^HTTP\/1.1 413 /);
});

test('brackets in brackets', async () => {
  const closed = (n: number): string => '['.repeat(n) + ']'.repeat(n);
  for (const text of ['['.repeat(900_000), closed(450_000), `{"a":`.repeat(150_000)]) {
    await f(otlpJson(text), 400, 'nested more than 100 deep');
    await f(pushed(text), 400, 'nested more than 100 deep');
    await f(otlpJson(gzipSync(text), { 'content-encoding': 'gzip' }), 400, 'nested more than 100 deep');
  }
});

test('an answer stays short, however much is wrong and whatever stands in it', async () => {
  const labels = (i: number): WireSeries['labels'] => [[`${i}\r\nSet-Cookie: x\u001b[31m${'ü'.repeat(300)}`, '\0']];
  const bad = Array.from({ length: 900 }, (_, i) => own(labels(i)));
  await f(rw1(encodeWriteRequest(bad)), 400, /^900 of 900 samples rejected/);
  await f(rw2(encodeRequest2(bad)), 400, /^900 of 900 samples rejected/);
  const points = bad.map(({ labels: [, [key, value] = ['', '']] }) => ({
    ...point(server.nowMs, 1),
    attributes: [{ key, value: { stringValue: value } }],
  }));
  const message = request([counterMetric('victim', points)]);
  await f(otlp(bodyOf(message, 'protobuf')), 200, /900 of 900 data points rejected/);
  const json = await otlpJson(bodyOf(message, 'json'));
  const { partialSuccess } = (await json.json()) as { partialSuccess: { errorMessage: string } };
  expect(Buffer.byteLength(partialSuccess.errorMessage)).toBeLessThanOrEqual(ANSWER_BYTES_MAX);
  expect(server.log.length).toBeLessThan(20);
});

test('a flood of HA clusters', async () => {
  const pairs = Array.from({ length: 900 }, (_, i) =>
    own([
      ['__replica__', 'a'],
      ['cluster', `c${i}`],
    ]),
  );
  await f(rw1(encodeWriteRequest(pairs)), 400, '800 ha_limit');
  await f(rw2(encodeRequest2(pairs)), 400, '800 ha_limit');
});

test('a flood of series, wanted or not', async () => {
  await goesOn();
  for (let round = 0; round < 12; round++) {
    const flood = Array.from({ length: 1_000 }, (_, i) => own([['constructor', `${round} ${i}`]]));
    const response = await rw1(encodeWriteRequest(flood));
    const text = await response.text();
    expect([204, 400], text).toContain(response.status);
    if (response.status === 400) expect(text).toContain('series_limit');
  }
});
