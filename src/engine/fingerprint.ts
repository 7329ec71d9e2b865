import type { Selector, Slo } from './slo.ts';

/**
 * What an SLO counts, as text. When it changes, the events counted so far mean something else. How a selector is spelt says
 * nothing: its matchers do, in whatever order.
 */
export function sliFingerprint(slo: Slo): string {
  const { sli, groupBy, slice, emptySlice, budgeting, sliceTarget } = slo;
  return JSON.stringify([sli, groupBy, slice?.ms ?? null, emptySlice, budgeting, sliceTarget], (_key, value) =>
    isSelector(value) ? meaning(value) : value,
  );
}

function isSelector(value: unknown): value is Selector {
  return typeof value === 'object' && value !== null && 'matchers' in value;
}

function meaning({ matchers }: Selector): string[] {
  return matchers.map(({ name, op, value }) => JSON.stringify([name, op, value])).sort();
}
