import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Ring, RingBlocks, slotIndex, slotMsFor } from '../../src/engine/ring.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const DAY_MS = 86_400_000;

function windowSum(ring: Ring, asOfMs: number, windowMs: number): [good: number, bad: number] {
  const out = new Float64Array(2);
  ring.tierOf(windowMs).read(asOfMs, windowMs, out, 0);
  return [out[0]!, out[1]!];
}

test('a slot divides a day and is at most 1/30 of its window, for every window from 30 s to 400 d', () => {
  for (let windowMs = 30_000; windowMs <= 400 * DAY_MS; windowMs = Math.round(windowMs * 1.07)) {
    const slotMs = slotMsFor(windowMs);
    expect(DAY_MS % slotMs).toBe(0);
    expect(slotMs).toBeLessThanOrEqual(windowMs / 30);
  }
  expect(slotMsFor(duration('5m').ms)).toBe(10_000);
});

test('a time on a boundary belongs to the slot that ends there', () => {
  expect(slotIndex(20_000, 10_000)).toBe(1);
  expect(slotIndex(20_001, 10_000)).toBe(2);
  expect(slotIndex(0, 10_000)).toBe(-1);
  expect(slotIndex(-1, 10_000)).toBe(-1);
});

test('a window is half-open: its left edge is out, its right edge is in', () => {
  const windowMs = duration('5m').ms;
  const ring = Ring.of([windowMs]);
  ring.add(MIDNIGHT_MS, 1, 0);
  ring.add(MIDNIGHT_MS + windowMs, 10, 0);
  expect(windowSum(ring, MIDNIGHT_MS + windowMs, windowMs)).toEqual([10, 0]);
  expect(windowSum(ring, MIDNIGHT_MS + windowMs - 10_000, windowMs)).toEqual([1, 0]);
});

test('inside the slot that straddles the left edge the events are pro-rated', () => {
  const windowMs = duration('5m').ms;
  const ring = Ring.of([windowMs]);
  ring.add(MIDNIGHT_MS + 5_000, 8, 4);
  ring.add(MIDNIGHT_MS + windowMs, 1, 1);
  expect(windowSum(ring, MIDNIGHT_MS + windowMs + 2_500, windowMs)).toEqual([1 + 6, 1 + 3]);
});

test('a ring of a 30 day SLO takes at most 40 KiB', () => {
  const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '30d'].map((text) => duration(text).ms);
  expect(Ring.of(windows).byteLength).toBeLessThanOrEqual(40 * 1024);
});

const WINDOWS = ['1m', '5m', '30m', '1h', '2h', '6h', '1d', '3d', '4d6h51m', '30d', '90d', '400d'].map(
  (text) => duration(text).ms,
);

/** What a window holds according to a plain list of events: whole slots, and a share of the straddling one. */
function naiveSum(events: readonly Event[], asOfMs: number, windowMs: number): [good: number, bad: number] {
  const slotMs = slotMsFor(windowMs);
  const edgeMs = asOfMs - windowMs;
  const straddling = slotIndex(edgeMs, slotMs);
  const share = ((straddling + 1) * slotMs - edgeMs) / slotMs;
  let good = 0;
  let bad = 0;
  for (const event of events) {
    const slot = slotIndex(event.tMs, slotMs);
    const weight = slot > straddling ? 1 : slot === straddling ? share : 0;
    good += weight * event.good;
    bad += weight * event.bad;
  }
  return [good, bad];
}

interface Event {
  tMs: number;
  good: number;
  bad: number;
}

const STORY = fc.array(
  fc.record({
    // Mostly small steps forward, now and then a long silence or a late event.
    stepMs: fc.oneof(
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: -7_200_000, max: 0 }),
      fc.integer({ min: 0, max: 20 * DAY_MS }),
    ),
    good: fc.nat(1_000_000),
    bad: fc.nat(1_000),
  }),
  { maxLength: 200 },
);

test('every window of a ring holds what a plain list of events holds', () => {
  fc.assert(
    fc.property(STORY, fc.nat(3_600_000), (story, laterMs) => {
      const ring = Ring.of(WINDOWS);
      const events: Event[] = [];
      let tMs = MIDNIGHT_MS;
      let newestMs = tMs;
      for (const { stepMs, good, bad } of story) {
        tMs += stepMs;
        newestMs = Math.max(newestMs, tMs);
        events.push({ tMs, good, bad });
        ring.add(tMs, good, bad);
      }
      const asOfMs = newestMs + laterMs;
      for (const windowMs of WINDOWS) {
        const [good, bad] = windowSum(ring, asOfMs, windowMs);
        const [naiveGood, naiveBad] = naiveSum(events, asOfMs, windowMs);
        expect(good).toBeCloseTo(naiveGood, 3);
        expect(bad).toBeCloseTo(naiveBad, 3);
      }
    }),
  );
});

