import { expect, test } from 'vitest';
import { ABSENT } from '../../src/cli/test/scenario.ts';
import {
  type LoadDefinitions,
  type LoadPolicy,
  readScenario,
  type ScenarioFile,
} from '../../src/cli/test/scenario-file.ts';
import { readGatePolicyFile } from '../../src/definitions/gate-policy.ts';
import { formatProblem, shown } from '../../src/definitions/problem.ts';
import { anSlo } from '../support/slo.ts';

const GOOD = `definitions: [api.yaml]
tests:
  - name: one
    interval: 15s
    input_series:
      - series: 'requests{job="api"}'
        values: '0+1x10'
    expect:
      - at: 1m
        slo: api/availability
        sli: 1
`;

const PARTS =
  'schema, sum, count, z_bucket, z_bucket_w, buckets, offset, n_buckets, n_offset, custom_values, counter_reset_hint';

const load: LoadDefinitions = () => ({ slos: [anSlo()], problems: [], missing: [] });
const POLICIES: Record<string, string> = {
  'gate.yml': 'checks: [{service: api, check: sli > 0.5, action: warn_only}]',
  'broken.yml': 'checks: [{service: api, check: sli >, action: warn_only}]',
};
const loadPolicy: LoadPolicy = (path) => {
  const text = POLICIES[path];
  return text === undefined ? null : readGatePolicyFile({ file: path, text });
};

function read(text: string): ScenarioFile {
  return readScenario('a.test.yaml', text, load, loadPolicy);
}

/** The good file with one text replaced, and the problems that this makes. */
function refuses(from: string, to: string, ...problems: string[]): void {
  expect(GOOD).toContain(from);
  const result = read(GOOD.replace(from, to));
  expect(result.problems.map(formatProblem), to).toEqual(problems.map((problem) => `a.test.yaml:${problem}`));
  expect(result.scenario).toBeNull();
}

test('a small scenario is read with every default', () => {
  const { scenario, problems } = read(GOOD);
  expect(problems).toEqual([]);
  expect(scenario).toMatchObject({ evaluationIntervalMs: 10_000, settleMs: 0, staleAfterMs: 300_000 });
  const startMs = Date.UTC(2026, 0, 1);
  expect(scenario!.tests).toEqual([
    {
      name: 'one',
      startMs,
      tolerance: 1e-9,
      series: [
        {
          labels: [
            ['__name__', 'requests'],
            ['job', 'api'],
          ],
          runs: [{ kind: 'value', count: 11, first: 0, step: 1 }],
          intervalMs: 15_000,
          delayMs: 0,
          startMs: null,
          delta: false,
          sender: null,
        },
      ],
      actions: [],
      expectations: [
        {
          at: '1m',
          atMs: startMs + 60_000,
          slo: 'api/availability',
          group: null,
          policy: null,
          fields: { sli: 1 },
          alerts: null,
        },
      ],
    },
  ]);
});

test('everything that may be said is read', () => {
  const { scenario, problems } = read(`definitions: [api.yaml]
evaluation_interval: 30s
settle: 5s
stale_after: 2m
tolerance: 1e-3
tests:
  - name: 010
    start: 2026-03-01T00:00:00+01:00
    tolerance: 1e-6
    input_series:
      - {series: up, values: 1 2, interval: 1m, delay: 20s}
      - {series: 'down', values: ''}
    actions:
      - {at: 2m, do: reload, definitions: [b.yaml]}
      - {at: 1m, do: restart}
    expect:
      - {at: 2m, slo: api/availability, gate: unknown, group: absent, as_of: null, alerts: {}}
      - at: 1m
        slo: api/availability
        group: {region: eu}
        owner: 1.10
        as_of: 2026-03-01T00:00:30Z
        labels: {tier: absent}
        error_budget: {allowed_bad: 2.5, exhausted_at: null}
        burn_rate: {5m: .inf, 30d: null}
        alerts: {page-quick: pending}
`);
  expect(problems).toEqual([]);
  expect(scenario).toMatchObject({ evaluationIntervalMs: 30_000, settleMs: 5_000, staleAfterMs: 120_000 });
  const startMs = Date.UTC(2026, 1, 28, 23);
  const [only] = scenario!.tests;
  expect(only).toMatchObject({ name: '010', startMs, tolerance: 1e-6 });
  expect(only!.series.map(({ intervalMs, delayMs }) => [intervalMs, delayMs])).toEqual([
    [60_000, 20_000],
    [30_000, 0],
  ]);
  expect(only!.actions.map(({ atMs, slos }) => [atMs - startMs, slos?.length])).toEqual([
    [60_000, undefined],
    [120_000, 1],
  ]);
  expect(only!.expectations.map(({ at, group, fields, alerts }) => ({ at, group, fields, alerts }))).toEqual([
    {
      at: '1m',
      group: { region: 'eu' },
      fields: {
        owner: '1.10',
        as_of: new Date('2026-03-01T00:00:30Z'),
        labels: { tier: ABSENT },
        error_budget: { allowed_bad: 2.5, exhausted_at: null },
        burn_rate: { '5m': Number.POSITIVE_INFINITY, '30d': null },
      },
      alerts: { 'page-quick': 'pending' },
    },
    { at: '2m', group: null, fields: { gate: 'unknown', as_of: null, group: ABSENT }, alerts: {} },
  ]);
});

