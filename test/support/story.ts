import fc from 'fast-check';
import type { Sample } from './feed.ts';
import { series } from './feed.ts';
import { MIDNIGHT_MS } from './time.ts';

/**
 * A random story of scrapes and deliveries: targets with series that grow, reset, appear late and go away; scrapes that are
 * missed, now and then for long; deliveries that are delayed, repeated and out of order.
 */
export interface Delivery {
  arrivedMs: number;
  samples: Sample[];
}

const INTERVAL_MS = 15_000;
/** A hole misses this many scrapes. */
const HOLE_SKIPS = 20;
const CODES = ['200', '500'];

/** What a target shows at one instant is made of `dice`, six numbers below 1000. */
export interface Scrape {
  instance: string;
  tMs: number;
  dice: readonly number[];
}

interface Step {
  dice: readonly number[];
  skip: number;
  delay: number;
  again: boolean;
}

const STEP: fc.Arbitrary<Step> = fc.record({
  dice: fc.array(fc.nat(999), { minLength: 6, maxLength: 6 }),
  // 1: the next scrape is missed; more: a hole.
  skip: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    { weight: 2, arbitrary: fc.constant(1) },
    { weight: 1, arbitrary: fc.constant(HOLE_SKIPS) },
  ),
  delay: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 2, arbitrary: fc.nat(12) }),
  again: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
});

function deliveriesOf(
  instance: string,
  offsetMs: number,
  lagMs: number,
  steps: readonly Step[],
  samplesOf: SamplesOf,
): Delivery[] {
  const deliveries: Delivery[] = [];
  let tMs = MIDNIGHT_MS + offsetMs;
  let sinceHole = HOLE_SKIPS;
  for (const { dice, skip, delay, again } of steps) {
    // Two holes with no more than their length in between would be a new rhythm, which is tested by itself.
    const skipped = skip > 1 && sinceHole <= HOLE_SKIPS + 1 ? 0 : skip;
    sinceHole = skipped > 1 ? 0 : sinceHole + 1;
    tMs += INTERVAL_MS * (1 + skipped);
    const samples = samplesOf({ instance, tMs, dice });
    const arrivedMs = tMs + lagMs + 1000 * delay;
    deliveries.push({ arrivedMs, samples });
    // A retry whose first attempt had been applied, after newer samples.
    if (again) deliveries.push({ arrivedMs: arrivedMs + 40_000, samples });
  }
  return deliveries;
}

/** Called scrape by scrape, each target in order. */
export type SamplesOf = (scrape: Scrape) => Sample[];

/** A story of two targets, told by what they show: `teller` begins a new one. */
export function storyOf(teller: () => SamplesOf): fc.Arbitrary<Delivery[]> {
  return fc
    .tuple(
      fc.array(STEP, { minLength: 1, maxLength: 60 }),
      fc.array(STEP, { minLength: 1, maxLength: 60 }),
      fc.constantFrom(0, 7000),
      fc.constantFrom(0, 60_000),
    )
    .map(([first, second, offsetMs, lagMs]) => {
      const samplesOf = teller();
      const deliveries = [
        ...deliveriesOf('a', 0, 0, first, samplesOf),
        ...deliveriesOf('b', offsetMs, lagMs, second, samplesOf),
      ];
      return deliveries.sort((x, y) => x.arrivedMs - y.arrivedMs);
    });
}

/** Counters by key that grow, or begin anew when their target does. */
export class Counters {
  readonly #values = new Map<string, number>();

