import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const MINUTE_MS = 60_000;
const NOON_MS = MIDNIGHT_MS + 12 * 60 * MINUTE_MS;
const PATH = '/api/v1/slos/api/availability/impact';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(NOON_MS);
});

afterEach(() => server.stop());

function time(ms: number): string {
  return new Date(ms).toISOString();
}

async function incident(): Promise<void> {
  await server.write(scrape(NOON_MS - 3 * MINUTE_MS, { 200: 0, 500: 0 }));
  await server.write(scrape(NOON_MS - 2 * MINUTE_MS, { 200: 50_000, 500: 0 }));
  await server.write(scrape(NOON_MS - MINUTE_MS, { 200: 69_970, 500: 30 }));
  await server.write(scrape(NOON_MS, { 200: 99_970, 500: 30 }));
  server.nowMs = NOON_MS + 5_000;
}

test('an incident has cost its share of the budget', async () => {
  await incident();
  const query = `?from=${time(NOON_MS - 2 * MINUTE_MS)}&to=${time(NOON_MS)}`;
  const { errorBudget } = await server.json<SloState>('/api/v1/slos/api/availability');
  const expected = {
    from: time(NOON_MS - 2 * MINUTE_MS),
    to: time(NOON_MS),
    events: { good: 49_970, bad: 30, total: 50_000 },
    budgetSpent: 0.3,
    remainingBefore: 1,
    remainingAfter: errorBudget.remaining,
    lowestRemaining: 1 - 30 / 70_000 / 0.001,
    lowestAt: time(NOON_MS - MINUTE_MS),
  };
  expect(await server.json(PATH + query)).toEqual(expected);
  await server.restart();
  expect(await server.json(`${PATH}?from=${(NOON_MS - 2 * MINUTE_MS) / 1000}`)).toEqual(expected);
});

test('of a grouped SLO the impact is that on one group', async () => {
  await server.stop();
  server = await TestServer.start(NOON_MS, [anSlo({ groupBy: ['instance'] })]);
  await incident();
  const from = `from=${time(NOON_MS - 2 * MINUTE_MS)}`;
  expect(await server.json(`${PATH}?${from}&group=a`)).toMatchObject({ budgetSpent: 0.3 });
  expect((await server.get(`${PATH}?${from}`)).status).toBe(400);
});

test('what cannot be answered is refused', async () => {
  const f = async (query: string, message: string, path = PATH): Promise<void> => {
    const response = await server.get(path + query);
    expect(await response.json(), query).toMatchObject({ error: { message } });
  };
  await f('', 'the query parameter from is required');
  await f('?from=x', 'the query parameter from must be a time in RFC 3339 or Unix seconds, got "x"');
  await f('?from=20&to=10', 'the query parameter from must be before to, 1970-01-01T00:00:10.000Z, got "20"');
  await f('?step=1m', 'there is no query parameter step here; there are from, to, group');
  await f('?from=0', 'there is no SLO api/latency', '/api/v1/slos/api/latency/impact');
});
