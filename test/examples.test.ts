import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { scrape, TestServer } from './api/server.ts';
import { anSlo, counter } from './support/slo.ts';
import { MIDNIGHT_MS } from './support/time.ts';

/** The files of examples/, whose requests are made to a server as their tools would make them. */

const EXAMPLES = resolve(import.meta.dirname, '../examples');
const MAIN = resolve(import.meta.dirname, '../dist/src/main.js');
const SERVER = 'http://slipstream:9490';

const total = counter('requests', { job: 'checkout' });
const bad = counter('requests', { job: 'checkout', code: /5../ });
const CHECKOUT = anSlo({
  id: 'checkout/availability',
  service: 'checkout',
  sli: { kind: 'events', total: [total], given: 'bad', selectors: [bad] },
});

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start(MIDNIGHT_MS, [CHECKOUT]);
  await server.write(scrape(MIDNIGHT_MS, { 200: 0, 500: 0 }, 'a', 'checkout'));
  server.nowMs += 60_000;
  await server.write(scrape(server.nowMs, { 200: 99_999, 500: 1 }, 'a', 'checkout'));
  server.nowMs += 5_000;
});

afterAll(() => server.stop());

function read(path: string): string {
  return readFileSync(join(EXAMPLES, path), 'utf8');
}

function post(path: string, body: unknown): Promise<Response> {
  return server.post(
    JSON.stringify(body),
    { 'content-type': 'application/json', 'content-encoding': 'identity' },
    path,
  );
}

test('every file is YAML, or Markdown', () => {
  for (const file of readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' })) {
    if (/\.ya?ml$/.test(file)) for (const { errors } of parseAllDocuments(read(file))) expect(errors, file).toEqual([]);
  }
});

describe('Argo Rollouts', () => {
  interface Metric {
    successCondition: string;
    provider: { web: { url: string; method?: string; jsonPath: string; jsonBody?: unknown } };
  }
  const { metrics } = parse(read('argo-rollouts/analysis-template.yaml').replaceAll('{{args.service}}', 'checkout'))
    .spec as { metrics: [Metric, Metric] };

  test('the built-in gate is asked, and its verdict is at the JSON path', async () => {
    const { web } = metrics[0].provider;
    const answer = await server.json<Record<string, unknown>>(web.url.replace(SERVER, ''));
    expect([web.jsonPath, answer['verdict']]).toEqual(['{$.verdict}', 'allow']);
    expect(metrics[0].successCondition).toContain('"allow"');
  });

  test('the policy is posted as JSON', async () => {
    const { web } = metrics[1].provider;
    expect(web.method).toBe('POST');
    const response = await post(web.url.replace(SERVER, ''), web.jsonBody);
    expect([web.jsonPath, await response.json()]).toMatchObject(['{$.ok}', { ok: true, checks: [{ passed: true }] }]);
  });
});

test('Flagger goes on, and does not roll back', async () => {
  const { webhooks } = parse(read('flagger/canary.yaml')).spec.analysis as {
    webhooks: { type: string; url: string; metadata: object }[];
  };
  const statuses: [string, number][] = [];
  for (const { type, url, metadata } of webhooks) {
    const body = { name: 'checkout', namespace: 'shop', phase: 'Progressing', metadata };
    statuses.push([type, (await post(url.replace(SERVER, ''), body)).status]);
  }
  expect(statuses).toEqual([
    ['confirm-rollout', 200],
    ['rollout', 200],
    ['rollback', 412],
  ]);
});

test('Keptn asks for series that are on /metrics', async () => {
  const metrics = await (await server.get('/metrics')).text();
  const queries = parseAllDocuments(read('keptn/metrics.yaml'))
    .map((document) => document.toJS().spec.query as string | undefined)
    .filter((query) => query !== undefined);
  expect(queries.length).toBe(2);
  for (const query of queries) {
    const [, name, ...matchers] = /^([\w:]+)\{(\w+="\w+"),(\w+="\w+")\}$/.exec(query)!;
    const series = metrics.split('\n').filter((line) => line.startsWith(`${name}{`));
    expect(series.filter((line) => matchers.every((matcher) => line.includes(matcher))).length, query).toBe(1);
  }
});

/** A line of a pipeline, run by a shell that knows `slipstream` as the built program. */
async function runs(line: string, env: Record<string, string> = {}): Promise<{ code: number | null; out: string }> {
  const script = `slipstream() { "${process.execPath}" "${MAIN}" "$@"; }\n${line}`;
  const child = spawn('sh', ['-c', script], {
    cwd: join(EXAMPLES, 'gate'),
    env: { PATH: process.env['PATH'], SLIPSTREAM_URL: server.service.url, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const out = await text(child.stdout!);
  return { code: await new Promise((done) => child.on('close', done)), out };
}

test('GitHub Actions passes the gate and has its outputs', async () => {
  const { steps } = parse(read('github-actions/deploy.yml')).jobs.deploy as { steps: { id?: string; run?: string }[] };
  const folder = mkdtempSync(join(tmpdir(), 'slipstream-examples-'));
  try {
    const files = { GITHUB_OUTPUT: join(folder, 'output'), GITHUB_STEP_SUMMARY: join(folder, 'summary') };
    const gate = await runs(steps.find(({ id }) => id === 'gate')!.run!, files);
    expect(gate).toEqual({ code: 0, out: '::notice::checkout: allow\n' });
    expect(readFileSync(files.GITHUB_OUTPUT, 'utf8')).toBe('verdict=allow\nok=true\n');
    expect(readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8')).toContain('| checkout/availability |');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('GitLab passes the gate', async () => {
  const [line] = parse(read('gitlab/gitlab-ci.yml'))['error-budget'].script as [string];
  expect((await runs(line)).code).toBe(0);
});
