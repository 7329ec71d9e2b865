import type { Reread } from '../api/reloader.ts';
import { type Config, loadConfig, type ServeFlags } from '../config.ts';
import { formatProblem } from '../definitions/problem.ts';
import { fingerprintOf, type Watched } from '../definitions/watch.ts';
import type { Slo } from '../engine/slo.ts';
import { EXIT, type Io } from './io.ts';
import { readFiles } from './slos.ts';

/** What a server is made of: its server file and the definitions that it names. Read at the start, and at each reload. */
export class ServerFiles implements Watched {
  readonly #flags: ServeFlags;
  readonly #io: Io;
  paths: readonly string[] = [];
  seen = '';

  constructor(flags: ServeFlags, io: Io) {
    this.#flags = flags;
    this.#io = io;
  }

  /** Settings and SLOs, or the exit code when something is wrong with any of them; every problem is printed. */
  read(io: Io = this.#io): { config: Config; slos: readonly Slo[] } | number {
    // Before anything is read, or what is changed meanwhile would go unnoticed.
    this.seen = fingerprintOf(this.paths);
    const config = readConfig(this.#flags, io);
    if (typeof config === 'number') return config;
    if (config.sloPaths.length === 0) {
      io.err('no definition files are named: use --slos GLOB, SLIPSTREAM_SLOS, or `slos:` in the server file\n');
      return EXIT.usage;
    }
    const paths = [...(config.configFile === null ? [] : [config.configFile]), ...config.sloPaths];
    if (paths.join('\n') !== this.paths.join('\n')) {
      this.paths = paths;
      this.seen = fingerprintOf(paths);
    }
    const found = readFiles(config.sloPaths, io, { ...config, env: io.env });
    if (typeof found === 'number') return found;
    if (found.alerting !== null && config.alerting !== null) {
      io.err('alerting is in the server file and in an alerting file: keep one of them\n');
      return EXIT.no;
    }
    return { config: { ...config, alerting: found.alerting ?? config.alerting }, slos: found.slos };
  }

  /** The same again; what would have been printed is returned. */
  reread(): Reread {
    const lines: string[] = [];
    const read = this.read({ ...this.#io, err: (line) => lines.push(line.trimEnd()) });
    return typeof read === 'number' ? { problems: lines } : { ...read, warnings: lines };
  }
}

function readConfig(flags: ServeFlags, io: Io): Config | number {
  const { config, problems } = loadConfig(flags, io.env);
  for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
  if (config !== null) return config;
  // What stands in no line of a file is a flag, a variable or a path.
  return problems.every(({ line }) => line === 0) ? EXIT.usage : EXIT.no;
}
