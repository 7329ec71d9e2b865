import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkCommand } from '../../src/cli/check.ts';
import { type ConvertOptions, convertCommand } from '../../src/cli/convert/command.ts';
import { nativeFile } from '../../src/cli/convert/native.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { DAY_MS } from '../../src/engine/duration.ts';
import { slosOf } from '../definitions/reading.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');
const scratch = mkdtempSync(path.join(tmpdir(), 'slipstream-convert-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const SLOTH_PERIOD = { slothPeriodMs: 14 * DAY_MS };

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function convert(files: readonly string[], options: Partial<ConvertOptions> = {}): Outcome {
  let out = '';
  let err = '';
  const io = { out: (text: string) => (out += text), err: (text: string) => (err += text), env: {} };
  const code = convertCommand(files, { to: 'slipstream', version: '1.2.3', ...SLOTH_PERIOD, ...options }, io);
  return { code, out, err };
}

function fixture(name: string): string {
  return path.join(FIXTURES, name);
}

function written(name: string, text: string): string {
  const file = path.join(scratch, name);
  writeFileSync(file, text);
  return file;
}

function header(text: string): string {
  return `apiVersion: slipstream/v1\nservice: api\nslos:\n  - name: a\n    objective: 99\n${text}`;
}

/** What `check --format json` understands, but for the places in the files. */
function understood(file: string): object[] {
  let out = '';
  checkCommand([file], { format: 'json', ...SLOTH_PERIOD }, { out: (text) => (out += text) });
  const { valid, slos } = JSON.parse(out);
  expect(valid, out).toBe(true);
  return slos.map((slo: object) => ({ ...slo, file: '', line: 0 }));
}

test('a file of any format becomes a native one of the same meaning', () => {
  for (const name of [
    'definitions/api.yaml',
    'definitions/services.yml',
    'convert/kinds.yaml',
    'convert/sloth.yml',
    'convert/pyrra.yaml',
    'convert/openslo.yaml',
  ]) {
    const { code, out, err } = convert([fixture(name)]);
    expect([code, err.replaceAll(/.*: warning: .*\n/g, '')], name).toEqual([0, '']);
    const native = written(path.basename(name), out);
    expect(understood(native), name).toEqual(understood(fixture(name)));
    expect(convert([native]).out, name).toBe(out);
  }
});

test('a native file says what is shared once and leaves out what goes without saying', () => {
  expect(convert([fixture('convert/sloth.yml')]).out).toBe(`apiVersion: slipstream/v1
service: shop
owner: edge
slos:
  - name: orders
    description: Orders that are taken.
    labels:
      team: edge
      tier: "2"
    runbook: https://runbooks.example/orders
    objective: 99.5
    window: 14d
    groupBy:
      - region
    sli:
      events:
        total: orders_total
        bad: orders_total{result=~"error|timeout"}
    alerts:
      policy:
        - name: page-quick
          severity: page
          factor: 13.44
          long: 1h
          short: 5m
        - name: page-slow
          severity: page
          factor: 5.6
          long: 6h
          short: 30m
      alertname: OrdersFail
      bySeverity:
        page:
          labels:
            routing_key: edge
          annotations:
            runbook_url: https://runbooks.example/orders
  - name: answers
    labels:
      team: edge
      tier: "1"
    objective: 99
    window: 14d
    sli:
      latency:
        histogram: answer_seconds
        threshold: 500ms
    alerts:
      policy: none
`);
});

test('what notifications shall say comes with them', () => {
  const [slo] = readDefinitions([{ file: 'a', text: convert([fixture('convert/sloth.yml')]).out }]).slos;
  expect(slo!.alerts.notifications).toEqual({
    alertname: 'OrdersFail',
    bySeverity: {
      page: { labels: { routing_key: 'edge' }, annotations: { runbook_url: 'https://runbooks.example/orders' } },
    },
  });
});

test('names that need quotes have them in the native file', () => {
  const sli = `{events: {total: '{"http.requests", "service.name"="a\\"b"}', bad: '{"http.errors"}'}}`;
  const file = written('names.yaml', header(`    groupBy: ["a.b"]\n    sli: ${sli}\n`));
  expect(understood(written('native.yaml', convert([file]).out))).toEqual(understood(file));
});

test('the order of SLOs stays, also where services take turns', () => {
  const slo = (service: string, name: string): string =>
    `apiVersion: slipstream/v1\nservice: ${service}\nslos: [{name: ${name}, objective: 99, sli: {push: {}}}]\n`;
  const text = [slo('a', '1'), slo('a', '2'), slo('b', '1'), slo('a', '3')].join('---\n');
  const { out } = convert([written('turns.yaml', text)]);
  expect(slosOf(out).map(({ id }) => id)).toEqual(['a/1', 'a/2', 'b/1', 'a/3']);
  expect(out.match(/^service: .*/gm)).toEqual(['service: a', 'service: b', 'service: a']);
});

test('whatever a text is, it stays as it is', () => {
  const texts = fc.string({ unit: 'grapheme', maxLength: 20 });
  const words = fc.oneof(
    texts,
    fc.constantFrom('yes', '010', '1.10', '~', 'null', '- a', 'a: b', '# c', ' d ', 'e\n', '\n\nf\r\n', '"', "'"),
  );
  fc.assert(
    fc.property(words, words, words, fc.dictionary(fc.constantFrom('a', 'b', 'c d', 'é'), words), (...fields) => {
      const [description, owner, runbook, labels] = fields;
      const [good] = slosOf(header('    sli: {push: {}}\n'));
      const slo = { ...good!, description, owner, runbook, labels };
      const [read] = slosOf(nativeFile([slo]));
      expect({ ...read, alerts: 0 }).toEqual({ ...slo, alerts: 0 });
    }),
    { numRuns: 500 },
  );
});

test('an alert of a table that can never fire is left out of a list', () => {
  const sloth = `version: prometheus/v1
service: shop
slos:
  - name: orders
    objective: 90
    sli: {events: {error_query: 'sum(rate(x[{{.window}}]))', total_query: 'sum(rate(y[{{.window}}]))'}}
    alerting: {name: A, ticket_alert: {disable: true}}
`;
  const { out } = convert([written('impossible.yaml', sloth)], { slothPeriodMs: 30 * DAY_MS });
  expect(slosOf(out)[0]!.alerts.burnRateAlerts.map(({ name }) => name)).toEqual(['page-slow']);
});

test('files that are wrong are not converted', () => {
  expect(convert([fixture('definitions/broken.yaml')])).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringContaining('must be between 0 and 100'),
  });
  expect(convert([fixture('definitions/nothing.yaml')])).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('no such file'),
  });
});

