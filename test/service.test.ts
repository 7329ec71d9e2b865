import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import type { HistoryPoint } from '../src/engine/history.ts';
import type { Slo } from '../src/engine/slo.ts';
import { compress, encodeWriteRequest } from '../src/ingest/remote-write-schema.ts';
import { type Service, startService } from '../src/service.ts';
import { NOTHING_TO_READ, TEST_CONFIG } from './api/server.ts';
import { anSlo } from './support/slo.ts';
import { MIDNIGHT_MS } from './support/time.ts';

const MINUTE_MS = 60_000;

interface Clock {
  nowMs: number;
}

/** Runs services one after the other on the same data. */
async function withData(use: (start: (slos: readonly Slo[]) => Promise<Service>, clock: Clock) => Promise<void>) {
  const clock = { nowMs: MIDNIGHT_MS };
  const dataDir = mkdtempSync(join(tmpdir(), 'slipstream-service-'));
  const started: Service[] = [];
  const start = async (slos: readonly Slo[]): Promise<Service> => {
    const config = { ...TEST_CONFIG, dataDir, evaluationIntervalMs: 20 };
    const logger = pino({ level: 'silent' });
    const service = await startService({
      config,
      slos,
      reread: () => NOTHING_TO_READ,
      logger,
      clock: () => clock.nowMs,
      version: '1.2.3',
    });
    started.push(service);
    return service;
  };
  try {
    await use(start, clock);
  } finally {
    for (const service of started) await service.close();
    rmSync(dataDir, { recursive: true });
  }
}

async function snapshotsOf({ url }: Service): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^slipstream_snapshot_duration_seconds_count (\d+)$/m.exec(text)![1]);
}

async function write({ url }: Service, samples: readonly { timestampMs: number; value: number }[]): Promise<void> {
  const labels = [
    ['__name__', 'requests'],
    ['code', '200'],
    ['instance', 'a'],
    ['job', 'api'],
  ] as const;
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const body = compress(encodeWriteRequest([{ labels, samples }]));
  expect((await fetch(`${url}/api/v1/write`, { method: 'POST', body, headers })).status).toBe(204);
}

test('a server saves a snapshot before it takes samples, unless the one it has is current', async () => {
  await withData(async (start) => {
    const fresh = await start([anSlo()]);
    expect(await snapshotsOf(fresh)).toBe(1);
    await fresh.close();

    const unchanged = await start([anSlo()]);
    expect(await snapshotsOf(unchanged)).toBe(0);
    await unchanged.close();

    const changed = await start([anSlo(), anSlo({ id: 'api/other', name: 'other' })]);
    expect(await snapshotsOf(changed)).toBe(1);
  });
});

test('a long back-fill is written down before the interval has passed', async () => {
  const names = Array.from({ length: 13 }, (_, i) => `slo-${i}`);
  const slos = names.map((name) => anSlo({ id: `api/${name}`, name }));
  const minutes = 40_000;
  await withData(async (start, clock) => {
    const service = await start(slos);
    expect(await snapshotsOf(service)).toBe(1);
    for (let from = 0; from < minutes; from += 10_000) {
      const samples = Array.from({ length: 10_000 }, (_, i) => ({
        timestampMs: MIDNIGHT_MS + (from + i - minutes) * MINUTE_MS,
        value: from + i,
      }));
      await write(service, samples);
    }
    expect(await snapshotsOf(service)).toBe(1);
    // What was received has settled now.
    clock.nowMs += MINUTE_MS;
    await vi.waitFor(async () => expect(await snapshotsOf(service)).toBe(2), { timeout: 10_000 });
    const response = await fetch(`${service.url}/api/v1/slos/api/slo-12/history`);
    const { points } = (await response.json()) as { points: HistoryPoint[] };
    expect(points.reduce((sum, { good }) => sum + good, 0)).toBe(minutes - 1);
  });
});
