import { afterEach, beforeEach, expect, test } from 'vitest';
import { HOUR_MS } from '../../src/engine/duration.ts';
import type { Slo } from '../../src/engine/slo.ts';
import type { SloState } from '../../src/engine/state.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const PUSHED = anSlo({ id: 'jobs/nightly', service: 'jobs', name: 'nightly', sli: { kind: 'push' } });
const SLOS: readonly Slo[] = [
  anSlo(),
  PUSHED,
  anSlo({ ...PUSHED, id: 'jobs/regional', name: 'regional', groupBy: ['region'], groupsMax: 2 }),
  anSlo({ ...PUSHED, id: 'jobs/probe', name: 'probe', sli: { kind: 'probe', gauge: counter('up', { job: 'x' }) } }),
];

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS, SLOS);
});

afterEach(() => server.stop());

const JSON_TYPE = { 'content-type': 'application/json' };

async function push(
  events: unknown,
  headers: Record<string, string> = JSON_TYPE,
): Promise<[status: number, body: object]> {
  const body = typeof events === 'string' ? events : JSON.stringify(events);
  const response = await server.post(body, { 'content-encoding': 'identity', ...headers }, '/api/v1/events');
  return [response.status, (await response.json()) as object];
}

async function stateOf(id: string): Promise<SloState> {
  return server.json<SloState>(`/api/v1/slos/${id}`);
}

const EVENT = { slo: 'jobs/nightly', good: 90, bad: 10 };

test('pushed events are counted, as of the newest push that has had its time to settle', async () => {
  expect(await push([EVENT, { ...EVENT, good: undefined, timestamp: MIDNIGHT_MS / 1000 - 60 }])).toEqual([
    200,
    { accepted: 2, duplicates: 0 },
  ]);
  expect(await stateOf('jobs/nightly')).toMatchObject({ asOf: null, sli: null, state: 'no_data', sliKind: 'push' });
  server.nowMs += 5_000;
  expect(await stateOf('jobs/nightly')).toMatchObject({
    asOf: '2026-01-01T00:00:00.000Z',
    state: 'exhausted',
    events: { good: 90, bad: 20, total: 110 },
  });
  server.nowMs += 300_001;
  expect(await stateOf('jobs/nightly')).toMatchObject({ state: 'no_data', events: { total: 110 } });
});

test('the same id counts once for an SLO, in one request, in the next, and after a restart', async () => {
  const [one, two] = [
    { ...EVENT, id: 'run-1' },
    { ...EVENT, id: 'run-2' },
  ];
  expect(await push([one, one])).toEqual([200, { accepted: 1, duplicates: 1 }]);
  expect(await push([one, two, { ...one, slo: 'api/availability' }])).toEqual([200, { accepted: 2, duplicates: 1 }]);
  await server.restart();
  expect(await push([two, { ...two, bad: 1000 }])).toEqual([200, { accepted: 0, duplicates: 2 }]);
  server.nowMs += 5_000;
  expect((await stateOf('jobs/nightly')).events).toEqual({ good: 180, bad: 20, total: 200 });
  expect((await stateOf('api/availability')).events).toEqual({ good: 90, bad: 10, total: 100 });
});

test('events join those of samples, and wait for the watermark of the targets', async () => {
  await server.write(scrape(MIDNIGHT_MS - 30_000, { 200: 100 }));
  await server.write(scrape(MIDNIGHT_MS - 15_000, { 200: 150 }));
  await push([
    { slo: 'api/availability', bad: 1, timestamp: '2025-12-31T23:59:40Z' },
    { slo: 'api/availability', bad: 2 },
  ]);
  server.nowMs += 5_000;
  expect(await stateOf('api/availability')).toMatchObject({
    asOf: '2025-12-31T23:59:45.000Z',
    events: { good: 50, bad: 1 },
  });
  await server.write(scrape(MIDNIGHT_MS + 5_000, { 200: 150 }));
  server.nowMs += 5_000;
  expect((await stateOf('api/availability')).events).toEqual({ good: 50, bad: 3, total: 53 });
});

test('a group has a budget of its own', async () => {
  const event = { ...EVENT, slo: 'jobs/regional' };
  const f = async (group: unknown, expected: string): Promise<void> => {
    expect(await push([{ ...event, group }]), expected).toEqual([
      400,
      { error: { code: 'invalid_events', message: expected } },
    ]);
  };
  await f(undefined, 'events[0].group: is required: the SLO jobs/regional is grouped by region');
  await f('eu', 'events[0].group: must be an object of region, got text');
  await f({}, 'events[0].group.region: is required');
  await f({ region: 1 }, 'events[0].group.region: must be text, got a number');
  await f({ region: 'eu', zone: 'a' }, 'events[0].group.zone: the SLO jobs/regional is grouped by region');
  await f({ region: 'x'.repeat(1025) }, 'events[0].group.region: must have at most 1024 characters, got 1025');
  expect(await push([{ ...event, group: { region: 'eu' } }])).toEqual([200, { accepted: 1, duplicates: 0 }]);
  const tooMany = 'events[1].group: the SLO jobs/regional has as many groups as it may, 2';
  const groups = (...regions: string[]) => regions.map((region) => ({ ...event, group: { region } }));
  expect(await push(groups('us', 'ap', 'eu'))).toMatchObject([400, { error: { message: tooMany } }]);
  expect(await push(groups('us', 'eu', 'us'))).toEqual([200, { accepted: 3, duplicates: 0 }]);
  server.nowMs += 5_000;
  const { events } = await server.json<SloState>('/api/v1/slos/jobs/regional?group=us');
  expect(events).toEqual({ good: 180, bad: 20, total: 200 });
});

