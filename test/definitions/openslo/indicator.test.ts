import { expect, test } from 'vitest';
import { nativeSli } from '../../../src/definitions/sli.ts';
import type { Slo } from '../../../src/engine/slo.ts';
import { problemsOf, slosOf } from '../reading.ts';
import { anSlo } from './objects.ts';

function metric(query: string): string {
  return `{metricSource: {type: Prometheus, spec: {query: '${query}'}}}`;
}

function ratio(parts: string): string {
  return `indicator: {spec: {ratioMetric: {${parts}}}}`;
}

function threshold(query: string): string {
  return `indicator: {spec: {thresholdMetric: ${metric(query)}}}`;
}

function withRatio(parts: string): Slo {
  return slosOf(anSlo({ indicator: ratio(parts) }))[0]!;
}

/** The problems of an SLO without their places. */
function messages(parts: Parameters<typeof anSlo>[0]): string[] {
  return problemsOf(anSlo(parts)).map((problem) => problem.replace(/^\d+:\d+: /, ''));
}

test('a ratio counts what its queries count', () => {
  const f = (parts: string, expected: object): void => expect(nativeSli(withRatio(parts).sli)).toEqual(expected);
  f(`good: ${metric('x{a="b"}')}, total: ${metric('x')}`, { events: { total: 'x', good: 'x{a="b"}' } });
  f(`counter: true, bad: ${metric('sum(x{a="b"})')}, total: ${metric('sum(x)')}`, {
    events: { total: 'x', bad: 'x{a="b"}' },
  });
  f(`counter: false, bad: ${metric('sum(rate(x{a="b"}[5m]))')}, total: ${metric('sum(rate(x[5m]))')}`, {
    events: { total: 'x', bad: 'x{a="b"}' },
  });
  f(`good: ${metric('sum(increase(h_bucket{le="0.1"}[1h]))')}, total: ${metric('sum(increase(h_count[1h]))')}`, {
    latency: { histogram: 'h', threshold: '100ms' },
  });
});

test('the labels of a sum are those of the groups', () => {
  const by = (selector: string): string => metric(`sum by (zone) (rate(${selector}[5m]))`);
  expect(withRatio(`bad: ${by('x{a="b"}')}, total: ${by('x')}`).groupBy).toEqual(['zone']);
});

test('a raw ratio is that of success or of failure', () => {
  const f = (rawType: string, query: string, expected: object): void =>
    expect(nativeSli(withRatio(`rawType: ${rawType}, raw: ${metric(query)}`).sli)).toEqual(expected);
  f('success', 'sum(rate(x{a="b"}[5m])) / sum(rate(x[5m]))', { events: { total: 'x', good: 'x{a="b"}' } });
  f('failure', 'sum(rate(x{a="b"}[5m])) / sum(rate(x[5m]))', { events: { total: 'x', bad: 'x{a="b"}' } });
  f('failure', '1 - sum(sum_over_time(g[{{.window}}])) / sum(count_over_time(g[{{.window}}]))', {
    probe: { gauge: 'g' },
  });
  f('success', 'sum(sum_over_time(g[1h])) / sum(count_over_time(g[1h]))', { probe: { gauge: 'g' } });
});

test('a threshold is held against the value of its objective, slice by slice', () => {
  const f = (query: string, objective: string, expected: object, fields: object = {}): void => {
    const [slo] = slosOf(anSlo({ indicator: threshold(query), objective: `target: 0.99, ${objective}` }));
    expect(nativeSli(slo!.sli)).toEqual({ threshold: expected });
    expect(slo).toMatchObject({ slice: { text: '1m' }, budgeting: 'occurrences', groupBy: [], ...fields });
  };
  f('lag{a="b"}', 'op: lte, value: 5', { gauge: 'lag{a="b"}', op: 'lte', value: 5 });
  for (const aggregate of ['min', 'max', 'avg', 'sum']) {
    f(`${aggregate}((lag))`, 'op: gt, value: -0.5', { gauge: 'lag', op: 'gt', value: -0.5, aggregate });
  }
  f(
    'max by (zone) (lag)',
    'op: lt, value: 5, timeSliceWindow: 5m',
    { gauge: 'lag', op: 'lt', value: 5, aggregate: 'max' },
    {
      groupBy: ['zone'],
      slice: { text: '5m', ms: 300_000 },
    },
  );
});

