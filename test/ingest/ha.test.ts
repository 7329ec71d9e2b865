import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { decodeLabels, formatSeries } from '../../src/engine/label-set.ts';
import type { HaLabels } from '../../src/ingest/new-series.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** HA pairs from the bytes of two senders to budgets: row 11 of the hard cases. */

const LABELS: HaLabels = { clusterLabel: 'cluster', replicaLabel: '__replica__' };
const SLO = anSlo();
const T = MIDNIGHT_MS;
const SCRAPE_MS = 15_000;

interface Pair {
  readonly cluster?: string;
  readonly replica?: string;
}

const A: Pair = { cluster: 'eu', replica: 'a' };
const B: Pair = { cluster: 'eu', replica: 'b' };

/** The counters of one scrape by code, as a replica sends them. */
function scrape({ cluster, replica }: Pair, timestampMs: number, counts: Record<string, number>): WireSeries[] {
  return Object.entries(counts).map(([code, value]) => ({
    labels: [
      ...(replica === undefined ? [] : [['__replica__', replica] as const]),
      ['__name__', 'requests'],
      ...(cluster === undefined ? [] : [['cluster', cluster] as const]),
      ['code', code],
      ['instance', 'i'],
      ['job', 'api'],
    ],
    samples: [{ timestampMs, value }],
  }));
}

function server(aliasesMax?: number, ha: HaLabels | null = LABELS) {
  const engine = new Engine([SLO], aliasesMax === undefined ? {} : { aliasesMax });
  const receiver = new RemoteWriteReceiver(engine, {}, ha);
  return {
    engine,
    /** Reads a request and applies it. */
    write: (nowMs: number, ...series: WireSeries[]) => {
      const read = receiver.read(compress(encodeWriteRequest(series)));
      return { ...engine.ingest(read.batch, nowMs), rejected: { ...read.rejections.samples }, read };
    },
    /** Reads a request and says who sent each row. */
    senders: (...series: WireSeries[]): [series: string, sender: number][] => {
      const { batch } = receiver.read(compress(encodeWriteRequest(series)));
      return Array.from({ length: batch.length }, (_, row) => {
        const labels = engine.table.labelBytes(batch.seriesIds[row]!);
        const sender = batch.hasSenders ? batch.senders[row]! : 0;
        return [formatSeries(decodeLabels(labels, 0, labels.length)), sender];
      });
    },
    events: (nowMs: number) => engine.state(SLO.id, nowMs)!.events,
  };
}

/** Whatever is known of the series: unknown, looked up, predicted, and with a table that takes no aliases. */
const TABLES = [undefined, 0];

test('a replica is no label of its series, and both replicas write the same one', () => {
  for (const aliasesMax of TABLES) {
    const { senders, engine } = server(aliasesMax);
    const name = (code: string) => `requests{cluster="eu", code="${code}", instance="i", job="api"}`;
    for (let i = 0; i < 4; i++) {
      expect(senders(...scrape(A, T, { 200: 1, 500: 1 }))).toEqual([
        [name('200'), 1],
        [name('500'), 1],
      ]);
      expect(senders(...scrape(B, T, { 200: 1, 500: 1 }))).toEqual([
        [name('200'), 2],
        [name('500'), 2],
      ]);
    }
    expect(engine.table.size).toBe(2);
  }
});

test('senders change within a request as often as they like, known or not', () => {
  for (const aliasesMax of TABLES) {
    const { senders } = server(aliasesMax);
    const alone = scrape({}, T, { 200: 1 });
    const mixed = [
      ...alone,
      ...scrape(A, T, { 200: 1 }),
      ...scrape(B, T, { 200: 1 }),
      ...alone,
      ...scrape({ cluster: 'us', replica: 'a' }, T, { 200: 1, 500: 1 }),
      ...alone,
    ];
    for (let i = 0; i < 4; i++) expect(senders(...mixed).map(([, sender]) => sender)).toEqual([0, 1, 2, 0, 3, 3, 0]);
    // Some of them for the first time.
    const more = [...mixed, ...scrape(B, T, { 503: 1 }), ...scrape({}, T, { 503: 1 }), ...scrape(A, T, { 200: 1 })];
    for (let i = 0; i < 3; i++) {
      expect(senders(...more).map(([, sender]) => sender)).toEqual([0, 1, 2, 0, 3, 3, 0, 2, 0, 1]);
    }
    expect(senders(...alone)).toEqual([['requests{code="200", instance="i", job="api"}', 0]]);
  }
});

