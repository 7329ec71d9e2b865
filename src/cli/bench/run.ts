import { setTimeout as sleep } from 'node:timers/promises';
import type { SloState } from '../../engine/state.ts';
import type { Io } from '../io.ts';
import { accuracyOf, type Balances } from './accuracy.ts';
import type { Fleet } from './fleet.ts';
import { type Load, rounds, timed } from './load.ts';
import { Progress } from './progress.ts';
import { PROTOCOL_INFO, type Protocol } from './protocols.ts';
import { type BenchResult, headRoom } from './report.ts';
import type { Metrics, Server } from './server.ts';
import type { Order } from './shard.ts';
import { type BenchSlo, lastScrapeMs } from './slos.ts';

/** One run of the bench: the series are made known, then the load is on, then what was counted is compared with what was sent. */

export interface RunOptions {
  /** Samples a second; by default what the series send when they are scraped every 15 s. */
  readonly rate?: number;
  /** As many as it takes. */
  readonly max: boolean;
  readonly durationMs: number;
  readonly protocol: Protocol;
  readonly connections: number;
  readonly samplesPerRequest: number;
  readonly order: Order;
  readonly seed: number;
}

export interface BenchContext {
  readonly io: Io;
  readonly clock: () => number;
  /** Whether stderr is one. */
  readonly isTerminal: boolean;
}

const SCRAPE_SECONDS = 15;
/** Not measured: the server has to meet the series, and its code to be compiled. */
const WARM_UP_MS = 2_000;
/** A warm-up at a rate is so many times the rate: at a few requests a second no code would be compiled by its end. */
const WARM_UP_DENSITY = 10;
/** How long the server's watermarks may take to reach what was sent. */
const SETTLE_MAX_MS = 60_000;
const ASK_AGAIN_MS = 250;
/** Fewer new series than this say nothing about the memory of one. */
const NEW_SERIES_MIN = 100_000;

export class Run {
  readonly #options: RunOptions;
  readonly #context: BenchContext;
  readonly #server: Server;
  readonly #fleet: Fleet;
  readonly #load: Load;
  readonly #slos: readonly BenchSlo[];
  #samplesSent = 0;

  constructor(
    options: RunOptions,
    context: BenchContext,
    server: Server,
    fleet: Fleet,
    load: Load,
    slos: readonly BenchSlo[],
  ) {
    this.#options = options;
    this.#context = context;
    this.#server = server;
    this.#fleet = fleet;
    this.#load = load;
    this.#slos = slos;
  }

  async measure(before: Metrics): Promise<BenchResult> {
    const options = this.#options;
    const { max, durationMs } = options;
    const { io, clock, isTerminal } = this.#context;
    const load = this.#load;
    const fleet = this.#fleet;
    const rate = max ? null : (options.rate ?? fleet.seriesCount / SCRAPE_SECONDS);

    // The first round is the opening balance of every series, whatever the server knows of them from an earlier run.
    await load.run(rounds(1, clock(), 0));
    const balances = await this.#settled();
    fleet.resetCounted();

    const roundMs = rate === null ? 0 : (fleet.seriesCount / rate) * 1_000;
    await load.run(timed(WARM_UP_MS, roundMs / WARM_UP_DENSITY, clock));
    this.#takeCounts();

    const first = await this.#server.metrics();
    const startedMs = performance.now();
    const ownCpu = process.cpuUsage();
    const progress = new Progress(io, isTerminal, durationMs, load);
    try {
      await load.run(timed(durationMs, roundMs, clock));
    } finally {
      progress.end();
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(ownCpu);
    const ownCpuSeconds = (user + system) / 1e6;
    const last = await this.#server.metrics();
    const { latency, bodyBytes, samples: acknowledged } = load;
    const answers = Object.fromEntries(load.answers);
    this.#takeCounts();
    const { metricLabel, title } = PROTOCOL_INFO[options.protocol];
    const accuracy = accuracyOf(
      { samples: this.#samplesSent, fleet, slos: this.#slos },
      metricLabel,
      { before, after: last },
      { before: balances, after: await this.#settled() },
    );

    const label = `protocol="${metricLabel}"`;
    const between = (name: string, ...labels: string[]) => last.sum(name, ...labels) - first.sum(name, ...labels);
    const samples = between('slipstream_samples_received_total', label);
    const cpuSeconds = between('process_cpu_seconds_total');
    const samplesPerSecond = samples / seconds;
    const newSeries = last.sum('slipstream_series') - before.sum('slipstream_series');
    const memoryBytes = last.sum('process_resident_memory_bytes');
    return {
      series: fleet.seriesCount,
      targets: fleet.targetCount,
      protocol: title,
      order: options.order,
      samplesPerRequest: options.samplesPerRequest,
      connections: options.connections,
      seed: options.seed,
      rate,
      seconds,
      samples,
      samplesPerSecond,
      bytesPerSample: bodyBytes / acknowledged,
      server: {
        cpuSeconds,
        cpuNsPerSample: (cpuSeconds * 1e9) / samples,
        memoryBytes,
        memoryBytesPerNewSeries:
          newSeries < NEW_SERIES_MIN ? null : (memoryBytes - before.sum('process_resident_memory_bytes')) / newSeries,
      },
      benchCpuSeconds: ownCpuSeconds,
      latencyMs: latency.percentiles(),
      answers,
      accuracy,
      headRoom: headRoom({ rate, samplesPerSecond, cores: cpuSeconds / seconds, benchCores: ownCpuSeconds / seconds }),
    };
  }

  /** What was taken so far counts for the accuracy; the rest begins anew. */
  #takeCounts(): void {
    this.#samplesSent += this.#load.samples;
    this.#load.reset();
  }

  async #settled(): Promise<Balances> {
    const deadline = performance.now() + SETTLE_MAX_MS;
    const isSettled = (slo: BenchSlo, state: SloState | undefined) =>
      state?.asOf != null && Date.parse(state.asOf) >= lastScrapeMs(slo.serviceIndex, this.#fleet);
    for (;;) {
      const states = this.#slos.length === 0 ? new Map<string, SloState>() : await this.#server.states();
      const isLate = performance.now() >= deadline;
      if (isLate || this.#slos.every((slo) => isSettled(slo, states.get(slo.id)))) {
        return new Map(
          this.#slos.map((slo) => {
            const state = states.get(slo.id);
            return [slo.id, isSettled(slo, state) ? state!.events : null];
          }),
        );
      }
      await sleep(ASK_AGAIN_MS);
    }
  }
}
