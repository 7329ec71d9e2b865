import type { ActiveAlert } from '../engine/alert.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../engine/duration.ts';
import type { Group } from '../engine/ledger.ts';
import type { Slo, SloWindow } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import { diagnosticQuery } from './query.ts';

/** What happened, in words: numbers as a person would say them. */

/** `checkout/availability is burning its 30-day budget 21 times too fast; 6 % left; gone in 2 h 10 min`. */
export function summary({ slo, group, rule }: ActiveAlert, state: SloState): string {
  const name = sloName(slo.id, group);
  const budget = budgetName(slo.window);
  const { remaining, exhaustedAt } = state.errorBudget;
  const left = remaining ?? 1;
  if (rule === null)
    return `${name} has spent its ${budget}${left < 0 ? `, and ${percent(-left)} more than that` : ''}`;
  const burn = state.burnRates[rule.long.text] ?? 0;
  const parts = [`${name} is burning its ${budget} ${times(burn)} too fast`];
  if (left <= 0) parts.push(left < 0 ? `overspent by ${percent(-left)}` : 'nothing left');
  else parts.push(`${percent(left)} left`);
  const goneMs = exhaustedAt === null || state.asOf === null ? 0 : Date.parse(exhaustedAt) - Date.parse(state.asOf);
  if (left > 0 && goneMs > 0) parts.push(`gone in ${span(goneMs)}`);
  return parts.join('; ');
}

/** The numbers behind it, and where to go on. */
export function description(alert: ActiveAlert, state: SloState, link: string): string {
  const { slo, rule } = alert;
  const { good, bad, total } = state.events;
  const lines: string[] = [];
  if (rule === null) {
    lines.push(`The error budget has been spent for 5 minutes.`);
  } else {
    const long = state.burnRates[rule.long.text] ?? 0;
    const short = state.burnRates[rule.short.text] ?? 0;
    lines.push(
      `The burn rate is ${number(long)} over ${rule.long.text} and ${number(short)} over ${rule.short.text}; ` +
        `the alert ${alert.name} fires when both are above ${number(rule.factor)}.`,
    );
  }
  const objective = `${number(slo.objective * 100)} %`;
  lines.push(
    `Of ${number(total)} events in the window ${number(good)} were good and ${number(bad)} bad: the SLI is ` +
      `${state.sli === null ? 'not known' : `${number(state.sli * 100)} %`}, the objective ${objective}.`,
  );
  if (slo.description !== '') lines.push(slo.description);
  if (slo.runbook !== '') lines.push(`Runbook: ${slo.runbook}`);
  lines.push(`Dashboard: ${link}`);
  const query = diagnosticQuery(slo);
  if (query !== null) lines.push(`Query: ${query}`);
  return lines.join('\n');
}

export function noDataSummary(slo: Slo, asOf: string | null): string {
  const since = asOf === null ? 'has never had data' : `has had no data since ${asOf}`;
  return `${slo.id} ${since}; its alerts are frozen`;
}

/** `checkout/availability{region="eu"}`. */
export function sloName(id: string, group: Group | null): string {
  const labels = Object.entries(group ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return labels.length === 0 ? id : `${id}{${labels.join(',')}}`;
}

function budgetName(window: SloWindow): string {
  if (window.kind === 'calendar') return `budget of this ${window.unit}`;
  const { ms, text } = window.duration;
  if (ms % DAY_MS === 0) return `${ms / DAY_MS}-day budget`;
  return ms % HOUR_MS === 0 ? `${ms / HOUR_MS}-hour budget` : `${text} budget`;
}

function times(burn: number): string {
  return `${burn >= 10 ? Math.round(burn) : Number(burn.toPrecision(2))} times`;
}

function percent(share: number): string {
  const value = share * 100;
  return `${value >= 1 ? Math.round(value) : Number(value.toPrecision(1))} %`;
}

/** Six digits are enough for a person, except of a count. */
export function number(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
}

const SPANS = [
  [DAY_MS, 'd'],
  [HOUR_MS, 'h'],
  [MINUTE_MS, 'min'],
  [SECOND_MS, 's'],
] as const;

/** The two largest units: `2 h 10 min`. */
export function span(ms: number): string {
  const first = SPANS.findIndex(([unitMs]) => ms >= unitMs);
  if (first === -1) return 'less than 1 s';
  const [unitMs, unit] = SPANS[first]!;
  const count = Math.floor(ms / unitMs);
  const next = SPANS[first + 1];
  const rest = next === undefined ? 0 : Math.floor((ms - count * unitMs) / next[0]);
  return `${count} ${unit}${rest === 0 ? '' : ` ${rest} ${next![1]}`}`;
}
