import { Fleet, type FleetOptions } from '../src/cli/bench/fleet.ts';
import { Load, type LoadOptions, type Pace } from '../src/cli/bench/load.ts';
import { ROUND_MS } from './corpus.ts';
import { type Launch, ServerProcess } from './server-process.ts';

/**
 * Servers under the same load, in turns: each is loaded for a while as fast as it takes, then the next, and so on, so that a noisy
 * minute falls on all of them alike. What counts is the CPU time of the server's process.
 */

export interface ContenderOptions extends FleetOptions, Pick<LoadOptions, 'protocol' | 'order' | 'samplesPerRequest'> {
  readonly name: string;
  readonly launch: (folder: string, port: number) => Launch;
  readonly connections: number;
}

export interface Turn {
  readonly samples: number;
  readonly seconds: number;
  readonly cpuNsPerSample: number;
  readonly writtenBytesPerSample: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** More than any server takes on one core; it decides how far back in time the load begins. */
const SAMPLES_PER_SECOND_MAX = 25e6;

export class Contender {
  readonly name: string;
  readonly server: ServerProcess;
  readonly fleet: Fleet;
  readonly load: Load;
  readonly turns: Turn[] = [];
  rssBytes = 0;
  refused = 0;
  #timeMs: number;

  private constructor(name: string, server: ServerProcess, fleet: Fleet, load: Load, startMs: number) {
    this.name = name;
    this.server = server;
    this.fleet = fleet;
    this.load = load;
    this.#timeMs = startMs;
  }

  /** `nowMs`: the time of the last sample is never after it. The load is on for `loadedMs` in all. */
  static async start(options: ContenderOptions, nowMs: number, loadedMs: number): Promise<Contender> {
    const server = await ServerProcess.start(options.launch);
    const fleet = new Fleet(options);
    const load = new Load({ ...options, url: server.url, fleet });
    const rounds = Math.ceil((SAMPLES_PER_SECOND_MAX * loadedMs) / 1_000 / fleet.seriesCount) + 2;
    return new Contender(options.name, server, fleet, load, nowMs - rounds * ROUND_MS);
  }

  /** The next rounds at their own times, 15 s apart, for `durationMs` or a little longer. */
  async run(durationMs: number): Promise<void> {
    const before = { cpuNs: this.server.cpuNs(), written: this.server.writtenBytes(), ms: performance.now() };
    this.load.reset();
    await this.load.run(this.#pace(durationMs));
    const { samples, latency, answers } = this.load;
    this.turns.push({
      samples,
      seconds: (performance.now() - before.ms) / 1_000,
      cpuNsPerSample: (this.server.cpuNs() - before.cpuNs) / samples,
      writtenBytesPerSample: (this.server.writtenBytes() - before.written) / samples,
      p50Ms: latency.percentile(0.5),
      p99Ms: latency.percentile(0.99),
    });
    this.rssBytes = this.server.rssBytes();
    for (const [status, count] of answers) if (status < 200 || status > 299) this.refused += count;
  }

  async end(): Promise<void> {
    this.load.close();
    await this.server.end();
  }

  #pace(durationMs: number): Pace {
    const untilMs = performance.now() + durationMs;
    const startMs = this.#timeMs;
    let first: number | null = null;
    let begun = -1;
    return (round, share) => {
      first ??= round;
      if (share === 0 && round > begun) {
        if (begun !== -1 && performance.now() >= untilMs) return null;
        begun = round;
        this.#timeMs = startMs + (round - first + 1) * ROUND_MS;
      }
      return { timeMs: Math.floor(startMs + (round - first + share) * ROUND_MS), dueMs: null };
    };
  }
}

export interface RotationOptions {
  readonly turns: number;
  readonly turnMs: number;
  /** Not measured. */
  readonly warmUpMs: number;
  readonly log: (line: string) => void;
}

/** Starts all, loads them in turns, and hands them to `then` before they end. */
export async function rotate<T>(
  options: readonly ContenderOptions[],
  { turns, turnMs, warmUpMs, log }: RotationOptions,
  then: (contenders: readonly Contender[]) => T | Promise<T>,
): Promise<T> {
  const contenders: Contender[] = [];
  try {
    for (const one of options) {
      log(`${one.name}: preparing`);
      const contender = await Contender.start(one, Date.now(), warmUpMs + turns * turnMs);
      contenders.push(contender);
      await contender.run(warmUpMs);
      contender.turns.length = 0;
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const contender of contenders) {
        await contender.run(turnMs);
        const { cpuNsPerSample } = contender.turns.at(-1)!;
        log(`turn ${turn + 1}, ${contender.name}: ${cpuNsPerSample.toFixed(0)} ns of CPU a sample`);
      }
    }
    return await then(contenders);
  } finally {
    for (const contender of contenders) await contender.end();
  }
}

/** Median, least and most. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, min: sorted[0]!, max: sorted.at(-1)! };
}
