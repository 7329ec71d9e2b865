import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress } from '../../src/ingest/remote-write-schema.ts';
import { alertingOf } from '../support/alerting.ts';
import { bodyOf, counter as otlpCounter, point, request } from '../support/otlp.ts';
import { anSlo, BAD, counter, TOTAL } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TEST_CONFIG, TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const AVAILABILITY = anSlo();
const OTHER = anSlo({ id: 'api/other', name: 'other' });

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(NOON_MS);
});

afterEach(() => server.stop());

async function reload(slos = server.slos, config = {}, warnings: string[] = []): Promise<[number, string]> {
  server.files = { config: { ...TEST_CONFIG, dataDir: server.folder, ...config }, slos, warnings };
  return posted();
}

async function posted(): Promise<[number, string]> {
  const response = await fetch(`${server.service.url}/-/reload`, { method: 'POST' });
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  return [response.status, await response.text()];
}

async function write(counts: Record<string, number>): Promise<void> {
  expect((await server.write(scrape(server.nowMs, counts))).status).toBe(204);
}

async function state(id = 'api/availability'): Promise<SloState> {
  return server.json<SloState>(`/api/v1/slos/${id}`);
}

async function metric(series: string): Promise<number> {
  const text = await (await server.get('/metrics')).text();
  return Number(new RegExp(`^${series} (.*)$`, 'm').exec(text)?.[1]);
}

/** The message and the fields of the last line of the log. */
function lastLog(): Record<string, unknown> {
  const { level, time, pid, hostname, ...line } = server.log.at(-1)!;
  return line;
}

test('a reload says what became of each SLO, in its answer and in one line of the log', async () => {
  const removed = anSlo({ id: 'api/removed', name: 'removed' });
  await reload([AVAILABILITY, removed, OTHER]);
  const stricter = anSlo({ objective: 0.9999, errorBudget: 0.0001, owner: 'team-edge' });
  const recounted = anSlo({ ...OTHER, sli: { kind: 'events', total: [TOTAL], given: 'good', selectors: [BAD] } });
  const added = anSlo({ id: 'api/added', name: 'added' });
  expect(await reload([stricter, recounted, added], {}, ['a.yaml:1:1: document: warning: the file is empty'])).toEqual([
    200,
    `3 SLOs: 1 added, 1 removed, 2 changed, 0 kept
added api/added
removed api/removed
changed api/availability: owner, objective
changed api/other: sli; it begins anew
a.yaml:1:1: document: warning: the file is empty
`,
  ]);
  expect(lastLog()).toEqual({
    msg: 'reloaded: 3 SLOs: 1 added, 1 removed, 2 changed, 0 kept',
    added: ['api/added'],
    removed: ['api/removed'],
    changed: ['api/availability: owner, objective', 'api/other: sli; it begins anew'],
    applied: [],
    waiting: [],
    warnings: ['a.yaml:1:1: document: warning: the file is empty'],
  });
  const { slos } = await server.json<{ slos: SloState[] }>('/api/v1/slos');
  expect(slos.map(({ id }) => id)).toEqual(['api/availability', 'api/other', 'api/added']);
  expect((await server.get('/api/v1/slos/api/removed')).status).toBe(404);
});

test('an SLO whose objective, window or alerts changed keeps its events, and goes on counting', async () => {
  await write({ 200: 100, 500: 0 });
  server.nowMs += 15_000;
  await write({ 200: 150, 500: 2 });
  const changed = anSlo(
    { objective: 0.99, errorBudget: 0.01, alerts: { ...AVAILABILITY.alerts, minBadEvents: 5 } },
    '7d',
  );
  await reload([changed]);
  server.nowMs += 15_000;
  await write({ 200: 160, 500: 3 });
  server.nowMs += 5_000;
  const { objective, window, events } = await state();
  expect({ objective, window, events }).toEqual({
    objective: 0.99,
    window: { kind: 'rolling', duration: '7d' },
    events: { good: 60, bad: 3, total: 63 },
  });
});

/** Sends four times, with a reload after each. */
async function reloadedOver(send: (step: number) => Promise<Response>): Promise<void> {
  const { slos } = server;
  for (let step = 0; step < 4; step++) {
    expect([200, 204]).toContain((await send(step)).status);
    await reload(step % 2 === 0 ? [...slos, OTHER] : slos);
    server.nowMs += 15_000;
  }
}

