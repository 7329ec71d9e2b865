import type { Logger } from 'pino';
import { type Config, reconfigured } from '../config.ts';
import { changesBetween, formatChange, isUnchanged, summary } from '../definitions/changes.ts';
import type { Slo } from '../engine/slo.ts';
import { CommitError, StoreError } from '../store/errors.ts';
import type { ServiceCounters } from './counters.ts';
import { apiError } from './errors.ts';

/** Reads the files again and puts what they say in place of what runs: all of it or, when anything is wrong, nothing. */

/** Settings and SLOs, or all that is wrong with them, line by line. */
export type Reread =
  | { readonly config: Config; readonly slos: readonly Slo[]; readonly warnings: readonly string[] }
  | { readonly problems: readonly string[] };

export interface ReloaderOptions {
  /** What the server was started with. */
  readonly config: Config;
  readonly reread: () => Reread;
  /** Those that run. */
  readonly slos: () => readonly Slo[];
  /** Puts others in their place, at once. Throws when that cannot be saved, and then nothing has changed. */
  readonly replace: (config: Config, slos: readonly Slo[]) => void;
  readonly counters: ServiceCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

export class Reloader {
  readonly #options: ReloaderOptions;
  #running: Config;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#running = options.config;
  }

  /** Tells what changed; throws an `ApiError` when nothing did, because something is wrong. */
  reload(): string {
    const { counters, logger } = this.#options;
    const started = performance.now();
    try {
      return this.#reload();
    } catch (error) {
      counters.lastReloadSuccessful = false;
      if (error instanceof WrongFiles) {
        const { problems } = error;
        logger.error({ problems }, 'not reloaded, the files are wrong: the SLOs that run are those of before');
        throw apiError('invalid_files', { problems: problems.join('\n') });
      }
      const isDisk = error instanceof CommitError || error instanceof StoreError;
      logger.error({ err: error }, `${isDisk ? '' : 'BUG: '}not reloaded: the SLOs that run are those of before`);
      throw isDisk ? apiError('commit_failed', { detail: error.message }) : apiError('internal');
    } finally {
      counters.reload.observe((performance.now() - started) / 1000);
    }
  }

  #reload(): string {
    const { reread, slos, replace, counters, logger, clock } = this.#options;
    const read = reread();
    if ('problems' in read) throw new WrongFiles(read.problems);
    const { config, applied, waiting } = reconfigured(this.#running, read.config);
    const changes = changesBetween(slos(), read.slos);
    if (!isUnchanged(changes) || applied.length > 0) replace(config, read.slos);
    this.#running = config;
    counters.lastReloadSuccessful = true;
    counters.lastReloadSuccessMs = clock();
    const { added, removed } = changes;
    const changed = changes.changed.map(formatChange);
    const { warnings } = read;
    logger.info({ added, removed, changed, applied, waiting, warnings }, `reloaded: ${summary(changes)}`);
    return [
      summary(changes),
      ...added.map((id) => `added ${id}`),
      ...removed.map((id) => `removed ${id}`),
      ...changed.map((line) => `changed ${line}`),
      ...applied.map((key) => `applied ${key}`),
      ...waiting.map((key) => `waits for a restart: ${key}`),
      ...warnings,
    ].join('\n');
  }
}

class WrongFiles extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super('the files are wrong');
    this.problems = problems;
  }
}
