import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/engine/duration.ts';
import { HistorySums, stretchesOf } from '../../src/engine/history.ts';
import type { Group } from '../../src/engine/ledger.ts';
import type { HistorySource } from '../../src/store/history.ts';
import { Store } from '../../src/store/store.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';

interface Event {
  sloId: string;
  group: Group | null;
  tMs: number;
  good: number;
  bad: number;
}

/** Stands for the engine: what was counted since history was last taken. */
class Counted implements HistorySource {
  events: Event[] = [];

  add(tMs: number, good: number, bad = 0, sloId = 'api/a', group: Group | null = null): void {
    this.events.push({ sloId, group, tMs, good, bad });
  }

  takeHistory(each: Parameters<HistorySource['takeHistory']>[0]): void {
    for (const { sloId, group, tMs, good, bad } of this.events) {
      each(sloId, group, Math.ceil(tMs / MINUTE_MS) * MINUTE_MS, good, bad);
    }
    this.events = [];
  }
}

function save(store: Store, source: HistorySource): Promise<void> {
  return store.saveSnapshot(new Uint8Array(1), 0, { slos: '', historyThrough: store.history.take(source) });
}

function open(dir: string): Store {
  const store = Store.open(dir);
  onTestFinished(() => store.close());
  return store;
}

const NOBODY = new Counted();

function sumsOf(store: Store, fromMs: number, toMs: number, source: HistorySource = NOBODY, sloId = 'api/a') {
  const { slots } = store.history.read(source, sloId, null, fromMs, toMs);
  const sums = new HistorySums(slots, toMs);
  sums.read(fromMs, toMs);
  return [sums.good, sums.bad];
}

/** Rows by resolution in minutes. */
function rowsOf(dir: string): Record<number, number> {
  const db = new Database(join(dir, 'slipstream.db'));
  const rows = db.prepare('SELECT resolution / 60, count(*) FROM history GROUP BY resolution').raw().all();
  db.close();
  return Object.fromEntries(rows as [number, number][]);
}

