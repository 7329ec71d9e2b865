import { expect, test } from 'vitest';
import { formatProblem } from '../../../src/definitions/document.ts';
import { readDefinitions } from '../../../src/definitions/load.ts';
import { nativeSli } from '../../../src/definitions/sli.ts';
import type { Slo } from '../../../src/engine/slo.ts';
import { mutated, problemsOf, slosOf } from '../reading.ts';

const GOOD = `apiVersion: openslo/v1
kind: SLO
metadata:
  name: orders-accepted
  displayName: Orders accepted
  labels:
    team: checkout
    region: [eu, us]
  annotations:
    runbook_url: https://runbooks.example/orders
spec:
  description: Orders are accepted.
  service: shop
  indicator:
    metadata:
      name: accepted
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec:
              query: sum(rate(orders_total{job="shop",code!~"5.."}[5m]))
        total:
          metricSource:
            type: Prometheus
            spec:
              query: sum(rate(orders_total{job="shop"}[5m]))
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: Good
      target: 0.995
`;

const refuses = mutated(GOOD);

/** The SLOs of the good file with one part replaced. */
function withPart(from: string, to: string): readonly Slo[] {
  expect(GOOD).toContain(from);
  return slosOf(GOOD.replace(from, () => to));
}

function withObjectives(method: string, objectives: string): readonly Slo[] {
  return slosOf(GOOD.replace('Occurrences', method).replace(/objectives:[\s\S]*/, `objectives: ${objectives}\n`));
}

test('an SLO with everything in place is one of the native kind', () => {
  const [slo] = slosOf(GOOD);
  expect(slo).toMatchObject({
    id: 'shop/orders-accepted',
    service: 'shop',
    name: 'orders-accepted',
    origin: 'openslo',
    description: 'Orders are accepted.',
    owner: 'checkout',
    runbook: 'https://runbooks.example/orders',
    labels: { team: 'checkout', region: 'eu,us' },
    objective: 0.995,
    errorBudget: 0.005,
    window: { kind: 'rolling', duration: { text: '4w', ms: 28 * 86_400_000 } },
    groupBy: [],
    slice: null,
    budgeting: 'occurrences',
    sliceTarget: null,
  });
  expect(nativeSli(slo!.sli)).toEqual({
    events: { total: 'orders_total{job="shop"}', good: 'orders_total{job="shop",code!~"5.."}' },
  });
  expect(slo!.alerts).toMatchObject({ name: 'google-30d', budgetExhausted: true });
});

test('a target may be a percentage', () => {
  expect(withPart('target: 0.995', 'targetPercent: 99.95')[0]).toMatchObject({
    objective: 0.9995,
    errorBudget: 0.0005,
  });
});

test('of several objectives each is an SLO with its number', () => {
  const slos = withObjectives('Occurrences', '[{target: 0.95}, {targetPercent: 99}]');
  expect(slos.map(({ id, objective }) => [id, objective])).toEqual([
    ['shop/orders-accepted-0', 0.95],
    ['shop/orders-accepted-1', 0.99],
  ]);
});

test('budgeting methods are those of the native format', () => {
  const f = (method: string, objective: string, expected: object): void =>
    expect(withObjectives(method, `[${objective}]`)[0]).toMatchObject(expected);
  f('Timeslices', '{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}', {
    budgeting: 'timeslices',
    slice: { text: '5m', ms: 300_000 },
    sliceTarget: 0.95,
  });
  f('Timeslices', '{target: 0.99, timeSliceTarget: 1, timeSliceWindow: 2}', {
    budgeting: 'timeslices',
    slice: { text: '2m', ms: 120_000 },
    sliceTarget: 1,
  });
  f('RatioTimeslices', '{target: 0.99, timeSliceWindow: 1h}', {
    budgeting: 'ratioTimeslices',
    slice: { text: '1h', ms: 3_600_000 },
    sliceTarget: null,
  });
});

test('what a budgeting method needs is asked for', () => {
  const f = (method: string, objective: string, ...problems: string[]): void =>
    refuses(
      / {2}budgetingMethod:[\s\S]*/.exec(GOOD)![0],
      `  budgetingMethod: ${method}\n  objectives:\n    - ${objective}\n`,
      ...problems,
    );
  f(
    'Timeslices',
    'target: 0.95',
    '35:7: spec.objectives[0].timeSliceWindow: is required with budgetingMethod: Timeslices',
    '35:7: spec.objectives[0].timeSliceTarget: is required with budgetingMethod: Timeslices',
  );
  f(
    'RatioTimeslices',
    'target: 0.95',
    '35:7: spec.objectives[0].timeSliceWindow: is required with budgetingMethod: RatioTimeslices',
  );
  f(
    'Timeslices',
    '{target: 0.95, timeSliceTarget: 1.5, timeSliceWindow: 7m}',
    '35:39: spec.objectives[0].timeSliceTarget: must be above 0 and at most 1, got 1.5',
    '35:61: spec.objectives[0].timeSliceWindow: must divide a day in whole seconds, got 7m',
  );
  f(
    'Timeslice',
    'target: 0.95',
    "33:20: spec.budgetingMethod: must be Occurrences, Timeslices or RatioTimeslices, got 'Timeslice'",
  );
});

