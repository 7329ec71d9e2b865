import { type Condition, holds, type Subject, type Values, valuesOf } from './check.ts';
import type { Engine } from './engine.ts';
import { NO_OVERRIDES } from './override.ts';
import type { GateCheck, Verdict, VerdictName } from './state.ts';
import { hasNoData, type Judgement, noDataReason, numberText, sloText, verdictOf } from './verdict.ts';

/** The gate by a policy of the user's own. */

export interface PolicyCheck {
  readonly service: string;
  /** Null: it must hold for every SLO of the service. */
  readonly slo: string | null;
  /** As the file writes it. */
  readonly text: string;
  readonly condition: Condition;
  readonly action: GateCheck['action'];
}

export interface GatePolicy {
  readonly deployEnabled: boolean;
  readonly checks: readonly PolicyCheck[];
  /** What an SLO without data, or a value that is not known, counts as. */
  readonly onNoData: VerdictName;
}

const DEPLOYS_DISABLED = 'deploy_enabled is false: the policy blocks every deploy';

/** Those that it has a check of. */
export function servicesOf({ checks }: GatePolicy): string[] {
  return [...new Set(checks.map(({ service }) => service))];
}

export function policyVerdict(
  policy: GatePolicy,
  engine: Pick<Engine, 'slosOf' | 'subjects'>,
  nowMs: number,
  overrideOf = NO_OVERRIDES,
): Verdict {
  const { deployEnabled, checks, onNoData } = policy;
  const known = new Map<string, readonly Subject[]>();
  const subjectsOf = (id: string): readonly Subject[] => {
    const subjects = known.get(id) ?? engine.subjects(id, nowMs);
    known.set(id, subjects);
    return subjects;
  };
  const judgements = checks.flatMap((check): Judgement[] => {
    const { service, slo: name } = check;
    const ofService = engine.slosOf(service);
    const slos = name === null ? ofService : ofService.filter((slo) => slo.name === name);
    if (slos.length === 0) return [missing(check, ofService.length > 0)];
    return slos.flatMap(({ id }) => {
      const subjects = subjectsOf(id);
      return subjects.length === 0
        ? [silent(check, id, null, onNoData)]
        : subjects.map((each) => judge(check, each, onNoData));
    });
  });
  const services = servicesOf(policy);
  const disabled = deployEnabled ? [] : (services.length === 0 ? [''] : services).map(deploysDisabled);
  return verdictOf(services.join(', '), [...disabled, ...judgements], overrideOf);
}

function deploysDisabled(service: string): Judgement {
  return { service, verdict: 'block', reason: DEPLOYS_DISABLED, checks: [] };
}

/** What is not there is unknown, whatever the policy says of what has no data: its name may be misspelt. */
function missing({ service, slo, text, action }: PolicyCheck, isService: boolean): Judgement {
  const reason = isService ? `service "${service}" has no SLO "${slo}"` : `there is no service "${service}"`;
  const named = slo === null ? service : `${service}/${slo}`;
  return { service, verdict: 'unknown', reason, checks: [failed(named, text, action)], asOf: null };
}

function silent(
  { service, text, action }: PolicyCheck,
  slo: string,
  asOf: string | null,
  onNoData: VerdictName,
): Judgement {
  return { service, verdict: onNoData, reason: noDataReason(slo, asOf), checks: [failed(slo, text, action)], asOf };
}

function failed(slo: string, check: string, action: GateCheck['action']): GateCheck {
  return { slo, check, passed: false, action, observed: {} };
}

function judge(policyCheck: PolicyCheck, subject: Subject, onNoData: VerdictName): Judgement {
  const { service, text, condition, action } = policyCheck;
  const { state } = subject;
  const { asOf } = state;
  const slo = sloText(state);
  if (hasNoData(state)) return silent(policyCheck, slo, asOf, onNoData);
  const values = valuesOf(condition, subject);
  const answer = holds(condition, values);
  const checks = [{ ...failed(slo, text, action), passed: answer === true, observed: observed(values) }];
  if (answer === true) return { service, verdict: 'allow', reason: null, checks, asOf };
  if (answer === false) {
    const verdict = action === 'block_deploy' ? 'block' : 'warn';
    return { service, verdict, reason: `${slo}: ${shortfall(policyCheck, values)}`, checks, asOf };
  }
  const notKept = namesOf(values, undefined);
  if (notKept.length > 0) {
    const reason = `${slo}: ${notKept.join(', ')} cannot be answered: no events are kept for such a window`;
    return { service, verdict: 'unknown', reason, checks, asOf };
  }
  const reason = `${slo}: ${namesOf(values, null).join(', ')} is not known, the policy wants ${text}`;
  return { service, verdict: onNoData, reason, checks, asOf };
}

function namesOf(values: Values, wanted: null | undefined): string[] {
  return [...values].flatMap(([name, value]) => (value === wanted ? [name] : []));
}

/** JSON knows no infinity. */
function observed(values: Values): GateCheck['observed'] {
  const entries = [...values].map(([name, value]) => [
    name,
    value === Number.POSITIVE_INFINITY ? 'Infinity' : (value ?? null),
  ]);
  return Object.fromEntries(entries);
}

/** `error_budget_remaining is 0.12, the policy wants > 0.2`. */
function shortfall({ text, condition }: PolicyCheck, values: Values): string {
  const seen = [...values].map(([name, value]) => `${name} is ${value === null ? 'not known' : numberText(value!)}`);
  const isPlain =
    condition.kind === 'comparison' && condition.left.kind !== 'number' && condition.right.kind === 'number';
  const wanted = isPlain ? `${condition.op} ${condition.right.value}` : text;
  return `${seen.join(', ')}, the policy wants ${wanted}`;
}
