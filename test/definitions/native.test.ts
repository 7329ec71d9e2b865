import { expect, test } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { isFault, readSelector } from '../../src/definitions/selector.ts';
import { nativeSli, readSli, type SliDefinition } from '../../src/definitions/sli.ts';
import type { Selector, Sli, Slo } from '../../src/engine/slo.ts';
import { mutated, problemsOf, slosOf } from './reading.ts';

const GOOD = `apiVersion: slipstream/v1
service: api
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: 'requests{job="api"}'
        bad: 'requests{job="api",status=~"5.."}'
`;

const refuses = mutated(GOOD);

/** The SLO of the good file with one part replaced. */
function withPart(from: string, to: string): Slo {
  expect(GOOD).toContain(from);
  return slosOf(GOOD.replace(from, () => to))[0]!;
}

/** The SLO of the good file with more fields. */
function withFields(fields: string): Slo {
  return withPart('    sli:\n', `    ${fields}\n    sli:\n`);
}

function texts(selectors: readonly Selector[]): string[] {
  return selectors.map(({ text }) => text);
}

test('a small SLO has every default', () => {
  const [slo] = slosOf(GOOD);
  expect(slo).toMatchObject({
    id: 'api/availability',
    service: 'api',
    name: 'availability',
    description: '',
    owner: '',
    runbook: '',
    labels: {},
    objective: 0.999,
    errorBudget: 0.001,
    window: { kind: 'rolling', duration: { text: '30d', ms: 2_592_000_000 } },
    groupBy: [],
    groupsMax: 1000,
    slice: null,
    emptySlice: 'ignore',
    budgeting: 'occurrences',
    sliceTarget: null,
  });
  expect(slo!.alerts).toMatchObject({ name: 'google-30d', budgetExhausted: true, minBadEvents: 0 });
  expect(slo!.alerts.burnRateAlerts.map(({ name, factor }) => [name, factor])).toEqual([
    ['page-quick', 14.4],
    ['page-slow', 6],
    ['ticket-quick', 3],
    ['ticket-slow', 1],
  ]);
});

test('an SLO takes owner and runbook from its file, or has its own, and adds its labels to those of the file', () => {
  const shared = 'owner: team\nrunbook: https://r\nlabels: {tier: one, area: web}\nslos:';
  const own = GOOD.replace('slos:', shared);
  expect(slosOf(own)[0]).toMatchObject({ owner: 'team', runbook: 'https://r', labels: { tier: 'one', area: 'web' } });
  const both = own.replace('    sli:', '    owner: us\n    runbook: https://s\n    labels: {tier: two}\n    sli:');
  expect(slosOf(both)[0]).toMatchObject({ owner: 'us', runbook: 'https://s', labels: { tier: 'two', area: 'web' } });
});

test('values that stand for text stay as they are written', () => {
  const slo = withPart(
    'name: availability',
    'name: 1.10\n    description: yes\n    owner: 010\n    labels: {a: no, b: 1e3, c: null, d:}',
  );
  expect(slo).toMatchObject({ id: 'api/1.10', name: '1.10', description: 'yes', owner: '010' });
  expect(slo.labels).toEqual({ a: 'no', b: '1e3', c: 'null', d: '' });
});

test('objective and budget are decimals', () => {
  const f = (percent: string, objective: number, errorBudget: number): void =>
    expect(withPart('99.9', percent)).toMatchObject({ objective, errorBudget });
  f('99.99', 0.9999, 0.0001);
  f('99.95', 0.9995, 0.0005);
  f('99', 0.99, 0.01);
});

test('total, good and bad may be lists of selectors', () => {
  const slo = withPart('total: \'requests{job="api"}\'', 'total: [a, b]').sli as Extract<Sli, { kind: 'events' }>;
  expect(texts(slo.total)).toEqual(['a', 'b']);
  expect([slo.given, texts(slo.selectors)]).toEqual(['bad', ['requests{job="api",status=~"5.."}']]);
  const good = withPart('bad: ', 'good: ').sli as Extract<Sli, { kind: 'events' }>;
  expect(good.given).toBe('good');
});

