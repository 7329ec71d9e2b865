import type { Matcher } from '../engine/slo.ts';

/** The same for selectors that say the same in another order. */
export function selectorKey(matchers: readonly Matcher[]): string {
  return JSON.stringify(matchers.map(({ name, op, value }) => JSON.stringify([name, op, value])).sort());
}
