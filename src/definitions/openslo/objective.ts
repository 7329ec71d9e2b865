import type { Sli, Slo } from '../../engine/slo.ts';
import { percentToRatio, ratioToPercent, restOfPercent } from '../decimal.ts';
import type { Part } from '../part.ts';
import { DEFAULT_SLICE, DEFAULTS } from '../sli.ts';
import { parseSliceWindow } from './duration.ts';
import { type Indicator, isThreshold } from './indicator.ts';
import type { Spec } from './schema.ts';

/** One of an SLO's objectives: what it asks of the indicator, and how the budget is counted. */

export type Objective = Spec<'SLO'>['objectives'][number];
type BudgetingMethod = Spec<'SLO'>['budgetingMethod'];
type Counting = Pick<Slo, 'slice' | 'budgeting' | 'sliceTarget'>;

export interface Target {
  /** Where it stands. */
  readonly part: Part<number>;
  readonly objective: number;
  readonly errorBudget: number;
}

/** The target of an objective that its schema has found good. */
export function readTarget(objective: Part<Objective>): Target {
  const ratio = objective.at('target');
  const part = ratio ?? objective.at('targetPercent')!;
  const percent = ratio === null ? part.value : ratioToPercent(part.value);
  return { part, objective: percentToRatio(percent), errorBudget: restOfPercent(percent) };
}

/** How its budget is counted; null when something for that is missing. */
export function readCounting(
  objective: Part<Objective>,
  method: BudgetingMethod,
  measures: 'threshold' | 'events',
): Counting | null {
  return measures === 'threshold' ? ofThreshold(objective, method) : ofEvents(objective, method);
}

/** Each slice of a threshold is one event, so that all methods come to the same. */
function ofThreshold(objective: Part<Objective>, method: BudgetingMethod): Counting | null {
  const { op, value, timeSliceWindow } = objective.value;
  if (op === undefined) objective.missing('op', 'is required with a thresholdMetric');
  if (value === undefined) objective.missing('value', 'is required with a thresholdMetric');
  if (method !== 'Occurrences') {
    objective.at('timeSliceTarget')?.warning('means nothing here: a slice is good when the mean of its samples is');
  }
  if (op === undefined || value === undefined) return null;
  return {
    slice: timeSliceWindow === undefined ? DEFAULT_SLICE : parseSliceWindow(timeSliceWindow),
    budgeting: DEFAULTS.budgeting,
    sliceTarget: DEFAULTS.sliceTarget,
  };
}

function ofEvents(objective: Part<Objective>, method: BudgetingMethod): Counting | null {
  for (const key of ['op', 'value'] as const) {
    objective.at(key)?.warning('means nothing here: only a thresholdMetric is held against a value');
  }
  const { timeSliceWindow, timeSliceTarget } = objective.value;
  if (method === 'Occurrences') {
    return { slice: DEFAULTS.slice, budgeting: DEFAULTS.budgeting, sliceTarget: DEFAULTS.sliceTarget };
  }
  const why = `is required with budgetingMethod: ${method}`;
  if (timeSliceWindow === undefined) objective.missing('timeSliceWindow', why);
  if (method === 'Timeslices' && timeSliceTarget === undefined) objective.missing('timeSliceTarget', why);
  if (timeSliceWindow === undefined) return null;
  const slice = parseSliceWindow(timeSliceWindow);
  if (method === 'RatioTimeslices') return { slice, budgeting: 'ratioTimeslices', sliceTarget: null };
  return timeSliceTarget === undefined ? null : { slice, budgeting: 'timeslices', sliceTarget: timeSliceTarget };
}

/** The indicator, held against the value of an objective that nothing is wrong with. */
export function sliOf({ op, value }: Objective, indicator: Indicator): Sli {
  if (!isThreshold(indicator)) return indicator.sli;
  const { gauge, aggregate } = indicator;
  return { kind: 'threshold', gauge, op: op!, value: value!, aggregate };
}