test('unknown keys are refused wherever they stand', () => {
  refuses('tests:', 'test:\ntests:', '2:1: test: unknown key; did you mean tests?');
  refuses(
    'interval:',
    'spacing:',
    '4:5: tests[0].spacing: unknown key; there are name, interval, start, input_series, actions, expect, tolerance',
  );
  refuses(
    'values:',
    'value:',
    '6:9: tests[0].input_series[0].values: is required',
    '7:9: tests[0].input_series[0].value: unknown key; did you mean values?',
  );
  refuses('sli: 1', 'events: {god: 1}', '11:18: tests[0].expect[0].events.god: unknown key; did you mean good?');
});

test('what is missing is missed in the mapping that lacks it', () => {
  refuses('definitions: [api.yaml]\n', '', '1:1: definitions: is required');
  refuses(
    '    expect:\n      - at: 1m\n        slo: api/availability\n        sli: 1\n',
    '',
    '3:5: tests[0].expect: is required',
  );
  refuses(
    '\n      - at: 1m\n        slo: api/availability\n        sli: 1\n',
    ' []\n',
    '8:13: tests[0].expect: must hold at least one expectation',
  );
  refuses('at: 1m\n        ', '', '9:9: tests[0].expect[0].at: is required');
  refuses('        sli: 1\n', '', '9:9: tests[0].expect[0]: must state what is expected');
});

test('wrong values are refused where they stand', () => {
  refuses('15s', '15', '4:15: tests[0].interval: must be a duration such as 1h30m, got 15');
  refuses('15s', '0s', '4:15: tests[0].interval: must be longer than 0');
  refuses('sli: 1', 'sli: "1"', `11:14: tests[0].expect[0].sli: must be a number, got ${shown('1')}`);
  refuses(
    'sli: 1',
    'state: fine',
    `11:16: tests[0].expect[0].state: must be healthy, at_risk, exhausted or no_data, got ${shown('fine')}`,
  );
  refuses(
    'sli: 1',
    'gate: yes',
    `11:15: tests[0].expect[0].gate: must be allow, warn, block or unknown, got ${shown('yes')}`,
  );
  refuses(
    'sli: 1',
    'alerts: {page: inactive}',
    `11:24: tests[0].expect[0].alerts.page: must be pending or firing, got ${shown('inactive')}`,
  );
  refuses(
    'sli: 1',
    'burn_rate: {fast: 1}',
    `11:21: tests[0].expect[0].burn_rate.fast: must be a window such as 5m, got ${shown('fast')}`,
  );
  refuses(
    'sli: 1',
    'as_of: noon',
    `11:16: tests[0].expect[0].as_of: must be a time such as 2026-01-01T00:00:00Z, got ${shown('noon')}`,
  );
  refuses('sli: 1', 'events: 7', '11:17: tests[0].expect[0].events: must be a mapping, got 7');
  refuses('sli: 1', 'sli: 1\n    tolerance: 2', '12:16: tests[0].tolerance: must be at least 0 and below 1, got 2');
});

test('notations are refused at the offending character', () => {
  refuses(
    "'0+1x10'",
    "'0+1x10 1y'",
    `7:26: tests[0].input_series[0].values: must be x and a number of repetitions, got ${shown('y')}`,
  );
  refuses(
    "'0+1x10'",
    "'0 {{sum:1 bucket:[1]}}'",
    `7:28: tests[0].input_series[0].values: must be a part of a histogram (${PARTS}) or }}, got ${shown('bucket:[1')}`,
  );
  refuses(
    '{job="api"}',
    '{job=api}',
    `6:31: tests[0].input_series[0].series: must be a quoted value, got ${shown('api}')}`,
  );
});

test('an objective that the definitions do not hold is refused', () => {
  refuses(
    'slo: api/availability',
    'slo: api/latency',
    `10:14: tests[0].expect[0].slo: there is no SLO ${shown('api/latency')}; there are api/availability`,
  );
});