test('what rules cannot say is refused, every SLO with its reason, and nothing is written', () => {
  const native = written(
    'refused.yaml',
    `apiVersion: slipstream/v1
service: api
slos:
  - {name: pushed, objective: 99, sli: {push: {}}}
  - {name: monthly, objective: 99, window: {calendar: month}, sli: {events: {total: a, bad: b}}}
  - {name: empty, objective: 99, groupBy: [x], emptySlice: bad, sli: {threshold: {gauge: g, op: lt, value: 1}}}
  - {name: twice, objective: 99, sli: {events: {total: ['{__name__=~"a.*"}', 'ab'], bad: b}}}
  - {name: fine, objective: 99, sli: {events: {total: a, bad: b}}}
`,
  );
  expect(convert([native], { to: 'prometheus-rules' })).toEqual({
    code: 1,
    out: '',
    err: `api/pushed: its events are pushed, and Prometheus does not have them
api/monthly: no range of PromQL is a calendar month; give it a rolling window
api/empty: which groups have an empty slice cannot be told; write emptySlice: ignore, or leave groupBy out
api/twice: a series could match several of its selectors and would count twice; write matchers that exclude each other
`,
  });
});

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The rules of one SLO by group, without its id in the name. */
function rulesOf(text: string): Record<string, Rule[]> {
  const { groups } = parse(convert([written('rules.yaml', text)], { to: 'prometheus-rules' }).out);
  return Object.fromEntries(
    groups.map(({ name, rules }: { name: string; rules: Rule[] }) => [name.replace('-api-a', ''), rules]),
  );
}

/** The error ratio over 5 minutes, or of a slice where there are slices, on one line. */
function ratioOf(fields: string): string {
  const rules = rulesOf(header(fields));
  return (rules['sloth-slo-slices'] ?? rules['sloth-slo-sli-recordings'])![0]!.expr.replaceAll(/\n+/g, ' ');
}

