import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HistoryPoint } from '../../src/engine/history.ts';
import type { SloState } from '../../src/engine/state.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOON_MS = MIDNIGHT_MS + 12 * HOUR_MS;
const SLO = anSlo();
const PATH = '/api/v1/slos/api/availability/history';

let server: TestServer;

async function start(slos = [SLO]): Promise<void> {
  server = await TestServer.start(NOON_MS, slos);
}

beforeEach(() => start());

afterEach(() => server.stop());

async function receive(tMs: number, good: number, bad: number, instance = 'a'): Promise<void> {
  expect((await server.write(scrape(tMs, { 200: good, 500: bad }, instance))).status).toBe(204);
}

async function points(query: Record<string, string | number> = {}, path = PATH): Promise<HistoryPoint[]> {
  const parameters = new URLSearchParams(query as Record<string, string>);
  return (await server.json<{ points: HistoryPoint[] }>(`${path}?${parameters}`)).points;
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}

async function state(): Promise<SloState> {
  return server.json<SloState>('/api/v1/slos/api/availability');
}

function total(all: readonly HistoryPoint[]): [good: number, bad: number] {
  return [all.reduce((sum, { good }) => sum + good, 0), all.reduce((sum, { bad }) => sum + bad, 0)];
}

/** Three scrapes a minute apart before noon, and the time that lets the last one settle. */
async function receiveThree(): Promise<void> {
  await receive(NOON_MS - 2 * MINUTE_MS, 1000, 10);
  await receive(NOON_MS - MINUTE_MS, 1900, 10);
  await receive(NOON_MS, 2800, 110);
  server.nowMs = NOON_MS + 5_000;
}