test('a named policy has its own table, and none has no alert at all', () => {
  const f = (policy: string, factors: number[], budgetExhausted: boolean): void => {
    const { alerts } = withFields(`alerts: {policy: ${policy}, minBadEvents: 3}`);
    expect(alerts.burnRateAlerts.map(({ factor }) => Number(factor.toPrecision(4)))).toEqual(factors);
    expect(alerts).toMatchObject({ name: policy, budgetExhausted, minBadEvents: 3 });
  };
  f('google-30d', [14.4, 6, 3, 1], true);
  f('sloth-28d', [13.44, 5.6, 2.8, 0.9333], true);
  f('pyrra', [14, 7, 2, 1], true);
  f('none', [], false);
});

test('the factors of the default policy follow the window', () => {
  const { alerts } = withFields('window: 7d');
  expect(alerts.burnRateAlerts.map(({ factor }) => factor)).toEqual(
    [3.36, 1.4, 0.7, 0.2333333333333333].map((factor) => expect.closeTo(factor, 12)),
  );
});

test('a list of alerts is a policy of its own', () => {
  const list =
    '[{severity: page, factor: 10, long: 1h, short: 5m}, {name: slow, severity: ticket, factor: 0.5, long: 3d, short: 3d, for: 1h}]';
  expect(withFields(`alerts: {policy: ${list}}`).alerts).toEqual({
    name: 'custom',
    burnRateAlerts: [
      {
        name: 'page-1h',
        severity: 'page',
        factor: 10,
        long: { text: '1h', ms: 3_600_000 },
        short: { text: '5m', ms: 300_000 },
        forMs: 0,
      },
      {
        name: 'slow',
        severity: 'ticket',
        factor: 0.5,
        long: { text: '3d', ms: 259_200_000 },
        short: { text: '3d', ms: 259_200_000 },
        forMs: 3_600_000,
      },
    ],
    budgetExhausted: true,
    minBadEvents: 0,
  });
  expect(withFields('alerts: {policy: []}').alerts).toMatchObject({ burnRateAlerts: [], budgetExhausted: true });
});

test('every kind of SLI is read', () => {
  const selector = (text: string): Selector => {
    const read = readSelector(text);
    if (isFault(read)) throw new Error(read.message);
    return { text, matchers: read.matchers.map((matcher) => ({ ...matcher, matches: expect.any(Function) })) };
  };
  const f = (definition: SliDefinition, expected: Sli): void => expect(readSli(definition)).toEqual(expected);
  f({ push: {} }, { kind: 'push' });
  f(
    { latency: { histogram: 'h', threshold: '200ms' } },
    { kind: 'latency', histogram: selector('h'), thresholdSeconds: 0.2 },
  );
  f({ probe: { gauge: 'g' } }, { kind: 'probe', gauge: selector('g') });
  f(
    { freshness: { age: 'a', threshold: '1h', aggregate: 'min' } },
    { kind: 'freshness', source: 'age', selector: selector('a'), thresholdSeconds: 3600, aggregate: 'min' },
  );
  f(
    { freshness: { timestamp: 't', threshold: '1h' } },
    { kind: 'freshness', source: 'timestamp', selector: selector('t'), thresholdSeconds: 3600, aggregate: null },
  );
  f(
    { throughput: { counter: 'c', min: '600/m' } },
    { kind: 'throughput', counter: selector('c'), bound: 'min', perSecond: 10, aggregate: null },
  );
  f(
    { throughput: { counter: 'c', max: '10/s' } },
    { kind: 'throughput', counter: selector('c'), bound: 'max', perSecond: 10, aggregate: null },
  );
  f(
    { threshold: { gauge: 'g', op: 'lte', value: 1000 } },
    { kind: 'threshold', gauge: selector('g'), op: 'lte', value: 1000, aggregate: null },
  );
});

test('a field that is wrong is refused at its value', () => {
  refuses('99.9', '120', '5:16: slos[0].objective: must be between 0 and 100, got 120');
  refuses('99.9', '100', '5:16: slos[0].objective: must be between 0 and 100, got 100');
  refuses('99.9', '0', '5:16: slos[0].objective: must be between 0 and 100, got 0');
  refuses('99.9', '"99.9"', "5:16: slos[0].objective: must be a number, got '99.9'");
  refuses('99.9', '.nan', '5:16: slos[0].objective: must be a number, got .nan');
  refuses('99.9', '', '5:16: slos[0].objective: must be a number, got nothing');
  refuses('slipstream/v1', 'slipstream/v2', "1:13: apiVersion: must be slipstream/v1, got 'slipstream/v2'");
  refuses('service: api', 'service: a/b', "2:11: service: must not contain '/'");
  refuses('service: api', 'service: ""', '2:10: service: must not be empty');
  refuses('service: api', String.raw`service: "a\tb"`, '2:12: service: must not contain a control character');
  refuses('service: api', `service: ${'a'.repeat(129)}`, '2:10: service: must have at most 128 characters');
  refuses('service: api', 'service: [api]', '2:10: service: must be text, got a list');
  refuses('service: api', 'service: api\nlabels: [a]', '3:9: labels: must be a mapping, got a list');
  refuses('service: api', 'service: api\nlabels: {"": a}', '3:10: labels[""]: a label name must not be empty');
  refuses('service: api', 'service: api\nlabels: {a: [b]}', '3:13: labels.a: must be text, got a list');
});

