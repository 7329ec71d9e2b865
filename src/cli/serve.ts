import type { Logger } from 'pino';
import { type Config, loadConfig, type ServeFlags } from '../config.ts';
import { formatProblem } from '../definitions/problem.ts';
import type { Slo } from '../engine/slo.ts';
import { type Service, startService } from '../service.ts';
import { startTelemetry } from '../telemetry.ts';
import { EXIT, type Io } from './io.ts';
import { createLogger } from './logging.ts';
import { readFiles } from './slos.ts';

/** `slipstream serve`: the service, until it is told to end. */

/** What a command that runs a server needs of its process. */
export interface ServerContext {
  readonly io: Io;
  readonly clock: () => number;
  readonly version: string;
}

/** A server that runs until it is closed. */
export interface Running {
  readonly logger: Logger;
  readonly service: Service;
  close(): Promise<void>;
}

export async function serveCommand(flags: ServeFlags, context: ServerContext): Promise<Running | number> {
  const config = readConfig(flags, context.io);
  if (typeof config === 'number') return config;
  if (config.sloPaths.length === 0) {
    context.io.err('no definition files are named: use --slos GLOB, SLIPSTREAM_SLOS, or `slos:` in the server file\n');
    return EXIT.usage;
  }
  const read = readFiles(config.sloPaths, context.io, { ...config, env: context.io.env });
  if (typeof read === 'number') return read;
  if (read.alerting !== null && config.alerting !== null) {
    context.io.err('alerting is in the server file and in an alerting file: keep one of them\n');
    return EXIT.no;
  }
  const running = await runServer({ ...config, alerting: read.alerting ?? config.alerting }, read.slos, context);
  const relabel = `slipstream relabel --url ${running.service.url} ${config.sloPaths.join(' ')}`;
  running.logger.info(`${relabel} prints the remote_write section for a Prometheus that sends what these SLOs need`);
  return running;
}

/** The configuration, or the exit code when there is a problem with it; every problem is printed. */
export function readConfig(flags: ServeFlags, io: Io): Config | number {
  const { config, problems } = loadConfig(flags, io.env);
  for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
  if (config !== null) return config;
  // What stands in no line of a file is a flag, a variable or a path.
  return problems.every(({ line }) => line === 0) ? EXIT.usage : EXIT.no;
}

const TELEMETRY_SHUTDOWN_MS = 2_000;

export async function runServer(config: Config, slos: readonly Slo[], context: ServerContext): Promise<Running> {
  const { io, clock, version } = context;
  const logger = createLogger(config.log.level);
  const telemetry = await startTelemetry(io.env, version);
  const service = await startService({ config, slos, logger, clock, version });
  logger.info({ version, url: service.url, slos: slos.length }, `slipstream ${version} serves ${slos.length} SLOs`);
  return {
    logger,
    service,
    close: async () => {
      await service.close();
      // A collector that is gone must not keep the process alive.
      const late = new Promise<void>((resolve) => setTimeout(resolve, TELEMETRY_SHUTDOWN_MS).unref());
      const flushed = telemetry
        ?.shutdown()
        .catch((error) => logger.warn({ err: error }, 'the last spans were not sent'));
      await Promise.race([flushed, late]);
      logger.info('bye');
    },
  };
}
