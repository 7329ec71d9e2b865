import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const MINUTE_MS = 60_000;

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(NOON_MS);
});

afterEach(() => server.stop());

async function events(): Promise<SloState['events']> {
  server.nowMs += 5_000;
  return (await server.json<SloState>('/api/v1/slos/api/availability')).events;
}

/** The value of one series of /metrics. */
async function metric(series: string): Promise<number> {
  const lines = (await (await server.get('/metrics')).text()).split('\n');
  const line = lines.find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? Number.NaN);
}

function body(counts: Record<string, number>, timestampMs = NOON_MS): Uint8Array {
  return compress(encodeWriteRequest(scrape(timestampMs, counts)));
}

test('what is written can be read, on both paths', async () => {
  expect((await server.post(body({ 200: 100, 500: 0 }))).status).toBe(204);
  server.nowMs += 15_000;
  const second = await server.post(body({ 200: 150, 500: 2 }, NOON_MS + 15_000), {}, '/api/v1/push?tenant=any');
  expect([second.status, await second.text()]).toEqual([204, '']);
  expect(await events()).toEqual({ good: 50, bad: 2, total: 52 });
});

test('the first error of a new series counts, and a retry of a request changes nothing', async () => {
  await server.post(body({ 200: 100 }));
  server.nowMs += 15_000;
  for (let i = 0; i < 3; i++) {
    expect((await server.post(body({ 200: 150, 500: 1 }, NOON_MS + 15_000))).status).toBe(204);
  }
  expect(await events()).toEqual({ good: 50, bad: 1, total: 51 });
  expect(await metric('slipstream_samples_ignored_total{protocol="remote_write_1",reason="duplicate"}')).toBe(4);
});

test('a request without series is a greeting, and is answered 204', async () => {
  expect((await server.post(Uint8Array.of(0))).status).toBe(204);
});

test('headers are read as HTTP means them', async () => {
  const accepted = async (headers: Record<string, string>) => {
    expect((await server.post(body({ 200: 1 }), headers)).status, JSON.stringify(headers)).toBe(204);
  };
  await accepted({ 'content-type': 'Application/X-Protobuf' });
  await accepted({ 'content-type': 'application/x-protobuf; proto="prometheus.WriteRequest"' });
  await accepted({ 'content-encoding': 'SNAPPY' });
});

/** A request that is refused as a whole: with the status and the text, nothing applied, and the server goes on. */
async function refused(
  what: Promise<Response>,
  status: number,
  text: string | RegExp,
  headers: Record<string, string> = {},
): Promise<void> {
  const response = await what;
  const got = await response.text();
  expect(response.status, got).toBe(status);
  if (typeof text === 'string') expect(got).toBe(`${text}\n`);
  else expect(got).toMatch(text);
  expect(got.length).toBeLessThanOrEqual(1024);
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value);
  expect(await metric('slipstream_samples_received_total{protocol="remote_write_1"}')).toBe(0);
  expect((await server.get('/-/ready')).status).toBe(200);
}

test('a bad body is refused with a reason, and nothing of it is applied', async () => {
  const good = body({ 200: 100, 500: 1 });
  const plain = encodeWriteRequest(scrape(NOON_MS, { 200: 100, 500: 1 }));
  const bad = (bytes: Uint8Array | string, text: string | RegExp) => refused(server.post(bytes), 400, text);

  await bad(new Uint8Array(), 'empty_body: the body is empty; a write request without series is the single byte 00');
  await bad(good.subarray(0, good.length - 5), /^malformed_snappy: /);
  await bad(
    good.with(good.length - 3, good[good.length - 3]! ^ 0xff).subarray(0, good.length - 1),
    /^malformed_snappy: /,
  );
  await bad(plain, /^malformed_snappy: |^decoded_too_large: /);
  await bad('not snappy at all', /^malformed_snappy: /);
  await bad(compress(plain.subarray(0, plain.length - 3)), /^malformed_protobuf: /);
  await bad(compress(new TextEncoder().encode('hello, this is text')), /^malformed_protobuf: /);
  await bad(Uint8Array.of(0x01, 0xfc, 0, 0, 0, 0x80, 0, 0), /^malformed_snappy: /);
});

