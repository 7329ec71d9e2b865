import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { telemetryWanted } from '../../src/telemetry.ts';

/** The built program, as a user runs it. */
const MAIN = resolve(import.meta.dirname, '../../dist/src/main.js');

const DEFINITIONS = `
apiVersion: slipstream/v1
service: api
slos:
  - name: availability
    objective: 99.9
    window: 30d
    sli:
      events: {total: 'requests{job="api"}', bad: 'requests{job="api",code=~"5.."}'}
`;

let folder: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-main-'));
  writeFileSync(join(folder, 'slos.yaml'), DEFINITIONS);
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const ENV = { PATH: process.env['PATH'], NODE_OPTIONS: '' };

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: ENV,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  /** Lines of the log so far. */
  readonly log: () => string;
  readonly exited: Promise<number | null>;
}

/** A server on a free port, once it is ready. */
async function serve(command: string[], env: Record<string, string> = {}): Promise<Server> {
  const child = spawn(process.execPath, [MAIN, ...command, '--listen', '127.0.0.1:0'], {
    cwd: folder,
    env: { ...ENV, ...env },
  });
  children.push(child);
  let err = '';
  child.stdout.resume();
  const exited = new Promise<number | null>((done) => child.on('exit', done));
  const url = await new Promise<string>((done, fail) => {
    child.stderr.on('data', (bytes) => {
      err += bytes;
      const found = /"url":"([^"]+)"/.exec(err);
      if (found !== null) done(found[1]!);
    });
    void exited.then((code) => fail(new Error(`exited with ${code}: ${err}`)));
  });
  return { child, url, log: () => err, exited };
}

function serveSlos(env: Record<string, string> = {}): Promise<Server> {
  return serve(['serve', '--slos', 'slos.yaml', '--data', 'state'], env);
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((done) => setTimeout(done, 20));
}

