import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { feed } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { type Delivery, NaiveBudget, STORY } from '../support/story.ts';

const SLO = anSlo();
const SETTLE_MS = 5_000;
const WINDOW_MS = 30 * 86_400_000;

function eventsOf(engine: Engine, nowMs: number): { good: number; bad: number } {
  const { good, bad } = engine.state(SLO.id, nowMs)!.events;
  return { good, bad };
}

function play(engine: Engine, deliveries: readonly Delivery[]): void {
  for (const { samples, arrivedMs } of deliveries) feed(engine, samples, arrivedMs);
}

test('whatever happens on the way, good and bad events are those of a plain list, at every instant', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const engine = new Engine([SLO], { settleMs: SETTLE_MS });
      const naive = new NaiveBudget();
      for (const delivery of story) {
        feed(engine, delivery.samples, delivery.arrivedMs);
        naive.deliver(delivery);
        const asOfMs = naive.watermarkMs(delivery.arrivedMs, SETTLE_MS);
        if (Number.isNaN(asOfMs)) continue;
        expect(eventsOf(engine, delivery.arrivedMs)).toEqual(naive.sum(asOfMs, WINDOW_MS));
      }
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(eventsOf(engine, laterMs)).toEqual(naive.sum(naive.watermarkMs(laterMs, SETTLE_MS), WINDOW_MS));
    }),
    { numRuns: 300 },
  );
});

test('reading in between changes nothing', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const read = new Engine([SLO], { settleMs: SETTLE_MS });
      const unread = new Engine([SLO], { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story) {
        feed(read, samples, arrivedMs);
        read.state(SLO.id, arrivedMs);
        read.snapshot();
        feed(unread, samples, arrivedMs);
      }
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(read.state(SLO.id, laterMs)).toEqual(unread.state(SLO.id, laterMs));
    }),
  );
});

test('a batch may be split or joined as it likes: the budget is bit for bit the same', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const whole = new Engine([SLO], { settleMs: SETTLE_MS });
      const split = new Engine([SLO], { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story) {
        feed(whole, samples, arrivedMs);
        for (const sample of samples) feed(split, [sample], arrivedMs);
      }
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(split.state(SLO.id, laterMs)).toEqual(whole.state(SLO.id, laterMs));
    }),
  );
});

test('sending everything again changes nothing', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const engine = new Engine([SLO], { settleMs: SETTLE_MS });
      play(engine, story);
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      const before = engine.state(SLO.id, laterMs);
      play(engine, story);
      expect(engine.state(SLO.id, laterMs)).toEqual(before);
    }),
  );
});

test('a snapshot taken at any moment and restored goes on as if nothing had happened', () => {
  fc.assert(
    fc.property(STORY, fc.nat(100), (story, percent) => {
      const cut = Math.floor((story.length * percent) / 100);
      const straight = new Engine([SLO], { settleMs: SETTLE_MS });
      play(straight, story);
      const before = new Engine([SLO], { settleMs: SETTLE_MS });
      play(before, story.slice(0, cut));
      const after = new Engine([SLO], { settleMs: SETTLE_MS });
      after.restore(before.snapshot(), story[Math.max(cut - 1, 0)]!.arrivedMs);
      play(after, story.slice(cut));
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(after.state(SLO.id, laterMs)).toEqual(straight.state(SLO.id, laterMs));
    }),
  );
});

test('replaying only the rows that changed something gives the same state', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const straight = new Engine([SLO], { settleMs: SETTLE_MS });
      const replayed = new Engine([SLO], { settleMs: SETTLE_MS });
      for (const { samples, arrivedMs } of story) {
        const outcome = feed(straight, samples, arrivedMs);
        const changed = [...outcome.changedRows.subarray(0, outcome.changedCount)].map((row) => samples[row]!);
        feed(replayed, changed, arrivedMs);
      }
      const laterMs = story.at(-1)!.arrivedMs + SETTLE_MS;
      expect(replayed.state(SLO.id, laterMs)).toEqual(straight.state(SLO.id, laterMs));
    }),
  );
});