test('whole numbers stay exact over a year of slots, late events included', () => {
  const windowMs = duration('90d').ms;
  const ring = Ring.of([duration('5m').ms, windowMs]);
  let total = 0;
  for (let i = 1; i <= 365 * 24; i++) {
    ring.add(MIDNIGHT_MS + i * 3_600_000, 1_000_000_007, 3);
    if (i % 7 === 0) ring.add(MIDNIGHT_MS + i * 3_600_000 - 1_800_000, 1, 0);
    if (i > 365 * 24 - 90 * 24) total += 1_000_000_007 + (i % 7 === 0 ? 1 : 0);
  }
  expect(windowSum(ring, MIDNIGHT_MS + 365 * DAY_MS, windowMs)).toEqual([total, 90 * 24 * 3]);
});

test('a ring of another layout keeps its events when the window changes', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const before = ['5m', '1h', '6h', '3d', '30d'].map((text) => duration(text).ms);
      const after = ['5m', '1h', '6h', '3d', '90d'].map((text) => duration(text).ms);
      const old = Ring.of(before);
      let tMs = MIDNIGHT_MS;
      let newestMs = tMs;
      const events: Event[] = [];
      for (const { stepMs, good, bad } of story) {
        tMs += stepMs;
        newestMs = Math.max(newestMs, tMs);
        if (!old.add(tMs, good, bad)) continue;
        events.push({ tMs, good, bad });
      }
      const ring = Ring.of(after);
      ring.load(old);
      // Up to the next slot boundary of every tier, where nothing is pro-rated.
      const asOfMs = Math.ceil(newestMs / DAY_MS) * DAY_MS;
      for (const windowMs of before.slice(0, -1)) {
        expect(windowSum(ring, asOfMs, windowMs)).toEqual(naiveSum(events, asOfMs, windowMs));
      }
      // What was older than the old ring reached is gone; the rest is all there.
      const keptSince = asOfMs - 29 * DAY_MS;
      const kept = events.filter((event) => event.tMs > keptSince).reduce((sum, event) => sum + event.good, 0);
      expect(windowSum(ring, asOfMs, duration('90d').ms)[0]).toBeGreaterThanOrEqual(kept);
    }),
  );
});

test('rings read side by side have, bit for bit, the sums of each ring read by itself', () => {
  fc.assert(
    fc.property(fc.array(STORY, { minLength: 1, maxLength: 5 }), fc.nat(3_600_000), (stories, laterMs) => {
      const blocks = new RingBlocks();
      const rings = stories.map((story) => {
        const ring = blocks.allocate(WINDOWS);
        let tMs = MIDNIGHT_MS;
        for (const { stepMs, good, bad } of story) {
          tMs += stepMs;
          ring.add(tMs, good / 7, bad / 3);
          ring.settledMs = tMs + laterMs;
        }
        return ring;
      });
      // Beside them a ring without events.
      rings.push(blocks.allocate(WINDOWS));
      rings.at(-1)!.settledMs = MIDNIGHT_MS;
      const sums = WINDOWS.map(() => new Float64Array(2 * blocks.blocks[0]!.lanes));
      blocks.blocks[0]!.read(sums);
      rings.forEach((ring, lane) => {
        if (Number.isNaN(ring.settledMs)) return;
        WINDOWS.forEach((windowMs, window) => {
          const side = [...sums[window]!.subarray(2 * lane, 2 * lane + 2)];
          expect(side).toEqual(windowSum(ring, ring.settledMs, windowMs));
        });
      });
    }),
  );
});

test('a saved ring is as long as the time it has events of, and comes back bit for bit', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const ring = Ring.of(WINDOWS);
      let tMs = MIDNIGHT_MS;
      for (const { stepMs, good, bad } of story) {
        tMs += stepMs;
        ring.add(tMs, good, bad);
      }
      const back = Ring.of(WINDOWS);
      back.load(Ring.from(ring.save()));
      for (const windowMs of WINDOWS) expect(windowSum(back, tMs, windowMs)).toEqual(windowSum(ring, tMs, windowMs));
      expect(Buffer.from(back.save()).equals(Buffer.from(ring.save()))).toBe(true);
    }),
  );
  const young = Ring.of(WINDOWS);
  for (let i = 0; i < 20; i++) young.add(MIDNIGHT_MS + i * 15_000, 100, 1);
  expect(young.save().byteLength).toBeLessThan(8_000);
});

test('a window that a ring was not built for is read from the finest tier that reaches it', () => {
  const ring = new RingBlocks().allocate([5 * 60_000, 2 * 3_600_000, 3 * 86_400_000, 60 * 86_400_000]);
  const slotMs = (window: string): number | undefined => ring.tierFor(duration(window).ms)?.slotMs;
  expect(slotMs('3m')).toBe(undefined);
  expect(slotMs('4m')).toBe(10_000);
  expect(slotMs('2h')).toBe(10_000);
  expect(slotMs('2h1m')).toBe(300_000);
  expect(slotMs('3d')).toBe(300_000);
  expect(slotMs('7d')).toBe(3 * 3_600_000);
  expect(slotMs('60d')).toBe(3 * 3_600_000);
  expect(slotMs('61d')).toBe(undefined);
});