describe('the command line', () => {
  test('explains itself', () => {
    const { version } = JSON.parse(readFileSync(resolve(MAIN, '../../../package.json'), 'utf8'));
    expect(run('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
    const help = run('help');
    expect([help.code, help.err]).toEqual([0, '']);
    for (const command of [
      'serve',
      'demo',
      'check',
      'convert',
      'schema',
      'test',
      'gate',
      'report',
      'bench',
      'relabel',
    ]) {
      expect(help.out).toContain(`\n  ${command} `);
      const explained = run(command, '--help');
      expect([explained.code, explained.err]).toEqual([0, '']);
      const flags = explained.out.split('\n').filter((line) => /^ {2}--/.test(line));
      const required = /--url <url> +the server$|--service/;
      const text = explained.out.replaceAll(/\n {10,}/g, ' ');
      for (const flag of flags.map((line) => line.trim().split(' ')[0]!)) {
        const line = text.split('\n').find((each) => each.trim().startsWith(flag))!;
        if (!required.test(line)) expect(line).toContain('default: ');
      }
    }
  });

  test('wrong usage exits 2 with one clear message on stderr', () => {
    const wrong = (args: string[], message: string) => {
      const { code, out, err } = run(...args);
      expect([code, out], args.join(' ')).toEqual([2, '']);
      expect(err).toContain(message);
    };
    wrong(['frobnicate'], "unknown command 'frobnicate'");
    wrong(['gate', '--url', 'http://x'], "one of the options '--service <service>' and '--policy <file>' must be");
    wrong(['gate', '--url', 'http://x', '--service', 'x', '--policy', 'y'], "cannot be used with option '--policy");
    wrong(['gate', '--url', 'http://x', '--slo', 'x', '--policy', 'y'], "cannot be used with option '--policy");
    wrong(['gate', '--service', 'x'], "required option '--url <url>' not specified");
    wrong(['gate', '--url', 'x', '--service', 'x'], 'It must be a URL such as http://127.0.0.1:9490.');
    wrong(['gate', '--url', 'http://x', '--service', 'x', '--wait', '5'], 'It must be a duration such as 30s');
    wrong(['gate', '--url', 'http://x', '--service', 'x', '--on-no-data', 'maybe'], 'Allowed choices are');
    wrong(['check'], "missing required argument 'path'");
    wrong(['check', '--sloth-period', '5m', 'x'], 'It must be at least 1h, got 5m.');
    wrong(['convert', '--to', 'sloth', 'x'], 'Allowed choices are slipstream, prometheus-rules.');
    wrong(['schema', 'dashboard'], 'Allowed choices are native, service-list, server.');
    wrong(['serve', '--unknown'], "unknown option '--unknown'");
    wrong(['serve'], 'no definition files are named');
  }, 120_000);

  test('schema prints the JSON Schema of a file', () => {
    const titles = ['native', 'service-list', 'server'].map((name) => JSON.parse(run('schema', name).out).title);
    expect(titles).toEqual(['SLOs of a service', 'Services and their SLOs', 'Settings of a server']);
    expect(run('schema').out).toBe(run('schema', 'native').out);
  });

  test('relabel prints the remote_write section', () => {
    const { code, out, err } = run('relabel', 'slos.yaml', '--url', 'http://slo.example/');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('url: http://slo.example/api/v1/write\n');
  });

  test('the window of Sloth SLOs is --sloth-period, of check, convert and serve', async () => {
    const events = { error_query: 'sum(rate(b[{{.window}}]))', total_query: 'sum(rate(t[{{.window}}]))' };
    const slos = [{ name: 'orders', objective: 99, sli: { events }, alerting: { name: 'OrdersFail' } }];
    writeFileSync(join(folder, 'sloth.json'), JSON.stringify({ version: 'prometheus/v1', service: 'shop', slos }));
    expect(run('check', 'sloth.json').out).toContain('shop/orders: events, 99% over 30d\n');
    expect(run('check', '--sloth-period', '4w', 'sloth.json').out).toContain('shop/orders: events, 99% over 28d\n');
    expect(run('convert', '--sloth-period', '7d', 'sloth.json').out).toContain('\n    window: 7d\n');
    expect(run('convert', '--to', 'prometheus-rules', 'sloth.json').out).toContain(
      'record: slo:sli_error:ratio_rate30d\n',
    );
    const files = ['--slos', 'sloth.json', '--data', 'data', '--listen', '127.0.0.1:0'];
    const { url, child, exited } = await serve(['serve', ...files], { SLIPSTREAM_SLOTH_PERIOD: '14d' });
    const { slos: states } = (await (await fetch(`${url}/api/v1/slos`)).json()) as { slos: object[] };
    expect(states).toMatchObject([{ id: 'shop/orders', window: { kind: 'rolling', duration: '14d' } }]);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  test('serve says everything that is wrong with the definitions and exits 1', () => {
    writeFileSync(join(folder, 'bad.yaml'), DEFINITIONS.replace('99.9', '120').replace('window: 30d', 'windo: 30d'));
    const { code, err } = run('serve', '--slos', 'bad.yaml', '--listen', '127.0.0.1:0');
    expect(code).toBe(1);
    expect(err).toContain('bad.yaml:6:16: slos[0].objective: ');
    expect(err).toContain('bad.yaml:7:5: slos[0].windo: ');
    const checked = run('check', 'bad.yaml').out.split('\n');
    expect(err.trimEnd().split('\n')).toEqual(checked.filter((line) => line.startsWith('bad.yaml')));
  });

  test('serve names the globs that led to no SLO', () => {
    const { code, err } = run('serve', '--slos', 'nothing/*.yaml', '--listen', '127.0.0.1:0');
    expect(code).toBe(2);
    expect(err).toContain('nothing/*.yaml');
    writeFileSync(join(folder, 'empty.yaml'), 'services: {}\n');
    expect(run('serve', '--slos', 'empty.yaml', '--listen', '127.0.0.1:0').err).toContain('empty.yaml');
  });
});

describe('serve', () => {
  test('SIGTERM drains, saves a snapshot and exits 0', async () => {
    const { child, url, log, exited } = await serveSlos();
    expect((await fetch(`${url}/-/ready`)).status).toBe(200);
    expect(log()).toContain('slipstream relabel');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    const again = await serveSlos();
    again.child.kill('SIGINT');
    expect(await again.exited).toBe(0);
    expect(again.log()).toMatch(/"snapshotBytes":[1-9]/);
  });

  test('SIGHUP and a changed file are reloads, and a mistake changes nothing', async () => {
    const { child, url, log } = await serveSlos();
    const names = async () => {
      const { slos } = (await (await fetch(`${url}/api/v1/slos`)).json()) as { slos: { name: string }[] };
      return slos.map(({ name }) => name);
    };
    const file = join(folder, 'slos.yaml');
    writeFileSync(file, DEFINITIONS.replace('99.9', '120').replace('window: 30d', 'windo: 30d'));
    child.kill('SIGHUP');
    await until(() => log().includes('not reloaded'));
    expect(log()).toContain('slos.yaml:6:16: slos[0].objective: must be between 0 and 100, got 120');
    expect(log()).toContain('slos.yaml:7:5: slos[0].windo: unknown key; did you mean window?');
    expect(await names()).toEqual(['availability']);
    writeFileSync(file, DEFINITIONS.replace('name: availability', 'name: success'));
    await until(() => log().includes('reloaded: 1 SLO: 1 added, 1 removed, 0 changed, 0 kept'));
    expect(await names()).toEqual(['success']);
    // Each change was read once.
    expect(log().match(/reloaded/g)).toHaveLength(2);
  });

  test('a second signal ends it at once', async () => {
    const { child, url, log, exited } = await serveSlos();
    const { hostname, port } = new URL(url);
    const { connect } = await import('node:net');
    const socket = connect(Number(port), hostname);
    // A request that never ends keeps the drain waiting.
    socket.on('error', () => {}).write('POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n');
    await new Promise((done) => setTimeout(done, 100));
    child.kill('SIGTERM');
    await until(() => log().includes('draining'));
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
  });

  test('an address or a folder in use is one clear line', async () => {
    const { url } = await serveSlos();
    const { host } = new URL(url);
    const second = run('serve', '--slos', 'slos.yaml', '--data', 'other', '--listen', host);
    expect([second.code, second.err.trim().split('\n').length]).toEqual([1, 1]);
    expect(second.err).toContain(`address already in use ${host}: choose another address with --listen`);
    const third = run('serve', '--slos', 'slos.yaml', '--data', 'state', '--listen', '127.0.0.1:0');
    expect([third.code, third.err.trim().split('\n').length]).toEqual([1, 1]);
    expect(third.err).toContain('is in use by another slipstream process');
  });

  test('spans are sent where OTEL_… variables say so', async () => {
    const received: string[] = [];
    const collector = createServer((request, response) => {
      let body = '';
      request.setEncoding('latin1').on('data', (text) => {
        body += text;
      });
      request.on('end', () => {
        received.push(`${request.url} ${body}`);
        response.end();
      });
    });
    await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done));
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const { child, url, exited } = await serveSlos({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint });
    await fetch(`${url}/api/v1/slos/api/availability`);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    collector.close();
    const traces = received.filter((each) => each.startsWith('/v1/traces ')).join();
    expect(traces).toContain('GET /api/v1/slos/:service/:name');
    expect(traces).toContain('evaluate');
    expect(traces).toContain('slipstream');
  });

  test('the SDK is loaded only where it is asked for', () => {
    const wanted = (env: Record<string, string>, expected: boolean) => expect(telemetryWanted(env)).toBe(expected);
    wanted({}, false);
    wanted({ OTEL_SERVICE_NAME: 'x' }, false);
    wanted({ OTEL_TRACES_EXPORTER: 'console' }, true);
    wanted({ OTEL_METRICS_EXPORTER: '' }, false);
    wanted({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_SDK_DISABLED: 'true' }, false);
  });
});

describe('demo', () => {
  test('has live budgets within ten seconds, and leaves nothing behind', async () => {
    const { child, url, exited } = await serve(['demo', '--duration', '1m']);
    const deadline = Date.now() + 10_000;
    let states: { id: string; state: string }[] = [];
    do {
      await new Promise((done) => setTimeout(done, 200));
      states = ((await (await fetch(`${url}/api/v1/slos`)).json()) as { slos: typeof states }).slos;
    } while (states.some(({ state }) => state === 'no_data') && Date.now() < deadline);
    expect(states.length).toBeGreaterThan(3);
    expect(states.filter(({ state }) => state === 'no_data')).toEqual([]);
    expect(run('gate', '--url', url, '--service', 'storefront').code).toBeLessThan(2);
    expect(run('gate', '--url', url, '--service', 'nobody').code).toBe(3);
    child.kill('SIGINT');
    expect(await exited).toBe(0);
    expect(run('gate', '--url', url, '--service', 'storefront').code).toBe(4);
  });
});
