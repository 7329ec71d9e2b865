import fc from 'fast-check';
import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import { feed } from '../support/feed.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const GROUPED = anSlo({ groupBy: ['region'] });

function requests(region: string, code: string): Record<string, string> {
  return { __name__: 'requests', job: 'api', instance: 'a', code, ...(region === '' ? {} : { region }) };
}

/** One scrape with these good and bad counters by region. */
function scrape(
  engine: Engine,
  tMs: number,
  counters: Readonly<Record<string, readonly [good: number, bad: number]>>,
): void {
  const samples = Object.entries(counters).flatMap(([region, [good, bad]]) => [
    { labels: requests(region, '200'), tMs, value: good },
    { labels: requests(region, '500'), tMs, value: bad },
  ]);
  feed(engine, samples, tMs);
}

const later = (scrapes: number): number => MIDNIGHT_MS + 15_000 * scrapes;

test('groups appear as their labels do, each with events of its own', () => {
  const engine = new Engine([GROUPED], { settleMs: 0 });
  expect(engine.statesOf(GROUPED.id, later(0))).toEqual([]);
  scrape(engine, later(0), { eu: [100, 0] });
  scrape(engine, later(1), { eu: [190, 10] });
  scrape(engine, later(2), { eu: [290, 10], us: [7, 3] });
  const states = engine.statesOf(GROUPED.id, later(2))!;
  expect(states.map(({ group, events }) => [group, events])).toEqual([
    [{ region: 'eu' }, { good: 190, bad: 10, total: 200 }],
    [{ region: 'us' }, { good: 7, bad: 3, total: 10 }],
  ]);
  expect(engine.state(GROUPED.id, later(2), { region: 'us' })!.events.total).toBe(10);
  expect(engine.state(GROUPED.id, later(2), { region: 'asia' })).toBe(null);
});

test('a series without the label is a group of its own, with the empty value', () => {
  const engine = new Engine([GROUPED], { settleMs: 0 });
  scrape(engine, later(0), { '': [1, 0] });
  scrape(engine, later(1), { '': [5, 0] });
  expect(engine.statesOf(GROUPED.id, later(1))!.map(({ group, events }) => [group, events.total])).toEqual([
    [{ region: '' }, 4],
  ]);
});

test('each group has alerts of its own', () => {
  const engine = new Engine([GROUPED], { settleMs: 0 });
  const fired: unknown[] = [];
  for (let i = 0; i <= 8; i++) {
    scrape(engine, later(i), { eu: [1000 * i, 0], us: [1000 * i, 500 * i] });
    for (const { alert, group, to } of engine.evaluate(later(i))) if (to === 'firing') fired.push([alert, group]);
  }
  expect(fired).toContainEqual(['page-quick', { region: 'us' }]);
  expect(fired).not.toContainEqual(['page-quick', { region: 'eu' }]);
  expect(engine.statesOf(GROUPED.id, later(8))!.map(({ state }) => state)).toEqual(['healthy', 'exhausted']);
});

test('the groups together hold what the SLO without groups holds', () => {
  const regions = ['eu', 'us', 'asia', ''];
  const whole = anSlo();
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.tuple(fc.nat(3), fc.nat(100), fc.nat(100)), { maxLength: 4 }), {
        minLength: 1,
        maxLength: 30,
      }),
      (steps) => {
        const engine = new Engine([{ ...GROUPED, id: 'grouped' }, whole], { settleMs: 0 });
        const counters: Record<string, [number, number]> = {};
        steps.forEach((step, i) => {
          for (const [region, good, bad] of step) {
            const before = counters[regions[region]!] ?? [0, 0];
            counters[regions[region]!] = [before[0] + good, before[1] + bad];
          }
          scrape(engine, later(i), counters);
          const sum = { good: 0, bad: 0, total: 0 };
          for (const { events } of engine.statesOf('grouped', later(i))!) {
            sum.good += events.good;
            sum.bad += events.bad;
            sum.total += events.total;
          }
          expect(sum).toEqual(engine.state(whole.id, later(i))!.events);
        });
      },
    ),
  );
});

