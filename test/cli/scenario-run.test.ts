import { expect, test } from 'vitest';
import { close } from '../../src/cli/test/compare.ts';
import { readScenario } from '../../src/cli/test/scenario-file.ts';
import { type Difference, runTest } from '../../src/cli/test/simulation.ts';
import { anSlo } from '../support/slo.ts';

const noPolicy = () => null;

/** Half of the requests fail for 30 minutes. */
function differencesOf(...expectations: string[]): string[] {
  return run(expectations).map(({ expectation, message }) => `${expectation.at}: ${message}`);
}

function run(expectations: readonly string[], extra = '', minutes = 30): Difference[] {
  const { scenario, problems } = readScenario(
    'a.test.yaml',
    `definitions: [api.yaml]
tests:
  - name: half
    interval: 15s
    ${extra}
    input_series:
      - {series: 'requests{job="api",code="200"}', values: '0+100x${4 * minutes}'}
      - {series: 'requests{job="api",code="500"}', values: '0+100x${4 * minutes}'}
    expect:
${expectations.map((line) => `      - {slo: api/availability, ${line}}\n`).join('')}`,
    () => ({ slos: [anSlo()], problems: [], missing: [] }),
    noPolicy,
  );
  expect(problems).toEqual([]);
  return runTest(scenario!, scenario!.tests[0]!);
}

test('what is true has no difference', () => {
  expect(
    differencesOf(
      'at: 30m, sli: 0.5, burn_rate: {5m: 500, 30d: 500}, burn_rates: {1h: 500}, budget_remaining: -499',
      'at: 30m, events: {good: 12000, bad: 12000}, error_budget: {consumed: 500, allowed_bad: 24}',
      'at: 30m, group: absent, labels: {tier: absent}, owner: "", state: exhausted, gate: block',
    ),
  ).toEqual([]);
});

test('every difference is found and said', () => {
  expect(
    differencesOf(
      'at: 30m, sli: 0.4, burn_rate: {5m: 499, 7h: 1}, budget_remaining: null',
      'at: 10m, events: {good: 4000, bad: 3999, total: 8000}, state: healthy, gate: allow',
      'at: 20m, as_of: 2026-01-01T00:19:45Z, labels: {tier: x}, owner: me, window: {kind: calendar}',
    ),
  ).toEqual([
    '10m: state: expected "healthy", got "exhausted"',
    '10m: events.bad: expected 3999, got 4000',
    '10m: gate: expected "allow", got "block"',
    '20m: owner: expected "me", got ""',
    '20m: labels.tier: expected "x", got absent',
    '20m: window.kind: expected "calendar", got "rolling"',
    '20m: as_of: expected 2026-01-01T00:19:45.000Z, got "2026-01-01T00:20:00.000Z"',
    '30m: sli: expected 0.4, got 0.5',
    '30m: burn_rate.5m: expected 499, got 500',
    '30m: burn_rate.7h: expected 1, got absent',
    '30m: budget_remaining: expected null, got -499',
  ]);
});

test('the alerts are exactly those that are not inactive', () => {
  const firing = 'page-quick: firing, page-slow: firing, ticket-quick: firing, ticket-slow: firing';
  expect(
    differencesOf(
      `at: 4m, alerts: {${firing}, error-budget-exhausted: pending}`,
      `at: 30m, alerts: {${firing}, error-budget-exhausted: pending, page-never: firing}`,
      'at: 30m, alerts: {}',
    ),
  ).toEqual([
    '30m: alerts.error-budget-exhausted: expected pending, got firing',
    '30m: alerts.page-never: expected firing, got inactive',
    ...['page-quick', 'page-slow', 'ticket-quick', 'ticket-slow', 'error-budget-exhausted'].map(
      (name) => `30m: alerts.${name}: expected inactive, got firing`,
    ),
  ]);
});

test('the group of an objective without groups is not there', () => {
  expect(differencesOf('at: 1m, sli: 0.5, group: {region: eu}')).toEqual(['1m: group: there is no {"region":"eu"}']);
});

test('of a grouped objective the group is chosen, and what is wrong with the choice is said', () => {
  const differences = (...expectations: string[]): string[] => {
    const { scenario, problems } = readScenario(
      'a.test.yaml',
      `definitions: [api.yaml]
tests:
  - name: groups
    interval: 15s
    input_series:
      - {series: 'requests{job="api",zone="1",region="eu"}', values: '0+1x40'}
      - {series: 'requests{job="api",zone="2",region="eu"}', values: '0+1x40'}
    expect:
${expectations.map((line) => `      - {slo: api/availability, at: 10m, ${line}}\n`).join('')}`,
      () => ({ slos: [anSlo({ groupBy: ['region', 'zone'] })], problems: [], missing: [] }),
      noPolicy,
    );
    expect(problems).toEqual([]);
    return runTest(scenario!, scenario!.tests[0]!).map(({ message }) => message);
  };
  expect(
    differences(
      'group: {region: eu, zone: "1"}, sli: 1, gate: allow',
      'group: {region: us, zone: "1"}, sli: absent, alerts: {}',
      'group: {region: us, zone: "1"}, sli: absent, gate: allow',
      'group: {region: eu}, sli: 1',
      'gate: allow',
      'group: absent, gate: allow',
      'sli: 1, gate: block',
    ),
  ).toEqual([
    'group: there is no {"region":"us","zone":"1"}; there are {"region":"eu","zone":"1"}, {"region":"eu","zone":"2"}',
    'gate: expected "allow", got "unknown"',
    'group: {"region":"eu"} are 2 groups; say more of region, zone',
    'group: must be given, the SLO is grouped by region, zone',
    'group: must be given, the SLO is grouped by region, zone',
    'gate: expected "block", got "allow"',
  ]);
});

test('numbers are compared with the tolerance of the test', () => {
  expect(run(['at: 30m, sli: 0.5001'])).toHaveLength(1);
  expect(run(['at: 30m, sli: 0.5001'], 'tolerance: 1e-3')).toHaveLength(0);
});

test('the tolerance is relative, and absolute where zero is expected', () => {
  expect(close(1000, 1000.0000009, 1e-9)).toBe(true);
  expect(close(1000, 1000.000002, 1e-9)).toBe(false);
  expect(close(1e-12, 2e-12, 1e-9)).toBe(false);
  expect(close(0, 1e-10, 1e-9)).toBe(true);
  expect(close(0, 1e-8, 1e-9)).toBe(false);
  expect(close(1, 1, 0)).toBe(true);
  expect(close(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1e-9)).toBe(true);
  expect(close(Number.POSITIVE_INFINITY, 1, 1e-9)).toBe(false);
  expect(close(Number.NaN, 1, 1e-9)).toBe(false);
});

test('a restart in between makes no difference', () => {
  const wrong = ['at: 30m, sli: 7, events: {bad: 1}, coverage: 7, alerts: {}'];
  expect(run(wrong, 'actions: [{at: 7m, do: restart}, {at: 30m, do: restart}]')).toEqual(run(wrong));
});

test('30 days at 15 seconds take seconds', () => {
  const minutes = 30 * 24 * 60;
  const started = performance.now();
  expect(run([`at: 30d, events: {bad: ${minutes * 400}, total: ${minutes * 800}}`], '', minutes)).toEqual([]);
  expect(performance.now() - started).toBeLessThan(10_000);
});
