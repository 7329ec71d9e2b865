import type { AlertPolicy, Slo } from '../../engine/slo.ts';
import {
  alertName,
  type CustomAlert,
  customPolicy,
  DEFAULT_POLICY,
  impossibleAlerts,
  impossibleFactor,
  isImpossible,
  namedPolicy,
  RESERVED_ALERT_NAME,
} from '../alerts.ts';
import type { Part } from '../part.ts';
import { type Catalogue, specOf } from './catalogue.ts';
import { parseShorthand } from './duration.ts';
import type { Spec } from './schema.ts';

/** Alert policies: each burn-rate condition is an alert, whose one window is both the long and the short one. */

type Condition = Spec<'AlertCondition'>;

/** Those of an SLO's policies; without policies it has the default one. */
export type Conditions = readonly Part<Condition>[] | 'default';

/** Null when one of them is wrong. */
export function readConditions(spec: Part<Spec<'SLO'>>, catalogue: Catalogue): Conditions | null {
  const policies = spec.at('alertPolicies')?.items() ?? [];
  if (policies.length === 0) return 'default';
  const conditions = policies.map((policy) => {
    const read = specOf('AlertPolicy', catalogue, policy, policy.at('alertPolicyRef'));
    return read && readPolicy(read, catalogue);
  });
  return conditions.every((condition) => condition !== null) ? conditions.flat() : null;
}

/** None where a policy says that a breach is no alert. */
export function readPolicy(policy: Part<Spec<'AlertPolicy'>>, catalogue: Catalogue): Part<Condition>[] | null {
  for (const target of policy.at('notificationTargets')?.items() ?? []) {
    const reference = target.at('targetRef');
    if (reference?.sound()) catalogue.note('AlertNotificationTarget', reference);
  }
  if (policy.value.alertWhenNoData === true) {
    policy
      .at('alertWhenNoData')!
      .warning('there is no alert without data: the state of the SLO says so, and its alerts freeze');
  }
  const [place] = policy.at('conditions')?.items() ?? [];
  const condition = place && specOf('AlertCondition', catalogue, place, place.at('conditionRef'));
  if (!condition || !policy.sound() || !condition.sound()) return null;
  const operator = condition.at('condition')!.at('op')!;
  if (operator.value === 'lt' || operator.value === 'lte') {
    operator.warning(`is read as gt: ${operator.value} would fire as long as nothing is wrong`);
  }
  return policy.value.alertWhenBreaching === false ? [] : [condition];
}

/** The alerts of one objective; null when one of them could never fire. */
export function readAlerts(
  conditions: Conditions,
  objective: Pick<Slo, 'id' | 'window' | 'errorBudget'> & { readonly target: Part<number> },
): AlertPolicy | null {
  const { id, errorBudget, window, target } = objective;
  if (conditions === 'default') {
    const policy = namedPolicy(DEFAULT_POLICY, window);
    const impossible = impossibleAlerts(policy, errorBudget);
    if (impossible !== null) target.warning(impossible);
    return policy;
  }
  const impossible = conditions
    .map((condition) => condition.at('condition')!.at('threshold')!)
    .filter(({ value }) => isImpossible(value, errorBudget));
  for (const threshold of impossible)
    threshold.error(`for the SLO ${id}: ${impossibleFactor(threshold.value, errorBudget)}`);
  return impossible.length === 0 ? customPolicy(named(conditions.map(({ value }) => alertOf(value)))) : null;
}

function alertOf({ severity, condition: { threshold, lookbackWindow, alertAfter } }: Condition): CustomAlert {
  const window = parseShorthand(lookbackWindow)!.text;
  const after = alertAfter === undefined ? '0s' : parseShorthand(alertAfter)!.text;
  return { severity, factor: threshold, long: window, short: window, for: after };
}

/** A name that an alert before it has already gets a number. */
function named(alerts: readonly CustomAlert[]): CustomAlert[] {
  const taken = new Set<string>([RESERVED_ALERT_NAME]);
  return alerts.map((alert) => {
    const usual = alertName(alert);
    let name = usual;
    for (let i = 2; taken.has(name); i++) name = `${usual}-${i}`;
    taken.add(name);
    return { ...alert, name };
  });
}
