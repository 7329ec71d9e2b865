import { expect, test } from 'vitest';
import { nativeSli } from '../../../src/definitions/sli.ts';
import { mutated, problemsOf, slosOf } from '../reading.ts';

const GOOD = `apiVersion: openslo/v1alpha
kind: SLO
metadata:
  name: answers
  displayName: Answers
spec:
  service: search
  description: Searches are answered.
  budgetingMethod: Occurrences
  timeWindows:
    - count: 28
      unit: Day
      isRolling: true
  objectives:
    - displayName: Answered
      target: 0.995
      ratioMetrics:
        counter: true
        good:
          source: prometheus
          queryType: promql
          query: sum(rate(searches_total{code!~"5.."}[{{.window}}]))
        total:
          source: sloth
          queryType: promql
          query: sum(rate(searches_total[{{.window}}]))
`;

const refuses = mutated(GOOD);

test('an SLO of v1alpha is numbered and has no alerts', () => {
  const [slo, ...others] = slosOf(GOOD);
  expect(others).toEqual([]);
  expect(slo).toMatchObject({
    id: 'search/answers-0',
    name: 'answers-0',
    origin: 'openslo',
    description: 'Searches are answered.',
    objective: 0.995,
    errorBudget: 0.005,
    window: { kind: 'rolling', duration: { text: '28d', ms: 28 * 86_400_000 } },
    alerts: { name: 'none', burnRateAlerts: [], budgetExhausted: false },
  });
  expect(nativeSli(slo!.sli)).toEqual({ events: { total: 'searches_total', good: 'searches_total{code!~"5.."}' } });
});

test('each objective has its number', () => {
  const second = GOOD.slice(GOOD.indexOf('    - displayName')).replace('0.995', '0.9');
  expect(slosOf(GOOD + second).map(({ id, objective }) => [id, objective])).toEqual([
    ['search/answers-0', 0.995],
    ['search/answers-1', 0.9],
  ]);
});

test('other kinds of v1alpha say nothing', () => {
  expect(
    slosOf('apiVersion: openslo/v1alpha\nkind: Service\nmetadata: {name: search}\nspec: {description: a}\n'),
  ).toEqual([]);
  expect(problemsOf('apiVersion: openslo/v1alpha\nkind: SLI\nmetadata: {name: a}\n')).toEqual([
    "2:7: kind: must be Service or SLO, got 'SLI'",
  ]);
});

test('what is wrong is refused at its place', () => {
  refuses('unit: Day', 'unit: Month', "12:13: spec.timeWindows[0].unit: must be Day, got 'Month'");
  refuses('count: 28', 'count: 500', '11:14: spec.timeWindows[0].count: must be between 1 and 400, got 500');
  refuses(
    'isRolling: true',
    'isRolling: false',
    '13:18: spec.timeWindows[0].isRolling: only rolling windows are read; write an openslo/v1 SLO for a calendar one',
  );
  refuses('Occurrences', 'Timeslices', "9:20: spec.budgetingMethod: must be Occurrences, got 'Timeslices'");
  refuses('0.995', '1', '16:15: spec.objectives[0].target: must be between 0 and 1, got 1');
  refuses(
    'source: prometheus',
    'source: datadog',
    "20:19: spec.objectives[0].ratioMetrics.good.source: must be prometheus or sloth, got 'datadog'",
  );
  refuses(
    'total[{{.window}}]',
    'total[5m]',
    "26:42: spec.objectives[0].ratioMetrics.total.query: the range must be {{.window}}: the SLO has its windows, got '5m'",
  );
});
