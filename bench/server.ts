import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** `slipstream serve` as a process of its own, on loopback, with a data folder that outlives it. */

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));

export interface Memory {
  readonly rssBytes: number;
  readonly peakBytes: number;
}

/** Data and definitions of one server, started as often as one likes. */
export class ServerHome {
  readonly #dir = mkdtempSync(join(tmpdir(), 'slipstream-bench-'));

  /** `definitions`: each is one file. */
  constructor(definitions: readonly object[]) {
    mkdirSync(join(this.#dir, 'slos'));
    definitions.forEach((definition, i) => {
      writeFileSync(join(this.#dir, 'slos', `${i}.json`), JSON.stringify(definition));
    });
  }

  start(): Promise<ServerProcess> {
    return ServerProcess.start(join(this.#dir, 'slos'), join(this.#dir, 'data'));
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true });
  }
}

export class ServerProcess {
  readonly url: string;
  /** From the start of the process until it was ready to take samples. */
  readonly startSeconds: number;
  /** Of it, the part in which the state was restored. */
  readonly recoverySeconds: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string, startSeconds: number, recoverySeconds: number) {
    this.#child = child;
    this.url = url;
    this.startSeconds = startSeconds;
    this.recoverySeconds = recoverySeconds;
  }

  static start(slos: string, data: string): Promise<ServerProcess> {
    const began = performance.now();
    const args = [MAIN, 'serve', '--listen', '127.0.0.1:0', '--slos', slos, '--data', data];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    return new Promise((resolve, reject) => {
      let log = '';
      let recoverySeconds = Number.NaN;
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log}`)));
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
        for (let end = log.indexOf('\n'); end !== -1; end = log.indexOf('\n')) {
          const line = JSON.parse(log.slice(0, end)) as { msg: string; seconds?: number; url?: string };
          log = log.slice(end + 1);
          if (line.msg === 'state recovered') recoverySeconds = line.seconds!;
          // The line that follows once samples are taken.
          if (line.url !== undefined) {
            const seconds = (performance.now() - began) / 1000;
            resolve(new ServerProcess(child, line.url, seconds, recoverySeconds));
          }
        }
      });
    });
  }

  /** Sends compressed remote write 1.0 requests, one after the other. */
  async write(bodies: readonly Uint8Array[]): Promise<void> {
    for (const body of bodies) {
      const response = await fetch(`${this.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
        body: new Uint8Array(body),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`the server answered ${response.status}: ${text}`);
    }
  }

  /** Resident memory now and at its highest; of Linux alone. */
  memory(): Memory {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    const bytes = (name: string): number => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]);
    return { rssBytes: bytes('VmRSS'), peakBytes: bytes('VmHWM') };
  }

  /** With SIGTERM it saves a snapshot first; with SIGKILL the journal is all there is. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill(signal);
    await gone;
  }
}
