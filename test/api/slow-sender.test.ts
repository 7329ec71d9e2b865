import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { serverOptions } from '../../src/api/connections.ts';
import { SlowSenders } from '../../src/api/slow-sender.ts';
import type { SloState } from '../../src/engine/state.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
/** Between the bytes of a slow client. */
const PAUSE_MS = 20;

let server: TestServer;
let sockets: Socket[];

beforeEach(async () => {
  const limits = { headTimeoutMs: 200, sendingBytesPerSecondMin: 1024, sendingPeriodMs: 200, connectionsMax: 20 };
  const address = { host: '127.0.0.1', port: 0 };
  server = await TestServer.start(NOON_MS, undefined, limits, {
    http: address,
    grpc: null,
    promoteResourceAttributes: [],
  });
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.stop();
});

/** Begins with a text, goes on byte by byte, and says what it was answered when the server hangs up. */
function slow(begin: string, url = server.service.url): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(port), hostname);
    sockets.push(socket);
    const timer = setInterval(() => socket.write('x'), PAUSE_MS);
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      resolve(answer);
    });
    socket.write(begin);
  });
}

const metric = async (name: string): Promise<string | undefined> =>
  (await (await server.get('/metrics')).text()).split('\n').find((line) => line.startsWith(`${name} `));

/** A scrape more of a client that takes no time. */
async function served(step: number): Promise<void> {
  server.nowMs += 15_000;
  expect((await server.write(scrape(server.nowMs, { 200: 100 + 50 * step, 500: 2 * step }))).status).toBe(204);
  server.nowMs += 5_000;
  const { events } = await server.json<SloState>('/api/v1/slos/api/availability');
  expect(events).toEqual({ good: 50 * step, bad: 2 * step, total: 52 * step });
}

const post = (path: string, more = '') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100000\r\n${more}\r\n`;

test('who sends a body byte by byte is cut off, and everybody else is served meanwhile', async () => {
  const otlpUrl = `http://127.0.0.1:${server.service.otlp.httpPort}`;
  const attacks = [
    slow(post('/api/v1/write')),
    slow(post('/v1/metrics')),
    slow(post('/v1/metrics'), otlpUrl),
    slow(post('/api/v1/events').replace('x-protobuf', 'json')),
    // A burst in the beginning buys no time.
    slow(post('/api/v1/write') + 'x'.repeat(90_000)),
    slow(post('/api/v1/write').replace('Content-Length: 100000', 'Transfer-Encoding: chunked')),
  ];
  await served(0);
  const asked = slow(post('/api/v1/write', 'Expect: 100-continue\r\n'));
  for (const answer of await Promise.all(attacks)) expect(answer).not.toMatch(/ 20\d /);
  expect(await asked).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  await served(1);
  expect(await metric('slipstream_inflight_bytes')).toBe('slipstream_inflight_bytes 0');
});

test('a body that was refused and is not ended is cut off, too', async () => {
  const answer = await slow(post('/api/v1/write').replace('x-protobuf', 'nothing'));
  expect(answer).toMatch(/^HTTP\/1.1 415 /);
  await served(0);
});

test('who sends the head of a request byte by byte, or nothing at all, is cut off', async () => {
  const heads = [slow('POST /api/v1/write HTTP/1.1\r\nHost: '), slow('')];
  await served(0);
  for (const answer of await Promise.all(heads)) expect(answer).not.toMatch(/ 20\d /);
  await served(1);
});

test('connections that are cut off make room for others', async () => {
  const attacks = Array.from({ length: 40 }, () => slow(post('/api/v1/write')));
  await Promise.all(attacks);
  await served(0);
});

test('more connections than there may be are closed at once', async () => {
  await server.stop();
  server = await TestServer.start(NOON_MS, undefined, { connectionsMax: 5 });
  const { hostname, port } = new URL(server.service.url);
  const idle = (): Promise<Socket> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname, () => resolve(socket));
      sockets.push(socket);
      socket.on('error', () => {});
    });
  await Promise.all(Array.from({ length: 5 }, idle));
  const more = await idle();
  await new Promise((resolve) => more.on('close', resolve));
  expect(more.bytesRead).toBe(0);
  for (const socket of sockets) socket.destroy();
  const isReady = () =>
    server.get('/-/ready').then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) await new Promise((turn) => setTimeout(turn, 5));
  await served(0);
});

test('what comes fast enough, has ended or is forgotten is left alone', async () => {
  const limits = { bytesPerSecondMin: 1_000, periodMs: 50 };
  const slowSenders = new SlowSenders(limits);
  const cut: string[] = [];
  const sending = (name: string, bytesAPeriod: number, isOver = false) => {
    let received = 0;
    const each = {
      // Whoever asks is the end of a period.
      get received() {
        received += bytesAPeriod;
        return received;
      },
      isOver,
      cut: () => {
        cut.push(name);
        slowSenders.stop();
      },
    };
    slowSenders.watch(each, each);
    return each;
  };
  sending('fast', 50);
  sending('over', 0, true);
  const forgotten = sending('forgotten', 0);
  sending('slow', 49);
  slowSenders.forget(forgotten);
  while (cut.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(cut).toEqual(['slow']);
  expect(slowSenders.cut).toBe(1);
});

test('the limits of a server are those of its configuration', () => {
  const slowSenders = new SlowSenders({ bytesPerSecondMin: 1, periodMs: 1_000 });
  const f = (headTimeoutMs: number, connectionsCheckingInterval: number, requestTimeout = 60_000) =>
    expect(serverOptions({ connectionsMax: 1, headTimeoutMs, idleTimeoutMs: 150_000, slowSenders })).toEqual({
      keepAliveTimeout: 150_000,
      headersTimeout: headTimeoutMs,
      requestTimeout,
      connectionsCheckingInterval,
    });
  f(10_000, 5_000);
  f(200, 100);
  f(90_000, 5_000, 90_000);
  slowSenders.stop();
});
