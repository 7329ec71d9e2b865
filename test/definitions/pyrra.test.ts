import { expect, test } from 'vitest';
import { readDefinitions } from '../../src/definitions/load.ts';
import { nativeSli } from '../../src/definitions/sli.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { mutated, problemsOf, slosOf } from './reading.ts';

const GOOD = `apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata:
  name: checkout-errors
  namespace: shop
  labels:
    prometheus: k8s
    pyrra.dev/tier: gold
  annotations:
    pyrra.dev/runbook: https://runbooks.example/checkout
spec:
  description: Checkouts succeed.
  target: '99.5'
  window: 2w
  indicator:
    ratio:
      errors:
        metric: checkouts_total{job="shop",result="failed"}
      total:
        metric: checkouts_total{job="shop"}
`;
const RATIO = GOOD.slice(GOOD.indexOf('    ratio:'));

const refuses = mutated(GOOD);

/** The SLO of the good file with one part replaced. */
function withPart(from: string, to: string): Slo {
  expect(GOOD).toContain(from);
  return slosOf(GOOD.replace(from, () => to))[0]!;
}

function withIndicator(indicator: string): Slo {
  return withPart(RATIO, `    ${indicator}\n`);
}

test('a ratio is bad events of all events, over the window and with the windows of Pyrra', () => {
  const [slo] = slosOf(GOOD);
  expect(slo).toMatchObject({
    id: 'shop/checkout-errors',
    service: 'shop',
    name: 'checkout-errors',
    origin: 'pyrra',
    description: 'Checkouts succeed.',
    runbook: 'https://runbooks.example/checkout',
    objective: 0.995,
    errorBudget: 0.005,
    window: { kind: 'rolling', duration: { text: '2w', ms: 14 * 86_400_000 } },
    groupBy: [],
  });
  expect(nativeSli(slo!.sli)).toEqual({
    events: { total: 'checkouts_total{job="shop"}', bad: 'checkouts_total{job="shop",result="failed"}' },
  });
  expect(slo!.alerts.name).toBe('pyrra');
  expect(
    slo!.alerts.burnRateAlerts.map(({ severity, factor, long, short, forMs }) => [
      severity,
      factor,
      long.text,
      short.text,
      forMs / 60_000,
    ]),
  ).toEqual([
    ['critical', 14, '30m', '3m', 1],
    ['critical', 7, '3h', '15m', 8],
    ['warning', 2, '12h', '1h', 30],
    ['warning', 1, '2d', '3h', 90],
  ]);
});

test('the service is the label of that name, else the namespace, else the name', () => {
  const f = (metadata: string, id: string): void =>
    expect(slosOf(GOOD.replace(/metadata:[\s\S]*spec:/, `metadata: ${metadata}\nspec:`))[0]!.id).toBe(id);
  f('{name: a, namespace: b, labels: {pyrra.dev/service: c, service: d}}', 'c/a');
  f('{name: a, namespace: b, labels: {service: d}}', 'b/a');
  f('{name: a, namespace: }', 'a/a');
});

test('labels lose their prefix, those of Kubernetes are none, and the owner is among them', () => {
  const labels = (extra: string): Slo => withPart('    pyrra.dev/tier: gold', `    pyrra.dev/tier: gold\n${extra}`);
  expect(slosOf(GOOD)[0]).toMatchObject({ owner: '', labels: { tier: 'gold' } });
  expect(labels('    pyrra.dev/team: edge\n    owner: k8s')).toMatchObject({
    owner: 'edge',
    labels: { tier: 'gold', team: 'edge' },
  });
  expect(labels('    pyrra.dev/team: edge\n    pyrra.dev/owner: us').owner).toBe('us');
  expect(withPart('pyrra.dev/runbook:', 'pyrra.dev/runbook_url:').runbook).toBe('https://runbooks.example/checkout');
  expect(withPart('pyrra.dev/runbook:', 'runbook:').runbook).toBe('');
});