test('a threshold without a comparison is refused, and a share of a slice means nothing', () => {
  const indicator = threshold('lag');
  expect(messages({ indicator })).toEqual([
    'spec.objectives[0].op: is required with a thresholdMetric',
    'spec.objectives[0].value: is required with a thresholdMetric',
  ]);
  const objective = 'target: 0.99, op: lt, value: 1, timeSliceTarget: 0.9';
  expect(problemsOf(anSlo({ indicator, objective }).replace('Occurrences', 'Timeslices'))).toEqual([
    '9:66: spec.objectives[0].timeSliceTarget: warning: means nothing here: a slice is good when the mean of its samples is',
  ]);
});

test('a query that cannot be streamed is refused at its character', () => {
  const f = (marked: string, message: string): void => {
    const text = anSlo({ indicator: threshold(marked.replace('^', '')), objective: 'target: 0.99, op: lt, value: 1' });
    const column = text.split('\n')[6]!.indexOf("query: '") + 9 + marked.indexOf('^');
    expect(problemsOf(text), marked).toEqual([
      `7:${column}: spec.indicator.spec.thresholdMetric.metricSource.spec.query: ${message}`,
    ]);
  };
  f(
    'sum(^min_over_time(lag{a="b"}[2m]))',
    'min_over_time is not computed here: a slice is judged by the mean of its samples; write sum(lag{a="b"})',
  );
  f('^rate(lag[5m])', 'rate is not computed here: a slice is judged by the mean of its samples; write lag');
  f(
    '^a - b',
    'this is not computed here: a slice is judged by the mean of its samples; write a selector, or min, max, avg or sum of one',
  );
  f('^count(lag)', 'count is not understood here; write min, max, avg or sum of a selector');
  f('^quantile(0.9, lag)', 'quantile is not understood here; write min, max, avg or sum of a selector');
  f('sum ^without (a) (lag)', 'without leaves open which labels there are; write by (…) with those to keep');
  f('lag{a=^}', "unexpected '}' in the query");
  f('max(lag{a=~"^("})', 'invalid regular expression: missing closing ): `(`');
  f('^', 'the query is empty');
});

test('a ratio that cannot be streamed is refused', () => {
  const f = (parts: string, ...problems: string[]): void =>
    expect(messages({ indicator: ratio(parts) })).toEqual(
      problems.map((problem) => `spec.indicator.spec.ratioMetric${problem}`),
    );
  f(
    `good: ${metric('irate(x[5m])')}, total: ${metric('x')}`,
    '.good.metricSource.spec.query: irate looks at the last two samples only; write rate',
  );
  f(
    `counter: false, good: ${metric('sum(x{a="b"})')}, total: ${metric('x')}`,
    '.good.metricSource.spec.query: counter: false says that it goes up and down, which counts no events; write sum(rate(x{a="b"}[5m])) of a counter',
    '.total.metricSource.spec.query: counter: false says that it goes up and down, which counts no events; write sum(rate(x[5m])) of a counter',
  );
  f(`good: ${metric('x')}`, '.total: is required with good');
  f(`bad: ${metric('x')}`, '.total: is required with bad');
  f(`raw: ${metric('x')}`, '.rawType: is required with raw');
  f(`total: ${metric('x')}`, ': must have exactly one of good, bad or raw');
  f(`good: ${metric('x')}, bad: ${metric('x')}, total: ${metric('x')}`, ': must have exactly one of good, bad or raw');
  f(
    `good: {metricSource: {spec: {}}}, total: {metricSource: {spec: {q: x}}}`,
    '.good.metricSource.spec.query: is required: the PromQL query',
    '.total.metricSource.spec.query: is required: the PromQL query',
  );
});

test('only Prometheus is asked', () => {
  const source = (type: string): string =>
    `---\napiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: source}\nspec: {type: ${type}}\n`;
  const referring = anSlo().replaceAll('metricSource: {', 'metricSource: {metricSourceRef: source, ');
  slosOf(referring + source('AmazonPrometheus'));
  expect(problemsOf(referring + source('Datadog'))).toEqual([
    '7:75: spec.indicator.spec.ratioMetric.good.metricSource.metricSourceRef: only metrics of type Prometheus can be streamed, and source is of type Datadog',
    '7:146: spec.indicator.spec.ratioMetric.total.metricSource.metricSourceRef: only metrics of type Prometheus can be streamed, and source is of type Datadog',
  ]);
  expect(
    messages({ indicator: threshold('x').replace('Prometheus', 'Any'), objective: 'target: 0.99, op: lt, value: 1' }),
  ).toEqual([
    'spec.indicator.spec.thresholdMetric.metricSource.type: only metrics of type Prometheus can be streamed, got Any',
  ]);
});