test('a huge length is refused before anything is allocated', async () => {
  const declared = (...bytes: number[]) => refused(server.post(Uint8Array.from(bytes)), 413, /^decoded_too_large: /);
  await declared(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00);
  await declared(0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 0x61);
  const manySeries = compress(encodeWriteRequest(Array.from({ length: 1001 }, () => ({ labels: [], samples: [] }))));
  await refused(server.post(manySeries), 413, /^too_many_series: /);
});

test('another content type or encoding is refused with what to send instead', async () => {
  const type = (value: string) =>
    refused(
      server.post(body({ 200: 1 }), { 'content-type': value }),
      415,
      `unsupported_media_type: the content type ${value} is not read here: send application/x-protobuf, remote write 1.0 or 2.0`,
    );
  await type('application/json');
  await type('application/x-protobuf;proto=io.prometheus.write.v3.Request');
  await refused(
    server.post(body({ 200: 1 }), { 'content-encoding': 'gzip' }),
    415,
    'unsupported_encoding: the content encoding gzip is not read here: send snappy (block format)',
  );
});

test('another method is refused, naming the one that is taken', async () => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const answer = fetch(`${server.service.url}/api/v1/write`, { method });
    const text = `method_not_allowed: /api/v1/write takes POST, not ${method}`;
    await refused(answer, 405, text, { allow: 'POST' });
  }
});

test('a body over the limit is refused, whether it says its length or not', async () => {
  const tooLarge = new Uint8Array(1_000_001);
  const text = 'body_too_large: the body has more than 1000000 bytes';
  await refused(server.post(tooLarge), 413, text);
  const chunks = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 11; i++) controller.enqueue(new Uint8Array(100_000));
      controller.close();
    },
  });
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const init = { method: 'POST', body: chunks, headers, duplex: 'half' } as RequestInit;
  await refused(fetch(`${server.service.url}/api/v1/write`, init), 413, text);
});

function raw(): Promise<Socket> {
  const { hostname, port } = new URL(server.service.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
  });
}