test('groups beyond the cap are left out, counted, and take no memory', () => {
  const capped = { ...GROUPED, groupsMax: 3 };
  const engine = new Engine([capped], { settleMs: 0 });
  for (let i = 0; i < 500; i++) scrape(engine, later(0), { [`region-${i}`]: [i, i] });
  const ringBytes = engine.ringBytes;
  scrape(engine, later(1), { 'region-1': [11, 1], 'region-400': [900, 900] });
  expect(engine.statesOf(capped.id, later(1))).toHaveLength(3);
  expect(engine.state(capped.id, later(1), { region: 'region-1' })!.events.total).toBe(10);
  // A series of a group beyond the cap is counted once, however often it comes.
  expect(engine.leftOut(capped.id).overflowSeries).toBe(2 * 497);
  expect(engine.ringBytes).toBe(ringBytes);
  expect(engine.leftOut('api/unknown')).toEqual({ refusedSeries: 0, overflowSeries: 0 });
});

test('a snapshot keeps the groups, their order, their events and their alerts', () => {
  const engine = new Engine([GROUPED], { settleMs: 0 });
  scrape(engine, later(0), { us: [0, 0] });
  for (let i = 1; i <= 4; i++) {
    scrape(engine, later(i), { us: [100 * i, 50 * i], eu: [i, 0] });
    engine.evaluate(later(i));
  }
  const after = new Engine([GROUPED], { settleMs: 0 });
  after.restore(engine.snapshot(), later(4));
  expect(after.states(later(4))).toEqual(engine.states(later(4)));
  for (const each of [engine, after]) scrape(each, later(5), { us: [600, 200], eu: [9, 1], asia: [3, 0] });
  expect(after.states(later(5))).toEqual(engine.states(later(5)));
  expect(after.evaluate(later(5))).toEqual(engine.evaluate(later(5)));
});

test('a lowered cap keeps the groups that came first', () => {
  const engine = new Engine([GROUPED], { settleMs: 0 });
  scrape(engine, later(0), { us: [0, 0], eu: [0, 0] });
  scrape(engine, later(1), { us: [5, 0], eu: [7, 0] });
  const capped = { ...GROUPED, groupsMax: 1 };
  const after = new Engine([capped], { settleMs: 0 });
  after.restore(engine.snapshot(), later(1));
  expect(after.statesOf(capped.id, later(1))!.map(({ events }) => events.total)).toEqual([5]);
});

const JOBS = anSlo({
  groupBy: ['queue'],
  sli: { kind: 'throughput', counter: counter('jobs', { job: 'api' }), bound: 'min', perSecond: 1, aggregate: null },
  slice: duration('1m'),
  emptySlice: 'bad',
});

function jobs(queue: string, tMs: number, value: number): Parameters<typeof feed>[1][number] {
  return { labels: { __name__: 'jobs', job: 'api', instance: 'a', queue }, tMs, value };
}

test('the slices of a group begin with the first whole one after it appeared, not with those of other groups', () => {
  const engine = new Engine([JOBS], { settleMs: 0 });
  for (let i = 0; i <= 40; i++) feed(engine, [jobs('mail', later(i), 100 * i)], later(i));
  for (let i = 41; i <= 48; i++) {
    feed(engine, [jobs('mail', later(i), 100 * i), jobs('pdf', later(i), 100 * i)], later(i));
  }
  const [mail, pdf] = engine.statesOf(JOBS.id, later(48))!;
  expect(mail!.events).toEqual({ good: 12, bad: 0, total: 12 });
  // It appeared in the eleventh minute, so the twelfth is the first.
  expect(pdf!.events).toEqual({ good: 1, bad: 0, total: 1 });
});
