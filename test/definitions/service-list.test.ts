import { expect, test } from 'vitest';
import { readDefinitions } from '../../src/definitions/load.ts';
import { nativeSli } from '../../src/definitions/sli.ts';
import { mutated, problemsOf, slosOf } from './reading.ts';

const GOOD = `services:
  api-gateway:
    slo_error_rate: "99.9%"
metrics:
  error_rate: {total: 'requests{app="{{service}}"}', good: 'requests{app="{{service}}",ok="yes"}'}
`;

const refuses = mutated(GOOD);

test('an error rate counts the 5xx of either label, and a success rate what did not succeed', () => {
  const slos = slosOf('services:\n  api: {slo_error_rate: "99.9%"}\n  jobs: {slo_success_rate: 99%}\n');
  expect(slos.map(({ id, objective, sli }) => [id, objective, nativeSli(sli)])).toEqual([
    [
      'api/error-rate',
      0.999,
      {
        events: {
          total: 'http_requests_total{job="api"}',
          bad: ['http_requests_total{job="api",status=~"5.."}', 'http_requests_total{job="api",code=~"5.."}'],
        },
      },
    ],
    [
      'jobs/success-rate',
      0.99,
      { events: { total: 'job_runs_total{job="jobs"}', bad: 'job_runs_total{job="jobs",outcome!="success"}' } },
    ],
  ]);
  expect(slos[0]).toMatchObject({ service: 'api', name: 'error-rate', window: { duration: { text: '30d' } } });
});

test('metrics of the file take the place of the usual ones, for every service', () => {
  const [slo] = slosOf(GOOD);
  expect(nativeSli(slo!.sli)).toEqual({
    events: { total: 'requests{app="api-gateway"}', good: 'requests{app="api-gateway",ok="yes"}' },
  });
});

test('a service may have any name that a selector can quote', () => {
  const [slo] = slosOf("services:\n  'a\"b\\c': {slo_success_rate: 99%}\n");
  expect(slo!.sli).toMatchObject({ total: [{ matchers: [{}, { name: 'job', value: 'a"b\\c' }] }] });
});

test('every key is an SLO of its kind', () => {
  const slos = slosOf(`services:
  api:
    slo_latency_p999: "200ms"
    slo_error_rate: "99.9%"
    slo_availability: "99.95%"
    slo_freshness: 1h
`);
  expect(slos.map(({ id, sli, objective, slice }) => [id, sli.kind, objective, slice?.text])).toEqual([
    ['api/latency-p999', 'latency', 0.999, undefined],
    ['api/error-rate', 'events', 0.999, undefined],
    ['api/availability', 'probe', 0.9995, undefined],
    ['api/freshness', 'freshness', 0.99, '1m'],
  ]);
});

test('a value that is wrong is refused at its place', () => {
  refuses(
    '"99.9%"',
    '99.9',
    "3:21: services.api-gateway.slo_error_rate: must be a percentage such as 99.9%, got '99.9'",
  );
  refuses('"99.9%"', '"100%"', '3:21: services.api-gateway.slo_error_rate: must be between 0% and 100%, got 100%');
  refuses('"99.9%"', '0%', '3:21: services.api-gateway.slo_error_rate: must be between 0% and 100%, got 0%');
  refuses(
    'slo_error_rate: "99.9%"',
    'slo_latency_p99: fast',
    "3:22: services.api-gateway.slo_latency_p99: must be a duration such as 5m or 1h30m, got 'fast'",
  );
  refuses(
    'slo_error_rate: "99.9%"',
    'slo_latency_p100: 1s',
    '3:5: services.api-gateway.slo_latency_p100: must ask for a percentile above p0 and below p100',
  );
  refuses(
    'slo_error_rate: "99.9%"',
    'slo_latency_p0: 1s',
    '3:5: services.api-gateway.slo_latency_p0: must ask for a percentile above p0 and below p100',
  );
  refuses(
    'slo_error_rate',
    'slo_eror_rate',
    '3:5: services.api-gateway.slo_eror_rate: unknown key; did you mean slo_error_rate?',
  );
  refuses(
    'slo_error_rate',
    'slo_latency_99',
    '3:5: services.api-gateway.slo_latency_99: unknown key; did you mean slo_latency_p99?',
  );
  refuses('api-gateway', 'api/gateway', "2:3: services.api/gateway: must not contain '/'");
  refuses('metrics:', 'metric:', '4:1: metric: unknown key; did you mean metrics?');
  refuses('  error_rate:', '  error_rat:', '5:3: metrics.error_rat: unknown key; did you mean error_rate?');
  refuses(
    'total: ',
    'all: ',
    '5:15: metrics.error_rate.total: is required',
    '5:16: metrics.error_rate.all: unknown key; there are total, good, bad',
  );
  refuses('good: ', 'good: x, bad: ', '5:15: metrics.error_rate: must have exactly one of good or bad');
  refuses(
    `'requests{app="{{service}}"}'`,
    `'requests{app={{service}}}'`,
    "5:37: metrics.error_rate.total: unexpected '{{service}}' in the selector",
  );
  expect(problemsOf('services: [api]\n')).toEqual(['1:11: services: must be a mapping, got a list']);
  expect(problemsOf('services: {api: }\n')).toEqual(['1:17: services.api: must be a mapping, got nothing']);
});

test('a metric that fits one service and not another is refused for that one', () => {
  const text =
    'services: {api: {slo_success_rate: 99%}, b-c: {slo_success_rate: 99%}}\nmetrics: {success_rate: {total: "{{service}}_runs", bad: errors}}\n';
  const { slos, problems } = readDefinitions([{ file: 'a', text }]);
  expect(slos.map(({ id }) => id)).toEqual(['api/success-rate']);
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    'metrics.success_rate.total: for the service b-c: an expression of several terms is not a selector: give the good or bad events and the total, each as a selector',
  ]);
});

test('more than five SLIs for a service are a warning', () => {
  const keys = ['slo_latency_p50', 'slo_latency_p90', 'slo_latency_p99', 'slo_latency_p999', 'slo_freshness'].map(
    (key) => `${key}: 1s`,
  );
  const text = `services: {api: {${keys.join(', ')}, slo_error_rate: 99%}}`;
  expect(problemsOf(text)[0]).toBe('1:12: services.api: warning: has 6 SLIs: more than 5 are hard to keep in view');
});