test('senders of remote write go on where they were', async () => {
  await reloadedOver((step) => server.write(scrape(server.nowMs, { 200: 100 * step, 500: step })));
  expect((await state()).events).toEqual({ good: 300, bad: 3, total: 303 });
  const headers = { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request' };
  await reloadedOver((step) =>
    server.post(compress(encodeRequest2(scrape(server.nowMs, { 200: 300 + 100 * step, 500: 3 + step }))), headers),
  );
  expect((await state()).events).toEqual({ good: 600, bad: 6, total: 606 });
});

test('senders of OTLP go on where they were', async () => {
  const failed = counter('requests_total', { code: /5../ });
  const sli = { kind: 'events', total: [counter('requests_total')], given: 'bad', selectors: [failed] } as const;
  server.slos = [anSlo({ sli })];
  await reload();
  const resource = { 'service.name': 'shop', 'service.instance.id': 'a' };
  const begunMs = NOON_MS - 1_000;
  await reloadedOver((step) => {
    const points = [
      point(server.nowMs, 10 * step, { code: '200' }, begunMs),
      point(server.nowMs, step, { code: '500' }, begunMs),
    ];
    const body = bodyOf(request([otlpCounter('requests', points)], resource), 'protobuf');
    const headers = { 'content-type': 'application/x-protobuf' };
    return fetch(`${server.service.url}/v1/metrics`, { method: 'POST', body, headers });
  });
  expect((await state()).events).toEqual({ good: 30, bad: 3, total: 33 });
});

test('an id that was pushed is known after a reload', async () => {
  const pushed = async (id: string) => {
    const body = JSON.stringify([{ slo: 'api/availability', bad: 1, id }]);
    return (await server.post(body, { 'content-type': 'application/json' }, '/api/v1/events')).json();
  };
  expect(await pushed('run-1')).toEqual({ accepted: 1, duplicates: 0 });
  await reload([AVAILABILITY, OTHER]);
  expect(await pushed('run-1')).toEqual({ accepted: 0, duplicates: 1 });
});

test('an alert that fires goes on firing since when it did, and history goes on as well', async () => {
  await write({ 200: 0, 500: 0 });
  for (let minute = 1; minute <= 20; minute++) {
    server.nowMs += 60_000;
    await write({ 200: 100 * minute, 500: 100 * minute });
    server.service.engine.evaluate(server.nowMs);
  }
  const before = await state();
  expect(before.alerts.find(({ name }) => name === 'page-quick')!.state).toBe('firing');
  await reload([anSlo({ owner: 'team-edge' }), OTHER]);
  expect(await state()).toEqual({ ...before, owner: 'team-edge' });
  server.service.engine.evaluate(server.nowMs);
  expect((await state()).alerts).toEqual(before.alerts);
  server.nowMs += 60_000;
  await write({ 200: 2_100, 500: 2_000 });
  server.nowMs += 5_000;
  const { points } = await server.json<{ points: { good: number; bad: number }[] }>(
    '/api/v1/slos/api/availability/history',
  );
  const sum = (key: 'good' | 'bad') => points.reduce((total, point) => total + point[key], 0);
  expect([sum('good'), sum('bad')]).toEqual([2_100, 2_000]);
});

test('a series that an SLO wants only now is an opening balance, and so is it after a restart', async () => {
  const send = async (value: number) => {
    const more = scrape(server.nowMs, { 200: value, 404: value });
    expect((await server.write(more)).status).toBe(204);
  };
  const wanting = (name: string, code: RegExp) => {
    const of = counter('requests', { job: 'api', code });
    return anSlo({ id: `api/${name}`, name, sli: { kind: 'events', total: [of], given: 'bad', selectors: [BAD] } });
  };
  server.slos = [wanting('before', /2../)];
  await reload();
  await send(500);
  server.nowMs += 15_000;
  server.slos = [...server.slos, wanting('later', /4../)];
  await reload();
  await send(510);
  server.nowMs += 15_000;
  await send(530);
  server.nowMs += 5_000;
  const counted = async () => [(await state('api/before')).events.good, (await state('api/later')).events.good];
  expect(await counted()).toEqual([30, 20]);
  await server.restart();
  expect(await counted()).toEqual([30, 20]);
});

test('files with a mistake change nothing, and everything that is wrong is said', async () => {
  await write({ 200: 100, 500: 0 });
  const before = await state();
  const problems = ['a.yaml:3:5: slos[0].objectve: unknown key; did you mean objective?', 'b.yaml: no such file'];
  server.files = { problems };
  expect(await posted()).toEqual([422, `${problems.join('\n')}\n`]);
  expect(lastLog()).toEqual({
    msg: 'not reloaded, the files are wrong: the SLOs that run are those of before',
    problems,
  });
  expect(await state()).toEqual(before);
  expect(await metric('slipstream_config_last_reload_successful')).toBe(0);
  expect(await metric('slipstream_config_last_reload_success_timestamp_seconds')).toBe(NOON_MS / 1000);
  server.nowMs += 60_000;
  expect(await reload([AVAILABILITY])).toEqual([200, '1 SLO: 0 added, 0 removed, 0 changed, 1 kept\n']);
  expect(await metric('slipstream_config_last_reload_successful')).toBe(1);
  expect(await metric('slipstream_config_last_reload_success_timestamp_seconds')).toBe(NOON_MS / 1000 + 60);
  expect(await metric('slipstream_config_reload_duration_seconds_count')).toBe(2);
});

test('settings are applied where a running server can, and wait for a restart where it cannot', async () => {
  await write({ 200: 100, 500: 0 });
  server.nowMs += 15_000;
  await write({ 200: 200, 500: 0 });
  const settings = {
    settleMs: 60_000,
    listen: { host: '127.0.0.1', port: 1 },
    limits: { ...TEST_CONFIG.limits, labelsMax: 3 },
  };
  expect(await reload([AVAILABILITY], settings)).toEqual([
    200,
    '1 SLO: 0 added, 0 removed, 0 changed, 1 kept\napplied settle\nwaits for a restart: listen\nwaits for a restart: limits\n',
  ]);
  server.nowMs += 15_000;
  await write({ 200: 300, 500: 0 });
  // With the settle of before all would have settled.
  server.nowMs += 50_000;
  expect((await state()).events.good).toBe(100);
  // What waits is said again; what was applied is not.
  expect((await reload([AVAILABILITY], settings))[1]).toContain('waits for a restart: listen\n');
  expect(lastLog()).toMatchObject({ applied: [], waiting: ['listen', 'limits'] });
});

test('requests that arrive while SLOs are replaced again and again are each counted once', async () => {
  await write({ 200: 0, 500: 0 });
  const rounds = 60;
  let isOver = false;
  const reloads = (async () => {
    let count = 0;
    while (!isOver) expect((await reload(count++ % 2 === 0 ? [AVAILABILITY, OTHER] : [AVAILABILITY]))[0]).toBe(200);
    return count;
  })();
  for (let round = 1; round <= rounds; round++) {
    server.nowMs += 1_000;
    await Promise.all([write({ 200: 10 * round }), write({ 500: round }), server.service.snapshot()]);
  }
  isOver = true;
  expect(await reloads).toBeGreaterThan(5);
  server.nowMs += 10_000;
  const expected = { good: 10 * rounds, bad: rounds, total: 11 * rounds };
  expect((await state()).events).toEqual(expected);
  await server.restart();
  expect((await state()).events).toEqual(expected);
});

test('another method is refused, and so is a reload of a server that ends', async () => {
  const get = await server.get('/-/reload');
  expect([get.status, get.headers.get('allow'), await get.json()]).toEqual([
    405,
    'POST',
    { error: { code: 'method_not_allowed', message: '/-/reload takes POST, not GET' } },
  ]);
  const closing = server.service.close();
  await expect(server.service.reload()).rejects.toThrow('the server is shutting down; try again');
  await closing;
});

test('an alerting file is taken over when anything in it changed, be it a URL', async () => {
  const told = (url: string) =>
    alertingOf(`
route: {receiver: hook}
receivers: [{name: hook, webhook_configs: [{url: "${url}"}]}]
`);
  const kept = '1 SLO: 0 added, 0 removed, 0 changed, 1 kept\n';
  expect(await reload(server.slos, { alerting: told('http://127.0.0.1:1') })).toEqual([
    200,
    `${kept}applied alerting\n`,
  ]);
  expect(await reload(server.slos, { alerting: told('http://127.0.0.1:1') })).toEqual([200, kept]);
  expect(await reload(server.slos, { alerting: told('http://127.0.0.1:2') })).toEqual([
    200,
    `${kept}applied alerting\n`,
  ]);
});
