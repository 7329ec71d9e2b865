import { burnRate } from './burn-rate.ts';
import { HistorySums, type Observed, type Slot, windowStarts } from './history.ts';
import type { Slo } from './slo.ts';

/** What a stretch of time cost: for post-mortems, and for deploys. */

/** `GET …/impact`, field by field; times are RFC 3339. What was not observed is null. */
export interface Impact {
  from: string;
  to: string;
  events: { good: number; bad: number; total: number };
  /** Share of the budget of the SLO window that ends at `to`. */
  budgetSpent: number;
  remainingBefore: number | null;
  remainingAfter: number | null;
  lowestRemaining: number | null;
  lowestAt: string | null;
}

/** Of `(fromMs, toMs]`. The slots reach back by the SLO window. A time after the watermark is taken for the watermark. */
export function impactOf(slo: Slo, slots: readonly Slot[], fromMs: number, toMs: number, observed: Observed): Impact {
  const { sinceMs, asOfMs } = observed;
  const sums = new HistorySums(slots, asOfMs);
  const windowStartMs = windowStarts(slo);
  const endMs = Math.min(toMs, asOfMs);
  const remaining = (tMs: number): number | null => {
    if (!(tMs > sinceMs && tMs >= fromMs && tMs <= asOfMs)) return null;
    sums.read(windowStartMs(tMs), tMs);
    return 1 - burnRate(sums.good, sums.bad, slo.errorBudget);
  };
  let lowestRemaining: number | null = null;
  let lowestMs = Number.NaN;
  for (const tMs of turningPoints(slo, slots, fromMs, endMs)) {
    const left = remaining(tMs);
    if (left === null || (lowestRemaining !== null && left >= lowestRemaining)) continue;
    lowestRemaining = left;
    lowestMs = tMs;
  }
  sums.read(windowStartMs(endMs), endMs);
  const allowedBad = slo.errorBudget * (sums.good + sums.bad);
  sums.read(fromMs, toMs);
  const { good, bad } = sums;
  return {
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    events: { good, bad, total: good + bad },
    budgetSpent: allowedBad > 0 ? bad / allowedBad : 0,
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
