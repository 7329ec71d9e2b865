import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DegradedLog } from '../../src/api/degraded-log.ts';
import { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import type { SloSources } from '../../src/engine/slo-sources.ts';
import type { PushSourceState, SourceState } from '../../src/engine/sources.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const SLOS = [
  anSlo(),
  anSlo({
    id: 'api/latency',
    name: 'latency',
    sli: { kind: 'latency', histogram: counter('latency', { job: 'api' }), thresholdSeconds: 0.3 },
  }),
  anSlo({ id: 'jobs/nightly', service: 'jobs', name: 'nightly', sli: { kind: 'push' } }),
];

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS, SLOS);
});

afterEach(() => server.stop());

interface Sources {
  sources: SourceState[];
  total: number;
  pushes: PushSourceState[];
}

const sources = (query = ''): Promise<Sources> => server.json<Sources>(`/api/v1/sources${query}`);
const sourcesOf = (id: string): Promise<SloSources> => server.json<SloSources>(`/api/v1/slos/${id}/sources`);

async function push(events: object[]): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-encoding': 'identity' };
  expect((await server.post(JSON.stringify(events), headers, '/api/v1/events')).status).toBe(200);
}

test('a source tells what it sent, what became of it, and whom it feeds', async () => {
  for (let i = 0; i < 4; i++) {
    await server.write([
      ...scrape(server.nowMs + 2_000, { 200: 10 * i, 500: i }),
      ...scrape(server.nowMs - 3_000, { 200: 10 * i }, 'b', 'other'),
    ]);
    server.nowMs += 15_000;
  }
  await server.write(scrape(server.nowMs - 13_000, { 200: 30 }));
  expect(await sources()).toEqual({
    sources: [
      {
        job: 'api',
        instance: 'a',
        protocol: 'rw1',
        lastSample: '2026-01-01T00:00:47.000Z',
        lastArrival: '2026-01-01T00:01:00.000Z',
        intervalSeconds: 15,
        // Nine in a minute.
        samplesPerSecond: 9 / 60,
        clockSkewSeconds: -2,
        samples: { received: 9, accepted: 8, ignored: { duplicate: 1 }, rejected: {} },
        series: { known: 2, matched: 2 },
        slos: ['api/availability'],
        sloCount: 1,
      },
      {
        job: 'other',
        instance: 'b',
        protocol: 'rw1',
        lastSample: '2026-01-01T00:00:42.000Z',
        lastArrival: '2026-01-01T00:00:45.000Z',
        intervalSeconds: 15,
        samplesPerSecond: 4 / 60,
        clockSkewSeconds: 3,
        samples: { received: 4, accepted: 0, ignored: { unmatched: 4 }, rejected: {} },
        series: { known: 1, matched: 0 },
        slos: [],
        sloCount: 0,
      },
    ],
    total: 2,
    pushes: [],
  });
});

test('samples from the future are refused at their source', async () => {
  await server.write([...scrape(MIDNIGHT_MS, { 200: 1 }), ...scrape(MIDNIGHT_MS + 600_001, { 200: 2 }, 'b')]);
  const { sources: found } = await sources();
  expect(found.map(({ instance, samples }) => [instance, samples.rejected])).toEqual([
    ['a', {}],
    ['b', { too_new: 1 }],
  ]);
});

test('sources are found by job, instance and SLO, and no more are shown than were asked for', async () => {
  for (const instance of ['a', 'b', 'c']) await server.write(scrape(MIDNIGHT_MS, { 200: 1 }, instance));
  await server.write(scrape(MIDNIGHT_MS, { 200: 1 }, 'a', 'other'));
  await push([{ slo: 'jobs/nightly', good: 1 }]);
  const f = async (query: string, instances: string[], total: number, pushes: number): Promise<void> => {
    const { sources: found, total: all, pushes: pushed } = await sources(query);
    expect([found.map(({ instance }) => instance), all, pushed.length], query).toEqual([instances, total, pushes]);
  };
  await f('?job=api', ['a', 'b', 'c'], 3, 0);
  await f('?job=api&instance=b', ['b'], 1, 0);
  await f('?job=nobody', [], 0, 0);
  await f('?slo=api/availability&limit=2', ['a', 'b'], 3, 0);
  await f('?slo=jobs/nightly', [], 0, 1);
  const refuses = async (query: string, status: number, code: string): Promise<void> => {
    const response = await server.get(`/api/v1/sources${query}`);
    expect([response.status, ((await response.json()) as { error: { code: string } }).error.code]).toEqual([
      status,
      code,
    ]);
  };
  await refuses('?limit=0', 400, 'bad_parameter');
  await refuses('?jobs=api', 400, 'unknown_parameter');
  await refuses('?slo=api/gone', 404, 'slo_not_found');
});

