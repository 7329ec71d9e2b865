import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/config.ts';
import type { SloState } from '../../src/engine/state.ts';
import { bodyOf, counter as counterMetric, point, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { TestServer } from './server.ts';

/** What somebody who means harm can do to OTLP/gRPC below the messages: the server answers or hangs up, and serves the others. */

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const EXPORT = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
const RSS_GROWTH_BYTES_MAX = 200e6;
const MESSAGE_BYTES_MAX = 4_000_000;
const SLO = anSlo({
  sli: {
    kind: 'events',
    total: [counter('requests_total')],
    given: 'bad',
    selectors: [counter('requests_total', { code: /5../ })],
  },
});

let server: TestServer;
let sockets: Socket[];
let sessions: ClientHttp2Session[];
let step: number;
let rss: number;

async function start(limits: Partial<Config['limits']>): Promise<void> {
  const grpc = { host: '127.0.0.1', port: 0 };
  server = await TestServer.start(NOON_MS, [SLO], limits, { http: null, grpc, promoteResourceAttributes: [] });
}

beforeEach(async () => {
  sockets = [];
  sessions = [];
  step = 0;
  await start({ decodedBytesMax: MESSAGE_BYTES_MAX, sendingPeriodMs: 200, idleTimeoutMs: 2_000 });
  await goesOn();
  rss = process.memoryUsage().rss;
});

afterEach(async () => {
  await goesOn();
  expect(process.memoryUsage().rss - rss).toBeLessThan(RSS_GROWTH_BYTES_MAX);
  expect(server.log.filter(({ msg }) => String(msg).startsWith('BUG'))).toEqual([]);
  for (const socket of sockets) socket.destroy();
  for (const session of sessions) session.destroy();
  await inflight(0);
  await server.stop();
});

const same = (bytes: Buffer): Buffer => bytes;

/** Another client sends a scrape more, and it counts exactly what it counted. */
async function goesOn(): Promise<void> {
  server.nowMs += 15_000;
  const points = [
    point(server.nowMs, 1000 + 50 * step, { code: '200' }),
    point(server.nowMs, 2 * step, { code: '500' }),
  ];
  const client = new Client(`127.0.0.1:${server.service.otlp.grpcPort}`, credentials.createInsecure());
  const body = Buffer.from(bodyOf(request([counterMetric('requests', points)]), 'protobuf'));
  await new Promise<void>((resolve, reject) => {
    client.makeUnaryRequest(EXPORT, same, same, body, (error: ServiceError | null) =>
      error ? reject(error) : resolve(),
    );
  });
  client.close();
  server.nowMs += 5_000;
  const { events } = await server.json<SloState>('/api/v1/slos/api/availability');
  expect(events).toEqual({ good: 50 * step, bad: 2 * step, total: 52 * step });
  step++;
}

/** Until requests that are not answered hold so many bytes. */
async function inflight(bytes: number): Promise<void> {
  const line = `slipstream_inflight_bytes ${bytes}`;
  const text = async (): Promise<string[]> => (await (await server.get('/metrics')).text()).split('\n');
  for (let i = 0; i < 200 && !(await text()).includes(line); i++) await new Promise((turn) => setTimeout(turn, 10));
  expect(await text()).toContain(line);
}

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const CONTINUATION = 9;
const END_STREAM = 1;
const END_HEADERS = 4;

function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
/** HPACK without its table: POST, http, path, authority, content-type, te. */
const HEAD = Buffer.from([
  0x83,
  0x86,
  ...[0x04, ...text(EXPORT)],
  ...[0x01, ...text('x')],
  ...[0x0f, 0x10, ...text('application/grpc')],
  ...[0x00, ...text('te'), ...text('trailers')],
]);
const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]);

interface Frame {
  readonly type: number;
  readonly stream: number;
  readonly payload: Buffer;
}

interface Raw {
  readonly socket: Socket;
  /** All that came, when the server has hung up. */
  readonly closed: Promise<Frame[]>;
  readonly frames: () => Frame[];
}

/** A connection of HTTP/2 frames. */
function raw(...parts: Uint8Array[]): Raw {
  const socket = connect(server.service.otlp.grpcPort!, '127.0.0.1');
  let received = Buffer.alloc(0);
  sockets.push(socket);
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    received = Buffer.concat([received, bytes]);
  });
  for (const part of parts) socket.write(part);
  const frames = (): Frame[] => {
    const all: Frame[] = [];
    for (let at = 0; at + 9 <= received.length; ) {
      const length = received.readUIntBE(at, 3);
      const payload = received.subarray(at + 9, at + 9 + length);
      all.push({ type: received[at + 3]!, stream: received.readUInt32BE(at + 5), payload });
      at += 9 + length;
    }
    return all;
  };
  const closed = new Promise<Frame[]>((resolve) => socket.on('close', () => resolve(frames())));
  return { socket, closed, frames };
}

