import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import type { PushedEvents } from '../../src/engine/pushes.ts';
import { readSnapshot } from '../../src/engine/snapshot.ts';
import { CorruptRecordError, RecordDecoder, RecordEncoder, type ReplayTarget } from '../../src/store/journal-record.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';

const SLOS = [
  anSlo(),
  anSlo({ id: 'jobs/nightly', sli: { kind: 'push' } }),
  anSlo({ id: 'jobs/grouped', sli: { kind: 'push' }, groupBy: ['region'] }),
  anSlo({
    id: 'jobs/sliced',
    sli: { kind: 'push' },
    slice: { ms: 60_000, text: '1m' },
    budgeting: 'ratioTimeslices',
  }),
];

function eventArbitrary(count: fc.Arbitrary<number>, ageMs: fc.Arbitrary<number>, slos: readonly string[]) {
  return fc
    .record({
      sloId: fc.constantFrom(...slos),
      region: fc.constantFrom('eu', 'us', 'é'),
      ageMs,
      good: count,
      bad: count,
      id: fc.option(fc.constantFrom('a', 'b', 'c', 'd', '1f0c6c2e-ü'), { nil: null }),
    })
    .map(({ region, ageMs: age, ...event }) => ({
      ...event,
      group: event.sloId === 'jobs/grouped' ? { region } : null,
      tMs: MIDNIGHT_MS - age,
    }));
}

const WHOLE = fc.nat(1000);
const ANY = fc.oneof(WHOLE, fc.maxSafeNat(), fc.double({ min: 0, max: 2 ** 53 - 1, noNaN: true }));
const AGE_MS = fc.oneof(fc.nat(600_000), fc.nat(20 * 86_400_000), fc.integer({ min: -500_000, max: 0 }));

test('however events are ordered, split into requests and sent again, the budgets are the same', () => {
  const event = eventArbitrary(WHOLE, AGE_MS, ['api/availability', 'jobs/nightly', 'jobs/grouped']);
  const stories = fc.array(event, { minLength: 1, maxLength: 40 }).chain((events) => {
    // An id says the same whenever it is sent.
    const named = events.map((one, i) => ({ ...one, id: `${i}` }));
    return fc.tuple(
      fc.constant(named),
      fc.shuffledSubarray(named, { minLength: named.length }),
      fc.shuffledSubarray(named),
      fc.array(fc.nat(5), { minLength: 50, maxLength: 50 }),
    );
  });
  fc.assert(
    fc.property(stories, ([events, shuffled, again, sizes]) => {
      const straight = new Engine(SLOS);
      straight.push(events, MIDNIGHT_MS);
      const split = new Engine(SLOS);
      const all = [...shuffled, ...again];
      for (let at = 0, request = 0; at < all.length; request++) {
        const size = 1 + (sizes[request] ?? 0);
        split.push(all.slice(at, at + size), MIDNIGHT_MS);
        at += size;
      }
      const later = MIDNIGHT_MS + 600_000;
      for (const slo of SLOS) {
        const byGroup = (engine: Engine) =>
          engine.statesOf(slo.id, later)!.sort((a, b) => (JSON.stringify(a.group) < JSON.stringify(b.group) ? -1 : 1));
        expect(byGroup(split)).toEqual(byGroup(straight));
      }
    }),
  );
});

interface Step {
  readonly waitMs: number;
  readonly events: readonly PushedEvents[];
  readonly scrapes: boolean;
  readonly looks: boolean;
  readonly fate: string;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.constantFrom(0, 1_000, 10_000, 60_000, 400_000),
  events: fc.array(
    eventArbitrary(
      WHOLE,
      AGE_MS,
      SLOS.map(({ id }) => id),
    ),
    { maxLength: 5 },
  ),
  scrapes: fc.boolean(),
  looks: fc.boolean(),
  fate: fc.constantFrom('goes on', 'goes on', 'goes on', 'ends', 'is saved', 'is saved and ends'),
});

function scrape(engine: Engine, tMs: number, value: number): SampleBatch {
  const labels = labelSet(Object.entries(series('500')));
  const batch = new SampleBatch(1);
  batch.push(engine.register(labels, encodeLabels(labels)), tMs, value, SAMPLE_VALUE);
  return batch;
}

