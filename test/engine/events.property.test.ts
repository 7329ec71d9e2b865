import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { feed } from '../support/feed.ts';
import { anSlo, counter, TOTAL } from '../support/slo.ts';
import { type Delivery, NaiveBudget, STORY, storyOf, type Taken } from '../support/story.ts';

const SETTLE_MS = 5_000;
const WINDOW_MS = 30 * 86_400_000;

type EventOf = (taken: Taken) => { good: number; bad: number };

function expectEvents(slo: Slo, story: readonly Delivery[], eventOf: EventOf): void {
  const engine = new Engine([slo], { settleMs: SETTLE_MS });
  const naive = new NaiveBudget(eventOf);
  const compare = (nowMs: number): void => {
    const asOfMs = naive.watermarkMs(nowMs, SETTLE_MS);
    if (Number.isNaN(asOfMs)) return;
    const { good, bad } = naive.sum(asOfMs, WINDOW_MS);
    const { events } = engine.state(slo.id, nowMs)!;
    expect(events.good).toBeCloseTo(good, 9);
    expect(events.bad).toBeCloseTo(bad, 9);
  };
  for (const delivery of story) {
    feed(engine, delivery.samples, delivery.arrivedMs);
    naive.deliver(delivery);
    compare(delivery.arrivedMs);
  }
  compare(story.at(-1)!.arrivedMs + SETTLE_MS);
}

const PROBES = storyOf(() => ({ instance, tMs, dice }) => {
  const labels = { __name__: 'probe_success', job: 'blackbox', instance };
  if (dice[2]! < 100) return [{ labels, tMs, value: 'stale' }];
  // Mostly up or down; now and then a share, and now and then more than all or less than nothing.
  const value = dice[1]! < 600 ? Math.round(dice[0]! / 999) : (dice[0]! - 200) / 500;
  return [{ labels, tMs, value }];
});

test('each sample of a probe is one event, good by its value', () => {
  const slo = anSlo({ sli: { kind: 'probe', gauge: counter('probe_success', { job: 'blackbox' }) } });
  fc.assert(
    fc.property(PROBES, (story) => {
      expectEvents(slo, story, ({ value }) => {
        const good = Math.min(Math.max(value as number, 0), 1);
        return { good, bad: 1 - good };
      });
    }),
    { numRuns: 200 },
  );
});

test('with good given, everything else of the total is bad', () => {
  const slo = anSlo({
    sli: {
      kind: 'events',
      total: [TOTAL],
      given: 'good',
      selectors: [counter('requests', { job: 'api', code: /2../ })],
    },
  });
  fc.assert(
    fc.property(STORY, (story) => {
      expectEvents(slo, story, ({ labels, increase }) => {
        const known = increase || 0;
        return labels['code'] === '200' ? { good: known, bad: 0 } : { good: 0, bad: known };
      });
    }),
    { numRuns: 200 },
  );
});

test('good and total may be different metrics, and a series of two selectors counts once', () => {
  const slo = anSlo({
    sli: {
      kind: 'events',
      total: [TOTAL, counter('requests', { job: 'api', code: /5../ })],
      given: 'good',
      selectors: [counter('succeeded', { job: 'api' })],
    },
  });
  // The metric of the successes by another name.
  const renamed = STORY.map((story) =>
    story.map(({ arrivedMs, samples }) => ({
      arrivedMs,
      samples: samples.flatMap((sample) =>
        sample.labels['code'] === '200'
          ? [sample, { ...sample, labels: { __name__: 'succeeded', job: 'api', instance: sample.labels['instance']! } }]
          : [sample],
      ),
    })),
  );
  fc.assert(
    fc.property(renamed, (story) => {
      expectEvents(slo, story, ({ labels, increase }) => {
        const known = increase || 0;
        return labels['__name__'] === 'succeeded' ? { good: known, bad: -known } : { good: 0, bad: known };
      });
    }),
    { numRuns: 100 },
  );
});

test('a good series that never appears means that all are bad, a bad one that there are none', () => {
  const given = (kind: 'good' | 'bad'): Slo =>
    anSlo({
      id: kind,
      sli: { kind: 'events', total: [TOTAL], given: kind, selectors: [counter('nothing', { job: 'api' })] },
    });
  const engine = new Engine([given('good'), given('bad')], { settleMs: 0 });
  [10, 30].forEach((value, i) => {
    const tMs = 1_000_000 + 15_000 * i;
    feed(engine, [{ labels: { __name__: 'requests', job: 'api', instance: 'a' }, tMs, value }], tMs);
  });
  expect(engine.state('good', 1_015_000)!.events).toEqual({ good: 0, bad: 20, total: 20 });
  expect(engine.state('bad', 1_015_000)!.events).toEqual({ good: 20, bad: 0, total: 20 });
});
