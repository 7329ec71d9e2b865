import { Fleet } from './bench/fleet.ts';
import { Load, LoadError } from './bench/load.ts';
import { wholeNumber } from './bench/numbers.ts';
import { textReport } from './bench/report.ts';
import { type BenchContext, Run, type RunOptions } from './bench/run.ts';
import { Server } from './bench/server.ts';
import { type BenchSlo, benchSlos, definitionsOf, SLOS_PER_SERVICE } from './bench/slos.ts';
import { EXIT } from './io.ts';

/** `slipstream bench`: what a server can take, and whether it counts what it takes. */

export const BENCH_FORMATS = ['text', 'json'] as const;

export interface BenchOptions extends RunOptions {
  readonly url?: string;
  readonly series: number;
  /** How many of them the server has. */
  readonly slos: number;
  /** Their definitions are all that is wanted. */
  readonly printSlos: boolean;
  /** Share of the targets that are replaced in a round. */
  readonly churn: number;
  readonly format: (typeof BENCH_FORMATS)[number];
}

export async function benchCommand(options: BenchOptions, context: BenchContext): Promise<number> {
  const { io } = context;
  const fleet = new Fleet(options);
  const slosMax = fleet.serviceCount * SLOS_PER_SERVICE;
  if (options.slos > slosMax) {
    io.err(
      `${wholeNumber(fleet.seriesCount)} series have at most ${wholeNumber(slosMax)} SLOs (--slos ${options.slos})\n`,
    );
    return EXIT.usage;
  }
  const slos = benchSlos(options.slos, fleet.serviceCount);
  if (options.printSlos) {
    io.out(definitionsOf(slos));
    return EXIT.yes;
  }
  if (options.url === undefined) {
    io.err("error: required option '--url <url>' not specified\n");
    return EXIT.usage;
  }
  try {
    const server = new Server(options.url);
    const before = await server.metrics();
    const missing = await missingSlo(server, slos);
    if (missing !== null) {
      io.err(
        `the server has no SLO ${missing}: load what the same command prints with --print-slos, or leave out --slos\n`,
      );
      return EXIT.usage;
    }
    io.err(`preparing ${wholeNumber(fleet.seriesCount)} series…\n`);
    const load = new Load({ ...options, url: options.url, fleet });
    try {
      const result = await new Run(options, context, server, fleet, load, slos).measure(before);
      io.out(options.format === 'json' ? `${JSON.stringify(result, null, 2)}\n` : textReport(result));
      return result.accuracy.ok ? EXIT.yes : EXIT.no;
    } finally {
      load.close();
    }
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    io.err(`${error.message}\n`);
    return error.isUnreachable ? EXIT.unreachable : EXIT.no;
  }
}

async function missingSlo(server: Server, slos: readonly BenchSlo[]): Promise<string | null> {
  if (slos.length === 0) return null;
  const states = await server.states();
  return slos.find(({ id }) => !states.has(id))?.id ?? null;
}
