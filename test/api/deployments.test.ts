import { afterEach, beforeEach, expect, test } from 'vitest';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const PATH = '/api/v1/deployments';
const MINUTE_MS = 60_000;
const JSON_TYPE = { 'content-type': 'application/json', 'content-encoding': 'identity' };

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS);
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }));
  server.nowMs += 3 * MINUTE_MS;
  await server.write(scrape(MIDNIGHT_MS + MINUTE_MS, { 200: 30_000, 500: 0 }));
  await server.write(scrape(MIDNIGHT_MS + 2 * MINUTE_MS, { 200: 59_970, 500: 30 }));
  await server.write(scrape(MIDNIGHT_MS + 3 * MINUTE_MS, { 200: 99_960, 500: 40 }));
  server.nowMs += 5_000;
});

afterEach(() => server.stop());

function add(deployment: object): Promise<Response> {
  return server.post(JSON.stringify(deployment), JSON_TYPE, PATH);
}

function text(ms: number): string {
  return new Date(ms).toISOString();
}

test('each deploy is told with what it burnt until the next', async () => {
  const url = 'https://ci.example/2';
  const first = await add({ service: 'api', version: '1.10', timestamp: text(MIDNIGHT_MS + MINUTE_MS), url });
  expect([first.status, await first.json()]).toEqual([
    201,
    { id: 1, service: 'api', version: '1.10', timestamp: text(MIDNIGHT_MS + MINUTE_MS), url },
  ]);
  await add({ service: 'api', version: 2, timestamp: (MIDNIGHT_MS + 2 * MINUTE_MS) / 1000 });
  const cost = (good: number, bad: number, budgetSpent: number) => [
    { slo: 'api/availability', events: { good, bad, total: good + bad }, budgetSpent },
  ];
  const expected = [
    {
      id: 2,
      service: 'api',
      version: '2',
      timestamp: text(MIDNIGHT_MS + 2 * MINUTE_MS),
      url: null,
      until: text(server.nowMs),
      slos: cost(39_990, 10, 0.1),
    },
    {
      id: 1,
      service: 'api',
      version: '1.10',
      timestamp: text(MIDNIGHT_MS + MINUTE_MS),
      url,
      until: text(MIDNIGHT_MS + 2 * MINUTE_MS),
      slos: cost(29_970, 30, 0.5),
    },
  ];
  expect(await server.json(PATH)).toEqual({ deployments: expected });
  expect(await server.json(`${PATH}?service=api&limit=1`)).toEqual({ deployments: expected.slice(0, 1) });
  expect(await server.json(`${PATH}?service=web`)).toEqual({ deployments: [] });
  await server.restart();
  expect(await server.json(PATH)).toEqual({ deployments: expected });
});

test('the same version at the same time is one deploy; without a time it is now', async () => {
  const now = { service: 'api', version: 'a' };
  expect(await (await add(now)).json()).toMatchObject({ id: 1, timestamp: text(server.nowMs) });
  expect(await (await add(now)).json()).toMatchObject({ id: 1 });
  expect(await (await add({ ...now, version: 'b' })).json()).toMatchObject({ id: 2 });
});

test('the groups of an SLO are told one by one', async () => {
  await server.stop();
  server = await TestServer.start(MIDNIGHT_MS + MINUTE_MS, [anSlo({ groupBy: ['instance'] })]);
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }, 'a'));
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }, 'b'));
  await server.write(scrape(server.nowMs, { 200: 1, 500: 1 }, 'a'));
  await server.write(scrape(server.nowMs, { 200: 1, 500: 0 }, 'b'));
  await add({ service: 'api', version: '1', timestamp: text(MIDNIGHT_MS) });
  server.nowMs += 5_000;
  expect(await server.json(PATH)).toMatchObject({
    deployments: [{ slos: [{ group: { instance: 'a' }, events: { bad: 1 } }, { group: { instance: 'b' } }] }],
  });
});

test('what is wrong with a deploy is said with its place', async () => {
  const f = async (deployment: object, message: string): Promise<void> => {
    const response = await add(deployment);
    expect([response.status, await response.json()]).toEqual([400, { error: { code: 'invalid_document', message } }]);
  };
  await f({ service: 'web', version: '1' }, '1:12: service: there is no service web');
  await f({ service: 'api' }, '1:1: version: is required');
  const future = { service: 'api', version: '1', timestamp: text(server.nowMs + 1) };
  await f(future, '1:44: timestamp: must not be in the future');
  const time = 'must be a time in RFC 3339 or Unix seconds';
  await f({ ...future, timestamp: 'now' }, `1:44: timestamp: ${time}, got 'now'`);
  const response = await server.get(`${PATH}?limit=0`);
  expect(await response.json()).toMatchObject({
    error: { message: 'the query parameter limit must be a whole number from 1 to 200, got "0"' },
  });
});
