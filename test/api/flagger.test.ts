import { afterEach, beforeEach, expect, test } from 'vitest';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS);
});

afterEach(() => server.stop());

/** As Flagger asks. */
function ask(metadata: unknown, path = ''): Promise<Response> {
  const body = JSON.stringify({ name: 'api', namespace: 'shop', phase: 'Progressing', checksum: '5b8f', metadata });
  return server.post(
    body,
    { 'content-type': 'application/json', 'content-encoding': 'identity' },
    `/api/v1/gate/flagger${path}`,
  );
}

async function answers(metadata: unknown, go: number, rollback: number, text: string): Promise<void> {
  for (const [path, status] of [
    ['', go],
    ['/rollback', rollback],
  ] as const) {
    const response = await ask(metadata, path);
    expect([response.status, await response.text()], path).toEqual([status, text]);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  }
}

/** Of 10,000 events, whose budget are ten. */
async function spend(bad: number): Promise<void> {
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }));
  server.nowMs += 60_000;
  await server.write(scrape(server.nowMs, { 200: 10_000 - bad, 500: bad }));
  server.nowMs += 5_000;
}

test('a budget that is left says go, and not to roll back', async () => {
  await spend(5);
  await answers({ service: 'api' }, 200, 412, 'api: allow\n');
  await answers({ service: 'api', slo: 'availability', owner: 'team-api' }, 200, 412, 'api: allow\n');
});

test('a spent budget says halt with the reason, and to roll back', async () => {
  await spend(20);
  const reason = 'api/availability: the error budget is exhausted, error_budget_remaining is -1';
  await answers({ service: 'api' }, 412, 200, `api: block; ${reason}\n`);
});

test('where nothing is known both hooks say no', async () => {
  await answers({ service: 'api' }, 412, 412, 'api: unknown; api/availability: nothing was ever received for it\n');
  await answers({ service: 'web' }, 412, 412, 'web: unknown; there is no service "web"\n');
  await answers({ service: 'api', slo: 'x' }, 412, 412, 'api: unknown; service "api" has no SLO "x"\n');
});

test('a webhook without a service is refused in one line', async () => {
  const f = (metadata: unknown, text: string) => answers(metadata, 400, 400, text);
  await f({}, '1:85: metadata.service: is required\n');
  await f(undefined, '1:1: metadata: is required\n');
  await f({ service: 'a/b' }, "1:98: metadata.service: must not contain '/'\n");
});
