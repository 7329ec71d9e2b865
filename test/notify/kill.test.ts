import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { HttpReceiver } from './receiver.ts';

const MAIN = path.resolve(import.meta.dirname, '../../dist/src/main.js');

/** `slipstream serve` in a process of its own, which can be killed. */
class Served {
  readonly #dir: string;
  #child: ChildProcess | null = null;
  url = '';

  constructor(dir: string) {
    this.#dir = dir;
    onTestFinished(() => this.kill());
  }

  async start(): Promise<void> {
    const flags = ['--listen', '127.0.0.1:0', '--data', path.join(this.#dir, 'data'), '--slos', this.#dir];
    const pace = ['--evaluation-interval', '20ms', '--settle', '0s'];
    const child = spawn(process.execPath, [MAIN, 'serve', ...flags, ...pace], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.url = await new Promise((resolve, reject) => {
      let text = '';
      child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const url = /"url":"([^"]+)"/.exec(text)?.[1];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', (code) => reject(new Error(`it ended with ${code}: ${text}`)));
    });
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async push(good: number, bad: number): Promise<void> {
    const response = await fetch(`${this.url}/api/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ slo: 'jobs/nightly', good, bad }]),
    });
    expect(response.status).toBe(200);
  }

  /** Waits until it is on record that the receiver was told. */
  async hasTold(): Promise<void> {
    for (;;) {
      const history = await (await fetch(`${this.url}/api/v1/alerts/history`)).text();
      if (history.includes('"outcome":"delivered"')) return;
      await sleep(5);
    }
  }
}

function files(url: string): string {
  const dir = mkdtempSync(path.join(tmpdir(), 'slipstream-kill-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(
    path.join(dir, 'slos.yaml'),
    `
apiVersion: slipstream/v1
service: jobs
slos:
  - name: nightly
    objective: 99
    sli: {push: {}}
    alerts: {policy: [{name: page-quick, severity: page, factor: 10, long: 1h, short: 5m}]}
---
external_url: https://slipstream.example
route: {receiver: hook}
receivers: [{name: hook, webhook_configs: [{url: "${url}"}]}]
`,
  );
  return dir;
}

test('a page that waits for its receiver outlives kill -9, and is then told once', async () => {
  const hook = await HttpReceiver.start((response) => response.writeHead(503).end());
  const served = new Served(files(hook.url));
  await served.start();
  await served.push(50, 50);
  await hook.have(1);
  await served.kill();
  hook.answer = (response) => response.end();
  await served.start();
  await hook.have(2);
  await served.hasTold();
  const told = hook.received.length;
  await served.kill();
  await served.start();
  await served.push(50, 50);
  await sleep(300);
  expect(hook.received.length).toBe(told);
  expect(hook.received[1]!.text).toBe(hook.received[0]!.text);
  expect(hook.received[1]!.headers['idempotency-key']).toBe(hook.received[0]!.headers['idempotency-key']);
}, 60_000);

test('whenever it is killed, somebody is told of the alert, and of no other', async () => {
  const hook = await HttpReceiver.start();
  for (let i = 0; i < 4; i++) {
    const served = new Served(files(hook.url));
    await served.start();
    await served.push(50, 50);
    // The tick that finds out, the transaction, the delivery: one of them is interrupted.
    await sleep(i * 10);
    await served.kill();
    await served.start();
    const before = hook.received.length;
    while (hook.received.length === 0) await sleep(5);
    await served.push(50, 50);
    await sleep(100);
    await served.kill();
    // At least once: a kill between the answer and its record sends the same message again.
    const keys = new Set(hook.received.map(({ headers }) => headers['idempotency-key']));
    expect(keys.size, `killed after ${i * 10} ms, ${before} before`).toBe(1);
    hook.received.length = 0;
  }
}, 60_000);