test('a latency is that of the histogram of which success and total are a bucket and the count', () => {
  const f = (success: string, total: string, sli: object): void =>
    expect(
      nativeSli(withIndicator(`latency: {success: {metric: '${success}'}, total: {metric: '${total}'}}`).sli),
    ).toEqual(sli);
  const latency = (histogram: string, threshold: string): object => ({ latency: { histogram, threshold } });
  f('t_seconds_bucket{a="b",le="0.25"}', 't_seconds_count{a="b"}', latency('t_seconds{a="b"}', '250ms'));
  f('t_bucket{le="5.0",a!~"b",c="d"}', 't_count{c="d",a!~"b"}', latency('t{c="d",a!~"b"}', '5s'));
  f('{"t.s_bucket","a.b"="\\\\",le="1"}', '{"t.s_count","a.b"="\\\\"}', latency('{"t.s","a.b"="\\\\"}', '1s'));
});

test('where they differ in more than the bucket, good is the bucket as it is selected', () => {
  const f = (good: string, total: string): void =>
    expect(
      nativeSli(withIndicator(`latency: {success: {metric: '${good}'}, total: {metric: '${total}'}}`).sli),
    ).toEqual({
      events: { total, good },
    });
  f('t_bucket{code="200",le="1"}', 't_count');
  f('t_bucket{a="b",le="1"}', 't_count{a=~"b"}');
  f('t_bucket{le="1"}', 'u_count');
  f('t_bucket{le="1"}', 't_total');
  f('t_bucket{le="1"}', 't_bucket{le="+Inf"}');
  // A threshold of the native format has whole milliseconds.
  f('t_bucket{le="0.0005"}', 't_count');
  f('t_bucket{le="+Inf"}', 't_count');
});

test('a native histogram has its threshold in the indicator', () => {
  const slo = withIndicator(`latencyNative: {total: {metric: 't{a="b"}'}, latency: 200ms, grouping: [zone]}`);
  expect(nativeSli(slo.sli)).toEqual({ latency: { histogram: 't{a="b"}', threshold: '200ms' } });
  expect(slo.groupBy).toEqual(['zone']);
});

test('a boolean gauge is a probe, and the labels of its grouping have a budget each', () => {
  const slo = withIndicator(`bool_gauge: {metric: 'up{job="db"}', grouping: [instance, zone]}`);
  expect(nativeSli(slo.sli)).toEqual({ probe: { gauge: 'up{job="db"}' } });
  expect(slo.groupBy).toEqual(['instance', 'zone']);
});

const RUNBOOK = { labels: {}, annotations: { runbook: 'https://runbooks.example/checkout' } };

test('severities are those of the file, and alerting can be off', () => {
  const alerts = (alerting: string): Slo['alerts'] =>
    withPart('  indicator:', `  alerting: ${alerting}\n  indicator:`).alerts;
  const own = alerts('{name: Burns, absent: false, severities: {absent: info, fastBurn: page, longTermBurn: info}}');
  expect(own.burnRateAlerts.map(({ name, severity, factor }) => [name, severity, factor])).toEqual([
    ['fast-burn', 'page', 14],
    ['medium-burn', 'critical', 7],
    ['slow-burn', 'warning', 2],
    ['long-term-burn', 'info', 1],
  ]);
  expect(own).toMatchObject({
    name: 'custom',
    budgetExhausted: true,
    notifications: {
      alertname: 'Burns',
      bySeverity: Object.fromEntries(['page', 'critical', 'warning', 'info'].map((severity) => [severity, RUNBOOK])),
    },
  });
  expect(alerts('{}')).toMatchObject({
    name: 'pyrra',
    notifications: { alertname: 'ErrorBudgetBurn', bySeverity: { critical: RUNBOOK, warning: RUNBOOK } },
  });
  for (const off of ['{disabled: true}', '{burnrates: false}']) {
    expect(alerts(off)).toMatchObject({ name: 'none', burnRateAlerts: [], budgetExhausted: false });
  }
});

test('what a cluster has written into an object is no problem', () => {
  const cluster =
    'metadata:\n  uid: a\n  generation: 3\n  managedFields: [{}]\n  creationTimestamp: 2026-01-01T00:00:00Z\n';
  slosOf(`${GOOD.replace('metadata:\n', cluster)}  performanceOverAccuracy: true\nstatus: {type: PrometheusRule}\n`);
  slosOf(GOOD.replace(RATIO, `${RATIO}    latency: null\n    bool_gauge:\n  alerting:\n`));
});

