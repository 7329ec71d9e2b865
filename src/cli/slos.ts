import { loadDefinitions } from '../definitions/load.ts';
import { formatProblem } from '../definitions/problem.ts';
import type { ReadOptions } from '../definitions/readers.ts';
import type { Slo } from '../engine/slo.ts';
import { EXIT, type Io } from './io.ts';

/** The SLOs of these files, folders and globs, or the exit code when there are none; every problem is printed. */
export function readSlos(
  paths: readonly string[],
  io: Io,
  options: Partial<ReadOptions> = {},
): readonly Slo[] | number {
  const { slos, problems, missing } = loadDefinitions(paths, options);
  for (const problem of problems) io.err(`${formatProblem(problem)}\n`);
  if (missing.length > 0) return EXIT.usage;
  if (problems.some(({ severity }) => severity === 'error')) return EXIT.no;
  if (slos.length > 0) return slos;
  io.err(`no SLOs found in ${paths.join(' ')}\n`);
  return EXIT.no;
}
