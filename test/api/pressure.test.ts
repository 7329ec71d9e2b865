import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { delayOf, Pressure, REQUEST_BYTES } from '../../src/api/pressure.ts';
import type { Config } from '../../src/config.ts';
import type { SloState } from '../../src/engine/state.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { type Service, startService } from '../../src/service.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { NOTHING_TO_READ, scrape, TEST_CONFIG } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const EXPORT = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
const EMPTY_EVENTS = '{"events":[]}';
const JSON_TYPE = { 'content-type': 'application/json' };

const BODY_BYTES_MAX = 40_000;
/** The least that a server may be told: one request of the largest kind. */
const INFLIGHT_BYTES_MAX = 2 * BODY_BYTES_MAX + REQUEST_BYTES;

let folder: string;
let service: Service;
let delayMs: number;
let nowMs: number;

async function start(limits: Partial<Config['limits']>): Promise<void> {
  const config: Config = {
    ...TEST_CONFIG,
    dataDir: folder,
    otlp: { ...TEST_CONFIG.otlp, grpc: { host: '127.0.0.1', port: 0 } },
    limits: { ...TEST_CONFIG.limits, eventLoopDelayMaxMs: 1_000, ...limits },
  };
  const logger = pino({ level: 'silent' });
  const clock = () => nowMs;
  service = await startService({
    config,
    slos: [anSlo()],
    reread: () => NOTHING_TO_READ,
    logger,
    clock,
    version: '1',
    loopDelayMs: () => delayMs,
  });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-pressure-'));
  delayMs = 0;
  nowMs = NOON_MS;
  const bytes = { bodyBytesMax: BODY_BYTES_MAX, decodedBytesMax: BODY_BYTES_MAX, jsonBytesMax: BODY_BYTES_MAX };
  await start({ ...bytes, inflightBytesMax: 1 });
});

afterEach(async () => {
  await service.close();
  rmSync(folder, { recursive: true });
});

function body(counts: Record<string, number>): Uint8Array {
  return compress(encodeWriteRequest(scrape(nowMs, counts)));
}

const SNAPPY = { 'content-encoding': 'snappy' };
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

function post(path: string, headers: Record<string, string>, bytes: Uint8Array | string): Promise<Response> {
  return fetch(service.url + path, { method: 'POST', headers, body: bytes });
}

/** What each of the ways to send says to a request that has nothing wrong. */
async function answers(): Promise<string[]> {
  const each = await Promise.all([
    post('/api/v1/write', { ...PROTOBUF, ...SNAPPY }, Uint8Array.of(0)),
    post('/v1/metrics', PROTOBUF, ''),
    post('/v1/metrics', JSON_TYPE, '{}'),
    post('/api/v1/events', JSON_TYPE, EMPTY_EVENTS),
  ]);
  const http = each.map((response) => [response.status, response.headers.get('retry-after')].join(' '));
  return [...http, await grpc()];
}

