import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Report } from '../../src/engine/report.ts';
import { anSlo } from '../support/slo.ts';
import { scrape, TestServer } from './server.ts';

const NOW_MS = Date.UTC(2026, 2, 10, 12);
const WEB = anSlo({ id: 'web/availability', service: 'web' });

let server: TestServer;

/** In January 2 of 10,000 events are bad, in February, in one minute, 5 of 10,000, and 60 of 1,000 in March. */
beforeEach(async () => {
  server = await TestServer.start(NOW_MS, [anSlo({}, '90d'), { ...WEB, sli: { kind: 'push' } }]);
  let [good, bad] = [0, 0];
  const receive = async (tMs: number, moreGood: number, moreBad: number): Promise<void> => {
    await server.write(scrape(tMs - 60_000, { 200: good, 500: bad }));
    good += moreGood;
    bad += moreBad;
    await server.write(scrape(tMs, { 200: good, 500: bad }));
  };
  await receive(Date.UTC(2026, 0, 1), 700, 300);
  await receive(Date.UTC(2026, 0, 20, 12), 9998, 2);
  await receive(Date.UTC(2026, 1, 20, 12), 9995, 5);
  await receive(NOW_MS, 940, 60);
  server.nowMs += 5_000;
});

afterEach(() => server.stop());

async function report(query = ''): Promise<Report> {
  return server.json<Report>(`/api/v1/report${query}`);
}

test('the last full month is told when nothing is said, and compared with the one before', async () => {
  const answer = await report();
  expect([answer.from, answer.to]).toEqual(['2026-02-01T00:00:00.000Z', '2026-03-01T00:00:00.000Z']);
  expect(answer.previous).toEqual({ from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' });
  const [api, web] = answer.services;
  expect(api).toEqual({
    service: 'api',
    attainment: 0.9995,
    slo: 'api/availability',
    met: true,
    previous: { attainment: 0.9998, slo: 'api/availability', met: true },
    slos: [
      {
        id: 'api/availability',
        objective: 0.999,
        sli: 0.9995,
        events: { good: 9995, bad: 5, total: 10_000 },
        errorBudget: { consumed: 0.5, remaining: 0.5 },
        met: true,
      },
    ],
    incidents: [],
  });
  expect(web).toMatchObject({ service: 'web', attainment: null, met: null });
});

test('a month, or an interval up to now, is chosen', async () => {
  const january = await report('?service=api&month=2026-01');
  expect(january).toMatchObject({
    from: '2026-01-01T00:00:00.000Z',
    services: [{ service: 'api', attainment: 0.9998 }],
  });
  expect(january.services[0]!.previous.attainment).toBe(0.7);
  const march = await report('?service=api&from=2026-03-01T00:00:00Z');
  expect(march).toMatchObject({
    to: new Date(server.nowMs).toISOString(),
    services: [{ attainment: 0.94, met: false, incidents: [{ slo: 'api/availability', bad: 60 }] }],
  });
  expect(march.services[0]!.incidents[0]).toMatchObject({
    from: new Date(NOW_MS - 60_000).toISOString(),
    to: new Date(NOW_MS).toISOString(),
    budgetSpent: 60,
  });
  const day = await report('?service=api&from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z');
  expect(day.previous.from).toBe('2026-03-09T00:00:00.000Z');
});

test('the report is text, Markdown or CSV as well', async () => {
  const f = async (format: string, type: string, expected: string): Promise<void> => {
    const response = await server.get(`/api/v1/report?month=2026-02&format=${format}`);
    expect(response.headers.get('content-type')).toBe(`${type}; charset=utf-8`);
    expect(await response.text()).toBe(expected);
  };
  await f(
    'csv',
    'text/csv',
    'service,slo,objective,sli,good,bad,total,budget_consumed,met\n' +
      'api,api/availability,0.999,0.9995,9995,5,10000,0.5,true\n' +
      'web,web/availability,0.999,,0,0,0,0,\n',
  );
  await f(
    'text',
    'text/plain',
    `From 2026-02-01T00:00:00.000Z to 2026-03-01T00:00:00.000Z

api: 99.95 %, down 0.03 points from 99.98 %
  judged by api/availability, all objectives met
  SLO               objective  SLI      bad  events  budget spent  met
  api/availability  99.9 %     99.95 %  5    10000   50 %          yes

web: no events
  SLO               objective  SLI        bad  events  budget spent  met
  web/availability  99.9 %     no events  0    0       0 %
`,
  );
  await f(
    'markdown',
    'text/markdown',
    `# Reliability

From 2026-02-01T00:00:00.000Z to 2026-03-01T00:00:00.000Z.

## api: 99.95 %, down 0.03 points from 99.98 %

| SLO | objective | SLI | bad | events | budget spent | met |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| api/availability | 99.9 % | 99.95 % | 5 | 10000 | 50 % | yes |

## web: no events

| SLO | objective | SLI | bad | events | budget spent | met |
| --- | ---: | ---: | ---: | ---: | ---: | --- |
| web/availability | 99.9 % | no events | 0 | 0 | 0 % |  |
`,
  );
});

test('incidents are told in text and in Markdown', async () => {
  const of = async (format: string) =>
    (await server.get(`/api/v1/report?service=api&from=2026-03-01T00:00:00Z&format=${format}`)).text();
  const times = ['2026-03-10T11:59:00.000Z', '2026-03-10T12:00:00.000Z'];
  expect(await of('text')).toContain(
    `  worst incidents\n    api/availability  ${times.join('  ')}  60 bad  6000 % of the budget\n`,
  );
  expect(await of('markdown')).toContain(`* api/availability, ${times.join(' to ')}: 60 bad, 6000 % of the budget\n`);
});

test('what cannot be told is refused', async () => {
  const f = async (query: string, status: number, message: string): Promise<void> => {
    const response = await server.get(`/api/v1/report${query}`);
    expect([response.status, await response.json()], query).toMatchObject([status, { error: { message } }]);
  };
  const month = 'the query parameter month must be';
  await f('?service=nobody', 404, 'there is no service nobody');
  await f('?month=2026-13', 400, `${month} a month such as 2026-10, got "2026-13"`);
  await f('?month=october', 400, `${month} a month such as 2026-10, got "october"`);
  await f('?month=2026-01&from=0', 400, `${month} given without from and to, got "2026-01"`);
  await f('?month=2026-01&to=1e9', 400, 'the query parameter to must be a time in RFC 3339 or Unix seconds, got "1e9"');
  await f('?month=2026-01&to=10', 400, `${month} given without from and to, got "2026-01"`);
  await f('?to=10', 400, 'the query parameter from is required');
  await f('?from=10&to=10', 400, 'the query parameter from must be before to, 1970-01-01T00:00:10.000Z, got "10"');
  await f('?format=pdf', 400, 'the query parameter format must be one of json, text, markdown, csv, got "pdf"');
  await f(
    '?mounth=2026-01',
    400,
    'there is no query parameter mounth here; there are service, month, from, to, format',
  );
});