/** Writes until the server hangs up, and returns how many bytes it took for that. */
async function flood({ socket, closed }: Raw, make: (i: number) => Uint8Array, countMax: number): Promise<number> {
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  let i = 0;
  for (; i < countMax && !isClosed; i++) {
    if (!socket.write(make(i))) await new Promise((turn) => setTimeout(turn, 0));
  }
  return i;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((turn) => setTimeout(turn, 5));
}

/** A call by hand: the status and the message it was answered; null when its stream or its connection was closed. */
function call(parts: readonly Uint8Array[], headers: Record<string, string> = {}, end = true) {
  const session = connectHttp2(`http://127.0.0.1:${server.service.otlp.grpcPort}`);
  sessions.push(session);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': EXPORT,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  const answer = new Promise<[status: string, message: string] | null>((resolve) => {
    const told = (fields: Record<string, unknown>): void => {
      if (fields['grpc-status'] !== undefined)
        resolve([String(fields['grpc-status']), decodeURI(String(fields['grpc-message'] ?? ''))]);
    };
    stream.on('response', told);
    stream.on('trailers', told);
    stream.on('error', () => {});
    stream.on('close', () => resolve(null));
    session.on('close', () => resolve(null));
  });
  stream.resume();
  for (const part of parts) stream.write(part);
  if (end) stream.end();
  return { stream, answer };
}

/** A message with its length in front, or another length. */
function message(body: Uint8Array, { length = body.length, flag = 0 } = {}): Buffer {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, body]);
}

test('a header block that never ends', async () => {
  const attack = raw(PREFACE, frame(HEADERS, END_STREAM, 1, HEAD));
  const block = frame(
    CONTINUATION,
    0,
    1,
    Buffer.concat(Array.from({ length: 100 }, () => Buffer.from([0x00, ...text('a'), ...text('b'.repeat(100))]))),
  );
  expect(await flood(attack, () => block, 10_000)).toBeLessThan(10_000);
  expect((await attack.closed).some(({ type }) => type === HEADERS)).toBe(false);
});

test('header blocks that are too large, each for itself', async () => {
  const many = Buffer.concat([
    HEAD,
    ...Array.from({ length: 100 }, (_, i) => Buffer.from([0x00, ...text(`k${i}`), ...text('v'.repeat(120))])),
  ]);
  const attack = raw(PREFACE);
  for (let i = 0; i < 500; i++) attack.socket.write(frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, many));
  const big = call([message(new Uint8Array())], { big: 'x'.repeat(60_000), bigger: 'x'.repeat(60_000) });
  expect(await big.answer).toBeNull();
});

test('calls that are reset as soon as they begin', async () => {
  const attack = raw(PREFACE);
  const cancel = Buffer.from([0, 0, 0, constants.NGHTTP2_CANCEL]);
  const reset = (i: number): Buffer =>
    Buffer.concat([frame(HEADERS, END_HEADERS, 2 * i + 1, HEAD), frame(RST_STREAM, 0, 2 * i + 1, cancel)]);
  await flood(attack, reset, 5_000);
  await until(() => attack.frames().some(({ type }) => type === GOAWAY));
  await goesOn();
  await attack.closed;
});

test('more calls at a time than one connection may have', async () => {
  const attack = raw(PREFACE);
  for (let i = 0; i < 150; i++) attack.socket.write(frame(HEADERS, END_HEADERS, 2 * i + 1, HEAD));
  await until(() => attack.frames().filter(({ type }) => type === RST_STREAM).length >= 50);
  const refused = attack.frames().filter(({ type }) => type === RST_STREAM);
  expect(refused.every(({ payload }) => payload.readUInt32BE(0) === constants.NGHTTP2_REFUSED_STREAM)).toBe(true);
  const made = await flood(attack, (i) => frame(HEADERS, END_HEADERS, 2 * (150 + i) + 1, HEAD), 100_000);
  expect(made).toBeLessThan(100_000);
  await attack.closed;
});

test('pings and settings without end, whose answers nobody reads', async () => {
  for (const each of [frame(PING, 0, 0, Buffer.alloc(8)), frame(SETTINGS, 0, 0)]) {
    const attack = raw(PREFACE);
    attack.socket.pause();
    const burst = Buffer.concat(Array.from({ length: 1_000 }, () => each));
    await flood(attack, () => burst, 1_000);
    await goesOn();
    attack.socket.destroy();
  }
});