test('every problem is said with its place, and then nothing of the request counts', async () => {
  const f = async (fields: object, ...problems: string[]): Promise<void> => {
    const message = problems.map((problem) => `events[1]${problem}`).join('; ');
    const answer = [400, { error: { code: 'invalid_events', message } }];
    expect(await push([EVENT, { ...EVENT, ...fields }]), message).toEqual(answer);
  };
  await f({ slo: undefined }, '.slo: is required');
  await f({ slo: 7 }, '.slo: must be text, got a number');
  await f({ slo: 'jobs/nigthly' }, '.slo: there is no SLO jobs/nigthly');
  await f({ slo: 'jobs/probe' }, '.slo: jobs/probe is of kind probe; events are taken by SLOs of kind events and push');
  await f({ group: { region: 'eu' } }, '.group: the SLO jobs/nightly is not grouped');
  await f({ good: undefined, bad: undefined }, ': must have good, bad or both');
  await f({ good: -1 }, '.good: must be a number from 0 to 9007199254740991, got -1');
  await f({ good: 1e300 }, '.good: must be a number from 0 to 9007199254740991, got 1e+300');
  await f({ bad: '5' }, '.bad: must be a number from 0 to 9007199254740991, got text');
  await f({ bad: null }, '.bad: must be a number from 0 to 9007199254740991, got null');
  await f({ timestamp: 'noon' }, '.timestamp: must be a time in RFC 3339 or Unix seconds, got noon');
  await f(
    { timestamp: '2026-02-30T00:00:00Z' },
    '.timestamp: must be a time in RFC 3339 or Unix seconds, got 2026-02-30T00:00:00Z',
  );
  await f({ timestamp: [] }, '.timestamp: must be a time in RFC 3339 or Unix seconds, got a list');
  await f(
    { timestamp: '2026-01-01T00:10:00.001Z' },
    '.timestamp: 2026-01-01T00:10:00.001Z is more than 10 minutes ahead of the server',
  );
  await f(
    { timestamp: MIDNIGHT_MS },
    '.timestamp: +057971-02-25T00:00:00.000Z is more than 10 minutes ahead of the server, if it is in Unix seconds',
  );
  await f({ id: '' }, '.id: must not be empty');
  await f({ id: 7 }, '.id: must be text, got a number');
  await f({ id: 'x'.repeat(129) }, '.id: must have at most 128 characters, got 129');
  await f({ id: '\ud800' }, '.id: must be Unicode text');
  await f({ godo: 1 }, '.godo: unknown key; there are slo, group, good, bad, timestamp, id');
  await f({ good: -1, id: '' }, '.good: must be a number from 0 to 9007199254740991, got -1', '.id: must not be empty');
  server.nowMs += 5_000;
  expect((await stateOf('jobs/nightly')).asOf).toBeNull();
});

test('a request is a list of at most 10,000 events, as JSON', async () => {
  const f = async (
    events: unknown,
    code: string,
    message: string,
    status = 400,
    headers = JSON_TYPE,
  ): Promise<void> => {
    expect(await push(events, headers), message).toEqual([status, { error: { code, message } }]);
  };
  await f(EVENT, 'invalid_events', 'events: must be a list, got an object');
  await f([EVENT, null], 'invalid_events', 'events[1]: must be an object, got null');
  await f(new Array(10_001).fill(0), 'invalid_events', 'events: must be at most 10000, got 10001');
  const problem = 'must be an object, got a number';
  const first = Array.from({ length: 10 }, (_, i) => `events[${i}]: ${problem}`).join('; ');
  await f(new Array(12).fill(0), 'invalid_events', `${first}; and 2 more`);
  await f('[', 'malformed_json', 'the body is not JSON: Unexpected end of JSON input');
  const large = 'the body has more than 1000000 bytes';
  await f(`[${' '.repeat(1_000_000)}]`, 'body_too_large', large, 413);
  const type = 'the content type text/plain is not read here: send application/json';
  await f([], 'not_json', type, 415, { 'content-type': 'text/plain' });
  expect(await push([])).toEqual([200, { accepted: 0, duplicates: 0 }]);
});

test('only POST is taken', async () => {
  const response = await server.get('/api/v1/events');
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  expect(await response.json()).toMatchObject({ error: { message: '/api/v1/events takes POST, not GET' } });
});

test('what is older than the window is accepted, counts nothing, and is said', async () => {
  const old = { ...EVENT, timestamp: (MIDNIGHT_MS - 30 * 24 * HOUR_MS) / 1000, id: 'old' };
  expect(await push([old, EVENT])).toEqual([200, { accepted: 2, duplicates: 0, tooOld: 1 }]);
  server.nowMs += 5_000;
  expect((await stateOf('jobs/nightly')).events.total).toBe(100);
  const metrics = await (await server.get('/metrics')).text();
  expect(metrics).toContain('slipstream_samples_received_total{protocol="push"} 2\n');
  expect(metrics).toContain('slipstream_samples_accepted_total{protocol="push"} 1\n');
  expect(metrics).toContain('slipstream_samples_ignored_total{protocol="push",reason="too_old"} 1\n');
});
