import { afterEach, beforeEach, expect, test } from 'vitest';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const PATH = '/api/v1/gate/overrides';
const HOUR_MS = 3_600_000;
const JSON_TYPE = { 'content-type': 'application/json', 'content-encoding': 'identity' };

let server: TestServer;
let nowMs: number;

/** A server whose only SLO has spent its budget. */
beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS);
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }));
  server.nowMs += 60_000;
  await server.write(scrape(server.nowMs, { 200: 90, 500: 10 }));
  server.nowMs += 5_000;
  nowMs = server.nowMs;
});

afterEach(() => server.stop());

function add(override: object): Promise<Response> {
  return server.post(JSON.stringify(override), JSON_TYPE, PATH);
}

async function verdict(query = ''): Promise<string> {
  return (await server.json<{ verdict: string }>(`/api/v1/gate?service=api${query}`)).verdict;
}

const ANA = { service: 'api', name: 'ana', reason: 'this is the fix', expires: '2h' };

function text(ms: number): string {
  return new Date(ms).toISOString();
}

test('an override opens the gate until it expires, and stays in the log', async () => {
  expect(await verdict()).toBe('block');
  const response = await add(ANA);
  expect(response.status).toBe(201);
  const override = {
    id: 1,
    service: 'api',
    name: 'ana',
    reason: 'this is the fix',
    createdAt: text(nowMs),
    expiresAt: text(nowMs + 2 * HOUR_MS),
    revokedAt: null,
    active: true,
  };
  expect(await response.json()).toEqual(override);
  expect(await verdict()).toBe('allow');
  const policy = 'checks: [{service: api, check: error_budget_remaining > 0, action: block_deploy}]';
  expect(await (await server.post(policy, JSON_TYPE, '/api/v1/gate')).json()).toMatchObject({ verdict: 'allow' });
  const flagger = await server.post(
    JSON.stringify({ metadata: { service: 'api' } }),
    JSON_TYPE,
    '/api/v1/gate/flagger',
  );
  expect([flagger.status, await flagger.text()]).toEqual([
    200,
    'api: allow; api/availability: the error budget is exhausted, error_budget_remaining is -99; ' +
      `overridden by ana until ${text(nowMs + 2 * HOUR_MS)}: this is the fix\n`,
  ]);
  await server.restart();
  expect(await verdict()).toBe('allow');
  server.nowMs += 2 * HOUR_MS;
  await server.write(scrape(server.nowMs, { 200: 90, 500: 10 }));
  server.nowMs += 5_000;
  expect(await verdict()).toBe('block');
  expect(await server.json(PATH)).toEqual({ overrides: [{ ...override, active: false }] });
  expect(server.log.map(({ msg }) => msg)).toContain('ana overrides the gate of api: this is the fix');
});

test('an override is taken back, once', async () => {
  await add(ANA);
  const remove = async () => (await fetch(`${server.service.url}${PATH}/1`, { method: 'DELETE' })).json();
  expect(await remove()).toMatchObject({ id: 1, revokedAt: text(nowMs), active: false });
  expect(await verdict()).toBe('block');
  server.nowMs += 1000;
  expect(await remove()).toMatchObject({ revokedAt: text(nowMs) });
  for (const id of ['2', 'x', '-1', '99999999999999999999']) {
    const response = await fetch(`${server.service.url}${PATH}/${id}`, { method: 'DELETE' });
    expect([response.status, await response.json()]).toMatchObject([404, { error: { code: 'override_not_found' } }]);
  }
});

test('overrides are listed newest first, of one service or of all', async () => {
  await add(ANA);
  await add({ ...ANA, name: 'bob', expires: text(nowMs + HOUR_MS) });
  const names = async (query: string) =>
    (await server.json<{ overrides: { name: string }[] }>(PATH + query)).overrides.map(({ name }) => name);
  expect(await names('')).toEqual(['bob', 'ana']);
  expect(await names('?service=api')).toEqual(['bob', 'ana']);
  expect(await names('?service=web')).toEqual([]);
});

test('what is wrong with an override is said with its place', async () => {
  const f = async (override: object, message: string): Promise<void> => {
    const response = await add(override);
    expect([response.status, await response.json()]).toEqual([400, { error: { code: 'invalid_document', message } }]);
  };
  await f({}, ['service', 'name', 'reason', 'expires'].map((key) => `1:1: ${key}: is required`).join('\n'));
  await f({ ...ANA, service: 'web' }, '1:12: service: there is no service web');
  await f({ ...ANA, reason: ' ' }, '1:40: reason: must not be empty');
  await f({ ...ANA, reason: 'a\nb' }, '1:42: reason: must be one line, without control characters');
  await f({ ...ANA, expires: '0' }, '1:68: expires: must be in the future');
  await f({ ...ANA, expires: text(nowMs) }, '1:68: expires: must be in the future');
  await f({ ...ANA, expires: '31d' }, '1:68: expires: must be at most 30d from now');
  const expiry = 'must be a time in RFC 3339 or Unix seconds, or a duration such as 2h';
  await f({ ...ANA, expires: 'soon' }, `1:68: expires: ${expiry}, got 'soon'`);
  await f({ ...ANA, slo: 'x' }, '1:73: slo: unknown key; there are service, name, reason, expires');
});