test('without both labels, or with the election off, there is none', () => {
  const f = (pair: Pair, ha: HaLabels | null, labels: string) => {
    const { senders, write } = server(undefined, ha);
    for (let i = 0; i < 3; i++) expect(senders(...scrape(pair, T, { 200: 1 }))).toEqual([[labels, 0]]);
    expect(write(T, ...scrape(pair, T, { 200: 1 })).haReplica).toBe(0);
  };
  const rest = 'code="200", instance="i", job="api"';
  f({}, LABELS, `requests{${rest}}`);
  f({ cluster: 'eu' }, LABELS, `requests{cluster="eu", ${rest}}`);
  f({ replica: 'a' }, LABELS, `requests{__replica__="a", ${rest}}`);
  f({ cluster: '', replica: 'a' }, LABELS, `requests{__replica__="a", ${rest}}`);
  f({ cluster: 'eu', replica: '' }, LABELS, `requests{cluster="eu", ${rest}}`);
  f(A, null, `requests{__replica__="a", cluster="eu", ${rest}}`);
});

test('of two replicas with clocks that differ, the samples of one count, exactly', () => {
  for (const aliasesMax of TABLES) {
    const { write, events } = server(aliasesMax);
    let good = 1_000_000;
    for (let i = 0; i <= 40; i++) {
      const nowMs = T + i * SCRAPE_MS;
      // What B saw a moment earlier, by a clock that is ahead: merged by time its values would fall again and again.
      expect(write(nowMs, ...scrape(B, nowMs + 7_000, { 200: good - 50, 500: 0 })).haReplica).toBe(0);
      expect(write(nowMs, ...scrape(A, nowMs, { 200: good, 500: 0 })).haReplica).toBe(2);
      good += 100;
    }
    expect(events(T + 40 * SCRAPE_MS + 60_000)).toEqual({ good: 4000, bad: 0, total: 4000 });
  }
});

test('the other replica takes over after 30 seconds, not sooner, and its lower values are no reset', () => {
  const { write, events } = server();
  const at = (i: number) => T + i * SCRAPE_MS;
  for (let i = 0; i <= 10; i++) {
    write(at(i), ...scrape(A, at(i), { 200: 1_000_000 + 100 * i }));
    expect(write(at(i), ...scrape(B, at(i) + 1, { 200: 1_000_000 + 100 * i - 150 })).haReplica).toBe(1);
  }
  // A is silent from here on.
  expect(write(at(11), ...scrape(B, at(11) + 1, { 200: 1_000_950 })).haReplica).toBe(1);
  expect(write(at(12), ...scrape(B, at(12) + 1, { 200: 1_000_960 })).haReplica).toBe(1);
  const first = write(at(12) + 2, ...scrape(B, at(12) + 2, { 200: 1_000_970 }));
  expect([first.haReplica, first.writerConflict, first.resets]).toEqual([0, 1, 0]);
  const second = write(at(13), ...scrape(B, at(13) + 1, { 200: 1_000_990 }));
  expect([second.writerConflict, second.resets]).toEqual([1, 0]);
  // From here on B has passed what A had told.
  const third = write(at(14), ...scrape(B, at(14) + 1, { 200: 1_001_300 }));
  expect([third.writerConflict, third.resets]).toEqual([0, 0]);
  expect(events(at(15))).toEqual({ good: 1300, bad: 0, total: 1300 });
  // A is back, and not heard.
  expect(write(at(15), ...scrape(A, at(15), { 200: 1_009_000 })).haReplica).toBe(1);
});