test('each SLI has its expression', () => {
  const f = (fields: string, expr: string): void => expect(ratioOf(fields), fields).toBe(expr);
  f('    sli: {events: {total: t, bad: b}}\n', '(sum(rate(b[5m])) or sum(rate(t[5m])) * 0) / (sum(rate(t[5m])) > 0)');
  f(
    '    groupBy: [x, y]\n    sli: {events: {total: t, good: g}}\n',
    '(sum by (x, y) (rate(t[5m])) - (sum by (x, y) (rate(g[5m])) or sum by (x, y) (rate(t[5m])) * 0)) / (sum by (x, y) (rate(t[5m])) > 0)',
  );
  f(
    `    sli: {events: {total: [t, u], bad: ['t{c=~"5.."}', 't{s="error"}']}}\n`,
    '(sum(rate(t{c=~"5.."}[5m]) or rate(t{s="error"}[5m])) or sum(label_replace(rate(t[5m]), "selector", "0", "", "") or ' +
      'label_replace(rate(u[5m]), "selector", "1", "", "")) * 0) / (sum(label_replace(rate(t[5m]), "selector", "0", "", "") ' +
      'or label_replace(rate(u[5m]), "selector", "1", "", "")) > 0)',
  );
  f(
    '    sli: {probe: {gauge: p}}\n',
    '(sum(count_over_time(p[5m])) - sum(sum_over_time(p[5m]))) / (sum(count_over_time(p[5m])) > 0)',
  );
  f(
    '    sli: {latency: {histogram: h, threshold: 400ms}}\n',
    '((sum(rate(h_count[5m])) - sum(rate(h_bucket{le="0.4"}[5m]))) or (histogram_count(sum(rate(h[5m]))) * ' +
      '(1 - histogram_fraction(0, 0.4, sum(rate(h[5m])))))) / ((sum(rate(h_count[5m])) or histogram_count(sum(rate(h[5m])))) > 0)',
  );
  f(
    '    sli: {threshold: {gauge: g, op: lte, value: 5}}\n',
    'sum(sum_over_time(g[1m])) / sum(count_over_time(g[1m])) > bool 5',
  );
  f(
    '    emptySlice: bad\n    sli: {freshness: {timestamp: t, threshold: 1h}}\n',
    '(max(time() - t) > bool 3600) or on() vector(1)',
  );
  f('    sli: {freshness: {age: a, threshold: 1h, aggregate: min}}\n', 'min(a + (time() - timestamp(a))) > bool 3600');
  f('    slice: 2m\n    sli: {throughput: {counter: c, min: 60/m}}\n', 'sum(rate(c[2m])) < bool 1');
  f(
    '    budgeting: timeslices\n    sliceTarget: 95\n    sli: {events: {total: t, bad: b}}\n',
    '1 - ((sum(rate(b[1m])) or sum(rate(t[1m])) * 0) / (sum(rate(t[1m])) > 0)) < bool 0.95',
  );
  f(
    '    budgeting: ratioTimeslices\n    sli: {events: {total: t, bad: b}}\n',
    '(sum(rate(b[1m])) or sum(rate(t[1m])) * 0) / (sum(rate(t[1m])) > 0)',
  );
});

test('slices are recorded one by one, and windows are made of them', () => {
  const text = header('    slice: 2m\n    sli: {throughput: {counter: c, min: 1/s}}\n    alerts: {minBadEvents: 3}\n');
  const { groups } = parse(convert([written('slices.yaml', text)], { to: 'prometheus-rules' }).out);
  const slice = 'slo:slice_error:ratio{sloth_id="api-a", sloth_service="api", sloth_slo="a"}';
  expect(groups[0]).toMatchObject({
    name: 'sloth-slo-slices-api-a',
    interval: '2m',
    rules: [{ record: 'slo:slice_error:ratio' }],
  });
  expect(groups[1].rules[0].expr).toBe(`avg_over_time(${slice}[5m])`);
  expect(groups[3].rules[0].expr).toContain(`and on()\n    ((sum_over_time(${slice}[1h])) >= 3)`);
});

test('a bucket of whole seconds is found however its bound is written', () => {
  const expr = ratioOf('    sli: {latency: {histogram: h, threshold: 1s}}\n');
  expect(expr).toContain(String.raw`rate(h_bucket{le=~"1(\\.0)?"}[5m])`);
});