test('a window is a duration from an hour to 400 days, or a calendar unit in a time zone', () => {
  const f = (window: string, problem: string): void => refuses('    sli:', `    window: ${window}\n    sli:`, problem);
  f('1 month', "6:13: slos[0].window: must be a duration such as 5m or 1h30m, got '1 month'");
  f('59m', '6:13: slos[0].window: must be at least 1h, got 59m');
  f('401d', '6:13: slos[0].window: must be at most 400d, got 401d');
  f('{calendar: day}', "6:24: slos[0].window.calendar: must be week, month, quarter or year, got 'day'");
  f(
    '{calendar: month, timezone: Europe/Nowhere}',
    "6:41: slos[0].window.timezone: must be an IANA time zone such as Europe/Madrid, got 'Europe/Nowhere'",
  );
  f(
    '{calendar: month, timezone: "+01:00"}',
    "6:41: slos[0].window.timezone: must be an IANA time zone such as Europe/Madrid, got '+01:00'",
  );
  f('{timezone: UTC}', '6:13: slos[0].window.calendar: is required');
  f('[30d]', '6:13: slos[0].window: must be text, got a list');
});

test('an unknown key stands at the key and names the nearest one', () => {
  refuses(
    'objective:',
    'objectve:',
    '4:5: slos[0].objective: is required',
    '5:5: slos[0].objectve: unknown key; did you mean objective?',
  );
  refuses('bad:', 'bda:', '9:9: slos[0].sli.events.bda: unknown key; did you mean bad?');
  refuses('events:', 'event:', '7:7: slos[0].sli.event: unknown key; did you mean events?');
  refuses(
    'service: api',
    'service: api\nteam: x',
    '3:1: team: unknown key; there are apiVersion, service, owner, labels, runbook, slos',
  );
});

test('a missing field stands at the mapping that lacks it', () => {
  refuses('service: api\n', '', '1:1: service: is required');
  refuses('apiVersion: slipstream/v1\n', '', '1:1: apiVersion: is required');
  refuses('    objective: 99.9\n', '', '4:5: slos[0].objective: is required');
  refuses('        total: \'requests{job="api"}\'\n', '', '8:9: slos[0].sli.events.total: is required');
  expect(problemsOf('apiVersion: slipstream/v1\nservice: a\nslos: []\n')).toEqual(['3:7: slos: must not be empty']);
  expect(problemsOf('apiVersion: slipstream/v1\nservice: a\nslos: [1, ~]\n')).toEqual([
    '3:8: slos[0]: must be a mapping, got 1',
    '3:11: slos[1]: must be a mapping, got ~',
  ]);
});

test('of alternatives exactly one is given', () => {
  const kinds = 'events, latency, probe, freshness, throughput, threshold or push';
  refuses(
    '      events:',
    '      probe: {gauge: g}\n      events:',
    `7:7: slos[0].sli: must have exactly one of ${kinds}`,
  );
  refuses(
    '        bad:',
    '        good: requests\n        bad:',
    '8:9: slos[0].sli.events: must have exactly one of good or bad',
  );
  refuses(
    '        bad: \'requests{job="api",status=~"5.."}\'\n',
    '',
    '8:9: slos[0].sli.events: must have exactly one of good or bad',
  );
});