describe('history', () => {
  it('holds what was saved and what still waits', async () => {
    const store = open(temporaryFolder());
    const counted = new Counted();
    counted.add(MIDNIGHT_MS, 10, 1);
    expect(sumsOf(store, MIDNIGHT_MS - HOUR_MS, MIDNIGHT_MS, counted)).toEqual([10, 1]);
    await save(store, counted);
    expect(sumsOf(store, MIDNIGHT_MS - HOUR_MS, MIDNIGHT_MS)).toEqual([10, 1]);
    counted.add(MIDNIGHT_MS, 5);
    expect(sumsOf(store, MIDNIGHT_MS - HOUR_MS, MIDNIGHT_MS, counted)).toEqual([15, 1]);
  });

  it('adds late events to minutes that were written already, at every resolution', async () => {
    const dir = temporaryFolder();
    const store = open(dir);
    const counted = new Counted();
    for (const good of [10, 20, 40]) {
      counted.add(MIDNIGHT_MS - 5 * DAY_MS, good, 1);
      counted.add(MIDNIGHT_MS - 50 * DAY_MS, 2 * good);
      counted.add(MIDNIGHT_MS, 3 * good);
      await save(store, counted);
    }
    expect(sumsOf(store, MIDNIGHT_MS - MINUTE_MS, MIDNIGHT_MS)).toEqual([210, 0]);
    expect(sumsOf(store, MIDNIGHT_MS - 5 * DAY_MS - HOUR_MS, MIDNIGHT_MS - 5 * DAY_MS)).toEqual([70, 3]);
    expect(sumsOf(store, MIDNIGHT_MS - 50 * DAY_MS - HOUR_MS, MIDNIGHT_MS - 50 * DAY_MS)).toEqual([140, 0]);
    store.close();
    expect(rowsOf(dir)).toEqual({ 1: 1, 10: 2, 60: 3 });
  });

  it('begins where the first slot does, as finely as is known', async () => {
    const store = open(temporaryFolder());
    const counted = new Counted();
    const since = () => store.history.read(counted, 'api/a', null, MIDNIGHT_MS, MIDNIGHT_MS).sinceMs;
    expect(since()).toBeNaN();
    counted.add(MIDNIGHT_MS + 3 * MINUTE_MS, 1);
    expect(since()).toBe(MIDNIGHT_MS + 2 * MINUTE_MS);
    await save(store, counted);
    expect(since()).toBe(MIDNIGHT_MS + 2 * MINUTE_MS);
    counted.add(MIDNIGHT_MS + 20 * DAY_MS, 1);
    await save(store, counted);
    expect(since()).toBe(MIDNIGHT_MS);
  });

  it('keeps ledgers and groups apart', async () => {
    const store = open(temporaryFolder());
    const counted = new Counted();
    const eu = { region: 'eu' };
    counted.add(MIDNIGHT_MS, 1);
    counted.add(MIDNIGHT_MS, 2, 0, 'api/b');
    counted.add(MIDNIGHT_MS, 4, 0, 'api/c', eu);
    counted.add(MIDNIGHT_MS, 8, 0, 'api/c', { region: 'us' });
    await save(store, counted);
    expect(sumsOf(store, 0, MIDNIGHT_MS)).toEqual([1, 0]);
    expect(sumsOf(store, 0, MIDNIGHT_MS, NOBODY, 'api/b')).toEqual([2, 0]);
    expect(sumsOf(store, 0, MIDNIGHT_MS, NOBODY, 'api/c')).toEqual([0, 0]);
    expect(store.history.read(NOBODY, 'api/c', { region: 'eu' }, 0, MIDNIGHT_MS).slots[0]!.good).toBe(4);
  });

  it('survives closing and opening', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    const counted = new Counted();
    counted.add(MIDNIGHT_MS - 3 * DAY_MS, 10, 1);
    counted.add(MIDNIGHT_MS, 20, 2);
    await save(store, counted);
    const slots = store.history.read(NOBODY, 'api/a', null, 0, MIDNIGHT_MS);
    store.close();
    expect(open(dir).history.read(NOBODY, 'api/a', null, 0, MIDNIGHT_MS)).toEqual(slots);
  });

  it('loses and doubles nothing when a snapshot cannot be saved', async () => {
    const dir = temporaryFolder();
    const pragma = vi.spyOn(Database.prototype, 'pragma');
    const store = open(dir);
    const db = pragma.mock.contexts[0] as unknown as Database.Database;
    pragma.mockRestore();
    const counted = new Counted();
    const all = (): unknown => sumsOf(store, MIDNIGHT_MS - 30 * DAY_MS, MIDNIGHT_MS, counted);
    for (let i = 0; i < 5_000; i++) counted.add(MIDNIGHT_MS - i * MINUTE_MS, 1);
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
    await expect(save(store, counted)).rejects.toThrow('database or disk is full');
    expect(all()).toEqual([5_000, 0]);
    counted.add(MIDNIGHT_MS, 100);
    await expect(save(store, counted)).rejects.toThrow('database or disk is full');
    counted.add(MIDNIGHT_MS, 1_000);
    expect(all()).toEqual([6_100, 0]);
    db.pragma('max_page_count = 1000000');
    await save(store, counted);
    expect(all()).toEqual([6_100, 0]);
    store.close();
    const again = open(dir);
    expect(sumsOf(again, MIDNIGHT_MS - 30 * DAY_MS, MIDNIGHT_MS)).toEqual([6_100, 0]);
  });

  it('of a snapshot that waits for its records is not written by another', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    const counted = new Counted();
    counted.add(MIDNIGHT_MS, 1);
    store.append(Buffer.from('record'));
    const saved = store.saveSnapshot(new Uint8Array(1), 1, { slos: '', historyThrough: store.history.take(counted) });
    counted.add(MIDNIGHT_MS, 10);
    store.history.take(counted);
    await saved;
    expect(sumsOf(store, 0, MIDNIGHT_MS)).toEqual([11, 0]);
    store.close();
    expect(sumsOf(open(dir), 0, MIDNIGHT_MS)).toEqual([1, 0]);
  });
});