test('a target that the highest burn rate leaves out of reach is a warning', () => {
  refuses(
    "'99.5'",
    '90',
    '13:11: spec.target: warning: of the policy pyrra these alerts can never fire: fast-burn (factor 14); the highest possible burn rate is 10',
  );
  refuses("'99.5'", "'90'\n  alerting: {disabled: true}");
  const problems = problemsOf(GOOD.replace("'99.5'", '0.995'));
  expect(problems).toContain('13:11: spec.target: warning: is read as 0.995 percent; did you mean 99.5?');
  const { slos } = readDefinitions([{ file: 'a', text: GOOD.replace("'99.5'", '90') }]);
  expect(slos[0]!.alerts.burnRateAlerts).toHaveLength(4);
});

test('what is wrong is refused at its place', () => {
  refuses('pyrra.dev/v1alpha1', 'pyrra.dev/v2', "1:13: apiVersion: must be pyrra.dev/v1alpha1, got 'pyrra.dev/v2'");
  refuses('ServiceLevelObjective', 'Slo', "2:7: kind: must be ServiceLevelObjective, got 'Slo'");
  refuses('  name: checkout-errors\n', '', '4:3: metadata.name: is required');
  refuses('checkout-errors', 'a/b', "4:10: metadata.name: must not contain '/'");
  refuses(
    'pyrra.dev/tier: gold',
    'pyrra.dev/service: a/b',
    `8:25: metadata.labels["pyrra.dev/service"]: must not contain '/'`,
  );
  refuses(
    'pyrra.dev/tier',
    'pyrra.dev/',
    '8:5: metadata.labels["pyrra.dev/"]: without pyrra.dev/ a label name must not be empty',
  );
  for (const target of ['100', '0', "'99,5'", '-1', '1e1']) {
    const got = target.replaceAll("'", '');
    refuses("'99.5'", target, `13:11: spec.target: must be between 0 and 100, got '${got}'`);
  }
  refuses('2w', '1M', "14:11: spec.window: must be a duration such as 5m or 1h30m, got '1M'");
  refuses('2w', '30m', '14:11: spec.window: must be at least 1h, got 30m');
  refuses(
    '    ratio:',
    '    rate:',
    '16:5: spec.indicator.rate: warning: unknown key; did you mean ratio?',
    '16:5: spec.indicator: must have exactly one of ratio, latency, latencyNative or bool_gauge',
  );
  refuses(
    RATIO,
    `${RATIO}    bool_gauge: {metric: up}\n`,
    '16:5: spec.indicator: must have exactly one of ratio, latency, latencyNative or bool_gauge',
  );
  refuses(
    'metric: checkouts_total{job="shop"}',
    'metric: sum(rate(checkouts_total{job="shop"}[5m]))',
    '20:17: spec.indicator.ratio.total.metric: an aggregation is not a selector: all series that match are added up here; write checkouts_total{job="shop"}',
  );
  refuses(
    'result="failed"',
    'result=~"("',
    '18:53: spec.indicator.ratio.errors.metric: invalid regular expression: missing closing ): `(`',
  );
  const latency = (success: string): string =>
    `    latency: {success: {metric: '${success}'}, total: {metric: t_count}}\n`;
  for (const success of ['t_bucket', 't_bucket{le=~"1"}', 't_bucket{le="fast"}']) {
    refuses(
      RATIO,
      latency(success),
      '16:33: spec.indicator.latency.success.metric: must have a matcher such as le="0.25", which says what is fast enough',
    );
  }
});

test('everything that is wrong is said at once, and what is not known is a warning', () => {
  const text = GOOD.replace('namespace', 'namspace')
    .replace("'99.5'", "'101'")
    .replace('2w', 'two weeks')
    .replace('{job="shop"}', '{job=}');
  expect(problemsOf(text)).toEqual([
    '5:3: metadata.namspace: warning: unknown key; did you mean namespace?',
    "13:11: spec.target: must be between 0 and 100, got '101'",
    "14:11: spec.window: must be a duration such as 5m or 1h30m, got 'two weeks'",
    "20:37: spec.indicator.ratio.total.metric: unexpected '}' in the selector",
  ]);
});

test('an SLO that is there twice is refused at its second definition', () => {
  expect(problemsOf(`${GOOD}---\n${GOOD}`)).toEqual([
    '22:1: document: the SLO shop/checkout-errors is already defined in a.yaml:1',
  ]);
});
