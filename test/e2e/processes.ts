import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished, test } from 'vitest';
import { freePort } from '../../bench/server-process.ts';

/** Real peers in real processes, on loopback, ended by their id. */

const MAIN = path.resolve(import.meta.dirname, '../../dist/src/main.js');

/** Runs a test against a program of Debian's; without it the test is skipped, or fails where end-to-end tests are required. */
export function testWith(program: string, name: string, run: () => Promise<void>, timeoutMs: number): void {
  const missing = !isInstalled(program);
  if (missing && process.env['SLIPSTREAM_E2E'] === 'required') {
    test(name, () => {
      throw new Error(`${program} is not installed, and end-to-end tests are required: apt-get install ${program}`);
    });
    return;
  }
  test.skipIf(missing)(name, run, timeoutMs);
}

function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function temporaryFolder(): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'slipstream-e2e-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Peers must find each other at the same place after a restart. */
export { freePort };

export async function until<T>(what: string, ask: () => Promise<T | null>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown = 'nothing';
  while (performance.now() < deadline) {
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${last}`);
}

export class Peer {
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #readyUrl: string;
  #child: ChildProcess | null = null;
  output = '';

  constructor(command: string, args: readonly string[], readyUrl: string) {
    this.#command = command;
    this.#args = args;
    this.#readyUrl = readyUrl;
    onTestFinished(async () => {
      await this.end('SIGKILL');
    });
  }

  async start(): Promise<void> {
    const child = spawn(this.#command, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-20_000);
      });
    }
    await until(`${this.#command} to be ready`, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${this.output}`);
      return (await fetch(this.#readyUrl)).ok ? true : null;
    }).catch((error: unknown) => {
      throw new Error(`${error}\n${this.output}`);
    });
  }

  /** Sends the signal and waits until the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    return gone;
  }
}

/** An Alertmanager that sends what it is told, by its labels, to one of two webhooks. */
export function alertmanager(dir: string, port: number, pages: string, others: string): Peer {
  const file = path.join(dir, 'alertmanager.yml');
  writeFileSync(
    file,
    `
route:
  receiver: others
  group_by: [service]
  group_wait: 0s
  group_interval: 1s
  routes: [{matchers: ['severity="page"'], receiver: pages}]
receivers:
  - {name: pages, webhook_configs: [{url: "${pages}"}]}
  - {name: others, webhook_configs: [{url: "${others}"}]}
`,
  );
  const args = [
    `--config.file=${file}`,
    `--storage.path=${path.join(dir, 'alertmanager')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--cluster.listen-address=',
    '--log.level=warn',
  ];
  return new Peer('prometheus-alertmanager', args, `http://127.0.0.1:${port}/-/ready`);
}

export function slipstream(dir: string, port: number, definitions: string, flags: readonly string[] = []): Peer {
  const file = path.join(dir, 'slos.yaml');
  writeFileSync(file, definitions);
  const args = [
    MAIN,
    'serve',
    '--listen',
    `127.0.0.1:${port}`,
    '--data',
    path.join(dir, 'data'),
    '--slos',
    file,
    ...flags,
  ];
  return new Peer(process.execPath, args, `http://127.0.0.1:${port}/-/ready`);
}

/** A Prometheus that scrapes one app every second and pushes what it scraped. */
export function prometheus(dir: string, port: number, appPort: number, writeUrl: string): Peer {
  const file = path.join(dir, 'prometheus.yml');
  writeFileSync(
    file,
    `
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: shop
    static_configs: [{targets: ["127.0.0.1:${appPort}"]}]
remote_write:
  - url: ${writeUrl}
    queue_config: {batch_send_deadline: 500ms, min_backoff: 50ms, max_backoff: 500ms}
`,
  );
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${path.join(dir, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
  return new Peer('prometheus', args, `http://127.0.0.1:${port}/-/ready`);
}

/** An instrumented application: it counts requests by code and shows the counters as Prometheus text. */
export class App {
  readonly counts = new Map<string, number>();
  port = 0;
  scrapes = 0;

  async start(): Promise<void> {
    const server = createServer((_request, response) => {
      this.scrapes++;
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(
        `# TYPE http_requests_total counter\n${[...this.counts].map(([code, count]) => `http_requests_total{code="${code}"} ${count}\n`).join('')}`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
  }

  serve(code: string, requests: number): void {
    this.counts.set(code, (this.counts.get(code) ?? 0) + requests);
  }

  sum(isBad: boolean): number {
    let sum = 0;
    for (const [code, count] of this.counts) if (code.startsWith('5') === isBad) sum += count;
    return sum;
  }
}