describe('expiry', () => {
  it('keeps minutes for 2 days, ten minutes for 35 and hours for 400, counted from the newest minute', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    const counted = new Counted();
    for (let day = 0; day <= 500; day++) {
      counted.add(MIDNIGHT_MS + day * DAY_MS, 1);
      await save(store, counted);
    }
    expect(sumsOf(store, 0, MIDNIGHT_MS + 500 * DAY_MS)).toEqual([400, 0]);
    store.close();
    expect(rowsOf(dir)).toEqual({ 1: 2, 10: 35, 60: 400 });
  });

  it('never writes what would have expired', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    const counted = new Counted();
    for (const days of [0, 1, 3, 30, 40, 399, 401]) counted.add(MIDNIGHT_MS - days * DAY_MS, 1);
    await save(store, counted);
    store.close();
    expect(rowsOf(dir)).toEqual({ 1: 2, 10: 4, 60: 6 });
  });

  it('reaches ledgers of which nothing is heard any more, and forgets them', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    const counted = new Counted();
    for (let i = 0; i < 600; i++) counted.add(MIDNIGHT_MS, 1, 0, `api/${i}`);
    await save(store, counted);
    for (let round = 0; round < 3; round++) {
      counted.add(MIDNIGHT_MS + 401 * DAY_MS, 1);
      await save(store, counted);
    }
    store.close();
    expect(rowsOf(dir)).toEqual({ 1: 1, 10: 1, 60: 1 });
    const db = new Database(join(dir, 'slipstream.db'));
    expect(db.prepare('SELECT slo FROM history_ledger').pluck().all()).toEqual(['api/a']);
    db.close();
  });
});

describe('any interval', () => {
  const event = fc.record({
    ageMs: fc.oneof(
      fc.integer({ min: 0, max: 3 * HOUR_MS }),
      fc.integer({ min: 0, max: 3 * DAY_MS }),
      fc.integer({ min: 0, max: 40 * DAY_MS }),
    ),
    good: fc.nat(1000),
    bad: fc.nat(100),
  });
  const chapter = fc.record({
    laterMs: fc.oneof(fc.integer({ min: 0, max: HOUR_MS }), fc.integer({ min: 0, max: 5 * DAY_MS })),
    events: fc.array(event, { maxLength: 12 }),
    end: fc.constantFrom('goes on', 'is saved', 'is saved', 'is taken', 'is saved and opened again'),
  });

  it('has the events that somebody finds who remembers each', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(chapter, { minLength: 1, maxLength: 12 }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })), {
          minLength: 5,
          maxLength: 5,
        }),
        async (chapters, intervals) => {
          const dir = temporaryFolder();
          let store = Store.open(dir);
          const counted = new Counted();
          const told: Event[] = [];
          let nowMs = MIDNIGHT_MS;
          // What was written knows how old it is; what waits does not count for that.
          let newestMs = Number.NEGATIVE_INFINITY;
          for (const { laterMs, events, end } of chapters) {
            nowMs += laterMs;
            for (const { ageMs, good, bad } of events) {
              counted.add(nowMs - ageMs, good, bad);
              told.push({ sloId: 'api/a', group: null, tMs: nowMs - ageMs, good, bad });
            }
            if (end === 'is taken') store.history.take(counted);
            if (!end.startsWith('is saved')) continue;
            await save(store, counted);
            newestMs = Math.max(newestMs, ...told.map(({ tMs }) => Math.ceil(tMs / MINUTE_MS) * MINUTE_MS));
            if (!end.endsWith('again')) continue;
            store.close();
            store = Store.open(dir);
          }
          const spanMs = 60 * DAY_MS;
          const asOfMs = nowMs + HOUR_MS;
          for (const [a, b] of intervals) {
            const fromMs = Math.round(asOfMs - Math.max(a, b) * spanMs);
            const toMs = Math.round(asOfMs - Math.min(a, b) * spanMs);
            const { slots } = store.history.read(counted, 'api/a', null, fromMs, toMs);
            const sums = new HistorySums(slots, asOfMs);
            sums.read(fromMs, toMs);
            const expected = naive(told, newestMs, fromMs, toMs);
            expect(sums.good).toBeCloseTo(expected.good, 6);
            expect(sums.bad).toBeCloseTo(expected.bad, 6);
          }
          store.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  /** Each event spread over the slot in which it is found. */
  function naive(events: readonly Event[], newestMs: number, fromMs: number, toMs: number) {
    let good = 0;
    let bad = 0;
    for (const { tMs, ...event } of events) {
      const minuteMs = Math.ceil(tMs / MINUTE_MS) * MINUTE_MS;
      const { lengthMs } = stretchesOf(newestMs).find((stretch) => minuteMs > stretch.fromMs)!;
      const endMs = Math.ceil(tMs / lengthMs) * lengthMs;
      const insideMs = Math.min(toMs, endMs) - Math.max(fromMs, endMs - lengthMs);
      const share = Math.max(insideMs, 0) / lengthMs;
      good += share * event.good;
      bad += share * event.bad;
    }
    return { good, bad };
  }
});
