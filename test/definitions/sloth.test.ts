import { expect, test } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { nativeSli } from '../../src/definitions/sli.ts';
import { DAY_MS } from '../../src/engine/duration.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { mutated, problemsOf, slosOf } from './reading.ts';

const GOOD = `version: prometheus/v1
service: shop
labels:
  team: edge
  tier: 2
slos:
  - name: checkout-availability
    objective: 99.9
    description: Orders that are taken.
    labels: {tier: "1", canary: true}
    sli:
      events:
        error_query: sum(rate(orders_total{result="error"}[{{.window}}]))
        total_query: |
          sum(
            rate(orders_total[{{ .window }}])
          )
    alerting:
      name: CheckoutErrors
      labels: {category: availability}
      annotations: {runbook_url: https://runbooks.example/shop, summary: Orders fail.}
      page_alert:
        labels: {routing_key: edge-pager, category: page}
      ticket_alert:
        annotations: {summary: Orders fail slowly.}
`;
const refuses = mutated(GOOD);

const KUBERNETES = `apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: shop, namespace: monitoring, labels: {app: sloth}}
spec:
${GOOD.split('\n').slice(1, -1).join('\n')}
`
  .replaceAll(/_(?:query|alert)/g, (part) => part[1]!.toUpperCase() + part.slice(2))
  .replace(/(?<=spec:\n)[\s\S]*/, (spec) => spec.replaceAll(/^(?=.)/gm, '  '));

function windows(period: string, shortest = '5m', percent = '8'): string {
  return `apiVersion: sloth.slok.dev/v1
kind: AlertWindows
spec:
  sloPeriod: ${period}
  page:
    quick: {errorBudgetPercent: ${percent}, shortWindow: ${shortest}, longWindow: 1h}
    slow: {errorBudgetPercent: 12.5, shortWindow: 30m, longWindow: 6h}
  ticket:
    quick: {errorBudgetPercent: 20, shortWindow: 2h, longWindow: 1d}
    slow: {errorBudgetPercent: 42, shortWindow: 6h, longWindow: 3d}
`;
}

function slo(text: string): Slo {
  return slosOf(text)[0]!;
}

/** Name, factor and windows of each burn-rate alert. */
function alertsOf({ alerts }: Slo): [string, number, string, string][] {
  return alerts.burnRateAlerts.map(({ name, factor, long, short }) => [name, factor, long.text, short.text]);
}

test('a Sloth file is read with the meaning that Sloth gives it', () => {
  const read = slo(GOOD);
  expect(read).toMatchObject({
    id: 'shop/checkout-availability',
    origin: 'sloth',
    description: 'Orders that are taken.',
    owner: 'edge',
    runbook: 'https://runbooks.example/shop',
    labels: { team: 'edge', tier: '1', canary: 'true' },
    objective: 0.999,
    errorBudget: 0.001,
    window: { kind: 'rolling', duration: { text: '30d' } },
    groupBy: [],
  });
  expect(nativeSli(read.sli)).toEqual({ events: { total: 'orders_total', bad: 'orders_total{result="error"}' } });
  expect(read.alerts).toMatchObject({ name: 'google-30d', budgetExhausted: true, minBadEvents: 0 });
  expect(alertsOf(read)).toEqual([
    ['page-quick', 14.4, '1h', '5m'],
    ['page-slow', 6, '6h', '30m'],
    ['ticket-quick', 3, '1d', '2h'],
    ['ticket-slow', 1, '3d', '6h'],
  ]);
});

test('the Kubernetes object means the same as the file', () => {
  const { alerts, sli, ...rest } = slo(KUBERNETES);
  const file = slo(GOOD);
  expect(rest).toEqual({ ...file, alerts: undefined, sli: undefined });
  expect([nativeSli(sli), alerts]).toEqual([nativeSli(file.sli), file.alerts]);
});

test('several documents of a file are several services', () => {
  const text = `---\r\n${GOOD.replaceAll('\n', '\r\n')}---\n${GOOD.replace('shop', 'shop2')}---\n${KUBERNETES.replace('shop\n', 'shop3\n')}`;
  expect(slosOf(text).map(({ id }) => id)).toEqual([
    'shop/checkout-availability',
    'shop2/checkout-availability',
    'shop3/checkout-availability',
  ]);
});

