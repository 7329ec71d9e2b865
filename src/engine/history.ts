import { burnRate, goodRatio } from './burn-rate.ts';
import type { Period } from './calendar.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from './duration.ts';
import type { Slo } from './slo.ts';
import { windowsOf } from './tally.ts';

/**
 * History: good and bad events by event time, for charts and reports, and what budget and burn rates were at any moment.
 *
 * Each stretch of time is read at the finest resolution that still has all of it. Slots are `(endMs - lengthMs, endMs]` and the
 * sizes divide each other, so the cut between two stretches falls on a boundary of both and no event is read twice.
 */

export interface Resolution {
  readonly ms: number;
  /** Slots that end further than this before the newest minute are dropped. */
  readonly keptMs: number;
}

/** Finest first. */
export const RESOLUTIONS: readonly Resolution[] = [
  { ms: MINUTE_MS, keptMs: 2 * DAY_MS },
  { ms: 10 * MINUTE_MS, keptMs: 35 * DAY_MS },
  { ms: HOUR_MS, keptMs: 400 * DAY_MS },
];

/** Events of `(endMs - lengthMs, endMs]`. */
export interface Slot {
  readonly endMs: number;
  readonly lengthMs: number;
  readonly good: number;
  readonly bad: number;
}

/** Good and bad events of minutes, by the end of the minute. */
export type Minutes = Iterable<readonly [endMs: number, events: readonly [good: number, bad: number]]>;

/** The time `(fromMs, untilMs]`, read in slots of `lengthMs`. */
export interface Stretch {
  readonly lengthMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** End of the slot that holds a time. */
export function slotEndMs(tMs: number, lengthMs: number): number {
  return Math.ceil(tMs / lengthMs) * lengthMs;
}

/** Finest first. `newestMs` is the newest minute that was ever written; -Infinity before the first. */
export function stretchesOf(newestMs: number): Stretch[] {
  let untilMs = Number.POSITIVE_INFINITY;
  return RESOLUTIONS.map(({ ms, keptMs }, i) => {
    const coarser = RESOLUTIONS[i + 1];
    const fromMs = coarser === undefined ? Number.NEGATIVE_INFINITY : slotEndMs(newestMs - keptMs, coarser.ms);
    const stretch = { lengthMs: ms, fromMs, untilMs };
    untilMs = fromMs;
    return stretch;
  });
}

/** Slots in order of time: those that were read, and the minutes that are not among them yet. */
export function mergeSlots(written: readonly Slot[], minutes: Minutes, stretches: readonly Stretch[]): Slot[] {
  const slots = new Map(written.map((slot) => [slot.endMs, { ...slot }]));
  for (const [minuteMs, [good, bad]] of minutes) {
    const { lengthMs } = stretches.find(({ fromMs }) => minuteMs > fromMs)!;
    const endMs = slotEndMs(minuteMs, lengthMs);
    const slot = slots.get(endMs);
    if (slot === undefined) {
      slots.set(endMs, { endMs, lengthMs, good, bad });
    } else {
      slot.good += good;
      slot.bad += bad;
    }
  }
  return [...slots.values()].sort((a, b) => a.endMs - b.endMs);
}

/** Prefix sums over slots: the events of any interval are two look-ups, pro-rated inside a slot that an edge cuts. */
export class HistorySums {
  readonly #endMs: Float64Array;
  readonly #startMs: Float64Array;
  /** Before the slot of the same index; one entry more than there are slots. */
  readonly #good: Float64Array;
  readonly #bad: Float64Array;
  /** Of the interval read last. */
  good = 0;
  bad = 0;

  /** Slots in order of time. Nothing is known beyond `asOfMs`, so the slot that holds it ends there. */
  constructor(slots: readonly Slot[], asOfMs: number) {
    const count = slots.length;
    this.#endMs = new Float64Array(count);
    this.#startMs = new Float64Array(count);
    this.#good = new Float64Array(count + 1);
    this.#bad = new Float64Array(count + 1);
    slots.forEach(({ endMs, lengthMs, good, bad }, i) => {
      const startMs = endMs - lengthMs;
      this.#startMs[i] = startMs;
      this.#endMs[i] = startMs < asOfMs && asOfMs < endMs ? asOfMs : endMs;
      this.#good[i + 1] = this.#good[i]! + good;
      this.#bad[i + 1] = this.#bad[i]! + bad;
    });
  }

