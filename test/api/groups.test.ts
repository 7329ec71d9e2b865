import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { calendarPeriods } from '../../src/definitions/calendar.ts';
import type { CalendarUnit, Slo } from '../../src/engine/slo.ts';
import type { SloState, Verdict } from '../../src/engine/state.ts';
import type { WireSeries } from '../../src/ingest/remote-write-schema.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;

interface Groups {
  groups: SloState[];
  overflow: number;
}

let server: TestServer;

afterEach(() => server.stop());

function slo(name: string, groupBy: readonly string[], fields: Partial<Slo> = {}): Slo {
  return anSlo({ id: `api/${name}`, name, groupBy, ...fields });
}

type Labels = Readonly<Record<string, string>>;

/** Two scrapes: each group's good and bad events between them. */
async function receive(...groups: [labels: Labels, good: number, bad: number][]): Promise<void> {
  for (const scrape of [0, 1]) {
    server.nowMs += 15_000;
    const series = groups.flatMap(([labels, good, bad]): WireSeries[] =>
      Object.entries({ 200: good, 500: bad }).map(([code, events]) => ({
        labels: Object.entries({ __name__: 'requests', code, instance: 'a', job: 'api', ...labels }).sort(([a], [b]) =>
          a < b ? -1 : 1,
        ),
        samples: [{ timestampMs: server.nowMs, value: 1000 + scrape * events }],
      })),
    );
    expect((await server.write(series)).status).toBe(204);
  }
  server.nowMs += 5_000;
}

const EU = { region: 'eu', tier: 'gold' };
const US = { region: 'us', tier: 'gold' };

describe('a grouped SLO', () => {
  beforeEach(async () => {
    server = await TestServer.start(NOON_MS, [
      slo('plain', []),
      slo('by-region', ['region'], { groupsMax: 2, labels: { region: 'all', team: 'edge' } }),
      slo('by-both', ['region', 'tier']),
    ]);
  });

  test('has a list of states, empty while no group appeared', async () => {
    expect(await server.json('/api/v1/slos/api/by-region')).toEqual({ groups: [], overflow: 0 });
    await receive([EU, 100, 0], [US, 90, 10]);
    const { groups, overflow } = await server.json<Groups>('/api/v1/slos/api/by-region');
    expect(groups.map(({ group, events }) => [group, events])).toEqual([
      [{ region: 'eu' }, { good: 100, bad: 0, total: 100 }],
      [{ region: 'us' }, { good: 90, bad: 10, total: 100 }],
    ]);
    expect(overflow).toBe(0);
  });

  test('answers for one group', async () => {
    await receive([EU, 100, 0], [US, 90, 10]);
    const f = async (query: string, group: Labels): Promise<void> =>
      expect(await server.json(`/api/v1/slos/api/${query}`), query).toMatchObject({ group });
    await f('by-region?group=region=us', { region: 'us' });
    await f('by-region?group=us', { region: 'us' });
    await f('by-both?group=tier=gold&group=region=us', US);
    const some = await server.json<Groups>('/api/v1/slos/api/by-both?group=tier=gold&group=tier=gold');
    expect(some.groups.map(({ group }) => group)).toEqual([EU, US]);
  });

  test('is 404 for a group that there is not, and 400 for a label that it is not grouped by', async () => {
    const refused = async (query: string, status: number, message: string): Promise<void> => {
      const response = await server.get(`/api/v1/slos/api/${query}`);
      expect([response.status, await response.json()]).toMatchObject([status, { error: { message } }]);
    };
    await receive([EU, 100, 0]);
    await refused('by-region?group=region=us', 404, 'the SLO api/by-region has no group region=us');
    await refused('by-both?group=tier=silver', 404, 'the SLO api/by-both has no group tier=silver');
    await refused(
      'by-both?group=zone=a',
      400,
      'the query parameter group must be label=value of region, tier, got "zone=a"',
    );
  });

  test('counts the series that are of no group any more', async () => {
    await receive([EU, 1, 0], [US, 1, 0], [{ region: 'asia', tier: 'gold' }, 1, 0]);
    expect((await server.json<Groups>('/api/v1/slos/api/by-region')).overflow).toBe(2);
    const lines = (await (await server.get('/metrics')).text()).split('\n');
    expect(lines.filter((line) => line.startsWith('slipstream_slo_group_overflow_total'))).toEqual([
      'slipstream_slo_group_overflow_total{slo="api/by-region"} 2',
      'slipstream_slo_group_overflow_total{slo="api/by-both"} 0',
    ]);
  });

  test('is in the list once a group, and found by the labels of a group', async () => {
    await receive([EU, 100, 0], [US, 90, 10]);
    const ids = async (query: string): Promise<string[]> => {
      const { slos } = await server.json<{ slos: SloState[] }>(`/api/v1/slos${query}`);
      return slos.map(({ id, group }) => `${id} ${Object.values(group ?? {})}`);
    };
    expect(await ids('')).toEqual([
      'api/plain ',
      'api/by-region eu',
      'api/by-region us',
      'api/by-both eu,gold',
      'api/by-both us,gold',
    ]);
    expect(await ids('?label=region=us')).toEqual(['api/by-region us', 'api/by-both us,gold']);
  });

  test('is judged group by group, and unknown without one', async () => {
    const gate = (query: string): Promise<Verdict> => server.json(`/api/v1/gate?service=api${query}`);
    const nothing = 'nothing was ever received for it';
    expect(await gate('&slo=by-region')).toMatchObject({ verdict: 'unknown', reasons: [`api/by-region: ${nothing}`] });
    await receive([EU, 100, 0], [US, 90, 10]);
    const { verdict, reasons, checks } = await gate('&slo=by-region');
    expect(verdict).toBe('block');
    expect(reasons.map((reason) => reason.split(': the')[0])).toEqual(['api/by-region{region="us"}']);
    expect(new Set(checks.map((check) => check.slo)).size).toBe(2);
  });

  test('that has no group is never a silent allow of its service', async () => {
    await server.stop();
    const other = { given: 'bad', kind: 'events', total: [], selectors: [] } as const;
    server = await TestServer.start(NOON_MS, [slo('plain', []), slo('quiet', ['region'], { sli: other })]);
    await receive([EU, 100, 0]);
    expect(await server.json('/api/v1/gate?service=api&slo=plain')).toMatchObject({ verdict: 'allow' });
    expect(await server.json('/api/v1/gate?service=api')).toMatchObject({
      verdict: 'unknown',
      asOf: null,
      reasons: ['api/quiet: nothing was ever received for it'],
    });
  });

  test('has its series in /metrics once a group, and those of its definition once', async () => {
    await receive([EU, 100, 0], [US, 90, 10]);
    const lines = (await (await server.get('/metrics')).text()).split('\n');
    const sloth = 'sloth_id="api-by-region",sloth_service="api",sloth_slo="by-region"';
    const has = (line: string) => expect(lines).toContain(line);
    for (const [region, burning, remaining] of [['eu', '0', '1'] as const, ['us', '100', '-99'] as const]) {
      const labels = `{${sloth},region="${region}",team="edge"}`;
      has(`slo:current_burn_rate:ratio${labels} ${burning}`);
      has(`slo:period_burn_rate:ratio${labels} ${burning}`);
      has(`slo:period_error_budget_remaining:ratio${labels} ${remaining}`);
      has(`pyrra_requests:rate5m{slo="api-by-region",region="${region}",team="edge"} ${100 / 300}`);
    }
    has(`slo:sli_error:ratio_rate5m{${sloth},sloth_window="5m",region="us",team="edge"} 0.1`);
    has(`pyrra_errors:rate5m{slo="api-by-region",region="us",team="edge"} ${10 / 300}`);
    expect(lines.filter((line) => line.startsWith(`slo:objective:ratio{${sloth}`))).toEqual([
      `slo:objective:ratio{${sloth},region="all",team="edge"} 0.999`,
    ]);
    expect(lines.filter((line) => line.startsWith(`sloth_slo_info{${sloth}`))).toHaveLength(1);
  });
});

