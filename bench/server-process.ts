import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A server in a process of its own, and what it uses of the machine as Linux accounts for it. */

const READY_MAX_MS = 120_000;
const STOP_MAX_MS = 30_000;

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Answers 200 once the server is ready. */
  readonly readyPath: string;
}

const unended = new Set<ServerProcess>();

/** No server outlives this process, however that ends. */
function endTogether(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  process.once('exit', () => {
    for (const server of unended) server.abandon();
  });
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export class ServerProcess {
  readonly url: string;
  /** For the server's data; removed at the end. */
  readonly folder: string;
  readonly #launch: Launch;
  #child: ChildProcess | null = null;
  #output = '';

  private constructor(url: string, folder: string, launch: Launch) {
    this.url = url;
    this.folder = folder;
    this.#launch = launch;
  }

  static async start(launch: (folder: string, port: number) => Launch): Promise<ServerProcess> {
    if (unended.size === 0 && process.listenerCount('SIGTERM') === 0) endTogether();
    const folder = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));
    const port = await freePort();
    const server = new ServerProcess(`http://127.0.0.1:${port}`, folder, launch(folder, port));
    unended.add(server);
    await server.restart();
    return server;
  }

  /** Starts it, again on the same data; returns how long it took to be ready. */
  async restart(): Promise<number> {
    const { command, args, readyPath } = this.#launch;
    const startedMs = performance.now();
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#output = (this.#output + text).slice(-5_000);
      });
    }
    let failure: Error | null = null;
    child.on('error', (error) => {
      failure = error;
    });
    while (!(await this.#isReady(readyPath))) {
      if (failure !== null) throw failure;
      const isLate = performance.now() - startedMs > READY_MAX_MS;
      if (child.exitCode !== null || isLate) throw new Error(`${command} did not become ready:\n${this.#output}`);
      await sleep(10);
    }
    return performance.now() - startedMs;
  }

  /** CPU time of the process so far, in nanoseconds: the sum over its threads. */
  cpuNs(): number {
    const tasks = `/proc/${this.#pid}/task`;
    let sum = 0;
    for (const task of readdirSync(tasks))
      sum += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ')[0]);
    return sum;
  }

  rssBytes(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#pid}/status`, 'utf8'))!;
    return Number(kilobytes) * 1024;
  }

  /** Bytes written to disk so far. */
  writtenBytes(): number {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${this.#pid}/io`, 'utf8'))![1]);
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.url + path);
    if (!response.ok) throw new Error(`${this.url}${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Ends the process and leaves its data. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MAX_MS);
    await gone;
    clearTimeout(late);
  }

  async end(): Promise<void> {
    await this.stop('SIGKILL');
    this.abandon();
  }

  /** Ends it without waiting for its end. */
  abandon(): void {
    this.#child?.kill('SIGKILL');
    unended.delete(this);
    rmSync(this.folder, { recursive: true, force: true });
  }

  get #pid(): number {
    return this.#child!.pid!;
  }

  async #isReady(path: string): Promise<boolean> {
    try {
      return (await fetch(this.url + path)).ok;
    } catch {
      return false;
    }
  }
}
