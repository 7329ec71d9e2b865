import type { Slo } from './slo.ts';
import type { GateCheck, SloState, Verdict, VerdictName } from './state.ts';
import { isPaging } from './windows.ts';

/** Deploy gate: states in, a verdict with its reasons out. */

interface Judgement {
  readonly verdict: VerdictName;
  readonly reason: string | null;
  readonly checks: readonly GateCheck[];
}

const SEVEREST_FIRST: readonly VerdictName[] = ['block', 'unknown', 'warn', 'allow'];

/**
 * The verdict without a policy: blocked when any SLO is exhausted or pages, unknown when one has no data, warned when any is at
 * risk. `states` are those of the SLOs the question is about, `groupless` the ids of those of them that are grouped and have no
 * group yet.
 */
export function builtInVerdict(
  service: string,
  states: readonly SloState[],
  groupless: readonly string[] = [],
): Verdict {
  if (states.length === 0 && groupless.length === 0) {
    return unknownVerdict(service, `service "${service}" has no such SLO`);
  }
  const judgements = [...states.map(judge), ...groupless.map((id) => unheard(id, null))];
  const verdict = SEVEREST_FIRST.find((name) => judgements.some((judgement) => judgement.verdict === name))!;
  const asOf = [...states.map((state) => state.asOf), ...groupless.map(() => null)];
  return {
    verdict,
    ok: verdict === 'allow' || verdict === 'warn',
    asOf: asOf.includes(null) ? null : (asOf.toSorted()[0] ?? null),
    service,
    reasons: judgements.flatMap(({ reason }) => reason ?? []),
    checks: judgements.flatMap(({ checks }) => checks),
  };
}

/** Nothing can be said: never a silent allow. */
export function unknownVerdict(service: Slo['service'], reason: string): Verdict {
  return { verdict: 'unknown', ok: false, asOf: null, service, reasons: [reason], checks: [] };
}

function unheard(slo: string, asOf: string | null): Judgement {
  const reason = asOf === null ? 'nothing was ever received for it' : `no data since ${asOf}`;
  return { verdict: 'unknown', reason: `${slo}: ${reason}`, checks: [] };
}

function judge(state: SloState): Judgement {
  const slo = sloText(state);
  const { remaining } = state.errorBudget;
  if (state.state === 'no_data' || remaining === null) return unheard(slo, state.asOf);
  const firing = state.alerts.filter((alert) => alert.state === 'firing');
  const paging = firing.filter((alert) => isPaging(alert.severity));
  const checks: GateCheck[] = [
    {
      slo,
      check: 'error_budget_remaining > 0',
      passed: remaining > 0,
      action: 'block_deploy',
      observed: { error_budget_remaining: remaining },
    },
    {
      slo,
      check: 'pages_firing == 0',
      passed: paging.length === 0,
      action: 'block_deploy',
      observed: { pages_firing: paging.length },
    },
    {
      slo,
      check: 'alerts_firing == 0',
      passed: firing.length === 0,
      action: 'warn_only',
      observed: { alerts_firing: firing.length },
    },
  ];
  if (remaining <= 0) {
    const reason = `${slo}: the error budget is exhausted, error_budget_remaining is ${number(remaining)}`;
    return { verdict: 'block', reason, checks };
  }
  if (paging.length > 0) return { verdict: 'block', reason: `${slo}: ${names(paging)} is firing`, checks };
  if (firing.length > 0) return { verdict: 'warn', reason: `${slo}: ${names(firing)} is firing`, checks };
  return { verdict: 'allow', reason: null, checks };
}

function sloText(state: SloState): string {
  const group = Object.entries(state.group ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return group.length === 0 ? state.id : `${state.id}{${group.join(',')}}`;
}

function names(alerts: readonly { name: string }[]): string {
  return alerts.map((alert) => alert.name).join(', ');
}

function number(value: number): string {
  return String(Number(value.toPrecision(4)));
}
