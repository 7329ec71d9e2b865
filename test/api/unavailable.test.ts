import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpCounters, WriteCounters } from '../../src/api/counters.ts';
import { Intake } from '../../src/api/intake.ts';
import { Pressure } from '../../src/api/pressure.ts';
import { WriteEndpoint } from '../../src/api/write.ts';
import { Engine } from '../../src/engine/engine.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { EventReader } from '../../src/ingest/pushed-events.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { CommitError } from '../../src/store/errors.ts';
import { Journal } from '../../src/store/recovery.ts';
import type { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape } from './server.ts';

/** A store whose disk can be full: as the real one, it keeps what it could not commit. */
class FullDisk {
  isFull = false;
  queuedBytes = 0;
  records = 0;

  append(record: Uint8Array): void {
    this.records++;
    this.queuedBytes += record.length;
  }

  async committed(): Promise<void> {
    if (this.isFull) throw new CommitError(new Error('database or disk is full'));
    this.queuedBytes = 0;
  }
}

let disk: FullDisk;
let counters: WriteCounters;
let intake: Intake;
let endpoint: WriteEndpoint;
let journal: Journal;
let server: Server;

beforeEach(async () => {
  disk = new FullDisk();
  counters = new WriteCounters();
  const store = disk as unknown as Store;
  const engine = new Engine([anSlo()]);
  const live = {
    current: {
      engine,
      remoteWrite: new RemoteWriteReceiver(engine),
      otlp: new OtlpReceiver({ resolver: engine }),
      events: new EventReader(engine),
    },
  };
  journal = new Journal(store, engine.table);
  const logger = pino({ level: 'silent' });
  const clock = () => MIDNIGHT_MS;
  const pressure = new Pressure({ inflightBytesMax: 1_000_000, loopDelayMaxMs: 1_000, loopDelayMs: () => 0 });
  intake = new Intake({ live, store, journalQueueBytesMax: 100, pressure, logger, clock });
  endpoint = new WriteEndpoint({
    intake,
    bodyBytesMax: 1_000_000,
    counters: { rw1: counters, rw2: counters },
    http: new HttpCounters(),
    logger,
    clock,
  });
  server = createServer((request, response) => void endpoint.handle(request, response, false));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function write(
  counts: Record<string, number>,
): Promise<[status: number, text: string, retryAfter: string | null]> {
  const { port } = server.address() as AddressInfo;
  const body = compress(encodeWriteRequest(scrape(MIDNIGHT_MS, counts)));
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/write`, { method: 'POST', body });
  return [response.status, await response.text(), response.headers.get('retry-after')];
}

test('before the state is recovered, a sender is asked to try again', async () => {
  expect(await write({ 200: 1 })).toEqual([503, 'not_ready: the state is being recovered; try again\n', '5']);
  expect(counters.received).toBe(0);
});

test('while the server goes away, a sender is asked to try again', async () => {
  intake.serve(journal);
  intake.drain();
  expect(await write({ 200: 1 })).toEqual([503, 'shutting_down: the server is shutting down; try again\n', '5']);
  expect(counters.received).toBe(0);
});

test('what could not be committed is not acknowledged, and a retry is when the disk is back', async () => {
  intake.serve(journal);
  disk.isFull = true;
  const message = 'commit_failed: the journal could not be written: database or disk is full; try again\n';
  expect(await write({ 200: 1 })).toEqual([503, message, '5']);
  // The samples are in the engine now, so this changes nothing; still it is acknowledged only with the first attempt.
  expect(await write({ 200: 1 })).toEqual([503, message, '5']);
  disk.isFull = false;
  expect(await write({ 200: 1 })).toEqual([204, '', null]);
  expect(disk.records).toBe(1);
  expect(counters.ignored.duplicate).toBe(2);
});

test('a sender of remote write 2.0 is told that nothing was written, until it is committed', async () => {
  const write2 = async () => {
    const { port } = server.address() as AddressInfo;
    const headers = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
    const body = compress(encodeRequest2(scrape(MIDNIGHT_MS, { 200: 1 })));
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/write`, { method: 'POST', headers, body });
    const what = ['samples', 'histograms', 'exemplars'];
    return [response.status, ...what.map((each) => response.headers.get(`x-prometheus-remote-write-${each}-written`))];
  };
  expect(await write2()).toEqual([503, '0', '0', '0']);
  intake.serve(journal);
  disk.isFull = true;
  expect(await write2()).toEqual([503, '0', '0', '0']);
  disk.isFull = false;
  expect(await write2()).toEqual([204, '1', '0', '0']);
});

test('pushed events that could not be committed are not acknowledged, and their id makes the retry harmless', async () => {
  intake.serve(journal);
  const event = { sloId: 'api/availability', group: null, tMs: MIDNIGHT_MS, good: 1, bad: 0, id: 'run-1' };
  const push = () => intake.push(() => [event], counters);
  disk.isFull = true;
  const message = 'the journal could not be written: database or disk is full; try again';
  await expect(push()).rejects.toThrow(message);
  await expect(push()).rejects.toThrow(message);
  disk.isFull = false;
  expect(await push()).toEqual({ applied: [], duplicates: 1, tooOld: 0 });
  expect(disk.records).toBe(1);
});

test('when too much waits for the disk, nothing more is applied', async () => {
  intake.serve(journal);
  disk.isFull = true;
  disk.queuedBytes = 101;
  const message = 'backlog_full: the journal has 101 bytes waiting, more than 100; try again\n';
  expect(await write({ 200: 1 })).toEqual([503, message, '5']);
  expect([counters.received, disk.records]).toEqual([0, 0]);
});
