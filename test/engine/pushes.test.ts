import { describe, expect, it } from 'vitest';
import { HOUR_MS, MINUTE_MS } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import { PushedIds } from '../../src/engine/pushed-ids.ts';
import type { PushedEvents } from '../../src/engine/pushes.ts';
import { feed, type Sample, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const T = MIDNIGHT_MS;
const PUSHED = anSlo({ id: 'jobs/nightly', sli: { kind: 'push' } });
const SAMPLED = anSlo();
const SLICED = anSlo({
  id: 'jobs/sliced',
  sli: { kind: 'push' },
  slice: { ms: MINUTE_MS, text: '1m' },
  budgeting: 'timeslices',
  sliceTarget: 0.9,
});

function events(tMs: number, good: number, bad: number, fields: Partial<PushedEvents> = {}): PushedEvents {
  return { sloId: PUSHED.id, group: null, tMs, good, bad, id: null, ...fields };
}

function scrape(tMs: number, good: number): Sample[] {
  return [{ labels: series('200'), tMs, value: good }];
}

/** When the windows end, as text of the day, and good and bad events by then. */
function seen(engine: Engine, nowMs: number, id = PUSHED.id): [asOf: string | undefined, good: number, bad: number] {
  const { asOf, events: counted } = engine.state(id, nowMs)!;
  return [asOf?.slice(11, 19), counted.good, counted.bad];
}

describe('the watermark of an SLO that lives by pushes', () => {
  it('is the newest push that has had its time to settle', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T, 1, 0)], T);
    expect(seen(engine, T + 4_999)).toEqual([undefined, 0, 0]);
    expect(seen(engine, T + 5_000)).toEqual(['00:00:00', 1, 0]);
    engine.push([events(T + 60_000, 0, 1)], T + 60_000);
    expect(seen(engine, T + 64_999)).toEqual(['00:00:00', 1, 0]);
    expect(seen(engine, T + 65_000)).toEqual(['00:01:00', 1, 1]);
  });

  it('does not pass the wall clock, and what lies in the future waits for it', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T + 60_000, 0, 1), events(T, 1, 0)], T);
    expect(seen(engine, T + 5_000)).toEqual(['00:00:05', 1, 0]);
    expect(seen(engine, T + 60_000)).toEqual(['00:01:00', 1, 1]);
  });

  it('does not go back for a late push, which lands in its slot', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T, 1, 0)], T);
    engine.push([events(T - HOUR_MS, 0, 2)], T + 10_000);
    expect(seen(engine, T + 15_000)).toEqual(['00:00:00', 1, 2]);
    expect(engine.recentEvents(PUSHED.id, HOUR_MS, T + 15_000)).toEqual([{ good: 1, bad: 0 }]);
  });

  it('that stands still for longer than staleAfter is no data', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T, 1, 0)], T);
    expect(engine.state(PUSHED.id, T + 300_000)!.state).toBe('healthy');
    expect(engine.state(PUSHED.id, T + 305_001)!.state).toBe('no_data');
    engine.push([events(T + 400_000, 0, 0)], T + 400_000);
    expect(engine.state(PUSHED.id, T + 405_000)!.state).toBe('healthy');
  });

  it('is no business of another SLO', () => {
    const other = anSlo({ ...PUSHED, id: 'jobs/other' });
    const engine = new Engine([PUSHED, other]);
    engine.push([events(T, 1, 0)], T);
    expect(seen(engine, T + 5_000, other.id)).toEqual([undefined, 0, 0]);
  });

  it('is not moved by samples', () => {
    const engine = new Engine([PUSHED, SAMPLED]);
    feed(engine, scrape(T, 1), T);
    expect(seen(engine, T + 5_000)).toEqual([undefined, 0, 0]);
  });
});

describe('an SLO that counts series', () => {
  const sampled = { sloId: SAMPLED.id };

  it('lives by pushes while no target of it was ever heard', () => {
    const neighbour = anSlo({ id: 'api/neighbour' });
    const engine = new Engine([SAMPLED, neighbour]);
    engine.push([events(T, 5, 1, sampled)], T);
    expect(seen(engine, T + 5_000, SAMPLED.id)).toEqual(['00:00:00', 5, 1]);
    // It has the same targets, and nothing was pushed to it.
    expect(engine.state(neighbour.id, T + 5_000)).toMatchObject({ asOf: null, coverage: 0 });
  });

  it('keeps pushed events until the watermark of its targets reaches them', () => {
    const engine = new Engine([SAMPLED]);
    feed(engine, scrape(T, 10), T);
    engine.push([events(T + 20_000, 0, 3, sampled)], T + 20_000);
    expect(seen(engine, T + 60_000, SAMPLED.id)).toEqual(['00:00:00', 0, 0]);
    feed(engine, scrape(T + 30_000, 25), T + 60_000);
    expect(seen(engine, T + 65_000, SAMPLED.id)).toEqual(['00:00:30', 15, 3]);
  });

  it('goes on from its pushes when the first target is heard, whether or not somebody looked in between', () => {
    for (const looks of [false, true]) {
      const engine = new Engine([SAMPLED]);
      engine.push([events(T, 1, 0, sampled), events(T + 60_000, 1, 0, sampled)], T);
      if (looks) engine.evaluate(T + 61_000);
      feed(engine, scrape(T + 30_000, 10), T + 62_000);
      expect(seen(engine, T + 80_000, SAMPLED.id)).toEqual(['00:01:00', 2, 0]);
      feed(engine, scrape(T + 90_000, 20), T + 90_000);
      expect(seen(engine, T + 95_000, SAMPLED.id)).toEqual(['00:01:30', 12, 0]);
    }
  });
});

