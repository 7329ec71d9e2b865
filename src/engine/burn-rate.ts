/**
 * Error ratio, burn rate and budget: arithmetic on two sums.
 * Source: SRE Workbook, chapter 5. The budget consumed is the burn rate over the SLO window itself; what remains is 1 minus
 * that, signed and never clamped.
 */

/** Bad share of all events, 0..1; 0 when nothing happened. A window whose edges cut a pair apart can hold more of one
 * kind than there are events (good above total): the ratio is kept within 0..1. */
export function errorRatio(good: number, bad: number): number {
  const total = good + bad;
  if (total <= 0 || bad <= 0) return 0;
  return bad >= total ? 1 : bad / total;
}

/** How many times faster than sustainable the budget is spent. */
export function burnRate(good: number, bad: number, errorBudget: number): number {
  return errorRatio(good, bad) / errorBudget;
}

/**
 * A share of bad events that every burn rate of at least `burn` exceeds: compared without a division, and a billionth lower than
 * it ought to be, so that what rounding does to the two divisions of `burnRate` cannot hide one.
 */
export function leastErrorRatio(burn: number, errorBudget: number): number {
  return Math.min(burn * errorBudget, 1) * (1 - 1e-9);
}

/** Good share of all events, 0..1; null when nothing happened. */
export function goodRatio(good: number, bad: number): number | null {
  const total = good + bad;
  if (total <= 0) return null;
  return Math.min(Math.max(good / total, 0), 1);
}

/**
 * When the budget runs out if the burn goes on, or null when it never does: a burn rate of at most 1 is sustainable for ever.
 * An exhausted budget has run out already, that is at `asOfMs`.
 */
export function exhaustedAtMs(asOfMs: number, remaining: number, burn: number, periodMs: number): number | null {
  if (remaining <= 0) return asOfMs;
  if (burn <= 1) return null;
  return asOfMs + (remaining * periodMs) / burn;
}