test('what notifications shall say is kept by severity', () => {
  const runbook_url = 'https://runbooks.example/shop';
  expect(slo(GOOD).alerts.notifications).toEqual({
    alertname: 'CheckoutErrors',
    bySeverity: {
      page: {
        labels: { category: 'page', routing_key: 'edge-pager' },
        annotations: { runbook_url, summary: 'Orders fail.' },
      },
      ticket: { labels: { category: 'availability' }, annotations: { runbook_url, summary: 'Orders fail slowly.' } },
    },
  });
});

test('a disabled alert is not there, and without both there is none at all', () => {
  const disabled = (alert: string, text = GOOD): string =>
    text.replace(`${alert}:`, `${alert}:\n        disable: true`);
  const onlyPage = slo(disabled('ticket_alert'));
  expect(alertsOf(onlyPage).map(([name]) => name)).toEqual(['page-quick', 'page-slow']);
  expect(onlyPage.alerts).toMatchObject({ name: 'custom', budgetExhausted: true });
  expect(Object.keys(onlyPage.alerts.notifications!.bySeverity)).toEqual(['page']);
  const none = disabled('page_alert', disabled('ticket_alert')).replace('      name: CheckoutErrors\n', '');
  expect(slo(none).alerts).toEqual({ name: 'none', burnRateAlerts: [], budgetExhausted: false, minBadEvents: 0 });
});

test('a raw query is read as the error ratio that it is', () => {
  const raw = (query: string): string =>
    GOOD.replace(/events:[\s\S]*(?= {4}alerting)/, `raw:\n        error_ratio_query: ${query}\n`);
  const f = (query: string, sli: object): void => expect(nativeSli(slo(raw(query)).sli), query).toEqual(sli);
  f('sum(rate(a[{{.window}}])) / sum(rate(b[{{.window}}]))', { events: { total: 'b', bad: 'a' } });
  f('1 - (sum(rate(a[{{.window}}])) / sum(rate(b[{{.window}}])))', { events: { total: 'b', good: 'a' } });
  f('1 - (sum(sum_over_time(g[{{.window}}])) / sum(count_over_time(g[{{.window}}])))', { probe: { gauge: 'g' } });
  expect(problemsOf(raw('>-\n          sum(rate(a[{{.window}}]))\n          / max(b)'))).toEqual([
    '15:13: slos[0].sli.raw.error_ratio_query: max does not add up events; write sum(…) of a rate',
  ]);
});

test('the period is the window, over which the factors are computed', () => {
  const f = (days: number, texts: string[], factors: number[]): void => {
    const files = texts.map((text, i) => ({ file: `${i}.yaml`, text }));
    const { slos, problems } = readDefinitions(files, { slothPeriodMs: days * DAY_MS });
    expect(problems.map(formatProblem)).toEqual([]);
    expect(slos.at(-1)!.window).toMatchObject({ duration: { text: `${days}d` } });
    expect(alertsOf(slos.at(-1)!).map(([, factor]) => Number(factor.toPrecision(6)))).toEqual(factors);
  };
  f(28, [GOOD], [13.44, 5.6, 2.8, 0.933333]);
  f(7, [GOOD], [3.36, 1.4, 0.7, 0.233333]);
  f(7, [windows('7d'), GOOD], [13.44, 3.5, 1.4, 0.98]);
  f(7, [GOOD, windows('1w')], [13.44, 3.5, 1.4, 0.98]);
  f(7, [GOOD, windows('28d')], [3.36, 1.4, 0.7, 0.233333]);
});

test('a table of alert windows is checked', () => {
  expect(problemsOf(`${windows('30d')}---\n${windows('30d')}`)).toEqual([
    '15:14: spec.sloPeriod: the windows for 30d are already defined in a.yaml:4',
  ]);
  expect(problemsOf(windows('30 days', '2h', '0'))).toEqual([
    "4:14: spec.sloPeriod: must be a duration such as 5m or 1h30m, got '30 days'",
    '6:33: spec.page.quick.errorBudgetPercent: must be above 0, got 0',
  ]);
  expect(problemsOf(windows('30d', '2h'))).toEqual([
    '6:49: spec.page.quick.shortWindow: must not be longer than the long window of 1h, got 2h',
  ]);
  expect(problemsOf(windows('30d').replace(/ {2}ticket:[\s\S]*/, ''))).toEqual(['4:3: spec.ticket: is required']);
});

test('an alert that can never fire is a warning, because the table is not of the file', () => {
  expect(problemsOf(GOOD.replace('99.9', '90'))).toEqual([
    '8:16: slos[0].objective: warning: of the policy google-30d these alerts can never fire: page-quick (factor 14.4); the highest possible burn rate is 10',
  ]);
});

