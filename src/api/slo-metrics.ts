import { DAY_MS, formatPrometheusDuration, MINUTE_MS, SECOND_MS } from '../engine/duration.ts';
import type { Slo } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import { nominalPeriodMs, STANDARD_WINDOWS } from '../engine/windows.ts';
import { type Exposition, groupedLabelText, labelText } from './exposition.ts';

/**
 * Each SLO under the names that existing dashboards read: those of Sloth's recording rules, of Pyrra's generic rules, and
 * the two of the maturity-model article. An SLO that is grouped has one series a group, with the group's labels; what
 * belongs to the definition alone (objective, budget, days, info) is there once.
 */

/** What "now" is in the names of Pyrra, `…:rate5m`. */
export const RECENT_MS = 5 * MINUTE_MS;

interface Events {
  readonly good: number;
  readonly bad: number;
}

export interface SloSeriesSource {
  readonly slos: readonly Slo[];
  /** The groups of each SLO in their order. */
  readonly states: readonly SloState[];
  /** Events of the last five minutes of each group of an SLO, in the same order. */
  readonly recentEvents: (id: string) => readonly (Events | null)[];
  readonly version: string;
}

export function addSloSeries(out: Exposition, { slos, states, recentEvents, version }: SloSeriesSource): void {
  const pyrraNames = namesOnPyrra(slos);
  for (const slo of slos) addDefinition(out, slo, pyrraNames.get(slo.id)!, version);
  const byId = new Map<string, SloState[]>();
  for (const state of states) {
    const groups = byId.get(state.id);
    if (groups === undefined) byId.set(state.id, [state]);
    else groups.push(state);
  }
  for (const slo of slos) {
    const recent = recentEvents(slo.id);
    (byId.get(slo.id) ?? []).forEach((state, i) => {
      addState(out, slo, pyrraNames.get(slo.id)!, state, recent[i] ?? null);
    });
  }
}

function slothLabels(slo: Slo): Record<string, string> {
  return { sloth_id: `${slo.service}-${slo.name}`, sloth_service: slo.service, sloth_slo: slo.name };
}

/**
 * Pyrra's dashboards know an SLO by its label `slo` alone: its name in Pyrra, as long as no SLO before it, such as that of another
 * namespace, has the same.
 */
function namesOnPyrra(slos: readonly Slo[]): Map<string, string> {
  const taken = new Set<string>();
  return new Map(
    slos.map(({ id, service, name, origin }) => {
      const shown = origin === 'pyrra' && !taken.has(name) ? name : `${service}-${name}`;
      taken.add(shown);
      return [id, shown];
    }),
  );
}

function addDefinition(out: Exposition, slo: Slo, pyrraName: string, version: string): void {
  const periodMs = nominalPeriodMs(slo.window);
  const sloth = labelText(slothLabels(slo), slo.labels);
  out.gauge('slo:objective:ratio', 'Objective of the SLO, 0 to 1.').add(slo.objective, sloth);
  out
    .gauge('slo:error_budget:ratio', 'Error budget of the SLO: 1 - objective. A constant, not what is left of it.')
    .add(slo.errorBudget, sloth);
  out.gauge('slo:time_period:days', 'Length of the SLO window in days.').add(periodMs / DAY_MS, sloth);
  const info = {
    ...slothLabels(slo),
    sloth_version: version,
    sloth_mode: 'slipstream',
    sloth_spec: 'slipstream/v1',
    sloth_objective: String(Number((slo.objective * 100).toPrecision(12))),
  };
  out.gauge('sloth_slo_info', 'The SLO and its objective in percent; always 1.').add(1, labelText(info, slo.labels));

  const pyrra = labelText({ slo: pyrraName }, slo.labels);
  out.gauge('pyrra_objective', 'Objective of the SLO, 0 to 1.').add(slo.objective, pyrra);
  out.gauge('pyrra_window', 'Length of the SLO window in seconds.').add(periodMs / 1000, pyrra);
}

function addState(out: Exposition, slo: Slo, pyrraName: string, state: SloState, recent: Events | null): void {
  const labelled = (fixed: Record<string, string>): string => groupedLabelText(fixed, state.group, slo.labels);
  for (const window of errorRatioWindows(slo, state)) {
    out
      .gauge(`slo:sli_error:ratio_rate${window.name}`, `Share of bad events over ${window.name}, 0 to 1.`)
      .add(window.ratio, labelled({ ...slothLabels(slo), sloth_window: window.name }));
  }
  const sloth = labelled(slothLabels(slo));
  out
    .gauge('slo:current_burn_rate:ratio', 'How many times faster than sustainable the budget is spent now (5m).')
    .add(burnRate(state, '5m'), sloth);
  out
    .gauge('slo:period_burn_rate:ratio', 'Burn rate over the whole SLO window: the share of the budget that is spent.')
    .add(state.errorBudget.consumed, sloth);
  out
    .gauge('slo:period_error_budget_remaining:ratio', 'Share of the error budget that is left; below 0 when overspent.')
    .add(state.errorBudget.remaining, sloth);

  const pyrra = labelled({ slo: pyrraName });
  out.gauge('pyrra_availability', 'Share of good events over the SLO window, 0 to 1.').add(state.sli, pyrra);
  out
    .gauge('pyrra_requests:rate5m', 'Events a second over the last five minutes.')
    .add(recent === null ? null : perSecond(recent.good + recent.bad), pyrra);
  out
    .gauge('pyrra_errors:rate5m', 'Bad events a second over the last five minutes.')
    .add(recent === null ? null : perSecond(recent.bad), pyrra);

  const article = labelled({ job: slo.service, slo: slo.name });
  const recentRatio = errorRatio(slo, state, '5m');
  out
    .gauge('job:slo_availability:ratio_rate5m', 'Share of good events over the last five minutes, 0 to 1.')
    .add(recentRatio === null ? null : 1 - recentRatio, article);
  out
    .gauge('job:slo_error_budget_remaining:ratio', 'Share of the error budget that is left; below 0 when overspent.')
    .add(state.errorBudget.remaining, article);
}

/** The windows of Sloth's recording rules: the standard ones and the SLO window, named as Prometheus prints them. */
function errorRatioWindows(slo: Slo, state: SloState): { name: string; ratio: number | null }[] {
  const windows = STANDARD_WINDOWS.map(({ text, ms }) => ({
    name: formatPrometheusDuration(ms),
    ratio: errorRatio(slo, state, text),
  }));
  const periodName = formatPrometheusDuration(nominalPeriodMs(slo.window));
  if (windows.some(({ name }) => name === periodName)) return windows;
  const { consumed } = state.errorBudget;
  return [...windows, { name: periodName, ratio: consumed === null ? null : tidy(consumed * slo.errorBudget) }];
}

function perSecond(events: number): number {
  return events / (RECENT_MS / SECOND_MS);
}

function burnRate(state: SloState, window: string): number | null {
  return state.burnRates[window] ?? null;
}

function errorRatio(slo: Slo, state: SloState, window: string): number | null {
  const rate = burnRate(state, window);
  return rate === null ? null : tidy(rate * slo.errorBudget);
}

/** Undoes the division by the budget: (0.3 / 0.001) * 0.001 is 0.3 again, and never above 1. */
function tidy(ratio: number): number {
  return Math.min(Number(ratio.toPrecision(15)), 1);
}
