import { NO_OVERRIDES } from './override.ts';
import type { GateCheck, SloState, Verdict } from './state.ts';
import { hasNoData, type Judgement, noDataReason, numberText, sloText, unknownVerdict, verdictOf } from './verdict.ts';
import { isPaging } from './windows.ts';

/** The gate without a policy. */

/**
 * Blocked when any SLO is exhausted or pages, unknown when one has no data, warned when any is at risk. `states` are those of the
 * SLOs the question is about, `groupless` the ids of those of them that are grouped and have no group yet.
 */
export function builtInVerdict(
  service: string,
  states: readonly SloState[],
  groupless: readonly string[] = [],
  overrideOf = NO_OVERRIDES,
): Verdict {
  if (states.length === 0 && groupless.length === 0) {
    return unknownVerdict(service, `service "${service}" has no such SLO`);
  }
  const judgements = [...states.map(judge), ...groupless.map((id) => unheard(id, null))];
  return verdictOf(
    service,
    judgements.map((judgement) => ({ service, ...judgement })),
    overrideOf,
  );
}

type SloJudgement = Omit<Judgement, 'service'>;

function unheard(slo: string, asOf: string | null): SloJudgement {
  return { verdict: 'unknown', reason: noDataReason(slo, asOf), checks: [], asOf };
}

function judge(state: SloState): SloJudgement {
  const slo = sloText(state);
  const { asOf } = state;
  const { remaining } = state.errorBudget;
  if (hasNoData(state) || remaining === null) return unheard(slo, asOf);
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
    const reason = `${slo}: the error budget is exhausted, error_budget_remaining is ${numberText(remaining)}`;
    return { verdict: 'block', reason, checks, asOf };
  }
  if (paging.length > 0) return { verdict: 'block', reason: `${slo}: ${names(paging)} is firing`, checks, asOf };
  if (firing.length > 0) return { verdict: 'warn', reason: `${slo}: ${names(firing)} is firing`, checks, asOf };
  return { verdict: 'allow', reason: null, checks, asOf };
}

function names(alerts: readonly { name: string }[]): string {
  return alerts.map((alert) => alert.name).join(', ');
}
