import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { readLabelMatcher } from '../../src/definitions/label-matcher.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { alertingOf } from '../support/alerting.ts';
import { mutated, problemsOf } from './reading.ts';

const EXAMPLE = readFileSync(path.resolve(import.meta.dirname, '../../examples/alerting/alerting.yaml'), 'utf8');
const ENV = { SLACK_URL: 'https://hooks.example/T/B/x', INCIDENT_SECRET: 'hush' };

test('the example is a whole alerting file', () => {
  expect(problemsOf(EXAMPLE)).toEqual([]);
  const alerting = alertingOf(EXAMPLE.replaceAll(/(\w+)_file: \S+?}/g, '$1: x}'), ENV);
  expect(alerting.receivers.map(({ name, integrations }) => [name, integrations.map(({ kind }) => kind)])).toEqual([
    ['pager', ['pagerduty', 'webhook']],
    ['chat', ['slack']],
    ['mail', ['email']],
  ]);
  expect(alerting.alertmanagers[0]!.urls.map((url) => url())).toEqual(['http://am-0:9093', 'http://am-1:9093']);
  const [pager, mail] = alerting.route!.routes;
  expect(pager).toMatchObject({ receiver: 'pager', groupBy: ['service', 'slo'], repeatIntervalMs: 4 * 3_600_000 });
  expect(mail).toMatchObject({
    receiver: 'mail',
    groupWaitMs: 0,
    groupIntervalMs: 60_000,
    repeatIntervalMs: 86_400_000,
  });
  expect(alerting.noDataSeverity).toBe('ticket');
});

test('every mistake in an alerting file is found at its place', () => {
  const f = mutated(EXAMPLE);
  f(
    'external_url: https',
    'external_url: ftp',
    "1:15: external_url: must be a URL such as https://slipstream.example, got 'ftp://slipstream.example'",
  );
  f('alertmanagers:', 'alertmanager:', '3:1: alertmanager: unknown key; did you mean alertmanagers?');
  f('receiver: chat', 'receiver: chatt', "7:13: route.receiver: there is no receiver 'chatt'; did you mean chat?");
  f('receiver: chat', 'continue: true', '7:3: route.receiver: is required: the root route takes every alert');
  f(
    'group_by:',
    "matchers: ['a=b']\n  group_by:",
    '8:13: route.matchers: the root route takes every alert: matchers belong to the routes below it',
  );
  f(
    'group_interval: 1m',
    'group_interval: soon',
    "9:19: route.group_interval: must be a duration such as 5m or 1h30m, got 'soon'",
  );
  f(
    '=~"page|critical"',
    '=~"page|("',
    '12:18: route.routes[0].matchers[0]: invalid regular expression: missing closing ): `page|(`',
  );
  f(
    'alertname="no-data"',
    'alertname',
    '14:18: route.routes[1].matchers[0]: must be a matcher such as severity="page" or owner=~"team-.*", got \'alertname\'',
  );
  f(
    '- name: chat',
    '- name: pager',
    "7:13: route.receiver: there is no receiver 'chat'; there is pager, pager or mail",
    "22:11: receivers[1].name: the name 'pager' is there twice",
  );
  f(
    'routing_key_file: /etc/slipstream/pagerduty',
    'url: "http://x"',
    '20:25: receivers[0].pagerduty_configs[0]: must have exactly one of routing_key or routing_key_file',
  );
  f(
    '"https://incidents.example/hook"',
    'hush-hush',
    '21:29: receivers[0].webhook_configs[0].url: must be a URL that begins with http:// or https://',
  );
  f(
    '/hook", secret',
    '/hook", secret_file: b, secret',
    '21:76: receivers[0].webhook_configs[0].secret_file: secret is there as well',
  );
  f(
    'smarthost: "mail.example:587"',
    'smarthost: mail',
    "25:87: receivers[2].email_configs[0].smarthost: must be HOST:PORT such as 127.0.0.1:9490, got 'mail'",
  );
  f(
    'require_tls: true',
    'auth_username: me',
    '25:21: receivers[2].email_configs[0].auth_password: a user and a password go together',
  );
  f(
    '2026-01-04T02:00',
    '2026-02-30T02:00',
    "30:12: maintenance[0].start: must be a local time such as 2026-01-04T02:00, got '2026-02-30T02:00'",
  );
  f('FREQ=WEEKLY', 'FREQ=SECONDLY', '31:12: maintenance[0].rrule: must not come more often than DAILY');
  f(
    'rrule: FREQ=WEEKLY',
    'rrule: BYHOUR=2',
    '31:12: maintenance[0].rrule: must have a FREQ, as in FREQ=WEEKLY;BYDAY=SU',
  );
  f(
    'Europe/Madrid',
    'Mars',
    "33:15: maintenance[0].timezone: must be an IANA time zone such as Europe/Madrid, got 'Mars'",
  );
  f(', window: 5m', '', '38:11: remediations[0].when.window: is required: over which time the burn rate is meant');
  f('window: 5m', 'window: 7m', "38:37: remediations[0].when.window: must be 5m, 30m, 1h, 2h, 6h, 1d or 3d, got '7m'");
  f(
    'burn_rate: 14.4',
    'error_budget_remaining: 0.1',
    '38:49: remediations[0].when.window: only a burn rate has a window',
  );
});

