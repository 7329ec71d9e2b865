import { HOUR_MS } from './duration.ts';
import type { CalendarUnit, Duration } from './slo.ts';
import type { SloState } from './state.ts';

/**
 * The language of gate checks, once it is read: comparisons of what is known of an SLO, joined by `and` and `or`.
 *
 * It is three-valued. A value that is not known is null, and a condition is null when its answer depends on such a value.
 */

/** What a check is asked about: an SLO, or one group of it. */
export interface Subject {
  readonly state: SloState;
  /** Over any window that ends at the watermark; undefined for one that is longer or finer than what is kept. */
  readonly burnRateOver: (windowMs: number) => number | null | undefined;
}

export const COMPARISONS = {
  '>': (left: number, right: number) => left > right,
  '>=': (left: number, right: number) => left >= right,
  '<': (left: number, right: number) => left < right,
  '<=': (left: number, right: number) => left <= right,
  '==': (left: number, right: number) => left === right,
  '!=': (left: number, right: number) => left !== right,
} as const;
export type Comparison = keyof typeof COMPARISONS;

const VARIABLES = {
  error_budget_remaining: ({ errorBudget }: SloState) => errorBudget.remaining,
  error_budget_consumed: ({ errorBudget }: SloState) => errorBudget.consumed,
  budget_pace: budgetPace,
  sli: ({ sli }: SloState) => sli,
  alerts_firing: ({ alerts }: SloState) => alerts.filter(({ state }) => state === 'firing').length,
  hours_to_exhaustion: hoursToExhaustion,
} as const;
type VariableName = keyof typeof VARIABLES;
export const VARIABLE_NAMES = Object.keys(VARIABLES) as readonly VariableName[];
/** A window follows: `burn_rate_1h`, `burn_rate_month`. */
export const BURN_RATE_PREFIX = 'burn_rate_';

export type Variable =
  | { readonly kind: 'variable'; readonly name: VariableName }
  | { readonly kind: 'burn rate'; readonly name: string; readonly window: Duration | CalendarUnit };
export type Operand = Variable | { readonly kind: 'number'; readonly value: number };
export type Condition =
  | { readonly kind: 'comparison'; readonly op: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly kind: 'and' | 'or'; readonly terms: readonly Condition[] };

/** Values by the names that a condition has for them; undefined for a burn rate that is not kept. */
export type Values = ReadonlyMap<string, number | null | undefined>;

/** All that a condition speaks of, as it is of a subject. */
export function valuesOf(condition: Condition, subject: Subject): Values {
  return new Map(variablesOf(condition).map((variable) => [variable.name, variableValue(variable, subject)]));
}

function variablesOf(condition: Condition): Variable[] {
  if (condition.kind !== 'comparison') return condition.terms.flatMap(variablesOf);
  return [condition.left, condition.right].filter((operand) => operand.kind !== 'number');
}

function variableValue(variable: Variable, { state, burnRateOver }: Subject): number | null | undefined {
  if (variable.kind === 'variable') return VARIABLES[variable.name](state);
  const { window } = variable;
  return typeof window === 'string' ? state.burnRates[window] : burnRateOver(window.ms);
}

/** Whether a condition holds; null when that depends on a value that is not known. */
export function holds(condition: Condition, values: Values): boolean | null {
  if (condition.kind === 'comparison') {
    const left = operandValue(condition.left, values);
    const right = operandValue(condition.right, values);
    return left === null || right === null ? null : COMPARISONS[condition.op](left, right);
  }
  const deciding = condition.kind === 'or';
  let answer: boolean | null = !deciding;
  for (const term of condition.terms) {
    const held = holds(term, values);
    if (held === deciding) return deciding;
    if (held === null) answer = null;
  }
  return answer;
}

function operandValue(operand: Operand, values: Values): number | null {
  return operand.kind === 'number' ? operand.value : (values.get(operand.name) ?? null);
}

/** The share of the budget that is spent over the share of the window that is over; a rolling window always is over. */
function budgetPace({ window, asOf, errorBudget: { consumed } }: SloState): number | null {
  if (window.kind === 'rolling' || consumed === null || asOf === null) return consumed;
  const startMs = Date.parse(window.start);
  return (consumed * (Date.parse(window.end) - startMs)) / (Date.parse(asOf) - startMs);
}

/** At the burn rate of the last hour; infinite when that is sustainable. */
function hoursToExhaustion({ asOf, errorBudget: { exhaustedAt } }: SloState): number {
  if (exhaustedAt === null || asOf === null) return Number.POSITIVE_INFINITY;
  return Math.max(Date.parse(exhaustedAt) - Date.parse(asOf), 0) / HOUR_MS;
}
