import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { scrape, TestServer } from '../api/server.ts';
import { build, corpus, FOLDER, NOON_MS, PROTOCOLS, type Protocol } from './corpus.ts';
import { bodies, Fuzzer, SLOS } from './fuzz.ts';

/** CONTRIBUTING.md says how to look longer. */
const ROUNDS = Number(process.env['SLIPSTREAM_FUZZ_ROUNDS'] ?? 10_000);
const HTTP_ROUNDS = 100;
const RSS_GROWTH_BYTES_MAX = 300e6;

function seedOf(text = process.env['SLIPSTREAM_TEST_SEED'] ?? '20260101'): number {
  return text === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(text);
}
const SEED = seedOf();

test('the corpus is what corpus.ts makes, and every body of it is read', () => {
  for (const [name, bytes] of build()) {
    const file = path.join(FOLDER, name);
    if (process.env['SLIPSTREAM_FUZZ_CORPUS'] === 'write') writeFileSync(file, bytes);
    // How well it is compressed depends on the zlib that did it.
    const plain = name.startsWith('otlp-gzip.') ? gunzipSync : (same: Uint8Array) => same;
    expect(Buffer.compare(plain(readFileSync(file)), plain(bytes)), name).toBe(0);
  }
  expect(PROTOCOLS.flatMap(corpus)).toHaveLength(build().size);
});

test(
  'no broken body harms the engine, takes long or moves a number of another SLO',
  async () => {
    const fuzzer = new Fuzzer();
    for (const protocol of PROTOCOLS) await fuzzer.run(protocol, SEED + 1, Math.min(ROUNDS, 1_000));
    const before = process.memoryUsage().rss;
    for (const protocol of PROTOCOLS) {
      const { read, refused } = await fuzzer.run(protocol, SEED, ROUNDS);
      // Bodies that all are refused, or all are read, would look for nothing.
      expect(read, `${protocol}, seed ${SEED}`).toBeGreaterThan(ROUNDS / 100);
      expect(refused, `${protocol}, seed ${SEED}`).toBeGreaterThan(ROUNDS / 10);
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(RSS_GROWTH_BYTES_MAX);
  },
  30_000 + ROUNDS * 10,
);

const REQUESTS: Readonly<Record<Protocol, readonly [path: string, headers: Record<string, string>]>> = {
  rw1: ['/api/v1/write', {}],
  rw2: ['/api/v1/write', { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' }],
  'otlp-protobuf': ['/v1/metrics', { 'content-encoding': 'identity' }],
  'otlp-gzip': ['/v1/metrics', { 'content-encoding': 'gzip' }],
  events: ['/api/v1/events', { 'content-type': 'application/json' }],
  'otlp-json': ['/v1/metrics', { 'content-encoding': 'identity', 'content-type': 'application/json' }],
};

test('every broken body is answered over HTTP as one that can never succeed, and the server goes on', async () => {
  const server = await TestServer.start(NOON_MS, SLOS);
  const write = (counts: Record<string, number>) =>
    server.post(compress(encodeWriteRequest(scrape(server.nowMs, counts))));
  await write({ 200: 100, 500: 0 });
  for (const protocol of PROTOCOLS) {
    const [url, headers] = REQUESTS[protocol];
    const broken = bodies(protocol, SEED + 2);
    for (let round = 0; round < HTTP_ROUNDS; round++) {
      const body = broken.next().value as Uint8Array<ArrayBuffer>;
      const started = performance.now();
      const response = await server.post(body, headers, url);
      const text = await response.text();
      expect(performance.now() - started).toBeLessThan(1_000);
      expect([200, 204, 400, 413], `${protocol}, seed ${SEED + 2}, round ${round}: ${text}`).toContain(response.status);
    }
  }
  server.nowMs += 15_000;
  expect((await write({ 200: 150, 500: 2 })).status).toBe(204);
  server.nowMs += 5_000;
  const { events } = await server.json<SloState>('/api/v1/slos/api/availability');
  expect(events).toEqual({ good: 50, bad: 2, total: 52 });
  expect(server.log.filter(({ msg }) => String(msg).startsWith('BUG'))).toEqual([]);
  await server.restart();
  expect((await server.json<SloState>('/api/v1/slos/api/availability')).events).toEqual(events);
  await server.stop();
});