describe('GET /api/v1/slos/{service}/{name}/history', () => {
  test('answers with points of a fixed shape, the last of which is what the SLO is now', async () => {
    await receiveThree();
    const all = await points({ from: time(NOON_MS - 3 * MINUTE_MS), step: '1m' });
    expect(all.map(({ t, good, bad, total, sli }) => [t, good, bad, total, sli])).toEqual([
      [time(NOON_MS - 2 * MINUTE_MS), 0, 0, 0, null],
      [time(NOON_MS - MINUTE_MS), 900, 0, 900, 1],
      [time(NOON_MS), 900, 100, 1000, 0.9],
    ]);
    expect(all.map(({ budgetRemaining }) => budgetRemaining)).toEqual([null, 1, 1 - 100 / 1900 / 0.001]);
    const present = await state();
    expect(Object.keys(all[2]!)).toEqual(['t', 'good', 'bad', 'total', 'sli', 'budgetRemaining', 'burnRates']);
    expect(all[2]!.burnRates).toEqual(present.burnRates);
    expect(all[2]!.budgetRemaining).toBe(present.errorBudget.remaining);
    expect(new Set(Object.values(all[0]!.burnRates))).toEqual(new Set([null]));
  });

  test('spans the SLO window up to the watermark by default, in about 300 steps', async () => {
    await receiveThree();
    const all = await points();
    expect(all.length).toBe(360);
    expect(all[0]!.t).toBe(time(NOON_MS - 30 * DAY_MS + 2 * HOUR_MS));
    expect(all.at(-1)!.t).toBe(time(NOON_MS));
    expect(total(all)).toEqual([1800, 100]);
  });

  test('shows back-filled samples where they happened', async () => {
    for (const [days, good, bad] of [
      [10, 0, 0],
      [3, 500, 5],
      [1, 700, 5],
    ] as const) {
      await receive(NOON_MS - days * DAY_MS, good, bad);
    }
    await receive(NOON_MS, 1000, 25);
    server.nowMs += 5_000;
    const all = await points({ from: time(NOON_MS - 5 * DAY_MS), step: '1d' });
    expect(all.map(({ good, bad }) => [good, bad])).toEqual([
      [0, 0],
      [500, 5],
      [0, 0],
      [200, 0],
      [300, 20],
    ]);
    await server.service.snapshot();
    expect(await points({ from: time(NOON_MS - 5 * DAY_MS), step: '1d' })).toEqual(all);
    // What a sender that was offline brings later is added.
    await receive(NOON_MS - 6 * DAY_MS, 0, 0, 'b');
    await receive(NOON_MS - 4 * DAY_MS, 40, 4, 'b');
    await receive(NOON_MS - 3 * DAY_MS, 70, 4, 'b');
    const later = await points({ from: time(NOON_MS - 5 * DAY_MS), step: '1d' });
    expect(later.slice(0, 2).map(({ good, bad }) => [good, bad])).toEqual([
      [40, 4],
      [530, 5],
    ]);
  });

  test('takes times in RFC 3339 and in Unix seconds, and steps as durations and in seconds', async () => {
    await receiveThree();
    const expected = await points({ from: time(NOON_MS - HOUR_MS), to: time(NOON_MS), step: '5m' });
    expect(expected.length).toBe(12);
    const seconds = { from: (NOON_MS - HOUR_MS) / 1000, to: NOON_MS / 1000, step: 300 };
    expect(await points(seconds)).toEqual(expected);
    const zone = { from: '2026-01-01T13:00:00+02:00', to: '2026-01-01t12:00:00.000z', step: '300.0' };
    expect(await points(zone)).toEqual(expected);
    expect(await server.json(`${PATH}?from=2026-01-01T13:00:00+02:00&to=${NOON_MS / 1000}&step=5m`)).toEqual({
      points: expected,
    });
  });

  test('goes beyond the watermark without knowing anything there', async () => {
    await receiveThree();
    const all = await points({ from: time(NOON_MS - 90_000), to: time(NOON_MS + 2 * MINUTE_MS), step: '1m' });
    expect(all.map(({ good, bad, budgetRemaining }) => [good, bad, budgetRemaining === null])).toEqual([
      [900, 50, false],
      [450, 50, false],
      [0, 0, true],
    ]);
  });

  test('of an SLO that has seen nothing is empty of events and null in everything else', async () => {
    const all = await points({ step: '1d' });
    expect(all.length).toBe(30);
    expect(all.at(-1)).toMatchObject({ t: time(NOON_MS), good: 0, bad: 0, total: 0, sli: null, budgetRemaining: null });
  });

  test('is the same after a restart, and after the objective was changed it is judged by the new one', async () => {
    await receiveThree();
    const query = { from: time(NOON_MS - 3 * MINUTE_MS), step: '1m' };
    const before = await points(query);
    await server.restart();
    expect(await points(query)).toEqual(before);
    await server.service.close();
    (server as { slos: unknown }).slos = [anSlo({ objective: 0.9, errorBudget: 0.1 }, '28d')];
    await server.restart();
    const after = await points(query);
    expect(after.map(({ good, bad }) => [good, bad])).toEqual(before.map(({ good, bad }) => [good, bad]));
    expect(after[2]!.budgetRemaining).toBe(1 - 100 / 1900 / 0.1);
    expect(Object.keys(after[2]!.burnRates)).toContain('28d');
  });

  test('of a calendar window begins with its period', async () => {
    await server.stop();
    const periodOf = () => ({ startMs: MIDNIGHT_MS, endMs: MIDNIGHT_MS + 31 * DAY_MS });
    await start([anSlo({ window: { kind: 'calendar', unit: 'month', timezone: 'UTC', periodOf } })]);
    await receiveThree();
    const all = await points();
    expect([all[0]!.t, all.at(-1)!.t, all.length]).toEqual([time(MIDNIGHT_MS + 2 * MINUTE_MS), time(NOON_MS), 360]);
    expect(all.at(-1)!.burnRates['month']).toBe((await state()).burnRates['month']);
  });
});

