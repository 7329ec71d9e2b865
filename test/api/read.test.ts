import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SloState, Verdict } from '../../src/engine/state.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;

function sloOf(service: string, name: string, labels: Record<string, string>) {
  return anSlo({
    id: `${service}/${name}`,
    service,
    name,
    labels,
    sli: {
      kind: 'events',
      total: [counter('requests', { job: service })],
      given: 'bad',
      selectors: [counter('requests', { job: service, code: /5../ })],
    },
  });
}

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(NOON_MS, [
    sloOf('api', 'availability', { tier: 'gold', region: 'eu' }),
    sloOf('api', 'writes', { tier: 'silver' }),
    sloOf('shop', 'checkout', { tier: 'gold' }),
  ]);
});

afterEach(() => server.stop());

/** Two scrapes of one job, and the time that lets their watermark settle. */
async function receive(job: string, first: Record<string, number>, second: Record<string, number>): Promise<void> {
  for (const counts of [first, second]) {
    server.nowMs += 15_000;
    expect((await server.write(scrape(server.nowMs, counts, 'a', job))).status).toBe(204);
  }
  server.nowMs += 5_000;
}

async function refused(path: string, status: number, code: string, message: string): Promise<void> {
  const response = await server.get(path);
  expect([response.status, await response.json()]).toEqual([status, { error: { code, message } }]);
}

describe('GET /api/v1/slos', () => {
  async function ids(query: string): Promise<string[]> {
    const { slos } = await server.json<{ slos: SloState[] }>(`/api/v1/slos${query}`);
    return slos.map(({ id }) => id);
  }

  test('lists all SLOs in the order of their definitions', async () => {
    expect(await ids('')).toEqual(['api/availability', 'api/writes', 'shop/checkout']);
  });

  test('is filtered by service, by labels that must all hold, and by state', async () => {
    await receive('shop', { 200: 0 }, { 200: 100 });
    expect(await ids('?service=api')).toEqual(['api/availability', 'api/writes']);
    expect(await ids('?label=tier=gold')).toEqual(['api/availability', 'shop/checkout']);
    expect(await ids('?label=tier=gold&label=region=eu')).toEqual(['api/availability']);
    expect(await ids('?state=healthy')).toEqual(['shop/checkout']);
    expect(await ids('?service=api&state=no_data&label=tier%3Dsilver')).toEqual(['api/writes']);
    expect(await ids('?service=nobody')).toEqual([]);
    expect(await ids('?label=toString=1')).toEqual([]);
  });

  test('refuses a filter that it does not understand', async () => {
    const path = '/api/v1/slos';
    await refused(
      `${path}?label=tier`,
      400,
      'bad_parameter',
      'the query parameter label must be key=value, got "tier"',
    );
    await refused(
      `${path}?state=bad`,
      400,
      'bad_parameter',
      'the query parameter state must be one of healthy, at_risk, exhausted, no_data, got "bad"',
    );
    await refused(
      `${path}?services=api`,
      400,
      'unknown_parameter',
      'there is no query parameter services here; there are service, label, state',
    );
    await refused(
      `${path}?service=a&service=b`,
      400,
      'repeated_parameter',
      'the query parameter service may be given once',
    );
  });
});

