import type { Logger } from 'pino';
import type { ServeFlags } from '../config.ts';
import { FileWatch } from '../definitions/watch.ts';
import { startService } from '../service.ts';
import { startTelemetry } from '../telemetry.ts';
import type { Io } from './io.ts';
import { createLogger } from './logging.ts';
import { ServerFiles } from './server-files.ts';

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
  readonly url: string;
  readonly sloPaths: readonly string[];
  /** Reads all files again; what comes of it is logged. */
  reload(): Promise<unknown>;
  close(): Promise<void>;
}

export async function serveCommand(flags: ServeFlags, context: ServerContext): Promise<Running | number> {
  const running = await runServer(flags, context);
  if (typeof running === 'number') return running;
  const { url, sloPaths } = running;
  const relabel = `slipstream relabel --url ${url} ${sloPaths.join(' ')}`;
  running.logger.info(`${relabel} prints the remote_write section for a Prometheus that sends what these SLOs need`);
  return running;
}

const TELEMETRY_SHUTDOWN_MS = 2_000;

/** A server that runs, or the exit code when there is something wrong with what it was given. */
export async function runServer(flags: ServeFlags, context: ServerContext): Promise<Running | number> {
  const { io, clock, version } = context;
  const files = new ServerFiles(flags, io);
  const read = files.read();
  if (typeof read === 'number') return read;
  const { config, slos } = read;
  const logger = createLogger(config.log.level);
  const telemetry = await startTelemetry(io.env, version);
  const service = await startService({ config, slos, reread: () => files.reread(), logger, clock, version });
  const watch = new FileWatch(files, () => service.reload());
  logger.info({ version, url: service.url, slos: slos.length }, `slipstream ${version} serves ${slos.length} SLOs`);
  return {
    logger,
    url: service.url,
    sloPaths: config.sloPaths,
    reload: () => service.reload(),
    close: async () => {
      watch.stop();
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
