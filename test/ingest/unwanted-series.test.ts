import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SLO = anSlo();

function sample(name: string, code: string, tMs: number, value: number): WireSeries {
  const labels = [
    ['__name__', name],
    ['code', code],
    ['instance', 'a'],
    ['job', 'api'],
  ] as const;
  return { labels, samples: [{ timestampMs: tMs, value }] };
}

test('a flood of series that no SLO wants is bounded, and leaves room and exact numbers to those that one does', () => {
  const engine = new Engine([SLO], { settleMs: 0, seriesMax: 100 });
  const receiver = new RemoteWriteReceiver(engine);
  for (let scrape = 0; scrape < 20; scrape++) {
    const tMs = MIDNIGHT_MS + scrape * 15_000;
    const flood = Array.from({ length: 50 }, (_, i) => sample('noise', `${scrape}-${i}`, tMs, 1));
    const wanted = Array.from({ length: scrape + 1 }, (_, i) =>
      sample('requests', `2${i}`, tMs, 10 * (scrape - i + 1)),
    );
    const read = receiver.read(compress(encodeWriteRequest([...flood, ...wanted])));
    expect(read.rejections.total).toBe(0);
    engine.ingest(read.batch, tMs);
  }
  expect(engine.seriesCount).toBe(50 + 20);
  expect(engine.table.aliasCount).toBe(0);
  // Twenty series of 10 requests a scrape: the first began with an opening balance, the others were born on the way.
  const expected = 190 + Array.from({ length: 19 }, (_, i) => 10 * (i + 1)).reduce((sum, count) => sum + count, 0);
  expect(engine.state(SLO.id, MIDNIGHT_MS + 19 * 15_000)!.events.good).toBe(expected);
});

test('a target that only shows series beyond the bound is heard all the same', () => {
  const engine = new Engine([SLO], { settleMs: 0, seriesMax: 10 });
  const receiver = new RemoteWriteReceiver(engine);
  for (let scrape = 0; scrape < 10; scrape++) {
    const tMs = MIDNIGHT_MS + scrape * 15_000;
    const flood = Array.from({ length: 9 }, (_, i) => sample('noise', `${scrape}-${i}`, tMs, 1));
    engine.ingest(receiver.read(compress(encodeWriteRequest(flood))).batch, tMs);
  }
  const atMs = MIDNIGHT_MS + 9 * 15_000;
  expect(engine.seriesCount).toBe(5);
  expect(engine.state(SLO.id, atMs)!.asOf).toBe(new Date(atMs).toISOString());
});