test('the same series twice is refused', () => {
  const twice = `'0+1x10'\n      - {series: 'requests{job="api",x=""}', values: 1}`;
  refuses("'0+1x10'", twice, '8:9: tests[0].input_series[1]: the same series is given twice');
});

test('the policy that the gate judges by is read, and its problems are its own', () => {
  const of = (to: string): ScenarioFile => read(GOOD.replace('sli: 1', to));
  const { scenario, problems } = of('gate: warn\n        policy: gate.yml');
  expect(problems).toEqual([]);
  expect(scenario!.tests[0]!.expectations[0]!.policy?.checks.map(({ text }) => text)).toEqual(['sli > 0.5']);
  expect(of('gate: warn\n        policy: broken.yml').problems.map(formatProblem)).toEqual([
    'broken.yml:1:37: checks[0].check: must be a value such as error_budget_remaining or 0.2, got the end',
  ]);
  refuses('sli: 1', 'gate: warn\n        policy: no.yml', '12:17: tests[0].expect[0].policy: no such file');
  const alone = '9:9: tests[0].expect[0].gate: is required: a policy is what the gate judges by';
  refuses('sli: 1', 'policy: gate.yml', '9:9: tests[0].expect[0]: must state what is expected', alone);
});

test('the start of a series is a time, or a duration since the start of the test', () => {
  const startMs = Date.UTC(2026, 0, 1);
  const f = (text: string, expected: number): void => {
    const { scenario, problems } = read(GOOD.replace("'0+1x10'", `1\n        start_time: ${text}`));
    expect(problems, text).toEqual([]);
    expect(scenario!.tests[0]!.series[0]!.startMs, text).toBe(expected);
  };
  f('10m', startMs + 600_000);
  f('0s', startMs);
  f('-1h30m', startMs - 5_400_000);
  f('2025-12-31T23:59:59.5Z', startMs - 500);
  refuses(
    "'0+1x10'",
    '1\n        start_time: soon',
    '8:21: tests[0].input_series[0].start_time: must be a time such as 2026-01-01T00:00:00Z or a duration since the start ' +
      `such as 10m or -1h, got ${shown('soon')}`,
  );
});

test('the values of a series are cumulative, or increments as they stand', () => {
  const deltaOf = (text: string): boolean =>
    read(GOOD.replace("'0+1x10'", `1\n        temporality: ${text}`)).scenario!.tests[0]!.series[0]!.delta;
  expect([deltaOf('delta'), deltaOf('cumulative')]).toEqual([true, false]);
  refuses(
    "'0+1x10'",
    '1\n        temporality: rate',
    `8:22: tests[0].input_series[0].temporality: must be cumulative or delta, got ${shown('rate')}`,
  );
  refuses(
    "'0+1x10'",
    "'{{count:1}}'\n        temporality: delta",
    '7:17: tests[0].input_series[0].values: a native histogram is cumulative: leave temporality out',
  );
});

test('a series of an HA pair loses the label of its replica, and is there once a replica', () => {
  const series = (labels: string): string => `      - {series: 'requests{job="api",${labels}}', values: 1}\n`;
  const withSeries = (...labels: string[]): ScenarioFile =>
    read(GOOD.replace('    expect:', `${labels.map(series).join('')}    expect:`));
  const pair = ['cluster="eu",__replica__="a"', 'cluster="eu",__replica__="b"', 'cluster="eu"', '__replica__="a"'];
  const { scenario, problems } = withSeries(...pair);
  expect(problems).toEqual([]);
  expect(scenario!.tests[0]!.series.slice(1).map(({ labels, sender }) => [labels.slice(2), sender])).toEqual([
    [[['cluster', 'eu']], { cluster: 'eu', replica: 'a' }],
    [[['cluster', 'eu']], { cluster: 'eu', replica: 'b' }],
    [[['cluster', 'eu']], null],
    [[['__replica__', 'a']], null],
  ]);
  expect(withSeries(pair[0]!, pair[0]!).problems.map(({ message }) => message)).toEqual([
    'the same series is given twice',
  ]);
  const many = Array.from({ length: 101 }, (_, i) => `cluster="${i}",__replica__="a"`);
  expect(withSeries(...many).problems.map(({ message }) => message)).toEqual([
    'is of more HA clusters than are told apart',
  ]);
});

test('problems of the definitions are problems of the scenario', () => {
  const problem = {
    severity: 'error',
    file: 'api.yaml',
    line: 3,
    column: 1,
    path: 'slos',
    message: 'is required',
  } as const;
  const broken: LoadDefinitions = () => ({ slos: [], problems: [problem], missing: [] });
  const { scenario, problems } = readScenario('a.test.yaml', GOOD, broken, loadPolicy);
  expect(scenario).toBeNull();
  expect(problems).toEqual([problem]);
});
