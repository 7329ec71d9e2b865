import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config.ts';
import { readDefinitions } from '../../src/definitions/load.ts';

const NATIVE = {
  apiVersion: 'slipstream/v1',
  service: 'api',
  labels: { a: 'b' },
  slos: [
    {
      name: 'a',
      objective: 99,
      window: { calendar: 'month', timezone: 'UTC' },
      groupBy: ['region'],
      sli: { events: { total: ['x'], bad: 'y' } },
      budgeting: 'timeslices',
      sliceTarget: 95,
      alerts: { policy: [{ severity: 'page', factor: 2, long: '1h', short: '5m' }], minBadEvents: 1 },
    },
    { name: 'b', objective: 99, sli: { freshness: { age: 'x', threshold: '1h', aggregate: 'max' } }, slice: '1m' },
    { name: 'c', objective: 99, sli: { throughput: { counter: 'x', min: '1/s' } } },
  ],
};
const SERVICES = {
  services: { api: { slo_error_rate: '99%', slo_latency_p99: '1s' } },
  metrics: { error_rate: { total: 'x', bad: ['y'] }, latency: { histogram: 'h' } },
};
const PYRRA = {
  apiVersion: 'pyrra.dev/v1alpha1',
  kind: 'ServiceLevelObjective',
  metadata: {
    name: 'a',
    namespace: 'b',
    labels: { 'pyrra.dev/service': 'c' },
    annotations: { 'pyrra.dev/runbook': 'd' },
  },
  spec: {
    target: '90',
    window: '2w',
    indicator: { latency: { success: { metric: 'x_bucket{le="1"}' }, total: { metric: 'x_count' }, grouping: ['a'] } },
    alerting: { disabled: false, burnrates: true, severities: { fastBurn: 'page' } },
  },
};
const SLOTH = {
  version: 'prometheus/v1',
  service: 'api',
  labels: { a: 'b' },
  slo_plugins: { chain: [] },
  slos: [
    {
      name: 'aa',
      objective: 99,
      sli: { events: { error_query: 'sum(rate(x[{{.window}}]))', total_query: 'sum(rate(y[{{.window}}]))' } },
      alerting: {
        name: 'A',
        labels: { a: 'b' },
        page_alert: { disable: true },
        ticket_alert: { annotations: { a: 'b' } },
      },
    },
    {
      name: 'bb',
      objective: 99,
      labels: { a: 'b' },
      plugins: {},
      sli: { raw: { error_ratio_query: 'sum(rate(x[{{.window}}])) / sum(rate(y[{{.window}}]))' } },
      alerting: { page_alert: { disable: true }, ticket_alert: { disable: true } },
    },
  ],
};
const TIER = { errorBudgetPercent: 2, shortWindow: '5m', longWindow: '1h' };
const ALERT_WINDOWS = {
  apiVersion: 'sloth.slok.dev/v1',
  kind: 'AlertWindows',
  spec: { sloPeriod: '30d', page: { quick: TIER, slow: TIER }, ticket: { quick: TIER, slow: TIER } },
};
const METRIC = { metricSource: { type: 'Prometheus', metricSourceRef: 'c', spec: { query: 'x' } } };
const BURNS = { kind: 'burnrate', op: 'lt', threshold: 2, lookbackWindow: '1h' };
const OPENSLO = {
  apiVersion: 'openslo/v1',
  kind: 'SLO',
  metadata: { name: 'a', labels: { a: ['b'] } },
  spec: {
    service: 'd',
    indicator: { spec: { ratioMetric: { counter: false, good: METRIC, total: METRIC } } },
    timeWindow: [{ duration: '1M', calendar: { startTime: '2026-01-01 00:00:00', timeZone: 'UTC' } }],
    budgetingMethod: 'Timeslices',
    objectives: [{ op: 'lt', target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: '1m' }],
    alertPolicies: [{ spec: { conditions: [{ spec: { severity: 'page', condition: BURNS } }] } }],
  },
};
const OPENSLO_THRESHOLD = [
  {
    apiVersion: 'openslo/v1',
    kind: 'SLO',
    metadata: { name: 'a' },
    spec: {
      service: 'd',
      indicatorRef: 'c',
      budgetingMethod: 'Occurrences',
      objectives: [{ op: 'lt', value: 1, targetPercent: 90 }],
      alertPolicies: [{ alertPolicyRef: 'e' }],
    },
  },
  { apiVersion: 'openslo/v1', kind: 'SLI', metadata: { name: 'c' }, spec: { thresholdMetric: METRIC } },
];
const QUERY = { source: 'sloth', queryType: 'promql', query: 'sum(rate(x[{{.window}}]))' };
const OPENSLO_ALPHA = {
  apiVersion: 'openslo/v1alpha',
  kind: 'SLO',
  metadata: { name: 'a' },
  spec: {
    service: 'b',
    timeWindows: [{ count: 28, unit: 'Day', isRolling: true }],
    objectives: [{ target: 0.9, ratioMetrics: { good: QUERY, total: QUERY } }],
  },
};
const SERVER = {
  listen: ':1',
  slos: ['a'],
  otlp: { http: ':2' },
  ha: { failover: '1m' },
  limits: { series: 1 },
  log: {},
};

const ALERTING = parse(
  readFileSync(path.resolve(import.meta.dirname, '../../examples/alerting/alerting.yaml'), 'utf8'),
) as object;

const JUNK = [
  null,
  true,
  0,
  -1.5,
  1e300,
  '',
  'junk',
  '{{service}}',
  '9'.repeat(400),
  [],
  [null],
  [[]],
  {},
  { junk: 1 },
  { __proto__: null },
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every variant of a value in which one part of it, at any depth, is replaced by junk or is left out. */
function* spoiled(value: unknown): Generator<unknown> {
  yield* JUNK;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, part] of Object.entries(value)) {
    for (const other of spoiled(part)) {
      const copy = (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
      copy[key] = other;
      yield copy;
    }
    const { [key]: _, ...rest } = value as Record<string, unknown>;
    yield Array.isArray(value) ? Object.values(rest) : rest;
  }
}

test('no junk in any place makes a reader throw, and every problem of it has a place', () => {
  let count = 0;
  for (const good of [
    NATIVE,
    SERVICES,
    SLOTH,
    ALERT_WINDOWS,
    PYRRA,
    OPENSLO,
    OPENSLO_THRESHOLD,
    OPENSLO_ALPHA,
    ALERTING,
    SERVER,
  ]) {
    for (const value of spoiled(good)) {
      const text = JSON.stringify(value as Json, null, 1);
      const lines = text.split('\n').length;
      const { problems } = readDefinitions([{ file: 'a', text }]);
      for (const { line, column } of problems) expect(line >= 1 && line <= lines && column >= 1, text).toBe(true);
      if (good === SERVER) readConfig({ file: 'a', text }, {}, {});
      count++;
    }
  }
  expect(count).toBeGreaterThan(700);
});
