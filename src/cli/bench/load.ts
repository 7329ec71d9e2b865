import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from './connection.ts';
import type { Fleet } from './fleet.ts';
import { Latency } from './latency.ts';
import { PROTOCOL_INFO, type Protocol } from './protocols.ts';
import { type Order, type Shard, shardsOf } from './shard.ts';

/** Sends a fleet's samples over several connections, as fast as they are taken or at a given pace. */

export interface LoadOptions {
  readonly url: string;
  readonly fleet: Fleet;
  readonly protocol: Protocol;
  readonly order: Order;
  readonly connections: number;
  readonly samplesPerRequest: number;
  readonly seed: number;
}

/** When a request is sent, and the time of its samples. */
export interface Turn {
  readonly timeMs: number;
  /** When it was due by `performance.now()`, so that a delay by the requests before it counts; null as soon as may be. */
  readonly dueMs: number | null;
}

/** The turn of the request that stands at `share` of a round; null when no more is to be sent. */
export type Pace = (round: number, share: number) => Turn | null | Promise<Turn | null>;

/** A server that refused for good, or was gone for too long. */
export class LoadError extends Error {
  readonly isUnreachable: boolean;

  constructor(message: string, isUnreachable: boolean) {
    super(message);
    this.name = 'LoadError';
    this.isUnreachable = isUnreachable;
  }
}

const RETRY_MS = 100;
/** A server that asks for more patience is asked again all the same: it is being measured. */
const RETRY_MAX_MS = 1_000;
const UNREACHABLE_MAX_MS = 10_000;

export class Load {
  readonly #fleet: Fleet;
  readonly #shards: readonly Shard[];
  readonly #connections: readonly Connection[];
  /** All shards begin a round together where each target is spread over all of them. */
  readonly #inStep: boolean;
  /** By shard: the sample time of its last request. */
  readonly #timesMs: Float64Array;
  #round = 0;
  latency = new Latency();
  /** Of requests that were taken. */
  samples = 0;
  bodyBytes = 0;
  rawBytes = 0;
  /** Answers by status; 0 is none. */
  readonly answers = new Map<number, number>();

  constructor(options: LoadOptions) {
    const { fleet, connections, protocol } = options;
    const { path, headers } = PROTOCOL_INFO[protocol];
    const url = new URL(options.url);
    url.pathname = url.pathname.replace(/\/+$/, '') + path;
    this.#fleet = fleet;
    this.#shards = shardsOf(fleet, Math.min(connections, fleet.targetCount), options);
    this.#connections = this.#shards.map(() => new Connection(url, headers));
    this.#timesMs = new Float64Array(this.#shards.length);
    this.#inStep = options.order === 'sharded';
  }

  /** Begins to count anew. */
  reset(): void {
    this.latency = new Latency();
    this.samples = 0;
    this.bodyBytes = 0;
    this.rawBytes = 0;
    this.answers.clear();
  }

  /** Whole rounds, the same number of each shard, until the pace ends them. Throws a LoadError. */
  async run(pace: Pace): Promise<void> {
    const rounds = this.#shards.map(() => this.#round);
    const sendRound = async (shard: number): Promise<boolean> => this.#sendRound(shard, rounds[shard]!++, pace);
    if (this.#inStep) {
      while ((await Promise.all(this.#shards.map((_, shard) => sendRound(shard)))).every(Boolean))
        this.#timesMs.fill(Math.max(...this.#timesMs));
    } else {
      await Promise.all(
        this.#shards.map(async (_, shard) => {
          while (await sendRound(shard));
        }),
      );
    }
    this.#round = rounds[0]! - 1;
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }

  /** False when the pace has come to its end. */
  async #sendRound(shard: number, round: number, pace: Pace): Promise<boolean> {
    const requests = this.#shards[shard]!.requests(round);
    for (let i = 0; i < requests; i++) {
      const turn = await pace(round, i / requests);
      if (turn === null) return false;
      const lastMs = this.#timesMs[shard]!;
      let timeMs = Math.max(turn.timeMs, lastMs);
      if (i === 0 && timeMs === lastMs) {
        // Two samples of a series are never of the same millisecond, nor do they run ahead of the clock.
        await sleep(1);
        timeMs++;
      }
      this.#timesMs[shard] = timeMs;
      await this.#send(shard, round, i, { timeMs, dueMs: turn.dueMs });
    }
    return true;
  }

  async #send(shard: number, round: number, index: number, { timeMs, dueMs }: Turn): Promise<void> {
    const template = this.#shards[shard]!.template(round, index, timeMs);
    const body = template.fill(this.#fleet);
    const startedMs = dueMs ?? performance.now();
    let unreachableSinceMs: number | null = null;
    for (;;) {
      const { status, text, retryAfterMs } = await this.#connections[shard]!.post(body);
      this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
      if (status >= 200 && status < 300) {
        this.latency.observe(performance.now() - startedMs);
        this.samples += template.samples;
        this.bodyBytes += body.length;
        this.rawBytes += template.rawBytes;
        return;
      }
      if (status >= 400 && status < 500 && status !== 429)
        throw new LoadError(`the server refused a request with ${status}: ${text}`, false);
      unreachableSinceMs = status === 0 ? (unreachableSinceMs ?? performance.now()) : null;
      if (unreachableSinceMs !== null && performance.now() - unreachableSinceMs >= UNREACHABLE_MAX_MS)
        throw new LoadError(`no answer for ${UNREACHABLE_MAX_MS / 1_000} s: ${text}`, true);
      await sleep(Math.min(retryAfterMs ?? RETRY_MS, RETRY_MAX_MS));
    }
  }
}

/** So many rounds at their own time, as fast as they are taken. `startMs` is the time of the first. */
export function rounds(count: number, startMs: number, roundMs: number): Pace {
  let first: number | null = null;
  return (round, share) => {
    first ??= round;
    if (round - first >= count) return null;
    return { timeMs: Math.floor(startMs + (round - first + share) * roundMs), dueMs: null };
  };
}

/**
 * For so long, at the time of day. `roundMs` is how long a round is to take, and the end is then that of a round; 0 is as fast as
 * it is taken.
 */
export function timed(durationMs: number, roundMs: number, clock: () => number): Pace {
  const startedMs = performance.now();
  const startedAtMs = clock();
  let first: number | null = null;
  let begun = -1;
  return async (round, share) => {
    first ??= round;
    const dueMs = (round - first + share) * roundMs;
    const waitMs = startedMs + dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    // A round that one shard has begun is sent by all of them, so that no target is left half told.
    if (share === 0 && round > begun) {
      // As many whole rounds as come nearest to the duration, and at least one.
      const isOver = performance.now() - startedMs >= durationMs || dueMs + roundMs / 2 > durationMs;
      if (isOver && round > first) return null;
      begun = round;
    }
    if (roundMs === 0) return { timeMs: clock(), dueMs: null };
    return { timeMs: Math.floor(startedAtMs + dueMs), dueMs: startedMs + dueMs };
  };
}