test('a selector is refused at its character', () => {
  refuses(
    `'requests{job="api"}'`,
    `'requests{job=api}'`,
    "8:30: slos[0].sli.events.total: unexpected 'api' in the selector",
  );
  refuses(
    `'requests{job="api"}'`,
    `'rate(requests[5m])'`,
    '8:17: slos[0].sli.events.total: a function is not a selector: rates are computed here; write requests',
  );
  refuses(
    `'requests{job="api"}'`,
    '[requests, "x[5m]"]',
    '8:29: slos[0].sli.events.total[1]: a range is not part of a selector: the SLO has its windows; write x',
  );
  refuses(`'requests{job="api"}'`, '[]', '8:16: slos[0].sli.events.total: must not be empty');
  refuses(
    `'requests{job="api"}'`,
    '{a: b}',
    '8:16: slos[0].sli.events.total: must be a selector or a list of them, got a mapping',
  );
  refuses('5..', '5(', '9:44: slos[0].sli.events.bad: invalid regular expression: missing closing ): `5(`');
});

test('the fields of the other SLIs are checked too', () => {
  const f = (sli: string, ...problems: string[]): void =>
    expect(
      problemsOf(`apiVersion: slipstream/v1\nservice: a\nslos:\n- {name: n, objective: 99, sli: {\n  ${sli}}}\n`),
      sli,
    ).toEqual(problems);
  f('latency: {histogram: h, threshold: 0}', '5:38: slos[0].sli.latency.threshold: must be at least 1ms, got 0');
  f('latency: {histogram: h}', '5:12: slos[0].sli.latency.threshold: is required');
  f(
    'throughput: {counter: c, min: 10}',
    "5:33: slos[0].sli.throughput.min: must be a rate such as 10/s or 600/m, got '10'",
  );
  f(
    'throughput: {counter: c, min: 1/s, max: 2/s}',
    '5:15: slos[0].sli.throughput: must have exactly one of min or max',
  );
  f('freshness: {threshold: 1h}', '5:14: slos[0].sli.freshness: must have exactly one of timestamp or age');
  f(
    'freshness: {age: a, threshold: 1h, aggregate: median}',
    "5:49: slos[0].sli.freshness.aggregate: must be max, min, avg or sum, got 'median'",
  );
  f('threshold: {gauge: g, op: eq, value: 1}', "5:29: slos[0].sli.threshold.op: must be lt, lte, gt or gte, got 'eq'");
  f('threshold: {gauge: g, op: lt, value: many}', "5:40: slos[0].sli.threshold.value: must be a number, got 'many'");
  f('push: {job: x}', '5:10: slos[0].sli.push.job: unknown key; there are none');
  f('', '4:33: slos[0].sli: must have exactly one of events, latency, probe, freshness, throughput, threshold or push');
});

test('an SLI that lives by pushes has groups and slices as any other', () => {
  const [slo] = slosOf(
    'apiVersion: slipstream/v1\nservice: jobs\nslos:\n' +
      '- {name: nightly, objective: 99, groupBy: [region], budgeting: timeslices, sliceTarget: 90, sli: {push: {}}}\n',
  );
  expect(slo).toMatchObject({ id: 'jobs/nightly', groupBy: ['region'], slice: { text: '1m' }, sli: { kind: 'push' } });
  expect(nativeSli(slo!.sli)).toEqual({ push: {} });
});

test('calendar windows, groups and budgets by slices are kept', () => {
  const f = (fields: string, expected: object): void =>
    expect(slosOf(GOOD.replace('    sli:', `    ${fields}\n    sli:`))[0], fields).toMatchObject(expected);
  f('window: {calendar: month}', { window: { kind: 'calendar', unit: 'month', timezone: 'UTC' } });
  f('window: {calendar: week, timezone: Europe/Madrid}', { window: { unit: 'week', timezone: 'Europe/Madrid' } });
  f('groupBy: [region]', { groupBy: ['region'], groupsMax: 1000 });
  f('budgeting: ratioTimeslices', { budgeting: 'ratioTimeslices', slice: { text: '1m' } });
});

test('time slices are checked before anything else is asked of them', () => {
  const f = (fields: string, ...problems: string[]): void =>
    refuses('    sli:', `    ${fields}\n    sli:`, ...problems);
  f('slice: 7m', '6:12: slos[0].slice: must divide a day in whole seconds, got 7m');
  f('slice: 1500ms', '6:12: slos[0].slice: must divide a day in whole seconds, got 1500ms');
  f('slice: 2d', '6:12: slos[0].slice: must be at most 1d, got 2d');
  f('emptySlice: maybe', "6:17: slos[0].emptySlice: must be ignore, good or bad, got 'maybe'");
  f('budgeting: timeslices', '4:5: slos[0].sliceTarget: is required with budgeting: timeslices');
  f('sliceTarget: 101', '6:18: slos[0].sliceTarget: must be above 0 and at most 100, got 101');
  f('groupBy: [a, a]', '6:18: slos[0].groupBy[1]: is there twice');
  f('maxGroups: 0', '6:16: slos[0].maxGroups: must be at least 1, got 0');
  f('maxGroups: 1.5', '6:16: slos[0].maxGroups: must be a whole number, got 1.5');
});

