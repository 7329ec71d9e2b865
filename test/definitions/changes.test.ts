import { expect, test } from 'vitest';
import { changesBetween, formatChange, isUnchanged, summary } from '../../src/definitions/changes.ts';
import { slosOf } from './reading.ts';

const FILE = `
apiVersion: slipstream/v1
service: api
slos:
  - name: availability
    objective: 99.9
    window: 30d
    groupBy: [region]
    maxGroups: 10
    sli:
      events: {total: 'requests{job="api",env="prod"}', bad: ['requests{job="api",env="prod",code=~"5.."}']}
    budgeting: timeslices
    slice: 1m
    sliceTarget: 90
`;

test('what changed is named by its key, and whether the events are kept', () => {
  const changed = (from: string, to: string, expected: string | null) => {
    const text = FILE.replace(from, to);
    expect(text).not.toBe(FILE);
    const { changed } = changesBetween(slosOf(FILE), slosOf(text));
    expect(changed.map(formatChange)).toEqual(expected === null ? [] : [`api/availability: ${expected}`]);
  };
  changed('objective: 99.9', 'objective: 99.90', null);
  changed('objective: 99.9', 'objective: 99.5', 'objective');
  changed('window: 30d', 'window: 28d', 'window, alerts');
  changed('window: 30d', 'window: 720h', 'window');
  changed('window: 30d', 'window: {calendar: quarter}', 'window, alerts');
  changed('maxGroups: 10', 'maxGroups: 11', 'maxGroups');
  changed('service: api', 'service: api\nowner: team-edge\nlabels: {tier: one}', 'owner, labels');
  changed('sli:', 'alerts: {policy: none}\n    sli:', 'alerts');
  changed('job="api",env="prod"', 'env="prod", job="api"', 'sli');
  changed(`['requests{job="api",env="prod",code=~"5.."}']`, `'requests{job="api",env="prod",code=~"5.."}'`, null);
  changed('code=~"5.."', 'code=~"4.."', 'sli; it begins anew');
  changed('bad:', 'good:', 'sli; it begins anew');
  changed('[region]', '[zone]', 'groupBy; it begins anew');
  changed('slice: 1m', 'slice: 60s', 'slice');
  changed('slice: 1m', 'slice: 5m', 'slice; it begins anew');
  changed('sliceTarget: 90', 'sliceTarget: 95', 'sliceTarget; it begins anew');
});

test('another order is a change without one of its own', () => {
  const two = slosOf(`${FILE}\n---\n${FILE.replace('service: api', 'service: search')}`);
  const changes = changesBetween(two, two.toReversed());
  expect([summary(changes), isUnchanged(changes)]).toEqual(['2 SLOs: 0 added, 0 removed, 0 changed, 2 kept', false]);
  expect(isUnchanged(changesBetween(two, [...two]))).toBe(true);
  const one = changesBetween(two, two.slice(1));
  expect([summary(one), one.removed, one.reordered]).toEqual([
    '1 SLO: 0 added, 1 removed, 0 changed, 1 kept',
    ['api/availability'],
    false,
  ]);
});