test('a restart leads to the state that was acknowledged, whoever looked and whatever was saved before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 1, maxLength: 25 }), fc.nat(25), async (steps, firstScrape) => {
      const straight = new Engine(SLOS);
      const dir = temporaryFolder();
      const begin = (nowMs: number) => {
        const store = Store.open(dir);
        const engine = new Engine(SLOS);
        recover(store, engine, nowMs);
        return { store, engine, journal: new Journal(store, engine.table) };
      };
      let run = begin(MIDNIGHT_MS);
      let nowMs = MIDNIGHT_MS;
      for (const [i, { waitMs, events, scrapes, looks, fate }] of steps.entries()) {
        nowMs += waitMs;
        const outcome = run.engine.push(events, nowMs);
        expect(outcome).toEqual(straight.push(events, nowMs));
        run.journal.recordPushes(outcome.applied, nowMs);
        if (scrapes && i >= firstScrape) {
          straight.ingest(scrape(straight, nowMs, i), nowMs);
          const batch = scrape(run.engine, nowMs, i);
          run.journal.record(batch, run.engine.ingest(batch, nowMs), nowMs);
        }
        // Only one of them is looked at.
        if (looks) run.engine.evaluate(nowMs);
        if (fate.startsWith('is saved')) await run.journal.snapshot(run.engine);
        await run.store.committed();
        if (fate.endsWith('ends')) {
          run.store.close();
          run = begin(nowMs);
        }
      }
      run.store.close();
      const last = begin(nowMs);
      last.store.close();
      const state = (engine: Engine) => {
        const states = engine.states(nowMs + 600_000).map(({ alerts: _, ...rest }) => rest);
        const { pushes, scopes, ledgers } = readSnapshot(engine.snapshot());
        const byKey = scopes.sort((a, b) => (a.key < b.key ? -1 : 1));
        const rings = ledgers.map(({ sloId, group, tally, pending, slices }) => ({
          sloId,
          group,
          tally,
          pending,
          slices,
        }));
        return { states, pushes: pushes.sort((a, b) => (a.sloId < b.sloId ? -1 : 1)), scopes: byKey, rings };
      };
      expect(state(last.engine)).toEqual(state(straight));
    }),
    { numRuns: 40 },
  );
});

test('sums of fractions are the same to the last bit, whoever looked', () => {
  const event = eventArbitrary(ANY, AGE_MS, ['jobs/nightly', 'jobs/grouped', 'jobs/sliced']);
  const step = fc.record({ waitMs: fc.constantFrom(0, 3_000, 60_000), events: fc.array(event, { maxLength: 6 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const watched = new Engine(SLOS);
      const unwatched = new Engine(SLOS);
      let nowMs = MIDNIGHT_MS;
      for (const { waitMs, events } of steps) {
        watched.push(events, nowMs);
        unwatched.push(events, nowMs);
        for (let ms = 0; ms < waitMs; ms += 500) watched.evaluate(nowMs + ms);
        nowMs += waitMs;
      }
      const events = (engine: Engine) => engine.states(nowMs + 600_000).map((state) => state.events);
      expect(events(watched)).toEqual(events(unwatched));
    }),
  );
});

/** Takes what was pushed; samples there are none. */
class Replay implements ReplayTarget {
  readonly pushed: [nowMs: number, events: readonly PushedEvents[]][] = [];

  registerCanonical(): never {
    throw new Error('there is no series');
  }

  ingest(): never {
    throw new Error('there are no samples');
  }

  push(events: readonly PushedEvents[], nowMs: number): void {
    this.pushed.push([nowMs, events]);
  }
}

const NO_SERIES = {
  labelBytes: (): never => {
    throw new Error('there is no series');
  },
};

test('a journal record of pushed events comes back bit for bit', () => {
  const event = eventArbitrary(
    ANY,
    fc.maxSafeInteger(),
    SLOS.map(({ id }) => id),
  );
  fc.assert(
    fc.property(fc.array(fc.array(event, { minLength: 1, maxLength: 20 }), { maxLength: 5 }), (requests) => {
      const encoder = new RecordEncoder(NO_SERIES);
      const decoder = new RecordDecoder();
      const replay = new Replay();
      requests.forEach((events, i) => {
        const record = encoder.encodePushes(events, MIDNIGHT_MS + i);
        expect(decoder.decode(record, i + 1, replay)).toEqual({ applied: events.length, refused: 0 });
      });
      expect(replay.pushed).toEqual(requests.map((events, i) => [MIDNIGHT_MS + i, events]));
    }),
  );
});

test('a damaged record of pushed events is detected, whatever byte is wrong', () => {
  const event = { sloId: 'jobs/nightly', group: { region: 'eu' }, tMs: MIDNIGHT_MS, good: 1.5, bad: 2, id: 'run-1' };
  const record = new RecordEncoder(NO_SERIES).encodePushes([event, { ...event, id: null }], MIDNIGHT_MS);
  for (let at = 0; at < record.length; at++) {
    const damaged = record.slice();
    damaged[at]! ^= 1;
    expect(() => new RecordDecoder().decode(damaged, 1, new Replay())).toThrow(CorruptRecordError);
    expect(() => new RecordDecoder().decode(record.slice(0, at), 1, new Replay())).toThrow(CorruptRecordError);
  }
});

test('a push of a nightly job costs under 100 bytes of journal', () => {
  const event = { sloId: 'billing/invoices', group: null, tMs: MIDNIGHT_MS, good: 4711, bad: 3, id: 'run-2026-01-01' };
  expect(new RecordEncoder(NO_SERIES).encodePushes([event], MIDNIGHT_MS).length).toBeLessThan(100);
  const many = Array.from({ length: 1000 }, (_, i) => ({ ...event, tMs: MIDNIGHT_MS + 1000 * i, id: null }));
  expect(new RecordEncoder(NO_SERIES).encodePushes(many, MIDNIGHT_MS).length).toBeLessThan(6 * 1000);
});