test('records have the names, labels and groups of Sloth', () => {
  const rules = rulesOf(header('    window: 28d\n    labels: {tier: gold}\n    sli: {events: {total: t, bad: b}}\n'));
  expect(Object.keys(rules)).toEqual(['sloth-slo-sli-recordings', 'sloth-slo-meta-recordings', 'sloth-slo-alerts']);
  const windows = ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '4w'];
  const ids = { tier: 'gold', sloth_id: 'api-a', sloth_service: 'api', sloth_slo: 'a' };
  expect(rules['sloth-slo-sli-recordings']!.map(({ record, labels }) => [record, labels])).toEqual(
    windows.map((window) => [`slo:sli_error:ratio_rate${window}`, { ...ids, sloth_window: window }]),
  );
  const series = (name: string): string => `${name}{sloth_id="api-a", sloth_service="api", sloth_slo="a"}`;
  const burnRate = (window: string): string =>
    `${series(`slo:sli_error:ratio_rate${window}`)}\n/ on(sloth_id, sloth_slo, sloth_service) group_left\n${series('slo:error_budget:ratio')}`;
  expect(rules['sloth-slo-meta-recordings']!.map(({ record, expr }) => [record, expr])).toEqual([
    ['slo:objective:ratio', 'vector(0.99)'],
    ['slo:error_budget:ratio', 'vector(0.01)'],
    ['slo:time_period:days', 'vector(28)'],
    ['slo:current_burn_rate:ratio', burnRate('5m')],
    ['slo:period_burn_rate:ratio', burnRate('4w')],
    ['slo:period_error_budget_remaining:ratio', `1 - ${series('slo:period_burn_rate:ratio')}`],
    ['sloth_slo_info', 'vector(1)'],
  ]);
  expect(rules['sloth-slo-meta-recordings']!.at(-1)!.labels).toEqual({
    ...ids,
    sloth_version: '1.2.3',
    sloth_mode: 'slipstream',
    sloth_spec: 'slipstream/v1',
    sloth_objective: '99',
  });
});

test('alerts are named, labelled and annotated as notifications are', () => {
  const rules = rulesOf(
    header(
      '    owner: us\n    runbook: https://r\n    sli: {events: {total: t, bad: b}}\n    alerts: {minBadEvents: 3}\n',
    ),
  );
  const alerts = rules['sloth-slo-alerts']!;
  expect(alerts.map(({ alert, labels }) => [alert, labels['severity'], labels['sloth_severity']])).toEqual([
    ['page-quick', 'page', 'page'],
    ['page-slow', 'page', 'page'],
    ['ticket-quick', 'ticket', 'ticket'],
    ['ticket-slow', 'ticket', 'ticket'],
    ['error-budget-exhausted', 'critical', 'page'],
  ]);
  const ids = '{sloth_id="api-a", sloth_service="api", sloth_slo="a"}';
  expect(alerts[0]).toEqual({
    alert: 'page-quick',
    expr: `(
    max(slo:sli_error:ratio_rate5m${ids} > (14.4 * 0.01)) without (sloth_window)
    and
    max(slo:sli_error:ratio_rate1h${ids} > (14.4 * 0.01)) without (sloth_window)
    and on()
    (((sum(rate(b[1h])) or sum(rate(t[1h])) * 0) * 3600) >= 3)
)`,
    labels: {
      service: 'api',
      slo: 'a',
      owner: 'us',
      severity: 'page',
      long: '1h',
      short: '5m',
      sloth_severity: 'page',
    },
    annotations: {
      title: '(page) {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is too fast.',
      summary: '{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is over expected.',
      runbook_url: 'https://r',
    },
  });
  expect(alerts.at(-1)).toMatchObject({ expr: `slo:period_error_budget_remaining:ratio${ids} <= 0`, for: '5m' });
});

test('alerts of one imported name are one rule, as in Sloth', () => {
  const { groups } = parse(convert([fixture('convert/sloth.yml')], { to: 'prometheus-rules' }).out);
  const named = groups.find(({ name }: { name: string }) => name === 'sloth-slo-alerts-shop-orders').rules as Rule[];
  expect(named.map(({ alert }) => alert)).toEqual(['OrdersFail', 'error-budget-exhausted']);
  expect(named[0]!.expr.match(/ratio_rate\w+|or$|[\d.]+ \*/gm)).toEqual([
    ...['ratio_rate5m', '13.44 *', 'ratio_rate1h', '13.44 *', 'or'],
    ...['ratio_rate30m', '5.6 *', 'ratio_rate6h', '5.6 *'],
  ]);
  expect(named[0]!.labels).toMatchObject({ routing_key: 'edge', severity: 'page', sloth_severity: 'page' });
  expect(groups.map(({ name }: { name: string }) => name)).not.toContain('sloth-slo-alerts-shop-answers');
});