  next(key: string, grow: number, restarted: boolean, startValue = 0): number {
    const value = restarted ? grow : (this.#values.get(key) ?? startValue) + grow;
    this.#values.set(key, value);
    return value;
  }
}

export const STORY: fc.Arbitrary<Delivery[]> = storyOf(() => {
  const counters = new Counters();
  return ({ instance, tMs, dice }) =>
    CODES.flatMap((code, i) => {
      const value = counters.next(instance + code, dice[i]!, dice[2]! < 100, i === 0 ? 1000 : 10);
      return i === 1 && dice[3]! < 500 ? [] : [{ labels: series(code, instance), tMs, value }];
    });
});

interface Event {
  tMs: number;
  good: number;
  bad: number;
}

/** A sample that is the newest of its series, and what it adds to a counter. */
export interface Taken {
  key: string;
  labels: Record<string, string>;
  tMs: number;
  value: number | 'stale';
  /** NaN for an opening balance, whose increase nobody knows. */
  increase: number;
}

/** The rules of the contract once more, as plainly as they can be written. */
export class NaiveReceiver {
  readonly #last = new Map<string, { tMs: number; value: number }>();
  readonly #reports = new Map<string, number[]>();
  readonly #arrivals: { tMs: number; arrivedMs: number }[] = [];

  deliver({ arrivedMs, samples }: Delivery): Taken[] {
    const taken: Taken[] = [];
    for (const { labels, tMs, value } of samples) {
      const target = `${labels['job']}/${labels['instance']}`;
      const reports = this.#reports.get(target) ?? [];
      this.#reports.set(target, reports);
      if (tMs > (reports.at(-1) ?? Number.NEGATIVE_INFINITY)) {
        reports.push(tMs);
        this.#arrivals.push({ tMs, arrivedMs });
      }
      const key = JSON.stringify(labels);
      const last = this.#last.get(key);
      if (last !== undefined && tMs <= last.tMs) continue;
      if (value === 'stale') {
        taken.push({ key, labels, tMs, value, increase: 0 });
        continue;
      }
      this.#last.set(key, { tMs, value });
      const whole = last === undefined || value < last.value;
      const unknown = last === undefined && !isNewborn(reports, tMs);
      taken.push({ key, labels, tMs, value, increase: unknown ? Number.NaN : whole ? value : value - last.value });
    }
    return taken;
  }

  /** Earliest event time of a report. */
  get firstMs(): number {
    return Math.min(...this.#arrivals.map(({ tMs }) => tMs));
  }

  /** Whether any target was heard in `(startMs, endMs]`. */
  wasHeard(startMs: number, endMs: number): boolean {
    return this.#arrivals.some(({ tMs }) => tMs > startMs && tMs <= endMs);
  }

  /** The newest event time that has had `settle`, never past the clock; NaN before the first. */
  watermarkMs(nowMs: number, settleMs: number): number {
    const settled = this.#arrivals
      .filter((arrival) => arrival.arrivedMs + settleMs <= nowMs)
      .map((arrival) => arrival.tMs);
    return settled.length === 0 ? Number.NaN : Math.min(nowMs, Math.max(...settled));
  }
}

/** Every event in one list. */
export class NaiveBudget {
  readonly events: Event[] = [];
  readonly receiver = new NaiveReceiver();
  readonly #eventOf: (taken: Taken) => { good: number; bad: number };

  constructor(eventOf: (taken: Taken) => { good: number; bad: number } = badByCode) {
    this.#eventOf = eventOf;
  }

  deliver(delivery: Delivery): void {
    for (const taken of this.receiver.deliver(delivery)) {
      if (taken.value !== 'stale') this.events.push({ tMs: taken.tMs, ...this.#eventOf(taken) });
    }
  }

  watermarkMs(nowMs: number, settleMs: number): number {
    return this.receiver.watermarkMs(nowMs, settleMs);
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

function badByCode({ labels, increase }: Taken): { good: number; bad: number } {
  const bad = labels['code']!.startsWith('5');
  const known = increase || 0;
  return { good: bad ? 0 : known, bad: bad ? known : 0 };
}

/** Whether the target had been heard before `tMs` without a hole up to it. */
function isNewborn(reports: readonly number[], tMs: number): boolean {
  let runStartMs = reports[0]!;
  for (let i = 1; i < reports.length; i++) {
    if (reports[i]! - reports[i - 1]! > 10 * INTERVAL_MS) runStartMs = reports[i]!;
  }
  return runStartMs < tMs;
}
