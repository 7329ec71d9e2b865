import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { convertCommand } from '../../src/cli/convert/command.ts';
import { temporaryFolder, testWith } from './processes.ts';

/** Rules that `convert --to prometheus-rules` writes, in the hands of promtool. */

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures');

function rules(files: readonly string[]): string {
  let out = '';
  const io = { out: (text: string) => (out += text), err: () => {}, env: {} };
  expect(convertCommand(files, { to: 'prometheus-rules', version: '1' }, io)).toBe(0);
  return out;
}

testWith(
  'promtool',
  'promtool accepts the rules of every kind of SLI',
  async () => {
    const file = path.join(temporaryFolder(), 'rules.yaml');
    writeFileSync(
      file,
      rules(
        ['convert/kinds.yaml', 'definitions/services.yml', 'convert/sloth.yml'].map((name) =>
          path.join(FIXTURES, name),
        ),
      ),
    );
    expect(execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' })).toMatch(
      /SUCCESS: \d+ rules found/,
    );
  },
  60_000,
);

const SERVICE = `apiVersion: slipstream/v1
service: shop
slos:
  - {name: errors, objective: 99, sli: {events: {total: 'requests_total', bad: 'requests_total{code="500"}'}}}
  - {name: no-errors, objective: 99, sli: {events: {total: 'requests_total', bad: 'requests_total{code="503"}'}}}
  - {name: none-good, objective: 99, sli: {events: {total: 'requests_total', good: 'requests_total{code="204"}'}}}
  - {name: several, objective: 99, sli: {events: {total: [requests_total, jobs_total], bad: ['requests_total{code="500"}', 'requests_total{code=~"5.."}', 'jobs_total{code="500"}']}}}
  - {name: grouped, objective: 99, groupBy: [region], sli: {events: {total: 'regional_total', bad: 'regional_total{code="500"}'}}}
  - {name: silent, objective: 99, sli: {events: {total: 'silent_total', bad: 'silent_total{code="500"}'}}}
  - {name: few, objective: 99, alerts: {minBadEvents: 10000}, sli: {events: {total: 'requests_total', bad: 'requests_total{code="500"}'}}}
  - {name: latency, objective: 99, sli: {latency: {histogram: 'answer_seconds', threshold: 1s}}}
  - {name: probe, objective: 99, sli: {probe: {gauge: up_share}}}
  - {name: threshold, objective: 99, sli: {threshold: {gauge: depth, op: lte, value: 5}}}
  - {name: freshness, objective: 99, slice: 5m, sli: {freshness: {timestamp: done_seconds, threshold: 30m}}}
  - {name: throughput, objective: 99, sli: {throughput: {counter: 'jobs_total{code="200"}', min: 2/s}}}
  - {name: slices, objective: 99, budgeting: timeslices, sliceTarget: 80, sli: {events: {total: requests_total, bad: 'requests_total{code="500"}'}}}
  - {name: shares, objective: 99, budgeting: ratioTimeslices, sli: {events: {total: requests_total, bad: 'requests_total{code="500"}'}}}
`;

const SERIES = {
  'requests_total{code="200"}': '0+75x120',
  'requests_total{code="500"}': '0+25x120',
  'jobs_total{code="200"}': '0+75x120',
  'jobs_total{code="500"}': '0+25x120',
  'regional_total{region="eu",code="200"}': '0+50x120',
  'regional_total{region="eu",code="500"}': '0+50x120',
  'regional_total{region="us",code="200"}': '0+100x120',
  'silent_total{code="200"}': '7x120',
  'answer_seconds_bucket{le="0.5"}': '0+40x120',
  'answer_seconds_bucket{le="1"}': '0+60x120',
  'answer_seconds_bucket{le="+Inf"}': '0+100x120',
  answer_seconds_count: '0+100x120',
  up_share: '0.75x120',
  depth: '4x30 6x90',
  done_seconds: '0x120',
};

/** The error ratio over an hour after two; null when there is none. */
const RATIOS: Readonly<Record<string, number | null>> = {
  errors: 0.25,
  'no-errors': 0,
  'none-good': 1,
  several: 0.25,
  silent: null,
  latency: 0.4,
  probe: 0.25,
  threshold: 1,
  freshness: 1,
  throughput: 1,
  slices: 1,
  shares: 0.25,
};

