import { DAY_MS, duration, formatDuration, MINUTE_MS } from './duration.ts';
import type { BurnRateAlert, CalendarUnit, Duration, SloWindow } from './slo.ts';

/**
 * The windows over which burn rates are computed and the alert policies built from them.
 *
 * Sources: the SRE Workbook, chapter 5 "Alerting on SLOs", table 5-8, for long and short windows and the share of the
 * budget that each alert may cost; Sloth and Pyrra for their variants. Factors are computed, never typed in.
 */

/** Every SLO has a burn rate over each of these. */
export const STANDARD_WINDOWS: readonly Duration[] = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'].map(duration);

interface Tier {
  readonly name: string;
  readonly severity: string;
  /** Share of the budget, in percent, that is spent when the alert fires at exactly its factor. */
  readonly budgetPercent: number;
  readonly long: Duration;
  readonly short: Duration;
}

const WORKBOOK: readonly Tier[] = [
  { name: 'page-quick', severity: 'page', budgetPercent: 2, long: duration('1h'), short: duration('5m') },
  { name: 'page-slow', severity: 'page', budgetPercent: 5, long: duration('6h'), short: duration('30m') },
  { name: 'ticket-quick', severity: 'ticket', budgetPercent: 10, long: duration('1d'), short: duration('2h') },
  { name: 'ticket-slow', severity: 'ticket', budgetPercent: 10, long: duration('3d'), short: duration('6h') },
];

/** `budget percent x period / long window`: 2 % in 1 h of 30 d is 14.4. */
export function burnRateFactor(budgetPercent: number, periodMs: number, longMs: number): number {
  return (budgetPercent * periodMs) / (100 * longMs);
}

function workbook(periodMs: number): BurnRateAlert[] {
  return WORKBOOK.map(({ name, severity, budgetPercent, long, short }) => ({
    name,
    severity,
    factor: burnRateFactor(budgetPercent, periodMs, long.ms),
    long,
    short,
    forMs: 0,
  }));
}

const PYRRA_PERIOD_MS = 28 * DAY_MS;
/** Pyrra's table for 28 days; its factors are constants and its windows scale with the SLO window. */
const PYRRA = [
  { name: 'fast-burn', severity: 'critical', factor: 14, long: '1h', short: '5m', for: '2m' },
  { name: 'medium-burn', severity: 'critical', factor: 7, long: '6h', short: '30m', for: '15m' },
  { name: 'slow-burn', severity: 'warning', factor: 2, long: '1d', short: '2h', for: '1h' },
  { name: 'long-term-burn', severity: 'warning', factor: 1, long: '4d', short: '6h', for: '3h' },
] as const;

function pyrra(periodMs: number): BurnRateAlert[] {
  // Rounded to a minute as Pyrra does; below half a minute Pyrra itself writes 0, which no window can be.
  const scaledMs = (text: string): number =>
    Math.max(Math.round((duration(text).ms * periodMs) / PYRRA_PERIOD_MS / MINUTE_MS), 1) * MINUTE_MS;
  const scaled = (text: string): Duration => ({ text: formatDuration(scaledMs(text)), ms: scaledMs(text) });
  return PYRRA.map((tier) => ({
    name: tier.name,
    severity: tier.severity,
    factor: tier.factor,
    long: scaled(tier.long),
    short: scaled(tier.short),
    forMs: scaledMs(tier.for),
  }));
}

/** The policies a definition file may name. */
export const POLICY_NAMES = ['google-30d', 'sloth-28d', 'pyrra', 'none'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/**
 * The burn-rate alerts of a named policy for an SLO window of `periodMs`.
 * `google-30d` rescales its factors with the window, `sloth-28d` keeps those of 28 days, `pyrra` rescales its windows.
 */
export function policyAlerts(policy: PolicyName, periodMs: number): BurnRateAlert[] {
  switch (policy) {
    case 'google-30d':
      return workbook(periodMs);
    case 'sloth-28d':
      return workbook(28 * DAY_MS);
    case 'pyrra':
      return pyrra(periodMs);
    case 'none':
      return [];
  }
}

/** The burn rate when every event is bad. A factor at or above it can never be exceeded. */
export function highestBurnRate(errorBudget: number): number {
  return Number((1 / errorBudget).toPrecision(12));
}

const CALENDAR_DAYS: Readonly<Record<CalendarUnit, number>> = { week: 7, month: 30, quarter: 90, year: 365 };

/** The length that stands for a window in factors and projections: 7, 30, 90 or 365 days for a calendar one. */
export function nominalPeriodMs(window: SloWindow): number {
  return window.kind === 'rolling' ? window.duration.ms : CALENDAR_DAYS[window.unit] * DAY_MS;
}

const CALENDAR_DAYS_MAX: Readonly<Record<CalendarUnit, number>> = { week: 8, month: 32, quarter: 93, year: 367 };

/** No window of this kind is longer, whatever the month, the leap year and the change of the clocks. */
export function longestPeriodMs(window: SloWindow): number {
  return window.kind === 'rolling' ? window.duration.ms : CALENDAR_DAYS_MAX[window.unit] * DAY_MS;
}

/** The alert that watches the budget itself: remaining <= 0 for 5 minutes. */
export const BUDGET_EXHAUSTED = { name: 'error-budget-exhausted', severity: 'critical', forMs: 5 * MINUTE_MS } as const;

/** Whether alerts of this severity wake somebody up. */
export function isPaging(severity: string): boolean {
  return severity === 'page' || severity === 'critical';
}
