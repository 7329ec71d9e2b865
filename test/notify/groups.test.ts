import { expect, test } from 'vitest';
import { alertingOf } from '../support/alerting.ts';
import { HttpReceiver } from './receiver.ts';
import { burningSlo, MINUTE_MS, onlyAlerts, Rig, SECOND_MS } from './rig.ts';

const HOUR_MS = 60 * MINUTE_MS;

async function withRoute(route: string, slos = [burningSlo({}, onlyAlerts('page-quick'))], more = '') {
  const hook = await HttpReceiver.start();
  const other = await HttpReceiver.start();
  const alerting = alertingOf(`
route: ${route}
receivers:
  - {name: hook, webhook_configs: [{url: "${hook.url}"}]}
  - {name: other, webhook_configs: [{url: "${other.url}"}]}
${more}`);
  return { hook, other, rig: new Rig(alerting, slos) };
}

function names({ body }: { body: { alerts: { labels: Record<string, string>; status: string }[] } }): string[] {
  return body.alerts
    .map(({ labels, status }) => `${labels['service']}/${labels['slo']} ${labels['alertname']} ${status}`)
    .sort();
}

const PAGE = onlyAlerts('page-quick');
const TICKET = onlyAlerts('ticket-quick');
const BOTH = onlyAlerts('page-quick', 'ticket-quick');

function two(): ReturnType<typeof burningSlo>[] {
  return [
    burningSlo({}, PAGE),
    burningSlo(
      { id: 'shop/checkout', service: 'shop', name: 'checkout', owner: 'team-shop', labels: { tier: 'gold' } },
      PAGE,
    ),
  ];
}

test('an alert goes to the first route that matches, and on when that says continue', async () => {
  const route = `{receiver: hook, routes: [{matchers: ['owner=~"team-s.*"', 'tier!=silver'], receiver: other}]}`;
  const { hook, other, rig } = await withRoute(route, two());
  rig.push(50, 50);
  rig.push(50, 50, 1);
  expect(names(await hook.have(1))).toEqual(['api/availability page-quick firing']);
  const told = await other.have(1);
  expect(names(told)).toEqual(['shop/checkout page-quick firing']);
  expect(told.body.groupKey).toBe('{}/{owner=~"team-s.*",tier!="silver"}:{service="shop", slo="checkout"}');

  const both = await withRoute(`{receiver: hook, routes: [{receiver: other, continue: true}, {receiver: hook}]}`);
  both.rig.push(50, 50);
  await both.hook.have(1);
  await both.other.have(1);
});

test('alerts with the same labels of group_by are told together, after group_wait', async () => {
  const { hook, rig } = await withRoute('{receiver: hook, group_by: [severity], group_wait: 30s}', two());
  rig.push(50, 50);
  rig.pass(10 * SECOND_MS);
  rig.push(50, 50, 1);
  expect(names(await rig.until(hook, 1))).toEqual([
    'api/availability page-quick firing',
    'shop/checkout page-quick firing',
  ]);
});

test('what is new in a group waits for group_interval, and what is not new for repeat_interval', async () => {
  const { hook, rig } = await withRoute(
    '{receiver: hook, group_by: [severity], group_interval: 2m, repeat_interval: 1h}',
    two(),
  );
  const beganMs = rig.nowMs;
  rig.push(50, 50);
  await hook.have(1);
  rig.push(50, 50, 1);
  const second = await rig.until(hook, 2);
  expect(rig.nowMs - beganMs).toBeGreaterThanOrEqual(2 * MINUTE_MS);
  expect(names(second)).toEqual(['api/availability page-quick firing', 'shop/checkout page-quick firing']);
  // Kept alive, so that there is data.
  for (let i = 0; i < 30; i++) {
    rig.pass(2 * MINUTE_MS);
    rig.push(50, 50);
    rig.push(50, 50, 1);
  }
  await hook.have(3);
  await rig.drained();
  expect(hook.received.length).toBe(3);
  expect(rig.nowMs - beganMs).toBeGreaterThan(HOUR_MS);
});

test('a page of an SLO holds its tickets back', async () => {
  const { hook, rig } = await withRoute('{receiver: hook, group_by: [alertname]}', [burningSlo({}, BOTH)]);
  rig.push(50, 50);
  expect(names(await hook.have(1))).toEqual(['api/availability page-quick firing']);
  // The page is over when its short window is clean, and the ticket, whose windows are longer, is told.
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  await hook.have(3);
  await rig.drained();
  expect(hook.received.map(names).toSorted()).toEqual([
    ['api/availability page-quick firing'],
    ['api/availability page-quick resolved'],
    ['api/availability ticket-quick firing'],
  ]);
});

test('a page of another SLO holds nothing back', async () => {
  const slos = [burningSlo({}, TICKET), burningSlo({ id: 'shop/checkout', service: 'shop', name: 'checkout' }, PAGE)];
  const { hook, rig } = await withRoute('{receiver: hook}', slos);
  rig.push(50, 50, 1);
  rig.push(50, 50);
  await hook.have(2);
  expect(hook.received.flatMap(names).sort()).toEqual([
    'api/availability ticket-quick firing',
    'shop/checkout page-quick firing',
  ]);
});