function grpc(): Promise<string> {
  const client = new Client(`127.0.0.1:${service.otlp.grpcPort}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(EXPORT, same, same, Buffer.alloc(0), (error: ServiceError | null) => {
      const hasHint = (error?.metadata.get('grpc-status-details-bin').length ?? 0) > 0;
      resolve(error === null ? '0' : `${error.code}${hasHint ? ' RetryInfo' : ''}`);
      client.close();
    });
  });
}

async function metric(series: string): Promise<number> {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );
}

const shed = (reason: string) => metric(`slipstream_requests_shed_total{reason="${reason}"}`);

const SENT_AWAY = ['503 5', '503 5', '503 5', '503 5', '14 RetryInfo'];

/** Nothing of what was sent away has left a trace, and the same requests do it now. */
async function goesOn(): Promise<void> {
  expect((await answers()).map((answer) => answer.split(' ')[0])).not.toContain('503');
  expect(await metric('slipstream_inflight_bytes')).toBe(0);
  for (const counts of [
    { 200: 100, 500: 0 },
    { 200: 150, 500: 2 },
  ]) {
    nowMs += 15_000;
    expect((await post('/api/v1/write', { ...PROTOBUF, ...SNAPPY }, body(counts))).status).toBe(204);
  }
  nowMs += 5_000;
  const state = (await (await fetch(`${service.url}/api/v1/slos/api/availability`)).json()) as SloState;
  expect(state.events).toEqual({ good: 50, bad: 2, total: 52 });
}

test('while the event loop lags, every way to send is told to come again later, and reading goes on', async () => {
  delayMs = 1_000.4;
  expect(await answers()).not.toContain('503 5');
  delayMs = 1_001;
  expect(await answers()).toEqual(SENT_AWAY);
  expect(await shed('event_loop_delay')).toBe(5);
  const refused = await post('/api/v1/write', { ...PROTOBUF, ...SNAPPY }, Uint8Array.of(0));
  expect(await refused.text()).toBe('overloaded: requests wait 1001 ms for their turn, more than 1000; try again\n');
  expect((await fetch(`${service.url}/-/ready`)).status).toBe(200);
  delayMs = 0;
  await goesOn();
});

test('while the journal waits for the disk, every way to send is told to come again later', async () => {
  await service.close();
  await start({ journalQueueBytesMax: -1 });
  expect(await answers()).toEqual(SENT_AWAY);
  expect(await shed('journal_queue')).toBe(5);
  await service.close();
  await start({});
  await goesOn();
});

/** Begins a request and sends so much of its body. */
async function begun(bytes: number, declared = bytes + 1): Promise<() => void> {
  const { hostname, port } = new URL(service.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(`POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: ${declared}\r\n\r\n`);
  socket.write(new Uint8Array(bytes));
  return () => socket.destroy();
}

async function untilInflight(bytes: number): Promise<void> {
  for (let i = 0; i < 500 && (await metric('slipstream_inflight_bytes')) !== bytes; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(await metric('slipstream_inflight_bytes')).toBe(bytes);
}

test('while other requests hold all the memory there is for them, every way to send is told to come again later', async () => {
  // Two that together leave less than a request needs.
  const half = INFLIGHT_BYTES_MAX / 2 - REQUEST_BYTES - 1_000;
  const hangUps = [await begun(half), await begun(half)];
  await untilInflight(INFLIGHT_BYTES_MAX - 2_000);
  expect(await answers()).toEqual(SENT_AWAY);
  expect(await shed('inflight_bytes')).toBe(5);
  for (const hangUp of hangUps) hangUp();
  await untilInflight(0);
  await goesOn();
});

test('a request is sent away before its body when it says that there is no room for it, and in the middle when it does not', async () => {
  const hangUps = [await begun(BODY_BYTES_MAX - 1), await begun(20_000)];
  await untilInflight(BODY_BYTES_MAX - 1 + 20_000 + 2 * REQUEST_BYTES);
  const headers = { ...PROTOBUF, ...SNAPPY };
  expect((await post('/api/v1/write', headers, new Uint8Array(30_000))).status).toBe(503);
  const endless = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(10_000));
    },
  });
  const init = { method: 'POST', headers, body: endless, duplex: 'half' } as RequestInit;
  await fetch(`${service.url}/api/v1/write`, init).then(
    (response) => expect(response.status).toBe(503),
    () => {},
  );
  const bomb = gzipSync(new Uint8Array(BODY_BYTES_MAX));
  expect((await post('/v1/metrics', { ...PROTOBUF, 'content-encoding': 'gzip' }, bomb)).status).toBe(503);
  expect(await shed('inflight_bytes')).toBe(3);
  for (const hangUp of hangUps) hangUp();
  await untilInflight(0);
  await goesOn();
});

test('what a request holds is given back once, whatever it adds afterwards', () => {
  const pressure = new Pressure({ inflightBytesMax: 10_000, loopDelayMaxMs: 1_000, loopDelayMs: () => 0 });
  const hold = pressure.admit(5_904);
  hold.add(5_904);
  expect(pressure.inflightBytes).toBe(10_000);
  expect(() => hold.add(1)).toThrow('requests would hold 10001 bytes, more than 10000; try again');
  expect(() => pressure.admit(0)).toThrow('requests would hold 14096 bytes, more than 10000; try again');
  hold.release();
  hold.release();
  hold.add(20_000);
  expect(pressure.inflightBytes).toBe(0);
  expect(pressure.shed.inflight_bytes).toBe(2);
});

test('the delay is what a request meets that comes at any instant', () => {
  const f = (intervalsMs: readonly number[], expected: number) => {
    const mean = intervalsMs.reduce((a, b) => a + b, 0) / intervalsMs.length;
    const variance = intervalsMs.reduce((sum, ms) => sum + (ms - mean) ** 2, 0) / intervalsMs.length;
    expect(delayOf(mean, Math.sqrt(variance))).toBeCloseTo(expected, 6);
  };
  f([20, 20, 20], 0);
  f([1_000, 1_000], 980);
  // A second of stalls, five times: of 5,200 ms, 5,000 are spent in intervals of a second.
  f([...new Array(5).fill(1_000), ...new Array(10).fill(20)], (5 * 1_000 ** 2 + 10 * 20 ** 2) / 5_200 - 20);
  expect(delayOf(Number.NaN, Number.NaN)).toBe(0);
});
