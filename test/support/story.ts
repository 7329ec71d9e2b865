import fc from 'fast-check';
import type { Sample } from './feed.ts';
import { series } from './feed.ts';
import { MIDNIGHT_MS } from './time.ts';

/**
 * A random story of scrapes and deliveries: targets with counters that grow, reset, appear late and go away; scrapes that are
 * missed, now and then for long; deliveries that are delayed, repeated and out of order.
 */
export interface Delivery {
  arrivedMs: number;
  samples: Sample[];
}

const INTERVAL_MS = 15_000;
const CODES = ['200', '500'];

interface Step {
  grow: readonly number[];
  skip: number;
  reset: boolean;
  present: readonly boolean[];
  delay: number;
  again: boolean;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  grow: fc.array(fc.nat(1000), { minLength: 2, maxLength: 2 }),
  // 1: the next scrape is missed; 20: a hole.
  skip: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constant(20) },
  ),
  reset: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  present: fc.tuple(fc.constant(true), fc.boolean()),
  delay: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(12) }),
  again: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

function deliveriesOf(instance: string, offsetMs: number, lagMs: number, steps: readonly Step[]): Delivery[] {
  const deliveries: Delivery[] = [];
  const values = [1000, 10];
  let tMs = MIDNIGHT_MS + offsetMs;
  let skipped = 0;
  for (const step of steps) {
    // Two holes in a row would be a new rhythm, which is tested by itself.
    skipped = skipped > 1 ? 0 : step.skip;
    tMs += INTERVAL_MS * (1 + skipped);
    const samples: Sample[] = [];
    CODES.forEach((code, i) => {
      values[i] = step.reset ? step.grow[i]! : values[i]! + step.grow[i]!;
      if (step.present[i]) samples.push({ labels: series(code, instance), tMs, value: values[i]! });
    });
    const arrivedMs = tMs + lagMs + 1000 * step.delay;
    deliveries.push({ arrivedMs, samples });
    // A retry whose first attempt had been applied, after newer samples.
    if (step.again) deliveries.push({ arrivedMs: arrivedMs + 40_000, samples });
  }
  return deliveries;
}

export const STORY: fc.Arbitrary<Delivery[]> = fc
  .tuple(
    fc.array(STEP, { minLength: 1, maxLength: 60 }),
    fc.array(STEP, { minLength: 1, maxLength: 60 }),
    fc.constantFrom(0, 7000),
    fc.constantFrom(0, 60_000),
  )
  .map(([first, second, offsetMs, lagMs]) =>
    [...deliveriesOf('a', 0, 0, first), ...deliveriesOf('b', offsetMs, lagMs, second)].sort(
      (x, y) => x.arrivedMs - y.arrivedMs,
    ),
  );

interface Event {
  tMs: number;
  good: number;
  bad: number;
}

/** The rules of the contract once more, as plainly as they can be written: every increment in one list. */
export class NaiveBudget {
  readonly events: Event[] = [];
  readonly #last = new Map<string, { tMs: number; value: number }>();
  readonly #reports = new Map<string, number[]>();
  readonly #arrivals: { tMs: number; arrivedMs: number }[] = [];

  deliver({ arrivedMs, samples }: Delivery): void {
    for (const { labels, tMs, value } of samples) {
      const target = `${labels['job']}/${labels['instance']}`;
      const reports = this.#reports.get(target) ?? [];
      this.#reports.set(target, reports);
      if (tMs > (reports.at(-1) ?? Number.NEGATIVE_INFINITY)) {
        reports.push(tMs);
        this.#arrivals.push({ tMs, arrivedMs });
      }
      if (value === 'stale') continue;
      const key = JSON.stringify(labels);
      const last = this.#last.get(key);
      if (last !== undefined && tMs <= last.tMs) continue;
      this.#last.set(key, { tMs, value });
      const increase =
        last === undefined ? (isNewborn(reports, tMs) ? value : 0) : value < last.value ? value : value - last.value;
      const bad = labels['code']!.startsWith('5');
      this.events.push({ tMs, good: bad ? 0 : increase, bad: bad ? increase : 0 });
    }
  }

  /** The newest event time that has had `settle`, never past the clock; NaN before the first. */
  watermarkMs(nowMs: number, settleMs: number): number {
    const settled = this.#arrivals
      .filter((arrival) => arrival.arrivedMs + settleMs <= nowMs)
      .map((arrival) => arrival.tMs);
    return settled.length === 0 ? Number.NaN : Math.min(nowMs, Math.max(...settled));
  }

  /** Good and bad events of `(asOfMs - windowMs, asOfMs]`. */
  sum(asOfMs: number, windowMs: number): { good: number; bad: number } {
    const inside = this.events.filter((event) => event.tMs > asOfMs - windowMs && event.tMs <= asOfMs);
    return {
      good: inside.reduce((sum, event) => sum + event.good, 0),
      bad: inside.reduce((sum, event) => sum + event.bad, 0),
    };
  }
}

/** Whether the target had been heard before `tMs` without a hole up to it. */
function isNewborn(reports: readonly number[], tMs: number): boolean {
  let runStartMs = reports[0]!;
  for (let i = 1; i < reports.length; i++) {
    if (reports[i]! - reports[i - 1]! > 10 * INTERVAL_MS) runStartMs = reports[i]!;
  }
  return runStartMs < tMs;
}