test('a comparison with a ratio means nothing and is a warning', () => {
  refuses(
    '      target: 0.995',
    '      target: 0.995\n      op: gt\n      value: 1',
    '37:11: spec.objectives[0].op: warning: means nothing here: only a thresholdMetric is held against a value',
    '38:14: spec.objectives[0].value: warning: means nothing here: only a thresholdMetric is held against a value',
  );
});

test('a composite SLO is refused', () => {
  const indicator = GOOD.slice(GOOD.indexOf('  indicator:'), GOOD.indexOf('  timeWindow:'));
  const composite = GOOD.replace(indicator, '').replace(
    '      target: 0.995',
    '      target: 0.995\n      indicatorRef: a\n      compositeWeight: 2\n    - target: 0.9\n      indicatorRef: b',
  );
  expect(problemsOf(composite)).toEqual([
    '21:21: spec.objectives[0].indicatorRef: an objective with an indicator of its own makes the SLO a composite one; write an SLO for each of them',
  ]);
});

test('names that are no RFC 1123 labels are warnings', () => {
  refuses(
    'orders-accepted',
    'OrdersAccepted',
    "4:9: metadata.name: warning: must be an RFC 1123 label of at most 63 lower case letters, digits and inner '-', got 'OrdersAccepted'",
  );
  refuses(
    'name: accepted',
    'name: is_accepted',
    "16:13: spec.indicator.metadata.name: warning: must be an RFC 1123 label of at most 63 lower case letters, digits and inner '-', got 'is_accepted'",
  );
});

test('what is wrong is refused at its place', () => {
  refuses(
    'kind: SLO',
    'kind: Slo',
    "2:7: kind: must be Service, SLO, SLI, DataSource, AlertPolicy, AlertCondition or AlertNotificationTarget, got 'Slo'",
  );
  refuses('kind: SLO\n', '', '1:1: kind: is required');
  refuses('openslo/v1', 'openslo/v2', "1:13: apiVersion: must be openslo/v1 or openslo/v1alpha, got 'openslo/v2'");
  refuses(
    'openslo/v1',
    'openslo.com/v2alpha',
    "1:13: apiVersion: must be openslo/v1 or openslo/v1alpha, got 'openslo.com/v2alpha'",
  );
  refuses('  service: shop\n', '', '12:3: spec.service: is required');
  refuses('service: shop', 'service: a/b', "13:13: spec.service: must not contain '/'");
  refuses(
    '0.995',
    '99.5',
    '36:15: spec.objectives[0].target: must be between 0 and 1 (percent: targetPercent), got 99.5',
  );
  refuses(
    '0.995',
    '1.0',
    '36:15: spec.objectives[0].target: must be between 0 and 1 (percent: targetPercent), got 1.0',
  );
  refuses(
    'target: 0.995',
    'targetPercent: 100',
    '36:22: spec.objectives[0].targetPercent: must be between 0 and 100, got 100',
  );
  refuses('      target: 0.995\n', '', '35:7: spec.objectives[0]: must have exactly one of target or targetPercent');
  refuses(
    '      target: 0.995',
    '      target: 0.995\n      targetPercent: 99',
    '35:7: spec.objectives[0]: must have exactly one of target or targetPercent',
  );
  refuses(
    '  timeWindow:',
    '  indicatorRef: accepted\n  timeWindow:',
    '12:3: spec: must have exactly one of indicator or indicatorRef',
  );
  refuses(
    'displayName: Good',
    'displyName: Good',
    '35:7: spec.objectives[0].displyName: warning: unknown key; did you mean displayName?',
  );
});

test('everything that is wrong is said at once', () => {
  const broken = GOOD.replace('4w', '4 weeks')
    .replace('0.995', '1')
    .replace('[5m]))', '[5m)')
    .replace('type: Prometheus', 'type: Datadog');
  expect(problemsOf(broken)).toEqual([
    '22:19: spec.indicator.spec.ratioMetric.good.metricSource.type: only metrics of type Prometheus can be streamed, got Datadog',
    "31:17: spec.timeWindow[0].duration: must be a duration such as 5m, 1h, 28d, 4w, 1M, 1Q or 1Y, got '4 weeks'",
    '36:15: spec.objectives[0].target: must be between 0 and 1 (percent: targetPercent), got 1',
  ]);
});

const SERVICE = `apiVersion: openslo/v1
kind: Service
metadata: {name: shop, labels: {owner: platform, tier: gold, team: shop}, annotations: {runbook: https://r}}
spec: {description: The shop.}
`;