describe('pushed events', () => {
  it('of an id that was pushed to the SLO before count nothing', () => {
    const engine = new Engine([PUSHED, SAMPLED]);
    const once = events(T, 1, 0, { id: 'a' });
    expect(engine.push([once, once], T)).toEqual({ applied: [once], duplicates: 1, tooOld: 0 });
    expect(engine.push([{ ...once, bad: 7 }], T + 1)).toEqual({ applied: [], duplicates: 1, tooOld: 0 });
    expect(engine.push([{ ...once, sloId: SAMPLED.id }], T + 2)).toMatchObject({ duplicates: 0 });
  });

  it('as old as the window count nothing, and leave their id free', () => {
    const engine = new Engine([PUSHED]);
    const old = events(T - 30 * 24 * HOUR_MS, 1, 0, { id: 'a' });
    expect(engine.push([old], T)).toEqual({ applied: [], duplicates: 0, tooOld: 1 });
    const young = { ...old, tMs: old.tMs + 1 };
    expect(engine.push([young], T)).toEqual({ applied: [young], duplicates: 0, tooOld: 0 });
  });

  it('of an SLO that is no more are left out, as an old journal may have them', () => {
    const engine = new Engine([PUSHED]);
    expect(engine.push([events(T, 1, 0, { sloId: 'jobs/gone' })], T).applied).toEqual([]);
  });

  it('cover the slots they fall into, from the first on', () => {
    const engine = new Engine([PUSHED]);
    engine.push(
      [1, 5, 3].map((hours) => events(T - hours * HOUR_MS, 1, 0)),
      T,
    );
    expect(engine.state(PUSHED.id, T)!.coverage).toBeCloseTo(2 / (30 * 24), 12);
  });

  it('make slices, the first of which is no event', () => {
    const engine = new Engine([SLICED]);
    const at = (seconds: number, good: number, bad: number) =>
      engine.push([events(T + 1000 * seconds, good, bad, { sloId: SLICED.id })], T + 1000 * seconds);
    at(10, 0, 100);
    at(70, 95, 5);
    at(130, 80, 20);
    at(180, 0, 0);
    expect(seen(engine, T + 185_000, SLICED.id)).toEqual(['00:03:00', 1, 1]);
  });

  it('outlive a snapshot, with what waits and with their ids', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T, 1, 0, { id: 'a' }), events(T + 60_000, 0, 1)], T);
    const restored = new Engine([PUSHED]);
    restored.restore(engine.snapshot(), T + 1);
    expect(restored.push([events(T, 1, 0, { id: 'a' })], T + 1)).toMatchObject({ duplicates: 1 });
    expect(restored.state(PUSHED.id, T + 70_000)).toEqual(engine.state(PUSHED.id, T + 70_000));
    expect(seen(restored, T + 70_000)).toEqual(['00:01:00', 1, 1]);
  });

  it('are forgotten by an SLO that counts something else after a restart', () => {
    const engine = new Engine([PUSHED]);
    engine.push([events(T, 1, 0, { id: 'a' })], T);
    const restored = new Engine([anSlo({ id: PUSHED.id })]);
    restored.restore(engine.snapshot(), T + 1);
    expect(restored.push([events(T, 1, 0, { id: 'a' })], T + 1)).toMatchObject({ duplicates: 0 });
  });
});

describe('the ids of an SLO', () => {
  it('are known until as many newer ones have come as a generation holds', () => {
    const ids = new PushedIds(HOUR_MS, 3);
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) ids.add(id, T);
    expect(['a', 'c', 'd', 'f'].map((id) => ids.has(id))).toEqual([true, true, true, true]);
    ids.add('g', T);
    expect(['a', 'c', 'd', 'g'].map((id) => ids.has(id))).toEqual([false, false, true, true]);
    expect(ids.size).toBe(4);
  });

  it('are known for a window at the least', () => {
    const ids = new PushedIds(HOUR_MS);
    ids.add('a', T);
    ids.add('b', T + HOUR_MS - 1);
    ids.add('c', T + HOUR_MS);
    ids.add('d', T + 2 * HOUR_MS - 1);
    expect(['a', 'b'].map((id) => ids.has(id))).toEqual([true, true]);
    ids.add('e', T + 2 * HOUR_MS);
    expect(['a', 'b', 'c', 'd'].map((id) => ids.has(id))).toEqual([false, false, true, true]);
  });
});