test('an unknown key is a warning', () => {
  expect(problemsOf(GOOD.replace('page_alert', 'pageAlert').replace('service:', 'runbook: x\nservice:'))).toEqual([
    '2:1: runbook: warning: unknown key; there are version, service, labels, slo_plugins, slos',
    '23:7: slos[0].alerting.pageAlert: warning: unknown key; did you mean page_alert?',
  ]);
});

test('plugins that change rules are not run, and one that makes a query is refused', () => {
  const why = 'warning: plugins change the rules that Sloth writes; here there are no rules, and they are not run';
  expect(
    problemsOf(
      GOOD.replace('slos:', 'slo_plugins: {chain: []}\nslos:').replace('    sli:', '    plugins: {}\n    sli:'),
    ),
  ).toEqual([`6:14: slo_plugins: ${why}`, `12:14: slos[0].plugins: ${why}`]);
  expect(problemsOf(GOOD.replace(/events:[\s\S]*(?= {4}alerting)/, 'plugin: {id: availability}\n'))).toEqual([
    '12:15: slos[0].sli.plugin: an SLI plugin is Go code that makes a query; write the query itself as raw or events',
  ]);
});

test('both queries of an SLO are looked at', () => {
  const wrong = GOOD.replace('sum(rate(orders_total{', 'max(rate(orders_total{').replace(
    '          sum(\n',
    '          min(\n',
  );
  expect(problemsOf(wrong)).toEqual([
    '13:22: slos[0].sli.events.error_query: max does not add up events; write sum(…) of a rate',
    '15:11: slos[0].sli.events.total_query: min does not add up events; write sum(…) of a rate',
  ]);
});

test('what Sloth refuses is refused at its place', () => {
  refuses('99.9', '100', '8:16: slos[0].objective: must be between 0 and 100, got 100');
  refuses('99.9', '"99.9"', "8:16: slos[0].objective: must be a number, got '99.9'");
  refuses('service: shop\n', '', '1:1: service: is required');
  const name = 'must be two or more letters, digits, -, _ or . between a letter or digit at either end';
  refuses('service: shop', 'service: s', `2:10: service: ${name}, got 's'`);
  refuses('checkout-availability', 'check out', `7:11: slos[0].name: ${name}, got 'check out'`);
  refuses('tier: 2', 'tier: ""', "5:9: labels.tier: must be some text, got ''");
  refuses('tier: 2', '__name__: a', '5:3: labels.__name__: __name__ is the name of a metric, not a label');
  refuses(
    'name: CheckoutErrors',
    'nam: CheckoutErrors',
    '19:7: slos[0].alerting.nam: warning: unknown key; did you mean name?',
    '19:7: slos[0].alerting.name: is required unless both alerts are disabled',
  );
  refuses(
    'sum(rate(orders_total{result="error"}[{{.window}}]))',
    'sum(rate(orders_total{result=error}[{{.window}}]))',
    "13:51: slos[0].sli.events.error_query: unexpected 'error' in the query",
  );
  refuses(
    'rate(orders_total[{{ .window }}])',
    'rate(orders_total[5m])',
    "16:31: slos[0].sli.events.total_query: the range must be {{.window}}: the SLO has its windows, got '5m'",
  );
  refuses(
    'orders_total{result="error"}[',
    'orders_total[',
    '13:22: slos[0].sli.events.error_query: counts the same events as the total',
  );
  refuses(
    '        error_query',
    '        error',
    '13:9: slos[0].sli.events.error_query: is required',
    '13:9: slos[0].sli.events.error: warning: unknown key; there are error_query, total_query',
  );
  refuses(
    '      events:',
    '      raw: {error_ratio_query: x}\n      events:',
    '12:7: slos[0].sli: must have exactly one of events, raw or plugin',
  );
  expect(problemsOf(GOOD.replace(/slos:[\s\S]*/, 'slos: [1, ~]'))).toEqual([
    '6:8: slos[0]: must be a mapping, got 1',
    '6:11: slos[1]: must be a mapping, got ~',
  ]);
  expect(problemsOf(GOOD.replace(/ {4}alerting:[\s\S]*/, ''))).toEqual([
    '7:5: slos[0].alerting: is required unless both alerts are disabled',
  ]);
  expect(problemsOf('apiVersion: sloth.slok.dev/v2\nkind: Other')).toEqual([
    '1:1: metadata: is required',
    '1:1: spec: is required',
    "1:13: apiVersion: must be sloth.slok.dev/v1, got 'sloth.slok.dev/v2'",
    "2:7: kind: must be PrometheusServiceLevel or AlertWindows, got 'Other'",
  ]);
});
