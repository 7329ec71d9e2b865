import { expect, test } from 'vitest';
import type { AlertPolicy } from '../../../src/engine/slo.ts';
import { problemsOf, slosOf } from '../reading.ts';
import { anSlo } from './objects.ts';

function condition(fields: string, severity = 'page'): string {
  return `{kind: AlertCondition, metadata: {name: burns}, spec: {severity: ${severity}, condition: {kind: burnrate, ${fields}}}}`;
}

function policies(...conditions: string[]): string {
  const inline = conditions.map((one) => `{kind: AlertPolicy, metadata: {name: fast}, spec: {conditions: [${one}]}}`);
  return `alertPolicies: [${inline.join(', ')}]`;
}

function alertsOf(spec: string): AlertPolicy {
  return slosOf(anSlo({ spec }))[0]!.alerts;
}

const FAST = 'op: gt, threshold: 14, lookbackWindow: 1h, alertAfter: 5m';
const SLOW = 'op: gte, threshold: 1.5, lookbackWindow: 1w';

test('a condition is an alert with one window', () => {
  expect(alertsOf(policies(condition(FAST), condition(SLOW, 'Sev-3')))).toEqual({
    name: 'custom',
    burnRateAlerts: [
      {
        name: 'page-1h',
        severity: 'page',
        factor: 14,
        long: { text: '1h', ms: 3_600_000 },
        short: { text: '1h', ms: 3_600_000 },
        forMs: 300_000,
      },
      {
        name: 'Sev-3-1w',
        severity: 'Sev-3',
        factor: 1.5,
        long: { text: '1w', ms: 7 * 86_400_000 },
        short: { text: '1w', ms: 7 * 86_400_000 },
        forMs: 0,
      },
    ],
    budgetExhausted: true,
    minBadEvents: 0,
  });
});

test('alerts that would have the same name are numbered', () => {
  const { burnRateAlerts } = alertsOf(policies(condition(FAST), condition(FAST), condition(FAST)));
  expect(burnRateAlerts.map(({ name }) => name)).toEqual(['page-1h', 'page-1h-2', 'page-1h-3']);
});

test('without policies there is the default one', () => {
  for (const spec of ['alertPolicies:', 'alertPolicies: []', 'description: none']) {
    expect(alertsOf(spec).name).toBe('google-30d');
  }
});

test('a policy that is silent on a breach brings no alert', () => {
  const silent = policies(condition(FAST)).replace('spec: {', 'spec: {alertWhenBreaching: false, ');
  expect(alertsOf(silent)).toMatchObject({ name: 'custom', burnRateAlerts: [] });
});

test('what a condition cannot mean here is a warning', () => {
  const f = (spec: string, ...problems: string[]): void => {
    expect(
      problemsOf(anSlo({ spec })).map((problem) => problem.replace(/^\d+:\d+: spec.alertPolicies\[0\]./, '')),
    ).toEqual(problems);
  };
  for (const op of ['lt', 'lte']) {
    f(
      policies(condition(FAST.replace('gt', op))),
      `spec.conditions[0].spec.condition.op: warning: is read as gt: ${op} would fire as long as nothing is wrong`,
    );
  }
  f(
    policies(condition(FAST)).replace('spec: {', 'spec: {alertWhenNoData: true, '),
    'spec.alertWhenNoData: warning: there is no alert without data: the state of the SLO says so, and its alerts freeze',
  );
  f(
    policies(condition(FAST)).replace('spec: {', 'spec: {notificationTargets: [{targetRef: pager}], '),
    "spec.notificationTargets[0].targetRef: warning: there is no AlertNotificationTarget named 'pager' in these files",
  );
});

test('what is wrong with a policy is refused at its place', () => {
  const f = (spec: string, ...problems: string[]): void =>
    expect(problemsOf(anSlo({ spec })).map((problem) => problem.replace(/^\d+:\d+: spec./, ''))).toEqual(problems);
  const inside = 'alertPolicies[0].spec.conditions[0]';
  f(
    policies(condition(FAST.replace('14', '1000'))),
    `${inside}.spec.condition.threshold: for the SLO service/slo: must be below 1000, the highest possible burn rate, got 1000`,
  );
  f(policies(condition(FAST.replace('14', '0'))), `${inside}.spec.condition.threshold: must be above 0, got 0`);
  f(
    policies(condition(FAST.replace('1h', '1 hour'))),
    `${inside}.spec.condition.lookbackWindow: must be a duration such as 5m, 1h, 28d, 4w, 1M, 1Q or 1Y, got '1 hour'`,
  );
  f(
    policies(condition(FAST.replace('1h', '2Y'))),
    `${inside}.spec.condition.lookbackWindow: must be at most 400d, got 730d`,
  );
  f(
    policies(condition(FAST).replace('burnrate', 'burn')),
    `${inside}.spec.condition.kind: must be burnrate, got 'burn'`,
  );
  f(policies(condition(FAST.replace('op: gt, ', ''))), `${inside}.spec.condition.op: is required`);
  f(policies(condition(FAST).replace('severity: page, ', '')), `${inside}.spec.severity: is required`);
  f(policies(''), 'alertPolicies[0].spec.conditions: must not be empty');
  f(
    policies(`${condition(FAST)}, ${condition(FAST)}`),
    'alertPolicies[0].spec.conditions: must be a list of one condition, got a list',
  );
  f(
    policies('{conditionRef: slow}'),
    "alertPolicies[0].spec.conditions[0].conditionRef: there is no AlertCondition named 'slow' in these files",
  );
  f(
    policies(`{conditionRef: slow, ${condition(FAST).slice(1)}`),
    'alertPolicies[0].spec.conditions[0]: must have exactly one of conditionRef or spec',
    "alertPolicies[0].spec.conditions[0].conditionRef: there is no AlertCondition named 'slow' in these files",
  );
  f('alertPolicies: [{}]', 'alertPolicies[0]: must have exactly one of alertPolicyRef or spec');
});

test('a policy that no SLO uses is checked too', () => {
  const text = `apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: fast}
spec: {conditions: [{conditionRef: slow}], notificationTargets: [{targetRef: pager}]}
`;
  expect(problemsOf(text)).toEqual([
    "4:36: spec.conditions[0].conditionRef: there is no AlertCondition named 'slow' in these files",
    "4:78: spec.notificationTargets[0].targetRef: warning: there is no AlertNotificationTarget named 'pager' in these files",
  ]);
});
