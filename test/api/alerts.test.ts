import { afterEach, beforeEach, expect, test } from 'vitest';
import { HttpReceiver } from '../notify/receiver.ts';
import { alertingOf } from '../support/alerting.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const SLO = anSlo({ owner: 'team-api', sli: { kind: 'push' } });

let server: TestServer;
let hook: HttpReceiver;

beforeEach(async () => {
  hook = await HttpReceiver.start();
  const alerting = alertingOf(`
external_url: https://slipstream.example
route: {receiver: hook}
receivers: [{name: hook, webhook_configs: [{url: "${hook.url}"}]}]
remediations: [{name: r, when: {burn_rate: 10, window: 1h}, dry_run: true, webhook: {url: "${hook.url}"}}]
`);
  server = await TestServer.start(NOON_MS, [SLO], {}, undefined, 20, alerting);
});

afterEach(() => server.stop());

/** Half of the events fail, and that is settled. */
async function burn(): Promise<void> {
  const body = JSON.stringify([{ slo: SLO.id, good: 50, bad: 50 }]);
  expect((await server.post(body, { 'content-type': 'application/json' }, '/api/v1/events')).status).toBe(200);
  server.nowMs += 6_000;
  await hook.have(1);
}

async function silence(body: unknown): Promise<Response> {
  return server.post(JSON.stringify(body), { 'content-type': 'application/json' }, '/api/v1/silences');
}

test('alerts are listed in the shape of Prometheus', async () => {
  await burn();
  const { status, data } = await server.json<{ status: string; data: { alerts: Record<string, unknown>[] } }>(
    '/api/v1/alerts',
  );
  expect(status).toBe('success');
  const page = data.alerts.find(({ labels }) => (labels as Record<string, string>)['alertname'] === 'page-quick');
  expect(page).toEqual({
    labels: expect.objectContaining({
      alertname: 'page-quick',
      service: 'api',
      slo: 'availability',
      owner: 'team-api',
    }),
    annotations: expect.objectContaining({ burn_rate_long: '500' }),
    state: 'firing',
    activeAt: new Date(NOON_MS).toISOString(),
    value: '500',
  });
  expect(data.alerts.map(({ state }) => state).sort()).toEqual(['firing', 'firing', 'firing', 'firing', 'pending']);
});

test('history says who was told when, and why somebody is not', async () => {
  await burn();
  for (;;) {
    const { alerts } = await server.json<{ alerts: Record<string, unknown>[] }>(
      '/api/v1/alerts/history?slo=api/availability',
    );
    const page = alerts.find(({ alert }) => alert === 'page-quick')!;
    if ((page['notifications'] as unknown[]).length === 0) continue;
    expect(page).toMatchObject({
      slo: 'api/availability',
      severity: 'page',
      state: 'firing',
      since: new Date(NOON_MS).toISOString(),
      firedAt: new Date(server.nowMs).toISOString(),
      resolvedAt: null,
      muted: null,
      notifications: [{ receiver: 'hook/webhook[0]', status: 'firing', outcome: 'delivered', times: 1 }],
    });
    expect(alerts.find(({ alert }) => alert === 'ticket-slow')).toMatchObject({
      muted: { kind: 'inhibited' },
      notifications: [],
    });
    return;
  }
});

test('remediations are on record', async () => {
  await burn();
  const { remediations } = await server.json<{ remediations: unknown[] }>('/api/v1/remediations');
  expect(remediations).toEqual([
    {
      id: 1,
      remediation: 'r',
      slo: 'api/availability',
      reason: 'api/availability: the burn rate over 1h is 500, above 10',
      dryRun: true,
      startedAt: expect.any(String),
      endedAt: null,
      outcome: 'dry_run',
      finishedAt: expect.any(String),
    },
  ]);
});

test('a silence is made, listed and ended, and outlives a restart', async () => {
  const made = await silence({ matchers: ['service="api"'], reason: 'moving', createdBy: 'ana', duration: '2h' });
  expect(made.status).toBe(200);
  const record = (await made.json()) as { id: string };
  expect(record).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    state: 'active',
    matchers: ['service="api"'],
    reason: 'moving',
    createdBy: 'ana',
    createdAt: new Date(NOON_MS).toISOString(),
    startsAt: new Date(NOON_MS).toISOString(),
    endsAt: new Date(NOON_MS + 7_200_000).toISOString(),
  });
  await server.restart();
  expect(await server.json('/api/v1/silences')).toEqual({ silences: [record] });
  const path = `/api/v1/silences/${record.id}`;
  const ended = await fetch(server.service.url + path, { method: 'DELETE' });
  expect(await ended.json()).toMatchObject({ state: 'expired', endsAt: new Date(NOON_MS).toISOString() });
  expect(await server.json(path)).toMatchObject({ state: 'expired' });
});

test('a silence that is wrong is refused with what is wrong', async () => {
  const good = { matchers: ['service="api"'], reason: 'moving', duration: '2h' };
  const f = async (change: object, message: string): Promise<void> => {
    const response = await silence({ ...good, ...change });
    expect([response.status, await response.json()]).toEqual([400, { error: { code: 'invalid_silence', message } }]);
  };
  await f({ matchers: [] }, 'matchers must be a list of 1 to 64 texts such as "service=\\"checkout\\""');
  await f({ matchers: ['x'] }, `matchers[0]: must be a matcher such as severity="page" or owner=~"team-.*", got 'x'`);
  await f({ matchers: ['x=~".*"'] }, 'matchers: at least one must not match the empty text');
  await f({ reason: undefined }, 'reason is required');
  await f({ reason: ' ' }, 'reason must be a text of at most 1024 characters');
  await f({ duration: undefined }, 'must have exactly one of endsAt and duration: every silence ends');
  await f({ endsAt: '2026-01-02T00:00:00Z' }, 'must have exactly one of endsAt and duration: every silence ends');
  await f({ duration: 'soon' }, 'duration must be a duration such as 2h, got "soon"');
  await f(
    { duration: undefined, endsAt: '2025-01-01T00:00:00Z' },
    'endsAt must be after startsAt, and not in the past',
  );
  await f({ startsAt: 'now' }, 'startsAt must be a time in RFC 3339 or Unix seconds, got "now"');
  await f({ comment: 'x' }, 'unknown key "comment"; there are matchers, reason, createdBy, startsAt, endsAt, duration');
});

test('there are as many silences as there may be', async () => {
  const good = { matchers: ['service="api"'], reason: 'moving', duration: '2h' };
  for (let i = 0; i < 10; i++) expect((await silence(good)).status).toBe(200);
  const response = await silence(good);
  expect([response.status, await response.json()]).toEqual([
    409,
    { error: { code: 'too_many_silences', message: 'there are 10 silences, as many as there may be' } },
  ]);
  expect((await fetch(`${server.service.url}/api/v1/silences/x`, { method: 'DELETE' })).status).toBe(404);
});
