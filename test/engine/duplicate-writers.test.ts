import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SLO = anSlo();
const SCRAPE_MS = 15_000;

/** Scrapes one series, a value each; returns the good events after each. */
function scrapes(engine: Engine, values: readonly number[], from = 0): number[] {
  return values.map((value, i) => {
    const nowMs = MIDNIGHT_MS + (from + i) * SCRAPE_MS;
    feed(engine, [{ labels: series('200'), tMs: nowMs, value }], nowMs);
    return engine.state(SLO.id, nowMs)!.events.good;
  });
}

/** Two processes under one identity: a busy one and a young one, scraped in turn. */
function zigzag(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 100_000 + i : 50 + i));
}

test('row 22: a series that two processes write is quarantined, and the higher one is followed', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  const seen = scrapes(engine, zigzag(60));
  expect(engine.quarantinedCount).toBe(1);
  // Once it is known for what it is, each pair of scrapes adds the two requests of the higher process.
  expect(seen[59]! - seen[39]!).toBe(20);
});

test('row 22: when the higher process ends, the series is that of the other one again', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  scrapes(engine, zigzag(40));
  const alone = Array.from({ length: 60 }, (_, i) => 90 + i);
  const seen = scrapes(engine, alone, 40);
  expect(engine.quarantinedCount).toBe(0);
  expect(seen[59]! - seen[49]!).toBe(10);
});

test('row 22: a service that restarts again and again is no second writer', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  // Each life counts 10, 20, 30 and ends.
  const seen = scrapes(engine, [1000, ...Array.from({ length: 60 }, (_, i) => 10 * (1 + (i % 3)))]);
  expect(engine.quarantinedCount).toBe(0);
  expect(seen.at(-1)).toBe(20 * 30);
});

test('row 22: a quarantine survives a restart', () => {
  const engine = new Engine([SLO], { settleMs: 0 });
  scrapes(engine, zigzag(40));
  const restored = new Engine([SLO], { settleMs: 0 });
  restored.restore(engine.snapshot(), MIDNIGHT_MS + 40 * SCRAPE_MS);
  const rest = zigzag(60).slice(40);
  expect(scrapes(restored, rest, 40)).toEqual(scrapes(engine, rest, 40));
  expect(restored.quarantinedCount).toBe(1);
});