test('what is pushed is a source, too', async () => {
  const event = { slo: 'jobs/nightly', good: 1, timestamp: MIDNIGHT_MS / 1000 - 60, id: 'a' };
  await push([event, event]);
  const expected = {
    slo: 'jobs/nightly',
    lastEvent: '2025-12-31T23:59:00.000Z',
    lastArrival: '2026-01-01T00:00:00.000Z',
    accepted: 1,
    ignored: { duplicate: 1 },
  };
  expect((await sources()).pushes).toEqual([expected]);
  expect(await sourcesOf('jobs/nightly')).toEqual({
    slo: 'jobs/nightly',
    sliKind: 'push',
    degraded: null,
    targets: { total: 0, examples: [] },
    selectors: [],
    pushes: expected,
  });
});

test('an SLO tells what each of its selectors matches', async () => {
  await server.write(scrape(MIDNIGHT_MS, { 200: 1, 201: 1, 500: 1 }));
  const { targets, selectors, pushes } = await sourcesOf('api/availability');
  expect(targets).toEqual({
    total: 1,
    examples: [{ job: 'api', instance: 'a', lastSample: '2026-01-01T00:00:00.000Z' }],
  });
  expect(selectors).toMatchObject([
    { as: 'total', series: 3, lastSample: '2026-01-01T00:00:00.000Z' },
    { as: 'bad', series: 1, examples: ['requests{code="500", instance="a", job="api"}'] },
  ]);
  expect(selectors[0]).not.toHaveProperty('nearMisses');
  expect(pushes).toBeNull();
});

test('of a selector that matches nothing the near misses are told', async () => {
  await server.write([
    ...scrape(MIDNIGHT_MS, { 200: 1, 404: 1 }, 'a', 'api-gateway'),
    {
      labels: [
        ['__name__', 'requests_count'],
        ['code', '503'],
        ['job', 'api'],
      ],
      samples: [{ timestampMs: MIDNIGHT_MS, value: 1 }],
    },
    { labels: [['__name__', 'up']], samples: [{ timestampMs: MIDNIGHT_MS, value: 1 }] },
  ]);
  const { selectors, targets } = await sourcesOf('api/availability');
  expect(targets.total).toBe(1);
  expect(selectors[1]).toMatchObject({
    as: 'bad',
    series: 0,
    lastSample: null,
    nearMisses: {
      sameName: {
        series: 2,
        examples: [
          'requests{code="200", instance="a", job="api-gateway"}',
          'requests{code="404", instance="a", job="api-gateway"}',
        ],
        mismatches: [
          { matcher: 'job="api"', series: 2, seen: ['api-gateway'] },
          { matcher: 'code=~"5.."', series: 2, seen: ['200', '404'] },
        ],
      },
      sameLabels: { series: 1, names: ['requests_count'] },
    },
  });
  const latency = await sourcesOf('api/latency');
  expect(latency.selectors.map(({ as, series }) => [as, series])).toEqual([
    ['bucket', 0],
    ['count', 0],
    ['native histogram', 0],
  ]);
  expect((await server.get('/api/v1/slos/api/gone/sources')).status).toBe(404);
});

test('after a restart a source has its times, and is counted anew', async () => {
  await server.write(scrape(MIDNIGHT_MS, { 200: 1 }));
  await server.restart();
  expect((await sources()).sources).toMatchObject([
    { job: 'api', protocol: null, lastSample: '2026-01-01T00:00:00.000Z', samples: { received: 0 } },
  ]);
});

test('an SLO whose new series are refused, or have groups too many, says that its numbers lack something, and so does one line of the log', async () => {
  await server.stop();
  const grouped = anSlo({ id: 'api/grouped', name: 'grouped', groupBy: ['code'], groupsMax: 2 });
  server = await TestServer.start(MIDNIGHT_MS, [...SLOS, grouped], { seriesMax: 4 }, undefined, 10);
  const lines = async (): Promise<string[]> =>
    (await (await server.get('/metrics')).text())
      .split('\n')
      .filter((line) => /^slipstream_slo_(series|group)/.test(line));
  const warnings = () => server.log.filter(({ msg }) => String(msg).startsWith('degraded: '));
  await server.write(scrape(server.nowMs, { 200: 1, 500: 1 }));
  expect((await sourcesOf('api/grouped')).degraded).toBeNull();
  const nothing = ['availability', 'latency', 'grouped'].map(
    (name) => `slipstream_slo_series_refused_total{slo="api/${name}"} 0`,
  );
  expect(await lines()).toEqual(
    expect.arrayContaining(['slipstream_slo_group_overflow_total{slo="api/grouped"} 0', ...nothing]),
  );

  for (let i = 1; i <= 3; i++) {
    const response = await server.write(scrape(server.nowMs + i, { 200: 2, 500: 2, 501: 1, 502: 1, 503: 1 }));
    expect(await response.text()).toMatch(/^1 of 5 samples rejected: 1 series_limit; /);
  }
  expect((await sourcesOf('api/availability')).degraded).toEqual({ refusedSeries: 3, overflowSeries: 0 });
  expect((await sourcesOf('api/grouped')).degraded).toEqual({ refusedSeries: 3, overflowSeries: 2 });
  expect((await sourcesOf('api/latency')).degraded).toBeNull();
  expect(await lines()).toEqual([
    'slipstream_slo_group_overflow_total{slo="api/grouped"} 2',
    'slipstream_slo_series_refused_total{slo="api/availability"} 3',
    'slipstream_slo_series_refused_total{slo="api/latency"} 0',
    'slipstream_slo_series_refused_total{slo="jobs/nightly"} 0',
    'slipstream_slo_series_refused_total{slo="api/grouped"} 3',
  ]);
  while (warnings().length === 0) await new Promise((turn) => setTimeout(turn, 5));
  await new Promise((turn) => setTimeout(turn, 50));
  expect(warnings().map(({ msg }) => msg)).toEqual([
    'degraded: api/availability, api/grouped; series were left out, raise limits.series or maxGroups, or send fewer (slipstream relabel)',
  ]);
});

