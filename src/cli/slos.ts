import { loadDefinitions } from '../definitions/load.ts';
import { formatProblem } from '../definitions/problem.ts';
import type { ReadOptions } from '../definitions/readers.ts';
import type { Alerting } from '../engine/alerting.ts';
import type { Slo } from '../engine/slo.ts';
import { EXIT, type Io } from './io.ts';

/** The SLOs of these files, folders and globs, or the exit code when there are none; every problem is printed. */
export function readSlos(
  paths: readonly string[],
  io: Io,
  options: Partial<ReadOptions> = {},
): readonly Slo[] | number {
  const read = readFiles(paths, io, options);
  return typeof read === 'number' ? read : read.slos;
}

/** As `readSlos`, with what an alerting file among them says; null when there is none. */
export function readFiles(
  paths: readonly string[],
  io: Io,
  options: Partial<ReadOptions> = {},
): { readonly slos: readonly Slo[]; readonly alerting: Alerting | null } | number {
  const { slos, alerting, problems, missing } = loadDefinitions(paths, options);
  for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
  if (missing.length > 0) return EXIT.usage;
  if (problems.some(({ severity }) => severity === 'error')) return EXIT.no;
  if (slos.length > 0) return { slos, alerting };
  io.err(`no SLOs found in ${paths.join(' ')}\n`);
  return EXIT.no;
}