describe('of a grouped SLO', () => {
  beforeEach(async () => {
    await server.stop();
    await start([anSlo({ groupBy: ['instance'] })]);
    await receive(NOON_MS - MINUTE_MS, 0, 0, 'a');
    await receive(NOON_MS - MINUTE_MS, 0, 0, 'b');
    await receive(NOON_MS, 10, 1, 'a');
    await receive(NOON_MS, 20, 2, 'b');
    server.nowMs += 5_000;
  });

  test('history is that of one group', async () => {
    const of = async (group: string) => total(await points({ group }));
    expect(await of('a')).toEqual([10, 1]);
    expect(await of('instance=b')).toEqual([20, 2]);
    await server.restart();
    expect(await of('instance=b')).toEqual([20, 2]);
  });

  test('history must be asked for by group', async () => {
    await refused('', 400, 'missing_parameter', 'the query parameter group is required');
    await refused('?group=c', 404, 'group_not_found', 'the SLO api/availability has no group c');
  });
});

async function refused(query: string, status: number, code: string, message: string, path = PATH): Promise<void> {
  const response = await server.get(`${path}${query}`);
  expect([response.status, await response.json()]).toEqual([status, { error: { code, message } }]);
}

test('a group of several labels needs all of them', async () => {
  await server.stop();
  await start([anSlo({ groupBy: ['instance', 'job'] })]);
  await receive(NOON_MS, 0, 0);
  const expected = 'given for each of instance, job as label=value';
  const message = `the query parameter group must be ${expected}, got "job=api"`;
  await refused('?group=job=api', 400, 'bad_parameter', message);
  expect((await server.get(`${PATH}?group=job=api&group=instance=a`)).status).toBe(200);
  await refused(
    '?group=a',
    400,
    'bad_parameter',
    'the query parameter group must be label=value of instance, job, got "a"',
  );
});

describe('history refuses', () => {
  const bad = (query: string, message: string) =>
    refused(query, 400, 'bad_parameter', `the query parameter ${message}`);

  test('what does not exist', async () => {
    const path = '/api/v1/slos/api/latency/history';
    await refused('', 404, 'slo_not_found', 'there is no SLO api/latency', path);
    await refused('?group=a', 400, 'not_grouped', 'the SLO api/availability is not grouped: ask without group');
    const known = 'there is no query parameter form here; there are from, to, step, group';
    await refused('?form=1', 400, 'unknown_parameter', known);
  });

  test('times that are none', async () => {
    const expected = 'must be a time in RFC 3339 or Unix seconds, got';
    await bad('?from=yesterday', `from ${expected} "yesterday"`);
    await bad('?from=2026-01-01', `from ${expected} "2026-01-01"`);
    await bad('?to=2026-13-01T00:00:00Z', `to ${expected} "2026-13-01T00:00:00Z"`);
    await bad('?to=1e400', `to ${expected} "1e400"`);
    await bad('?to=99999999999999', `to ${expected} "99999999999999"`);
    await bad('?from=NaN', `from ${expected} "NaN"`);
  });

  test('a time that does not go forward', async () => {
    await bad('?from=1800000000', `from must be before to, ${time(NOON_MS)}, got "1800000000"`);
    await bad('?from=100&to=100', 'from must be before to, 1970-01-01T00:01:40.000Z, got "100"');
  });

  test('steps that are none, and those finer than history is', async () => {
    await bad('?step=often', 'step must be a duration or seconds, got "often"');
    const finest = 'step must be at least 1m, as history is kept by the minute, got';
    for (const step of ['59s', '59.999', '0', '-60']) await bad(`?step=${step}`, `${finest} "${step}"`);
  });

  test('more points than it answers', async () => {
    const answer = (count: number) => points({ from: NOON_MS / 1000 - count * 60, step: '1m' });
    expect((await answer(11_000)).length).toBe(11_000);
    await refused(
      `?from=${NOON_MS / 1000 - 11_001 * 60}&step=1m`,
      400,
      'too_many_points',
      'the answer would have 11001 points and may have 11000: ask for a longer step or a shorter time',
    );
  });
});