testWith(
  'promtool',
  'the rules say of samples what the SLOs say of them',
  async () => {
    const folder = temporaryFolder();
    const definitions = path.join(folder, 'slos.yaml');
    writeFileSync(definitions, SERVICE);
    writeFileSync(path.join(folder, 'rules.yaml'), rules([definitions]));
    const ratio = (slo: string, samples: [labels: string, value: number][]): object => ({
      expr: `slo:sli_error:ratio_rate1h{sloth_slo="${slo}"}`,
      eval_time: '2h',
      exp_samples: samples.map(([labels, value]) => ({
        labels: `slo:sli_error:ratio_rate1h{${labels}sloth_id="shop-${slo}",sloth_service="shop",sloth_slo="${slo}",sloth_window="1h"}`,
        value,
      })),
    });
    const alertsOf = (slo: string): object => ({
      expr: `count by (alertname) (ALERTS{sloth_slo="${slo}",alertstate="firing",sloth_severity="page"})`,
      eval_time: '2h',
      exp_samples: ALERTS[slo]!.map((name) => ({ labels: `{alertname="${name}"}`, value: 1 })),
    });
    const test = {
      rule_files: ['rules.yaml'],
      evaluation_interval: '1m',
      tests: [
        {
          interval: '1m',
          input_series: Object.entries(SERIES).map(([series, values]) => ({ series, values })),
          promql_expr_test: [
            ...Object.entries(RATIOS).map(([slo, value]) => ratio(slo, value === null ? [] : [['', value]])),
            ratio('grouped', [
              ['region="eu",', 0.5],
              ['region="us",', 0],
            ]),
            ...Object.keys(ALERTS).map(alertsOf),
          ],
        },
      ],
    };
    const file = path.join(folder, 'test.yaml');
    writeFileSync(file, stringify(test));
    expect(execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS');
  },
  60_000,
);

const ALERTS: Readonly<Record<string, readonly string[]>> = {
  errors: ['error-budget-exhausted', 'page-quick', 'page-slow'],
  'no-errors': [],
  few: ['error-budget-exhausted'],
};

/** Error ratios as people write them. */
const QUERIES = [
  'sum(rate(r{c=~"5.."}[{{.window}}])) / sum(rate(r[{{.window}}]))',
  '1 - sum(rate(r{c!~"5.."}[{{.window}}])) / (sum(rate(r[{{.window}}])) > 0)',
  '(sum(rate(r[{{.window}}])) - sum(rate(r{c="200"}[{{.window}}]))) / sum(rate(r[{{.window}}]))',
  '(sum(increase(r{c="500"}[{{.window}}])) + sum(increase(r{c=~"4.."}[{{.window}}]))) / sum(increase(r[{{.window}}]))',
  '(sum(rate(r{c="nothing"}[{{.window}}])) or vector(0)) / sum(rate(r[{{.window}}]))',
  '1 - ((sum(rate(r{c="200"}[{{.window}}])) / (sum(rate(r[{{.window}}])) > 0)) OR on() vector(1))',
  '3 * sum(rate(r{c="404"}[{{.window}}])) / (sum(rate(r[{{.window}}])) * 6 / 2)',
  '-(sum(rate(r{c="200"}[{{.window}}])) / sum(rate(r[{{.window}}])) - 1)',
  'sum(rate(r{c="500"}[{{.window}}])) / sum(rate(r[{{.window}}])) + sum(rate(r{c="404"}[{{.window}}])) / sum(rate(r[{{.window}}]))',
  'sum(rate(r{c="500"}[{{.window}}])) / (sum(rate(r{c="200"}[{{.window}}])) + sum(rate(r{c="500"}[{{.window}}])))',
  '1 - sum(rate(answer_seconds_bucket{le="0.5"}[{{.window}}])) / sum(rate(answer_seconds_count[{{.window}}]))',
  '1 - sum(sum_over_time(up_share[{{.window}}])) / sum(count_over_time(up_share[{{.window}}]))',
  'sum by (z) (rate(r{c="500"}[{{.window}}])) / on (z) sum by (z) (sum by (z, c) (rate(r[{{.window}}])))',
];

const QUERIED = {
  'r{c="200",z="a"}': '0+70x60',
  'r{c="404",z="a"}': '0+20x60',
  'r{c="500",z="a"}': '0+10x60',
  'r{c="200",z="b"}': '0+13x60',
  'r{c="500",z="b"}': '0+5x60',
  'answer_seconds_bucket{le="0.5"}': '0+40x60',
  answer_seconds_count: '0+100x60',
  up_share: '0.3x60',
};

testWith(
  'promtool',
  'the SLI that a query is read into says the same as the query',
  async () => {
    const folder = temporaryFolder();
    const slos = QUERIES.map((query, i) => ({
      name: `q${i}`,
      objective: 99,
      sli: { raw: { error_ratio_query: query } },
      alerting: { name: 'A' },
    }));
    const definitions = path.join(folder, 'sloth.json');
    writeFileSync(definitions, JSON.stringify({ version: 'prometheus/v1', service: 'shop', slos }));
    writeFileSync(path.join(folder, 'rules.yaml'), rules([definitions]));
    const promql_expr_test = QUERIES.map((query, i) => {
      const asked = query.replaceAll('{{.window}}', '30m');
      const by = asked.startsWith('sum by') ? 'on (z)' : 'on ()';
      return {
        expr: `abs((${asked}) - ${by} slo:sli_error:ratio_rate30m{sloth_slo="q${i}"}) < bool 1e-12`,
        eval_time: '1h',
        exp_samples: by === 'on ()' ? ONE : ['{z="a"}', '{z="b"}'].map((labels) => ({ labels, value: 1 })),
      };
    });
    const input_series = Object.entries(QUERIED).map(([series, values]) => ({ series, values }));
    const tests = [{ interval: '1m', input_series, promql_expr_test }];
    const file = path.join(folder, 'test.yaml');
    writeFileSync(file, stringify({ rule_files: ['rules.yaml'], evaluation_interval: '10m', tests }));
    expect(execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' })).toContain('SUCCESS');
  },
  60_000,
);

const ONE = [{ labels: '{}', value: 1 }];
