import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Verdict } from '../../src/engine/state.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const POLICY = `checks:
  - {service: api, check: error_budget_remaining > 0.2, action: block_deploy}
`;

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS);
});

afterEach(() => server.stop());

/** So many bad events among ten thousand, whose budget are ten. */
async function spend(bad: number): Promise<void> {
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }));
  server.nowMs += 60_000;
  await server.write(scrape(server.nowMs, { 200: 10_000 - bad, 500: bad }));
  server.nowMs += 5_000;
}

function ask(body: string | Uint8Array, type = 'application/yaml', search = ''): Promise<Response> {
  return server.post(body, { 'content-type': type, 'content-encoding': 'identity' }, `/api/v1/gate${search}`);
}

test('a policy is judged, whatever the content type says', async () => {
  await spend(9);
  const json = JSON.stringify({
    checks: [{ service: 'api', check: 'error_budget_remaining > 0.2', action: 'block_deploy' }],
  });
  const f = async (body: string, type: string): Promise<void> => {
    const response = await ask(body, type);
    expect(response.status).toBe(200);
    const verdict = (await response.json()) as Verdict;
    expect(verdict).toMatchObject({ verdict: 'block', ok: false, service: 'api' });
    expect(verdict.reasons).toEqual(['api/availability: error_budget_remaining is 0.1, the policy wants > 0.2']);
  };
  await f(POLICY, 'application/yaml');
  await f(POLICY, 'application/x-www-form-urlencoded');
  await f(POLICY, 'text/plain');
  await f(json, 'application/json');
});

test('a bad policy is refused with the line and the column of everything that is wrong', async () => {
  const f = async (body: string | Uint8Array, message: string): Promise<void> => {
    const response = await ask(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: { code: 'invalid_document', message } });
  };
  await f(
    POLICY.replace('0.2', '20%').replace('block_', ''),
    "2:54: checks[0].check: unexpected '%'; write a fraction: 0.2 for 20%\n" +
      "2:65: checks[0].action: must be block_deploy or warn_only, got 'deploy'",
  );
  await f('', '1:1: document: holds no gate policy');
  await f('{', '1:2: document: invalid YAML: flow map must end with a }');
  await f(Uint8Array.of(0xff), '1:1: document: is not UTF-8 text');
});

test('of a policy with many problems the first are told', async () => {
  const response = await ask(`checks: [${'1,'.repeat(30_000)}]`);
  const { error } = (await response.json()) as { error: { message: string } };
  const lines = error.message.split('\n');
  expect([lines[1], lines[20], lines.length]).toEqual([
    '1:10: checks[0]: must be a mapping, got 1',
    'and 29981 more',
    21,
  ]);
});

test('a policy that is too large is refused', async () => {
  const response = await ask('#'.repeat(65_537));
  expect(response.status).toBe(413);
  expect(await response.json()).toEqual({
    error: { code: 'document_too_large', message: 'the body has more than 65536 bytes' },
  });
});

test('other methods are refused by name', async () => {
  const response = await fetch(`${server.service.url}/api/v1/gate`, { method: 'DELETE' });
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  expect(await response.json()).toMatchObject({
    error: { message: '/api/v1/gate takes GET, HEAD and POST, not DELETE' },
  });
});

test('without a policy the built-in one judges the service, or one of its SLOs', async () => {
  await spend(9);
  expect(await server.json('/api/v1/gate?service=api')).toMatchObject({ verdict: 'allow', ok: true });
  expect(await server.json('/api/v1/gate?service=api&slo=availability')).toMatchObject({ verdict: 'allow' });
  expect(await server.json('/api/v1/gate?service=api&slo=latency')).toMatchObject({
    verdict: 'unknown',
    ok: false,
    reasons: ['service "api" has no SLO "latency"'],
  });
  expect(await server.json('/api/v1/gate?service=web')).toMatchObject({
    verdict: 'unknown',
    reasons: ['there is no service "web"'],
  });
});

test('a dry run says what the verdict would be, and holds nobody up', async () => {
  await spend(20);
  const expected = { verdict: 'block', ok: true, dryRun: true };
  expect(await server.json('/api/v1/gate?service=api&dry_run=true')).toMatchObject(expected);
  expect(await (await ask(POLICY, 'application/yaml', '?dry_run=true')).json()).toMatchObject(expected);
  expect(await server.json('/api/v1/gate?service=api&dry_run=false')).toMatchObject({ verdict: 'block', ok: false });
  const response = await server.get('/api/v1/gate?service=api&dry_run=yes');
  expect(await response.json()).toMatchObject({
    error: { message: 'the query parameter dry_run must be true or false, got "yes"' },
  });
});

test('asked about a time to come, the answer has an outlook', async () => {
  await spend(5);
  const until = new Date(server.nowMs + 2 * 86_400_000).toISOString();
  const answer = await server.json<Verdict>(`/api/v1/gate?service=api&until=${until}`);
  expect(answer).toMatchObject({ verdict: 'allow', outlook: { until, verdict: 'allow' } });
  expect(answer.outlook!.slos).toEqual([
    {
      slo: 'api/availability',
      burnRate: 0.5,
      ifBurnGoesOn: 0.5,
      worstIncident: null,
      ifDeployFails: 0.5,
    },
  ]);
  await server.write(scrape(server.nowMs, { 200: 19_975, 500: 25 }));
  server.nowMs += 5_000;
  const worse = await server.json<Verdict>(`/api/v1/gate?service=api&slo=availability&until=${until}&incidents=1`);
  expect(worse.outlook).toMatchObject({ verdict: 'block', slos: [{ worstIncident: { bad: 20 } }] });
});

test('an outlook on the past, or on no number of incidents, is refused', async () => {
  const f = async (query: string, message: string): Promise<void> => {
    const response = await server.get(`/api/v1/gate?service=api&${query}`);
    expect(await response.json()).toMatchObject({ error: { code: 'bad_parameter', message } });
  };
  const now = new Date(MIDNIGHT_MS).toISOString();
  await f(`until=${now}`, `the query parameter until must be after now, ${now}, got "${now}"`);
  await f('until=friday', 'the query parameter until must be a time in RFC 3339 or Unix seconds, got "friday"');
  const incidents = 'the query parameter incidents must be a whole number from 1 to 100, got';
  await f('until=2000000000&incidents=0', `${incidents} "0"`);
  await f('until=2000000000&incidents=101', `${incidents} "101"`);
});

test('the outlook of what has no data is unknown', async () => {
  const of = async (service: string) =>
    (await server.json<Verdict>(`/api/v1/gate?service=${service}&until=2000000000`)).outlook;
  expect(await of('api')).toMatchObject({ verdict: 'unknown', slos: [{ ifBurnGoesOn: null }] });
  expect(await of('web')).toMatchObject({ verdict: 'unknown', slos: [] });
});