test('a client that hangs up in the middle of a body leaves nothing behind', async () => {
  const socket = await raw();
  const bytes = body({ 200: 100 });
  socket.write(`POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  socket.write(bytes.subarray(0, 10));
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  expect((await server.post(body({ 200: 1 }))).status).toBe(204);
  expect(await metric('slipstream_samples_received_total{protocol="remote_write_1"}')).toBe(1);
});

/** Sends headers that ask for leave, and tells whether it was given. */
function askingForLeave(headers: Record<string, string>, bytes: Uint8Array): Promise<[status: number, leave: boolean]> {
  return new Promise((resolve, reject) => {
    let leave = false;
    const request = httpRequest(`${server.service.url}/api/v1/write`, {
      method: 'POST',
      headers: { ...headers, 'content-length': bytes.length, expect: '100-continue' },
    });
    request.on('continue', () => {
      leave = true;
      request.end(bytes);
    });
    request.on('response', (response) => {
      response.resume();
      resolve([response.statusCode!, leave]);
      request.destroy();
    });
    request.on('error', (error) => reject(error));
    request.flushHeaders();
  });
}

test('Expect: 100-continue is answered before the body is sent', async () => {
  const type = { 'content-type': 'application/x-protobuf' };
  expect(await askingForLeave(type, body({ 200: 1 }))).toEqual([204, true]);
  expect(await askingForLeave({ 'content-type': 'text/plain' }, body({ 200: 1 }))).toEqual([415, false]);
  expect(await askingForLeave(type, new Uint8Array(1_000_001))).toEqual([413, false]);
});

test('bytes that are not HTTP are answered and the connection is closed', async () => {
  const socket = await raw();
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes;
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write('\x16\x03\x01\x02\x00\x01\x00\r\n\r\n');
  await closed;
  expect(answer).toContain('HTTP/1.1 400 Bad Request');
  expect(answer).toContain('{"error":{"code":"bad_request","message":"this is not HTTP/1.1"}}');
});

test('samples that cannot be used are named, and all others of the request are applied', async () => {
  await server.post(body({ 200: 100 }));
  server.nowMs += 15_000;
  const tMs = NOON_MS + 15_000;
  const future = NOON_MS + 60 * MINUTE_MS;
  const response = await server.write([
    ...scrape(tMs, { 200: 130 }),
    ...scrape(future, { 404: 7 }, 'b'),
    { labels: [['job', 'api']], samples: [{ timestampMs: tMs, value: 1 }] },
    {
      labels: [
        ['__name__', 'requests'],
        ['code', '1'],
        ['code', '2'],
      ],
      samples: [
        { timestampMs: tMs, value: 1 },
        { timestampMs: tMs + 1, value: 2 },
      ],
    },
  ]);
  expect(response.status).toBe(400);
  expect(await response.text()).toBe(
    '4 of 5 samples rejected: 1 missing_metric_name, 2 duplicate_label, 1 too_new; all others were applied\n' +
      'too far in the future, 2026-01-01T13:00:00.000Z: requests{code="404", instance="b", job="api"}\n' +
      'no metric name: {job="api"}\n' +
      'label "code" is repeated: requests{code="1", code="2"}\n',
  );
  expect(await events()).toEqual({ good: 30, bad: 0, total: 30 });
  expect(await metric('slipstream_samples_received_total{protocol="remote_write_1"}')).toBe(6);
  expect(await metric('slipstream_samples_accepted_total{protocol="remote_write_1"}')).toBe(2);
});

test('an answer has at most 1,024 bytes, however much is wrong', async () => {
  const bad = Array.from({ length: 50 }, (_, i) => ({
    labels: [['x', `${i} ${'ü'.repeat(400)}`] as const],
    samples: [{ timestampMs: NOON_MS, value: 1 }],
  }));
  const text = await (await server.write(bad)).text();
  expect(text).toMatch(/^50 of 50 samples rejected: 50 missing_metric_name; /);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024);
  expect(text).not.toContain('\ufffd');
});

test('a sender that is refused again and again has one line of the log', async () => {
  for (let i = 0; i < 5; i++) await server.post('no');
  const refusals = () => server.log.filter(({ code }) => code !== undefined);
  expect(refusals()).toHaveLength(1);
  expect(refusals()[0]).toMatchObject({ code: 'malformed_snappy', status: 400, suppressed: 0 });
  server.nowMs += 10_000;
  await server.post('no');
  expect(refusals()[1]).toMatchObject({ suppressed: 4 });
});

test('what was acknowledged is there after a restart, and writing goes on', async () => {
  await server.post(body({ 200: 100, 500: 0 }));
  server.nowMs += 15_000;
  await server.post(body({ 200: 150, 500: 2 }, NOON_MS + 15_000));
  await server.restart();
  expect(await events()).toEqual({ good: 50, bad: 2, total: 52 });
  server.nowMs = NOON_MS + 30_000;
  expect((await server.post(body({ 200: 160, 500: 3 }, NOON_MS + 30_000))).status).toBe(204);
  expect(await events()).toEqual({ good: 60, bad: 3, total: 63 });
});

test('a server that is going away finishes what has begun and sends new requests away', async () => {
  const socket = await raw();
  let answer = '';
  socket.on('data', (bytes) => {
    answer += bytes;
  });
  const hungUp = new Promise((resolve) => socket.on('close', resolve));
  const bytes = body({ 200: 100 });
  socket.write(`POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closed = server.service.close();
  socket.write(bytes);
  await Promise.all([closed, hungUp]);
  expect(answer).toContain('HTTP/1.1 204 No Content');
  expect(answer).toContain('Connection: close');
  await expect(server.get('/-/ready')).rejects.toThrow();
});
