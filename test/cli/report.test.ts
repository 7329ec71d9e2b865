import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ReportOptions, reportCommand } from '../../src/cli/report.ts';
import { TestServer } from '../api/server.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(MIDNIGHT_MS);
});

afterEach(() => server.stop());

async function report(options: Partial<ReportOptions> = {}): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env: {},
  };
  const code = await reportCommand({ url: server.service.url, format: 'text', ...options }, io);
  return { code, out, err };
}

test('the report is printed as the server tells it', async () => {
  expect(await report()).toMatchObject({ code: 0, err: '' });
  expect((await report()).out).toMatch(
    /^From 2025-12-01T00:00:00.000Z to 2026-01-01T00:00:00.000Z\n\napi: no events\n/,
  );
  expect((await report({ format: 'csv', month: '2025-10' })).out).toMatch(/^service,slo,/);
  const { out } = await report({ format: 'json', service: 'api', from: '1', to: '2026-01-01T00:00:00Z' });
  expect(JSON.parse(out)).toMatchObject({ from: '1970-01-01T00:00:01.000Z', services: [{ service: 'api' }] });
});

test('a question that the server refuses is wrong usage', async () => {
  expect(await report({ service: 'web' })).toEqual({ code: 2, out: '', err: 'there is no service web\n' });
  const { code, err } = await report({ month: 'May' });
  expect([code, err]).toEqual([2, 'the query parameter month must be a month such as 2026-10, got "May"\n']);
});

test('a server that does not answer is unreachable', async () => {
  await server.service.close();
  const { code, err } = await report();
  expect(code).toBe(4);
  expect(err).toMatch(/^cannot ask http:\/\/127\.0\.0\.1:\d+\/api\/v1\/report: connect ECONNREFUSED/);
});