  /** Events of `(fromMs, toMs]`. */
  read(fromMs: number, toMs: number): void {
    const from = this.#slotAfter(fromMs);
    const to = this.#slotAfter(toMs);
    const fromShare = this.#shareBefore(from, fromMs);
    const toShare = this.#shareBefore(to, toMs);
    this.good = through(this.#good, to, toShare) - through(this.#good, from, fromShare);
    this.bad = through(this.#bad, to, toShare) - through(this.#bad, from, fromShare);
  }

  /** The first slot that ends after `tMs`. */
  #slotAfter(tMs: number): number {
    const endMs = this.#endMs;
    let low = 0;
    let high = endMs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (endMs[middle]! <= tMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How much of a slot lies before `tMs`. */
  #shareBefore(slot: number, tMs: number): number {
    if (slot === this.#endMs.length) return 0;
    const startMs = this.#startMs[slot]!;
    return tMs <= startMs ? 0 : (tMs - startMs) / (this.#endMs[slot]! - startMs);
  }
}

function through(prefix: Float64Array, slot: number, share: number): number {
  const before = prefix[slot]!;
  return share === 0 ? before : before + share * (prefix[slot + 1]! - before);
}

/** A point of `GET …/history`, field by field. */
export interface HistoryPoint {
  /** RFC 3339. */
  t: string;
  good: number;
  bad: number;
  total: number;
  sli: number | null;
  budgetRemaining: number | null;
  burnRates: Record<string, number | null>;
}

/** Points at `fromMs + stepMs`, and so on up to `toMs`. */
export interface Grid {
  readonly fromMs: number;
  readonly toMs: number;
  readonly stepMs: number;
}

export function pointsOf({ fromMs, toMs, stepMs }: Grid): number {
  return Math.max(Math.floor((toMs - fromMs) / stepMs), 0);
}

/** What was observed: from the first slot on, and up to the watermark. */
export interface Observed {
  /** NaN when no event was counted. */
  readonly sinceMs: number;
  /** NaN when nothing was observed. */
  readonly asOfMs: number;
}

/**
 * The events of `(t - step, t]`, and budget and burn rates as of `t`, by the objective and windows of the present definition.
 * Before the first event and after the watermark they are null. A point whose step holds the watermark is as of the watermark.
 */
export function historyPoints(
  slo: Slo,
  slots: readonly Slot[],
  grid: Grid,
  { sinceMs, asOfMs }: Observed,
): HistoryPoint[] {
  const sums = new HistorySums(slots, asOfMs);
  const windows = windowsOf(slo);
  const windowStartMs = windowStarts(slo);
  const points: HistoryPoint[] = [];
  const burn = (fromMs: number, toMs: number): number => {
    sums.read(fromMs, toMs);
    return burnRate(sums.good, sums.bad, slo.errorBudget);
  };
  const count = pointsOf(grid);
  for (let i = 1; i <= count; i++) {
    const tMs = grid.fromMs + i * grid.stepMs;
    const startMs = tMs - grid.stepMs;
    const observed = (tMs > sinceMs || tMs >= asOfMs) && startMs < asOfMs;
    const atMs = Math.min(tMs, asOfMs);
    const burnRates: Record<string, number | null> = {};
    let consumed: number | null = null;
    for (const { ms, texts } of windows) {
      const rate = observed ? burn(atMs - ms, atMs) : null;
      for (const text of texts) burnRates[text] = rate;
      if (slo.window.kind === 'rolling' && slo.window.duration.ms === ms) consumed = rate;
    }
    if (slo.window.kind === 'calendar') {
      consumed = observed ? burn(windowStartMs(atMs), atMs) : null;
      burnRates[slo.window.unit] = consumed;
    }
    sums.read(startMs, tMs);
    points.push({
      t: new Date(tMs).toISOString(),
      good: sums.good,
      bad: sums.bad,
      total: sums.good + sums.bad,
      sli: observed ? goodRatio(sums.good, sums.bad) : null,
      budgetRemaining: consumed === null ? null : 1 - consumed,
      burnRates,
    });
  }
  return points;
}

/** Where the SLO window that ends at a time begins. Time zones are slow and neighbouring times mostly share a period. */
export function windowStarts({ window }: Slo): (endMs: number) => number {
  if (window.kind === 'rolling') return (endMs) => endMs - window.duration.ms;
  let period: Period | null = null;
  return (endMs) => {
    if (period === null || endMs <= period.startMs || endMs > period.endMs) period = window.periodOf(endMs);
    return period.startMs;
  };
}