test('a group whose label has a name that is taken keeps a series of its own', async () => {
  const labels = { sloth_slo: 'mine', tier: 'gold' };
  server = await TestServer.start(NOON_MS, [slo('by', ['job', 'sloth_slo', 'a.b', 'a_b'], { labels })]);
  const group = { sloth_slo: 'x', 'a.b': '1', a_b: '2' };
  await receive([group, 1, 0], [{ ...group, a_b: '3' }, 1, 0]);
  const lines = (await (await server.get('/metrics')).text()).split('\n');
  const fixed = 'sloth_id="api-by",sloth_service="api",sloth_slo="by"';
  expect(lines.filter((line) => line.startsWith('slo:current_burn_rate:ratio'))).toEqual(
    ['2', '3'].map(
      (b) =>
        `slo:current_burn_rate:ratio{${fixed},job="api",exported_sloth_slo="x",a_b="1",exported_a_b="${b}",tier="gold"} 0`,
    ),
  );
  const article = lines.filter((line) => line.startsWith('job:slo_error_budget_remaining:ratio'));
  expect(article[0]).toContain('{job="api",slo="by",exported_job="api",sloth_slo="x"');
  const samples = lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => line.split(' ')[0]);
  expect(new Set(samples).size).toBe(samples.length);
});

test('a calendar window goes by its nominal length', async () => {
  const units: readonly CalendarUnit[] = ['week', 'month', 'quarter', 'year'];
  server = await TestServer.start(
    NOON_MS,
    units.map((unit) =>
      slo(unit, [], {
        window: { kind: 'calendar', unit, timezone: 'UTC', periodOf: calendarPeriods(unit, 'UTC') },
      }),
    ),
  );
  await receive([{}, 90, 10]);
  const state = await server.json<SloState>('/api/v1/slos/api/month');
  expect(state).toMatchObject({
    window: { unit: 'month', start: '2026-01-01T00:00:00.000Z', end: '2026-02-01T00:00:00.000Z' },
    burnRates: { month: 100 },
  });
  const lines = (await (await server.get('/metrics')).text()).split('\n');
  const standard = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'];
  const windowsOf = (unit: string): string[] =>
    lines.flatMap((line) => {
      const found = /^slo:sli_error:ratio_rate(\w+)\{.*sloth_slo="(\w+)",sloth_window="(\w+)"\} 0\.1$/.exec(line);
      return found?.[2] === unit && found[1] === found[3] ? [found[1]!] : [];
    });
  expect(units.map((unit) => windowsOf(unit).filter((window) => !standard.includes(window)))).toEqual([
    ['1w'],
    ['30d'],
    ['90d'],
    ['1y'],
  ]);
  expect(lines).toContain('slo:time_period:days{sloth_id="api-quarter",sloth_service="api",sloth_slo="quarter"} 90');
});