test('bytes that are no HTTP/2', async () => {
  const attacks = [raw(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')), raw(PREFACE, Buffer.alloc(100, 0xff))];
  for (const attack of attacks) await attack.closed;
});

test('a connection that says nothing, half of its first line, or its message byte by byte', async () => {
  const silent = raw();
  const half = raw(PREFACE.subarray(0, 10));
  const slow = call([message(new Uint8Array(100), { length: 100_000 })], {}, false);
  const timer = setInterval(() => slow.stream.write('x'), 20);
  await goesOn();
  expect(await slow.answer).toBeNull();
  clearInterval(timer);
  await Promise.all([silent.closed, half.closed]);
});

test('a message that is too large, or says so, is refused before it is there', async () => {
  const says = call([message(new Uint8Array(10), { length: 2 ** 32 - 1 })], {}, false);
  expect(await says.answer).toEqual(['8', `Received message larger than max (${2 ** 32 - 1} vs ${MESSAGE_BYTES_MAX})`]);
  const is = call([message(new Uint8Array(MESSAGE_BYTES_MAX + 1))]);
  expect((await is.answer)?.[0]).toBe('8');
});

test('a client that goes on after it was refused is not listened to', async () => {
  const attack = raw(
    PREFACE,
    frame(HEADERS, END_HEADERS, 1, HEAD),
    frame(DATA, 0, 1, Buffer.from([0, 0xff, 0xff, 0xff, 0xff])),
  );
  await until(() => attack.frames().some(({ type, stream }) => type === RST_STREAM && stream === 1));
  await inflight(0);
});

test('compressed messages are counted as they grow, and bombs do not go off', async () => {
  const gzip = { 'grpc-encoding': 'gzip' };
  const bomb = gzipSync(new Uint8Array(100_000_000));
  const inner = gzipSync(bomb);
  const attacks = Array.from({ length: 50 }, () => call([message(bomb, { flag: 1 })], gzip).answer);
  for (const answer of await Promise.all(attacks)) {
    expect(answer).toEqual([
      '8',
      `decoded_too_large: the decompressed body would have more than ${MESSAGE_BYTES_MAX} bytes`,
    ]);
  }
  const f = async (body: Uint8Array, headers: Record<string, string>, expected: [string, string | RegExp]) => {
    const [status, details] = (await call([message(body, { flag: 1 })], headers).answer)!;
    expect([status, details]).toEqual([expected[0], expect.stringMatching(expected[1])]);
  };
  await f(inner, gzip, ['3', /^malformed_protobuf: /]);
  await f(gzipSync('x').subarray(0, 15), gzip, ['3', /^malformed_gzip: /]);
  await f(deflateSync('x'), { 'grpc-encoding': 'deflate' }, ['3', /^unsupported_otlp_encoding: /]);
  await f(deflateSync('x'), { 'grpc-encoding': 'zstd' }, ['3', /^unsupported_otlp_encoding: /]);
});

test('what a message has brought so far is counted, and given back when its client goes away', async () => {
  const part = call([message(new Uint8Array(1_000_000), { length: 2_000_000 })], {}, false);
  await inflight(4096 + 1_000_005);
  part.stream.session!.destroy();
  await inflight(0);
});

test('a call that there is no room for is refused before its message, and in the middle of it', async () => {
  await server.stop();
  await start({
    decodedBytesMax: 100_000,
    bodyBytesMax: 100_000,
    jsonBytesMax: 100_000,
    inflightBytesMax: 1,
    sendingPeriodMs: 60_000,
  });
  step = 0;
  await goesOn();
  // Together calls may hold twice what one may, and 4 KiB.
  const held = call([message(new Uint8Array(90_000), { length: 100_000 })], {}, false);
  const second = call([message(new Uint8Array(90_000), { length: 100_000 })], {}, false);
  await inflight(2 * (4_096 + 90_005));
  const third = call([], {}, false);
  await inflight(3 * 4_096 + 2 * 90_005);
  third.stream.write(message(new Uint8Array(20_000)));
  const [status, details] = (await third.answer)!;
  expect([status, details]).toEqual([
    '14',
    expect.stringMatching(/^overloaded: requests would hold \d+ bytes, more than 204096; try again$/),
  ]);
  for (const { stream } of [held, second]) stream.write(new Uint8Array(7_000));
  await inflight(2 * (4_096 + 97_005));
  const fourth = call([], {}, false);
  expect((await fourth.answer)![0]).toBe('14');
  for (const { stream } of [held, second]) stream.session!.destroy();
  await inflight(0);
});

test('more connections than there may be', async () => {
  await server.stop();
  await start({ connectionsMax: 5, sendingPeriodMs: 60_000 });
  step = 0;
  const first = Array.from({ length: 5 }, () => raw(PREFACE));
  await until(() => first.every(({ frames }) => frames().length > 0));
  const more = Array.from({ length: 20 }, () => raw(PREFACE));
  for (const { closed } of more) expect(await closed).toEqual([]);
  for (const { socket } of first) socket.destroy();
  await until(() => first.every(({ socket }) => socket.closed));
});

test('a server ends although connections have not begun, and calls have not ended', async () => {
  const silent = raw();
  const idle = raw(PREFACE);
  await until(() => idle.frames().length > 0 && silent.socket.readyState === 'open');
  await server.restart();
  await Promise.all([silent.closed, idle.closed]);
  // Of a new process, whose other client begins anew.
});
