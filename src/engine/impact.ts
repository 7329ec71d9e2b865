import { burnRate } from './burn-rate.ts';
import { HistorySums, type Observed, type Slot, windowStarts } from './history.ts';
import type { Slo } from './slo.ts';

/** What a stretch of time cost: for post-mortems, and for deploys. */

export interface Cost {
  events: { good: number; bad: number; total: number };
  /** Share of the budget of the SLO window that ends with the interval. */
  budgetSpent: number;
}

/** `GET …/impact`, field by field; times are RFC 3339. What was not observed is null. */
export interface Impact extends Cost {
  from: string;
  to: string;
  remainingBefore: number | null;
  remainingAfter: number | null;
  lowestRemaining: number | null;
  lowestAt: string | null;
}

/** What intervals cost one SLO, or one group of it. The slots reach back by the SLO window from each of their ends. */
export class LedgerCosts {
  readonly slo: Slo;
  readonly #asOfMs: number;
  readonly #sums: HistorySums;
  readonly #windowStartMs: (endMs: number) => number;

  constructor(slo: Slo, slots: readonly Slot[], asOfMs: number) {
    this.slo = slo;
    this.#asOfMs = asOfMs;
    this.#sums = new HistorySums(slots, asOfMs);
    this.#windowStartMs = windowStarts(slo);
  }

  /** Of `(fromMs, toMs]`. An end after the watermark is taken for the watermark. */
  between(fromMs: number, toMs: number): Cost {
    const sums = this.#sums;
    this.#readWindow(Math.min(toMs, this.#asOfMs));
    const allowedBad = this.slo.errorBudget * (sums.good + sums.bad);
    sums.read(fromMs, toMs);
    const { good, bad } = sums;
    return { events: { good, bad, total: good + bad }, budgetSpent: allowedBad > 0 ? bad / allowedBad : 0 };
  }

  remainingAt(tMs: number): number {
    this.#readWindow(tMs);
    return 1 - burnRate(this.#sums.good, this.#sums.bad, this.slo.errorBudget);
  }

  #readWindow(endMs: number): void {
    this.#sums.read(this.#windowStartMs(endMs), endMs);
  }
}

/** Of `(fromMs, toMs]`. The slots reach back by the SLO window. */
export function impactOf(slo: Slo, slots: readonly Slot[], fromMs: number, toMs: number, observed: Observed): Impact {
  const { sinceMs, asOfMs } = observed;
  const costs = new LedgerCosts(slo, slots, asOfMs);
  const endMs = Math.min(toMs, asOfMs);
  const remaining = (tMs: number): number | null =>
    tMs > sinceMs && tMs >= fromMs && tMs <= asOfMs ? costs.remainingAt(tMs) : null;
  let lowestRemaining: number | null = null;
  let lowestMs = Number.NaN;
  for (const tMs of turningPoints(slo, slots, fromMs, endMs)) {
    const left = remaining(tMs);
    if (left === null || (lowestRemaining !== null && left >= lowestRemaining)) continue;
    lowestRemaining = left;
    lowestMs = tMs;
  }
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    ...costs.between(fromMs, toMs),
    remainingBefore: remaining(fromMs),
    remainingAfter: remaining(endMs),
    lowestRemaining,
    lowestAt: Number.isNaN(lowestMs) ? null : new Date(lowestMs).toISOString(),
  };
}

/**
 * Both ends, and where a slot begins or ends to be in the window or to leave it. In between events come and go evenly, so that
 * the remaining budget rises or falls all the way, and its lowest is at one of these.
 */
function turningPoints({ window }: Slo, slots: readonly Slot[], fromMs: number, toMs: number): number[] {
  const points = new Set([fromMs, toMs]);
  const add = (tMs: number): void => {
    if (tMs > fromMs && tMs < toMs) points.add(tMs);
  };
  for (const { endMs, lengthMs } of slots) {
    add(endMs - lengthMs);
    add(endMs);
    if (window.kind === 'calendar') continue;
    add(endMs - lengthMs + window.duration.ms);
    add(endMs + window.duration.ms);
  }
  return [...points].sort((a, b) => a - b);
}