test('a silenced alert is not told until the silence ends, and Alertmanager is told all the same', async () => {
  const am = await HttpReceiver.start();
  const { hook, rig } = await withRoute('{receiver: hook}', undefined, `alertmanagers: [{urls: ["${am.url}"]}]`);
  const silence = {
    id: 's1',
    matchers: ['service="api"', 'severity=~page|ticket'],
    reason: 'we know',
    createdBy: 'me',
    createdMs: rig.nowMs,
    startsMs: rig.nowMs,
    endsMs: rig.nowMs + 2 * MINUTE_MS,
  };
  rig.notifier.silences.add(silence);
  rig.push(50, 50);
  await am.have(1);
  await rig.restart();
  rig.tick();
  expect(hook.received.length).toBe(0);
  expect(rig.notifier.mutings().of(rig.notifier.tracked[0]!.record)).toEqual({ kind: 'silence', by: 's1' });
  const beganMs = rig.nowMs;
  await rig.until(hook, 1);
  expect(rig.nowMs - beganMs).toBeGreaterThanOrEqual(2 * MINUTE_MS);
});

test('a silence that is ended early is over at once', async () => {
  const { hook, rig } = await withRoute('{receiver: hook}');
  const times = { createdMs: rig.nowMs, startsMs: rig.nowMs, endsMs: rig.nowMs + HOUR_MS };
  rig.notifier.silences.add({ id: 's1', matchers: ['slo=availability'], reason: 'x', createdBy: '', ...times });
  rig.push(50, 50);
  rig.notifier.silences.expire('s1', rig.nowMs);
  rig.tick();
  await hook.have(1);
});

test('in a maintenance window nobody is told, and after it they are', async () => {
  const window = `
maintenance:
  - {name: upgrade, matchers: ['service=api'], start: 2025-12-01T14:00, rrule: FREQ=DAILY, duration: 61m, timezone: Europe/Berlin}
`;
  const { hook, rig } = await withRoute('{receiver: hook}', undefined, window);
  // 12:00 UTC is 13:00 in Berlin in January.
  rig.pass(HOUR_MS);
  rig.push(50, 50);
  expect(rig.notifier.mutings().of(rig.notifier.tracked[0]!.record)).toEqual({ kind: 'maintenance', by: 'upgrade' });
  const beganMs = rig.nowMs;
  while (rig.nowMs < beganMs + 61 * MINUTE_MS) {
    expect(hook.received.length).toBe(0);
    rig.pass(MINUTE_MS);
    rig.push(50, 50);
  }
  await hook.have(1);
});

test('an alert that is over while it is silenced is still resolved where it was told', async () => {
  const { hook, rig } = await withRoute('{receiver: hook}');
  rig.push(50, 50);
  await hook.have(1);
  const times = { createdMs: rig.nowMs, startsMs: rig.nowMs, endsMs: rig.nowMs + HOUR_MS };
  rig.notifier.silences.add({ id: 's1', matchers: ['slo=availability'], reason: 'x', createdBy: '', ...times });
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  expect((await hook.have(2)).body.status).toBe('resolved');
});

test('an alert that comes back before anybody was told that it was over is the same one', async () => {
  const { hook, rig } = await withRoute('{receiver: hook, group_interval: 30m}');
  rig.push(50, 50);
  await hook.have(1);
  rig.pass(6 * MINUTE_MS);
  rig.push(5000, 0);
  rig.pass(MINUTE_MS);
  rig.push(0, 5000);
  for (let i = 0; i < 10; i++) {
    rig.pass(4 * MINUTE_MS);
    rig.push(0, 50);
  }
  await rig.drained();
  expect(hook.received.length).toBe(1);
});

test('what was told is resolved where it was told, even when the route is no more', async () => {
  const { hook, other, rig } = await withRoute('{receiver: hook}');
  rig.push(50, 50);
  await hook.have(1);
  await rig.restart(
    alertingOf(`
route: {receiver: other, routes: [{matchers: [service=nobody], receiver: hook}]}
receivers:
  - {name: hook, webhook_configs: [{url: "${hook.url}"}]}
  - {name: other, webhook_configs: [{url: "${other.url}"}]}
`),
  );
  rig.pass(MINUTE_MS);
  rig.push(1, 1);
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  expect(names(await hook.have(2))).toEqual(['api/availability page-quick resolved']);
  await other.have(2);
  expect(other.received.map(names)).toEqual([
    ['api/availability page-quick firing'],
    ['api/availability page-quick resolved'],
  ]);
});

test('another alerting file takes over without a restart, and tells what still fires', async () => {
  const { hook, other, rig } = await withRoute('{receiver: hook}');
  rig.push(50, 50);
  await hook.have(1);
  await rig.notifier.configure(
    alertingOf(`
route: {receiver: other}
receivers: [{name: other, webhook_configs: [{url: "${other.url}"}]}]
`),
    5 * MINUTE_MS,
  );
  expect(names(await other.have(1))).toEqual(['api/availability page-quick firing']);
  expect(hook.received.length).toBe(1);
});
