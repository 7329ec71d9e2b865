import path from 'node:path';
import { expect } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { scrape } from '../api/server.ts';
import { Random } from '../fuzz/mutate.ts';
import { bodyOf, counter, DELTA, point, request } from '../support/otlp.ts';
import { freePort, type Peer, slipstream, temporaryFolder, until } from './processes.ts';

/** Senders of every protocol that hear nothing and send everything again, to a server that is killed. */

const KILLS = 6;
const STEP_MS = 1_000;
/** How many requests a sender sends again when one is not answered, those that were acknowledged among them. */
const SENT_AGAIN = 4;
const SENDERS = ['rw1', 'rw2', 'otlp'] as const;
type Name = (typeof SENDERS)[number];

/** One SLO a sender. */
export const DEFINITIONS = `
apiVersion: slipstream/v1
service: shop
slos:
${SENDERS.map(
  (name) => `  - name: ${name}
    objective: 99
    sli:
      events:
        total: '{__name__=~"requests(_total)?",job="${name}"}'
        bad: '{__name__=~"requests(_total)?",job="${name}",code="500"}'
`,
).join('')}`;

class Sender {
  readonly name: Name;
  readonly #url: string;
  readonly #random: Random;
  readonly #startMs: number;
  readonly #recent: { readonly body: Uint8Array; readonly step: number }[] = [];
  #steps = 0;
  good = 0;
  bad = 0;
  unanswered = 0;

  constructor(name: Name, url: string, startMs: number, seed: number) {
    this.name = name;
    this.#url = url;
    this.#startMs = startMs;
    this.#random = new Random(seed);
  }

  /** Sends one request more until it is acknowledged. */
  async step(): Promise<void> {
    this.#recent.push({ body: this.#next(), step: this.#steps++ });
    if (this.#recent.length > SENT_AGAIN) this.#recent.shift();
    if (await this.#send(this.#recent.at(-1)!.body, this.#random.below(4) > 0)) return;
    await until(`${this.name} to be acknowledged`, async () => {
      for (const { body } of this.#recent) {
        if (!(await this.#send(body, this.#random.below(8) > 0))) return null;
      }
      return true;
    });
  }

  /** False when there was no answer, or one that says to come again. A sender that does not wait cuts the connection. */
  async #send(body: Uint8Array, waits: boolean): Promise<boolean> {
    const isOtlp = this.name === 'otlp';
    const type = this.name === 'rw2' ? ';proto=io.prometheus.write.v2.Request' : '';
    const headers = {
      'content-type': `application/x-protobuf${type}`,
      ...(!isOtlp && { 'content-encoding': 'snappy' }),
    };
    const signal = AbortSignal.timeout(waits ? 2_000 : this.#random.below(4));
    const path = isOtlp ? '/v1/metrics' : '/api/v1/write';
    let status = 0;
    try {
      const response = await fetch(this.#url + path, { method: 'POST', headers, body, signal });
      await response.arrayBuffer();
      status = response.status;
    } catch {
      // No answer.
    }
    // Nothing that is sent may be refused for good.
    expect([0, 200, 204, 503]).toContain(status);
    const acknowledged = status === 200 || status === 204;
    if (!acknowledged) this.unanswered++;
    return acknowledged;
  }

  /** What happened since the step before, as this protocol says it. Before the first step nothing had. */
  #next(): Uint8Array {
    const tMs = this.#startMs + this.#steps * STEP_MS;
    const good = this.#steps === 0 ? 0 : this.#random.below(100);
    const bad = this.#steps === 0 ? 0 : this.#random.below(5);
    this.good += good;
    this.bad += bad;
    if (this.name === 'otlp') {
      const points = [
        point(tMs, good, { code: '200' }, tMs - STEP_MS),
        point(tMs, bad, { code: '500' }, tMs - STEP_MS),
      ];
      const resource = { 'service.name': 'otlp', 'service.instance.id': 'a' };
      return bodyOf(request([counter('requests', points, DELTA)], resource), 'protobuf');
    }
    const series = scrape(tMs, { 200: 1_000 + this.good, 500: 7 + this.bad }, 'a', this.name);
    return compress(this.name === 'rw1' ? encodeWriteRequest(series) : encodeRequest2(series));
  }
}

interface Target {
  readonly url: string;
  /** What the server reads. */
  readonly definitions: string;
}

/**
 * All senders at once, while the server is killed again and again and `meanwhile` is done in turns: what is counted in the end
 * is what was sent.
 */
export async function countedExactly(meanwhile?: (target: Target) => Promise<void>): Promise<void> {
  const port = await freePort();
  const dir = temporaryFolder();
  const target = { url: `http://127.0.0.1:${port}`, definitions: path.join(dir, 'slos.yaml') };
  const { url } = target;
  const server = slipstream(dir, port, DEFINITIONS);
  await server.start();
  const startMs = Date.now() - 3_600_000;
  const senders = SENDERS.map((name, i) => new Sender(name, url, startMs, 7 + i));
  let isOver = false;
  const inTurns = async (turn: () => Promise<void>): Promise<void> => {
    while (!isOver) {
      await turn();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const working = senders.map((sender) => inTurns(() => sender.step()));
  if (meanwhile !== undefined) working.push(inTurns(() => meanwhile(target)));
  await Promise.race([killed(server, new Random(3)), ...working]);
  isOver = true;
  await Promise.all(working);
  const sent = senders.map(({ name, good, bad }) => [name, { good, bad, total: good + bad }]);
  const counted = async (): Promise<unknown[]> => {
    const { slos } = (await (await fetch(`${url}/api/v1/slos`)).json()) as { slos: SloState[] };
    return SENDERS.map((name) => [name, slos.find((slo) => slo.name === name)!.events]);
  };
  const isSettled = async () => (JSON.stringify(await counted()) === JSON.stringify(sent) ? true : null);
  await until('everything to be settled', isSettled, 15_000).catch(async () => expect(await counted()).toEqual(sent));
  await server.end('SIGKILL');
  await server.start();
  expect(await counted()).toEqual(sent);
  for (const { name, good, unanswered } of senders) {
    expect(good, name).toBeGreaterThan(0);
    expect(unanswered, name).toBeGreaterThan(KILLS);
  }
}

async function killed(server: Peer, random: Random): Promise<void> {
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + random.below(400)));
    await server.end('SIGKILL');
    await server.start();
  }
}