describe('GET /api/v1/slos/{service}/{name}', () => {
  test('has the state of one SLO', async () => {
    await receive('api', { 200: 1000, 500: 0 }, { 200: 1999, 500: 1 });
    const state = await server.json<SloState>('/api/v1/slos/api/availability');
    expect(state).toMatchObject({
      id: 'api/availability',
      labels: { tier: 'gold', region: 'eu' },
      sliKind: 'events',
      objective: 0.999,
      window: { kind: 'rolling', duration: '30d' },
      asOf: new Date(server.nowMs - 5_000).toISOString(),
      events: { good: 999, bad: 1, total: 1000 },
      sli: 0.999,
    });
    expect(state.errorBudget.remaining).toBeCloseTo(0, 9);
    expect(Object.keys(state.burnRates)).toEqual(['5m', '30m', '1h', '2h', '6h', '1d', '3d', '30d']);
  });

  test('is null where nothing was ever observed', async () => {
    const state = await server.json<SloState>('/api/v1/slos/api/availability');
    expect(state).toMatchObject({ asOf: null, state: 'no_data', sli: null, errorBudget: { remaining: null } });
  });

  test('is 404 for an SLO that does not exist', async () => {
    await refused('/api/v1/slos/api/latency', 404, 'slo_not_found', 'there is no SLO api/latency');
    await refused('/api/v1/slos/%F0%9F%8D%95/x', 404, 'slo_not_found', 'there is no SLO 🍕/x');
  });

  test('is 400 when a group of an ungrouped SLO is asked for', async () => {
    const message = 'the SLO api/availability is not grouped: ask without group';
    await refused('/api/v1/slos/api/availability?group=region=eu', 400, 'not_grouped', message);
  });
});

describe('GET /api/v1/gate', () => {
  async function verdict(query: string): Promise<Verdict> {
    return await server.json<Verdict>(`/api/v1/gate${query}`);
  }

  test('allows a service whose budgets are fine and blocks one whose budget is spent', async () => {
    await receive('shop', { 200: 0 }, { 200: 100 });
    expect(await verdict('?service=shop')).toMatchObject({ verdict: 'allow', ok: true, reasons: [] });
    await receive('api', { 200: 0, 500: 0 }, { 200: 50, 500: 50 });
    const blocked = await verdict('?service=api&slo=availability');
    expect(blocked).toMatchObject({ verdict: 'block', ok: false, service: 'api' });
    expect(blocked.reasons[0]).toContain('api/availability: the error budget is exhausted');
    expect(blocked.checks.every(({ slo }) => slo === 'api/availability')).toBe(true);
  });

  test('is 200 and unknown without data, and for what does not exist', async () => {
    const unknown = { verdict: 'unknown', ok: false, asOf: null, checks: [] };
    expect(await verdict('?service=shop')).toMatchObject(unknown);
    expect(await verdict('?service=nobody')).toEqual({
      ...unknown,
      service: 'nobody',
      reasons: ['there is no service "nobody"'],
    });
    expect(await verdict('?service=shop&slo=nothing')).toMatchObject({
      ...unknown,
      reasons: ['service "shop" has no SLO "nothing"'],
    });
  });

  test('is 400 without a service', async () => {
    await refused('/api/v1/gate', 400, 'missing_parameter', 'the query parameter service is required');
    await refused('/api/v1/gate?service=', 400, 'missing_parameter', 'the query parameter service is required');
  });
});

describe('every resource', () => {
  test('answers 404, 405 and malformed URLs in the JSON of the catalogue', async () => {
    await refused('/nothing?here', 404, 'not_found', 'there is nothing at /nothing');
    await refused('/api/v1/slos/%zz/x', 400, 'bad_request', "'/api/v1/slos/%zz/x' is not a valid url component");
    for (const path of ['/api/v1/slos', '/api/v1/slos/api/availability', '/metrics', '/-/ready']) {
      const response = await fetch(server.service.url + path, { method: 'POST', body: '{' });
      expect(response.status, path).toBe(405);
      expect(response.headers.get('allow')).toBe('GET, HEAD');
      expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
    }
  });

  test('answers HEAD, and does not say what it is made of', async () => {
    for (const path of ['/api/v1/slos', '/metrics', '/-/healthy', '/-/ready']) {
      const response = await fetch(server.service.url + path, { method: 'HEAD' });
      expect([response.status, await response.text()]).toEqual([200, '']);
      expect(response.headers.has('x-powered-by')).toBe(false);
    }
  });

  test('is healthy and ready in the words of Prometheus', async () => {
    expect(await (await server.get('/-/healthy')).text()).toBe('Slipstream is Healthy.\n');
    expect(await (await server.get('/-/ready')).text()).toBe('Slipstream is Ready.\n');
  });
});