test('there is one alerting file, or none', () => {
  expect(problemsOf('alertmanagers: []\n---\nalertmanagers: []\n')).toEqual([
    '3:1: document: alerting is already defined in a.yaml:1',
  ]);
  expect(problemsOf('receivers: [{name: a}]\n')).toEqual(['1:1: route: is required, since there are receivers']);
});

test('the alerting of a server file is held against the same rules', () => {
  expect(problemsOf('listen: :1\nalerting:\n  route: {receiver: a, colour: red}\n')).toEqual([
    "3:21: alerting.route.receiver: there is no receiver 'a'",
    expect.stringMatching(/^3:24: alerting\.route\.colour: unknown key; there are receiver, matchers/),
  ]);
});

test('who serves has to have every secret, and no message shows one', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'slipstream-secrets-'));
  try {
    const file = path.join(dir, 'alerting.yaml');
    const text = `
route: {receiver: a}
receivers: [{name: a, slack_configs: [{api_url: "https://x/\${TOKEN}"}], pagerduty_configs: [{routing_key_file: key}]}]
`;
    const read = (env: Record<string, string>) => readDefinitions([{ file, text }], { env });
    expect(read({}).problems.map(formatProblem)).toEqual([
      `${file}:3:49: receivers[0].slack_configs[0].api_url: the environment variable TOKEN is not set`,
      `${file}:3:112: receivers[0].pagerduty_configs[0].routing_key_file: the file ${dir}/key cannot be read: ENOENT`,
    ]);
    expect(read({}).alerting).toBeNull();
    writeFileSync(path.join(dir, 'key'), 'one\n');
    const { alerting, problems } = read({ TOKEN: 'hush' });
    expect(problems).toEqual([]);
    const [pagerduty, slack] = alerting!.receivers[0]!.integrations;
    expect(slack).toMatchObject({ kind: 'slack' });
    if (slack?.kind === 'slack') expect(slack.url()).toBe('https://x/hush');
    if (pagerduty?.kind !== 'pagerduty') throw new Error('BUG: not PagerDuty');
    expect(pagerduty.routingKey()).toBe('one');
    writeFileSync(path.join(dir, 'key'), 'two\n');
    expect(pagerduty.routingKey()).toBe('two');
    expect(JSON.stringify(alerting)).not.toMatch(/hush|two/);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a matcher on labels is written as in Alertmanager', () => {
  const f = (text: string, value: string, expected: boolean) => {
    const matcher = readLabelMatcher(text);
    if ('message' in matcher) throw new Error(matcher.message);
    expect(matcher.matches(value), `${text} on ${value}`).toBe(expected);
  };
  f('severity="page"', 'page', true);
  f('severity = page', 'page', true);
  f('severity!="page"', 'ticket', true);
  f('severity!=page', '', true);
  f('owner=~"team-.*"', 'team-edge', true);
  f('owner=~team', 'team-edge', false);
  f('owner!~"team-.*"', 'ops', true);
  f('"a label"="say \\"hi\\""', 'say "hi"', true);
  f('slo=', '', true);
});

test('a window is open by the clock on the wall, in summer and in winter', () => {
  const text = `
alertmanagers: []
maintenance:
  - {name: w, start: 2026-01-04T02:30, rrule: FREQ=WEEKLY;BYDAY=SU, duration: 1h, timezone: Europe/Berlin}
  - {name: once, start: 2026-01-04T00:00, duration: 90m}
`;
  const [weekly, once] = alertingOf(text).maintenance;
  const f = (time: string, expected: boolean) => expect(weekly!.isOpen(Date.parse(time)), time).toBe(expected);
  f('2025-12-28T01:45:00Z', false);
  f('2026-01-04T01:29:59Z', false);
  f('2026-01-04T01:30:00Z', true);
  f('2026-01-04T02:29:59Z', true);
  f('2026-01-04T02:30:00Z', false);
  f('2026-07-05T00:30:00Z', true);
  f('2026-07-05T01:30:00Z', false);
  // The hour that the clocks skip: 02:30 is 03:30 that night.
  f('2026-03-29T01:45:00Z', true);
  f('2026-01-11T02:00:00Z', true);
  expect(once!.isOpen(Date.parse('2026-01-04T01:29:00Z'))).toBe(true);
  expect(once!.isOpen(Date.parse('2026-01-05T01:00:00Z'))).toBe(false);
});
