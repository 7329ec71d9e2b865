import type { Selector } from '../../engine/slo.ts';
import { selectorKey } from '../selector-key.ts';

/**
 * What a query adds up: `sum(rate(a[w])) - 2 * sum(rate(b[w]))` is the sum of `a` and `-2 b`. All that can be counted as samples
 * arrive has this form, and two queries mean the same when their sums are the same.
 */

/** The functions whose value over a window is the sum of what the samples in it add. */
export const COUNTING = ['rate', 'increase', 'sum_over_time', 'count_over_time'] as const;

/** By which function a term counts; `counter` is a selector without one. */
export type Counted = (typeof COUNTING)[number] | 'counter';

export interface Term {
  readonly counted: Counted;
  readonly selector: Selector;
  readonly coefficient: number;
  /** The character of the query at which the selector begins. */
  readonly at: number;
}

export interface Sum {
  readonly kind: 'sum';
  /** By what is counted; no coefficient is 0. */
  readonly terms: ReadonlyMap<string, Term>;
  /** The labels it is grouped by; null when every series is for itself, because nothing has added them up. */
  readonly by: readonly string[] | null;
  /** Where a filter such as `> 0` stands that leaves nothing when there is nothing; null without one. */
  readonly filteredAt: number | null;
  readonly at: number;
}

export function termSum(counted: Counted, selector: Selector, at: number): Sum {
  const terms = new Map([[`${counted} ${selectorKey(selector.matchers)}`, { counted, selector, coefficient: 1, at }]]);
  return { kind: 'sum', terms, by: null, filteredAt: null, at };
}

export function scaled(sum: Sum, factor: number): Sum {
  const terms = new Map<string, Term>();
  for (const [key, term] of sum.terms) {
    const coefficient = term.coefficient * factor;
    if (coefficient !== 0) terms.set(key, { ...term, coefficient });
  }
  return { ...sum, terms };
}

/** `a + factor * b`; both are grouped alike. */
export function added(a: Sum, b: Sum, factor = 1): Sum {
  const terms = new Map(a.terms);
  for (const [key, term] of scaled(b, factor).terms) {
    const coefficient = (terms.get(key)?.coefficient ?? 0) + term.coefficient;
    if (coefficient === 0) terms.delete(key);
    else terms.set(key, { ...(terms.get(key) ?? term), coefficient });
  }
  return { ...a, terms };
}

export function isSame(a: Sum, b: Sum): boolean {
  return a.terms.size === b.terms.size && added(a, b, -1).terms.size === 0;
}

/** The factor that all terms share, or null. */
export function commonCoefficient(sum: Sum): number | null {
  const [first, ...others] = [...sum.terms.values()].map(({ coefficient }) => coefficient);
  return first !== undefined && others.every((coefficient) => coefficient === first) ? first : null;
}

export function isGroupedAlike(a: Sum, b: Sum): boolean {
  return a.by !== null && b.by !== null && a.by.length === b.by.length && a.by.every((label) => b.by!.includes(label));
}

/** `in all`, `by region and zone`. */
export function groupingText(by: readonly string[]): string {
  return by.length === 0 ? 'over everything' : `by ${by.join(', ')}`;
}