test('of many SLOs that become degraded at once the log names a few', () => {
  const slos = Array.from({ length: 8 }, (_, i) => anSlo({ id: `api/${i}`, name: String(i) }));
  const engine = new Engine(slos, { seriesMax: 1 });
  const said: unknown[] = [];
  const log = new DegradedLog({ warn: (...line: unknown[]) => said.push(line) } as unknown as Logger);
  feed(engine, [{ labels: series('200'), tMs: MIDNIGHT_MS, value: 1 }], MIDNIGHT_MS);
  log.look(engine);
  expect(said).toEqual([]);
  const labels = labelSet(Object.entries(series('500')));
  expect(engine.register(labels, encodeLabels(labels))).toBe(-1);
  log.look(engine);
  log.look(engine);
  expect(said).toEqual([
    [
      { slos: Array.from({ length: 5 }, (_, i) => ({ slo: `api/${i}`, refusedSeries: 1, overflowSeries: 0 })) },
      'degraded: api/0, api/1, api/2, api/3, api/4 and 3 more; series were left out, raise limits.series or maxGroups, or send fewer (slipstream relabel)',
    ],
  ]);
});

test('whoever asks who sends looks at some thousand series and targets in a turn of the event loop, and then at the next ones', async () => {
  await server.stop();
  const series = (i: number) =>
    ({
      labels: [
        ['__name__', 'noise'],
        ['i', String(i)],
        ['instance', String(i % 9_000)],
        ['job', `j${i % 3}`],
      ],
      samples: [{ timestampMs: server.nowMs, value: 1 }],
    }) as const;
  server = await TestServer.start(MIDNIGHT_MS, SLOS, {
    seriesMax: 60_000,
    seriesPerRequestMax: 30_000,
    samplesPerRequestMax: 30_000,
    decodedBytesMax: 30_000_000,
  });
  expect((await server.write(Array.from({ length: 25_000 }, (_, i) => series(i)))).status).toBe(204);
  const { engine } = server.service;
  let looked: number[] = [0];
  let counting = true;
  const turn = (): void => {
    looked.push(0);
    if (counting) setImmediate(turn);
  };
  const counted = <T extends object>(walk: T, names: readonly (keyof T)[]): T => {
    for (const name of names) {
      const look = (walk[name] as (from: number, to: number) => void).bind(walk);
      walk[name] = ((from: number, to: number) => {
        looked[looked.length - 1]! += to - from;
        look(from, to);
      }) as T[keyof T];
    }
    return walk;
  };
  const { sourceWalk, selectorWalk } = engine;
  engine.sourceWalk = (...of) => counted(sourceWalk.apply(engine, of), ['walkSeries', 'walkTargets']);
  engine.selectorWalk = (...of) => counted(selectorWalk.apply(engine, of), ['walk']);
  turn();
  const f = async (ask: () => Promise<unknown>, all: number): Promise<void> => {
    looked = [0];
    await ask();
    expect(looked.reduce((sum, each) => sum + each, 0)).toBe(all);
    expect(Math.max(...looked)).toBe(4_000);
  };
  await f(
    async () =>
      expect((await sources('?limit=3')).sources.map(({ job, instance }) => job + instance)).toEqual([
        'j00',
        'j01002',
        'j01005',
      ]),
    25_000 + 9_000,
  );
  await f(async () => expect((await sources('?job=j1&limit=10000')).sources).toHaveLength(3_000), 25_000 + 9_000);
  // One after the other.
  await f(() => Promise.all([sources(), sourcesOf('api/availability')]), 2 * 25_000 + 9_000);
  counting = false;
});