test('labels, owner and runbook come from the service where the SLO has none', () => {
  const f = (text: string): Slo => slosOf(`${SERVICE}---\n${text}`)[0]!;
  expect(f(GOOD)).toMatchObject({
    owner: 'checkout',
    runbook: 'https://runbooks.example/orders',
    labels: { owner: 'platform', tier: 'gold', team: 'checkout', region: 'eu,us' },
  });
  const bare = GOOD.replace(/ {2}labels:[\s\S]*runbooks.example\/orders\n/, '');
  expect(f(bare)).toMatchObject({ owner: 'platform', runbook: 'https://r' });
});

test('a service that is not among those there are is a warning', () => {
  refuses('service: shop', 'service: shop');
  expect(problemsOf(`${GOOD}---\n${SERVICE.replace('name: shop', 'name: shops')}`)).toEqual([
    "13:12: spec.service: warning: there is no Service named 'shop'; did you mean shops?",
  ]);
});

test('objects refer to each other over files, documents and lists', () => {
  const indicator = GOOD.slice(GOOD.indexOf('  indicator:'), GOOD.indexOf('  timeWindow:'));
  const files = {
    'slos.yaml': `${GOOD.replace(indicator, '  indicatorRef: accepted\n')}  alertPolicies: [{alertPolicyRef: fast}]\n`,
    'slis.json': JSON.stringify([
      {
        apiVersion: 'openslo/v1',
        kind: 'SLI',
        metadata: { name: 'accepted' },
        spec: {
          ratioMetric: {
            bad: { metricSource: { metricSourceRef: 'prom', spec: { query: 'orders_total{code=~"5.."}' } } },
            total: { metricSource: { metricSourceRef: 'prom', spec: { query: 'sum(orders_total)' } } },
          },
        },
      },
    ]),
    'rest.yaml': `- apiVersion: openslo/v1
  kind: DataSource
  metadata: {name: prom}
  spec: {type: prometheus, connectionDetails: {url: 'https://prometheus.example'}}
- apiVersion: openslo/v1
  kind: AlertPolicy
  metadata: {name: fast}
  spec:
    alertWhenBreaching: true
    conditions: [{conditionRef: burns}]
    notificationTargets: [{targetRef: pager}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: burns}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 10, lookbackWindow: 1h, alertAfter: 5m}
---
- apiVersion: openslo/v1
  kind: AlertNotificationTarget
  metadata: {name: pager}
  spec: {target: pagerduty}
`,
  };
  const { slos, sources, problems } = readDefinitions(Object.entries(files).map(([file, text]) => ({ file, text })));
  expect(problems.map(formatProblem)).toEqual([]);
  expect(slos.map(({ id }) => id)).toEqual(['shop/orders-accepted']);
  expect(nativeSli(slos[0]!.sli)).toEqual({ events: { total: 'orders_total', bad: 'orders_total{code=~"5.."}' } });
  expect(slos[0]!.alerts.burnRateAlerts.map(({ name, factor }) => [name, factor])).toEqual([['page-1h', 10]]);
  expect(sources.get('shop/orders-accepted')).toEqual({ file: 'slos.yaml', line: 1 });
});

test('a reference that leads nowhere is refused where it stands', () => {
  const indicator = GOOD.slice(GOOD.indexOf('  indicator:'), GOOD.indexOf('  timeWindow:'));
  refuses(
    indicator,
    '  indicatorRef: accepted\n',
    "14:17: spec.indicatorRef: there is no SLI named 'accepted' in these files",
  );
  refuses(
    'budgetingMethod',
    'alertPolicies: [{alertPolicyRef: fast}]\n  budgetingMethod',
    "33:36: spec.alertPolicies[0].alertPolicyRef: there is no AlertPolicy named 'fast' in these files",
  );
  refuses(
    'type: Prometheus',
    'metricSourceRef: prom',
    "22:30: spec.indicator.spec.ratioMetric.good.metricSource.metricSourceRef: there is no DataSource named 'prom' in these files",
  );
  refuses(
    'type: Prometheus',
    'type: Prometheus\n            metricSourceRef: prom',
    "23:30: spec.indicator.spec.ratioMetric.good.metricSource.metricSourceRef: warning: there is no DataSource named 'prom' in these files",
  );
});

test('an object or an SLO that is there twice is refused at its second definition', () => {
  const { problems } = readDefinitions([
    { file: 'a.yaml', text: `${SERVICE}---\n${GOOD}` },
    { file: 'b.yaml', text: `- {apiVersion: openslo/v1, kind: Service, metadata: {name: shop}}\n---\n${GOOD}` },
  ]);
  expect(problems.map(formatProblem)).toEqual([
    'b.yaml:1:3: [0]: the Service shop is already defined in a.yaml:1',
    'b.yaml:3:1: document: the SLO shop/orders-accepted is already defined in a.yaml:6',
  ]);
});