test('a scrape that is lost in a hand-over is repaired by the next increment', () => {
  const { write, events } = server();
  write(T, ...scrape(A, T, { 200: 1000, 500: 10 }));
  write(T + SCRAPE_MS, ...scrape(A, T + SCRAPE_MS, { 200: 1100, 500: 10 }));
  // A dies with two scrapes untold, 30 errors in them.
  const laterMs = T + 4 * SCRAPE_MS;
  expect(write(laterMs, ...scrape(B, laterMs, { 200: 1400, 500: 40 })).haReplica).toBe(0);
  expect(events(laterMs + 5_000)).toEqual({ good: 400, bad: 30, total: 430 });
});

test('a reset after the hand-over is one, and counts what the new process counted', () => {
  const { write, events } = server();
  write(T, ...scrape(A, T, { 200: 1000 }));
  write(T + SCRAPE_MS, ...scrape(A, T + SCRAPE_MS, { 200: 1100 }));
  for (let i = 4; i < 10; i++) write(T + i * SCRAPE_MS, ...scrape(B, T + i * SCRAPE_MS, { 200: 1200 }));
  const laterMs = T + 10 * SCRAPE_MS;
  expect(write(laterMs, ...scrape(B, laterMs, { 200: 7 })).resets).toBe(1);
  expect(events(laterMs + 5_000)).toEqual({ good: 207, bad: 0, total: 207 });
});

test('in a request of both replicas the rows of one count, and so do those of a sender of its own', () => {
  const { write, events } = server();
  const at = (i: number) => T + i * SCRAPE_MS;
  for (let i = 0; i <= 4; i++) {
    const outcome = write(
      at(i),
      ...scrape(A, at(i), { 200: 1000 + 10 * i }),
      ...scrape({}, at(i), { 200: 500 + i }),
      ...scrape(B, at(i) + 3, { 200: 990 + 10 * i }),
      ...scrape({ cluster: 'us', replica: 'b' }, at(i), { 500: 70 + i }),
    );
    expect([outcome.haReplica, outcome.accepted, outcome.samples]).toEqual([1, 3, 4]);
  }
  expect(events(at(5))).toEqual({ good: 44, bad: 4, total: 48 });
});

test('replicas that are named after pods come and go, and the elected one is never forgotten', () => {
  const { write } = server();
  write(T, ...scrape({ cluster: 'eu', replica: 'elected' }, T, { 200: 1 }));
  for (let i = 0; i < 40; i++) {
    const { rejected, haReplica } = write(T, ...scrape({ cluster: 'eu', replica: `pod-${i}` }, T, { 200: 1 }));
    expect([rejected.ha_limit, haReplica]).toEqual([0, 1]);
  }
  expect(
    write(T + SCRAPE_MS, ...scrape({ cluster: 'eu', replica: 'elected' }, T + SCRAPE_MS, { 200: 2 })).haReplica,
  ).toBe(0);
});

test('series of more clusters than are told apart are rejected, and the others are not', () => {
  const { write, engine } = server();
  for (let i = 0; i < 100; i++) write(T, ...scrape({ cluster: `c${i}`, replica: 'a' }, T, { 200: 1 }));
  const size = engine.table.size;
  const beyond = scrape({ cluster: 'c100', replica: 'a' }, T, { 200: 1, 500: 1 });
  for (let i = 0; i < 2; i++) {
    const { rejected, samples, read } = write(T, ...beyond, ...scrape({}, T, { 200: 1 }));
    expect([rejected.ha_limit, samples]).toEqual([2, 1]);
    expect(read.rejections.examples[0]).toBe(
      'more clusters than are told apart: ' +
        'requests{__replica__="a", cluster="c100", code="200", instance="i", job="api"}',
    );
  }
  expect(engine.table.size).toBe(size + 1);
  expect(write(T, ...scrape({ cluster: 'c99', replica: 'a' }, T, { 200: 1 })).rejected.ha_limit).toBe(0);
});