test('a list of alerts is checked alert by alert', () => {
  const f = (alerts: string, ...problems: string[]): void =>
    refuses('    sli:', `    alerts: {policy: [${alerts}]}\n    sli:`, ...problems);
  const page = 'severity: page, factor: 10, long: 1h, short: 5m';
  f(
    '{severity: sms, factor: 10, long: 1h, short: 5m}',
    "6:34: slos[0].alerts.policy[0].severity: must be page, ticket, critical or warning, got 'sms'",
  );
  f(
    '{severity: page, factor: 0, long: 1h, short: 5m}',
    '6:48: slos[0].alerts.policy[0].factor: must be above 0, got 0',
  );
  f(
    '{severity: page, factor: 10, long: 5m, short: 1h}',
    '6:69: slos[0].alerts.policy[0].short: must not be longer than the long window of 5m, got 1h',
  );
  f(
    '{severity: page, factor: 10, long: 500d, short: 1h}',
    '6:58: slos[0].alerts.policy[0].long: must be at most 400d, got 500d',
  );
  f(
    '{severity: page, factor: 1000, long: 1h, short: 5m}',
    '6:48: slos[0].alerts.policy[0].factor: must be below 1000, the highest possible burn rate, got 1000',
  );
  f(`{${page}}, {${page}}`, "6:74: slos[0].alerts.policy[1]: the alert name 'page-1h' is there twice");
  f(`{name: x, ${page}}, {name: x, ${page}}`, "6:90: slos[0].alerts.policy[1].name: the alert name 'x' is there twice");
  f(
    `{name: error-budget-exhausted, ${page}}`,
    "6:30: slos[0].alerts.policy[0].name: the alert name 'error-budget-exhausted' is the alert that every policy has",
  );
  f('5', '6:23: slos[0].alerts.policy[0]: must be a mapping, got 5');
});

test('a policy that is unknown, or no policy, is refused', () => {
  const f = (alerts: string, problem: string): void => refuses('    sli:', `    alerts: ${alerts}\n    sli:`, problem);
  f('{policy: google}', "6:22: slos[0].alerts.policy: must be google-30d, sloth-28d, pyrra or none, got 'google'");
  f('none', "6:13: slos[0].alerts: must be a mapping, got 'none'");
  f('{minBadEvents: -1}', '6:28: slos[0].alerts.minBadEvents: must be at least 0, got -1');
});

test('a named policy that asks for the impossible is a warning, where the policy stands', () => {
  const warning = (name: string, alerts: string): string =>
    `warning: of the policy ${name} these alerts can never fire: ${alerts}; the highest possible burn rate is 10`;
  refuses('99.9', '90', `5:16: slos[0].objective: ${warning('google-30d', 'page-quick (factor 14.4)')}`);
  const pyrra = '90\n    alerts: {policy: pyrra}';
  refuses('99.9', pyrra, `6:22: slos[0].alerts.policy: ${warning('pyrra', 'fast-burn (factor 14)')}`);
  refuses(
    '99.9',
    '90\n    alerts: {policy: [{severity: page, factor: 10, long: 1h, short: 5m}]}',
    '6:48: slos[0].alerts.policy[0].factor: must be below 10, the highest possible burn rate, got 10',
  );
});

test('what is wrong with one SLO leaves the others as they are', () => {
  const text = `${GOOD}  - {name: b, objective: 120}\n  - {name: c, objective: 99, sli: {events: {total: x, bad: y}}}\n`;
  const { slos, problems } = readDefinitions([{ file: 'a.yaml', text }]);
  expect(slos.map(({ id }) => id)).toEqual(['api/availability', 'api/c']);
  expect(problems.map(formatProblem)).toEqual([
    'a.yaml:10:5: slos[1].sli: is required',
    'a.yaml:10:26: slos[1].objective: must be between 0 and 100, got 120',
  ]);
});
