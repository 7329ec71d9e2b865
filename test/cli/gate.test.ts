import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type GateOptions, gateCommand } from '../../src/cli/gate.ts';
import type { Verdict, VerdictName } from '../../src/engine/state.ts';

const AS_OF = '2026-01-01T00:00:00.000Z';

function verdict(name: VerdictName, reasons: string[] = []): Verdict {
  const ok = name === 'allow' || name === 'warn';
  return { verdict: name, ok, asOf: AS_OF, service: 'api', reasons, checks: [] };
}

const BLOCK: Verdict = {
  ...verdict('block', ['api/availability: page-quick is firing']),
  checks: [
    {
      slo: 'api/availability',
      check: 'pages_firing == 0',
      passed: false,
      action: 'block_deploy',
      observed: { pages_firing: 1 },
    },
  ],
};

interface Ran {
  code: number;
  out: string;
  err: string;
}

let server: Server;
let url: string;
let folder: string;
/** What the server answers, one after the other; the last one for ever. */
let answers: { status: number; body: string }[];
let asked: string[];
/** The bodies of the questions that have one. */
let posted: string[];

beforeEach(async () => {
  answers = [];
  asked = [];
  posted = [];
  server = createServer(async (request, response) => {
    asked.push(request.url!);
    if (request.method === 'POST') posted.push(await text(request));
    const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
    response.writeHead(answer.status).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  folder = mkdtempSync(join(tmpdir(), 'slipstream-gate-'));
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(folder, { recursive: true });
});

function says(...verdicts: Verdict[]): void {
  answers = verdicts.map((each) => ({ status: 200, body: JSON.stringify(each) }));
}

async function gate(options: Partial<GateOptions> = {}, env: Record<string, string> = {}): Promise<Ran> {
  let out = '';
  let err = '';
  const io = {
    out: (text: string) => {
      out += text;
    },
    err: (text: string) => {
      err += text;
    },
    env,
  };
  const defaults = { url, service: 'api', onNoData: 'unknown', waitMs: 0, format: 'text' } as const;
  return { code: await gateCommand({ ...defaults, ...options }, io), out, err };
}

test('the exit code says what the verdict is', async () => {
  const exits = async (name: VerdictName, code: number) => {
    says(verdict(name));
    expect((await gate()).code, name).toBe(code);
  };
  await exits('allow', 0);
  await exits('warn', 0);
  await exits('block', 1);
  await exits('unknown', 3);
});

test('the service, the SLO and the path of the server are kept in the question', async () => {
  says(verdict('allow'));
  await gate({ url: `${url}/slo/`, service: 'api & co', slo: 'availability' });
  expect(asked).toEqual(['/slo/api/v1/gate?service=api+%26+co&slo=availability']);
});

test('the text has the verdict, its reasons and every check', async () => {
  says(BLOCK);
  expect(await gate()).toEqual({
    code: 1,
    out:
      `api: block (as of ${AS_OF})\n  api/availability: page-quick is firing\n` +
      '  failed: api/availability: pages_firing == 0\n',
    err: '',
  });
});

test('--format json prints the verdict as the server gave it', async () => {
  says(BLOCK);
  expect(JSON.parse((await gate({ format: 'json' })).out)).toEqual(BLOCK);
});

test('--on-no-data says what no data counts as, and the reasons remain', async () => {
  const counts = async (onNoData: GateOptions['onNoData'], code: number) => {
    says(verdict('unknown', ['api/availability: no data since yesterday']));
    const { code: got, out } = await gate({ onNoData });
    expect(got, onNoData).toBe(code);
    expect(out).toContain('no data since yesterday');
  };
  await counts('unknown', 3);
  await counts('allow', 0);
  await counts('warn', 0);
  await counts('block', 1);
});

test('a server that does not answer as it should is unavailable: exit code 4', async () => {
  const unavailable = async (status: number, body: string, why: string) => {
    answers = [{ status, body }];
    const { code, out } = await gate();
    expect(code).toBe(4);
    expect(out).toContain(why);
  };
  await unavailable(503, 'no', 'it answered 503 Service Unavailable');
  await unavailable(404, 'no', 'it answered 404 Not Found');
  await unavailable(200, '<html>', 'the answer is not a verdict');
  await unavailable(200, '{"verdict":"maybe"}', 'the answer is not a verdict');
  await unavailable(200, 'null', 'the answer is not a verdict');
});

test('nobody listening is unavailable: exit code 4, or what --on-unavailable says', async () => {
  await new Promise((resolve) => server.close(resolve));
  const { code, out } = await gate();
  expect(code).toBe(4);
  expect(out).toContain(`cannot ask ${url}/api/v1/gate: connect ECONNREFUSED`);
  expect((await gate({ onUnavailable: 'allow' })).code).toBe(0);
  expect((await gate({ onUnavailable: 'block' })).code).toBe(1);
});

test('a question that the server refuses is wrong usage', async () => {
  answers = [{ status: 400, body: '{"error":{"code":"bad_parameter","message":"that is no service"}}' }];
  expect(await gate()).toEqual({ code: 2, out: '', err: 'that is no service\n' });
  answers = [{ status: 413, body: '{"error":{"code":"document_too_large","message":"too large"}}' }];
  expect(await gate()).toEqual({ code: 2, out: '', err: 'too large\n' });
});

test('--wait asks until the time is over, and reports the last verdict', async () => {
  says(verdict('unknown'), BLOCK);
  const { code, err } = await gate({ waitMs: 200 });
  expect(code).toBe(1);
  expect(asked).toHaveLength(2);
  expect(err).toBe('api: unknown; asking again in 5 s\n');
});

test('--wait ends with the first yes', async () => {
  says(verdict('warn'), BLOCK);
  expect((await gate({ waitMs: 60_000 })).code).toBe(0);
  expect(asked).toHaveLength(1);
});

test('--format github annotates, sets the outputs and writes a table', async () => {
  says({ ...BLOCK, reasons: ['100% of\nthe budget | is spent'] });
  const files = { GITHUB_OUTPUT: join(folder, 'output'), GITHUB_STEP_SUMMARY: join(folder, 'summary') };
  const { code, out } = await gate({ format: 'github' }, files);
  expect(code).toBe(1);
  expect(out).toBe('::error::api: block%0A100%25 of%0Athe budget | is spent\n');
  expect(readFileSync(files.GITHUB_OUTPUT, 'utf8')).toBe('verdict=block\nok=false\n');
  expect(readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8')).toContain(
    '| api/availability | pages_firing == 0 | pages_firing = 1 | failed (block_deploy) |',
  );
});

test('--format github knows a level for every verdict, and does without the files', async () => {
  const annotated = async (name: VerdictName, level: string) => {
    says(verdict(name));
    expect((await gate({ format: 'github' })).out).toBe(`::${level}::api: ${name}\n`);
  };
  await annotated('allow', 'notice');
  await annotated('warn', 'warning');
  await annotated('block', 'error');
  await annotated('unknown', 'error');
});

function policyFile(content: string): string {
  const file = join(folder, 'deploy-gate.yml');
  writeFileSync(file, content);
  return file;
}

const POLICY = 'checks:\n  - {service: api, check: sli > 0.9, action: block_deploy}\n';

function judged(policy: string, options: Partial<GateOptions> = {}): Promise<Ran> {
  return gate({ ...options, policy });
}

test('--policy sends the file as it is, and the verdict is the exit code', async () => {
  const policy = policyFile(POLICY);
  const answered = async (name: VerdictName, code: number) => {
    says(verdict(name));
    expect((await judged(policy)).code, name).toBe(code);
  };
  await answered('allow', 0);
  await answered('warn', 0);
  await answered('block', 1);
  await answered('unknown', 3);
  expect(asked).toEqual(Array.from({ length: 4 }, () => '/api/v1/gate'));
  expect(posted).toEqual(Array.from({ length: 4 }, () => POLICY));
});

test('--policy with a file that is wrong or missing is wrong usage, said as check says it', async () => {
  const wrong = policyFile(POLICY.replace('0.9', '90%').replace('block_', ''));
  expect(await judged(wrong)).toEqual({
    code: 2,
    out:
      `${wrong}:2:35: checks[0].check: unexpected '%'; write a fraction: 0.2 for 20%\n` +
      `${wrong}:2:46: checks[0].action: must be block_deploy or warn_only, got 'deploy'\n`,
    err: '',
  });
  expect(await judged('/no/such.yml')).toEqual({ code: 2, out: '/no/such.yml: no such file\n', err: '' });
  expect((await judged(folder)).out).toBe(`${folder}:1:1: document: is not a file\n`);
  expect(asked).toEqual([]);
});

test('--policy without a server names the services that it is about', async () => {
  await new Promise((resolve) => server.close(resolve));
  const policy = policyFile(`${POLICY}  - {service: web, check: sli > 0.9, action: warn_only}\n`);
  const { code, out } = await judged(policy);
  expect(code).toBe(4);
  expect(out).toMatch(/^api, web: unknown\n/);
});

test('a verdict about no service is said by itself', async () => {
  says({ ...verdict('block', ['deploy_enabled is false']), service: '', asOf: null });
  const { out } = await judged(policyFile('deploy_enabled: false'));
  expect(out).toBe('block\n  deploy_enabled is false\n');
});
