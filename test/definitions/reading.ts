import { expect } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import type { Slo } from '../../src/engine/slo.ts';

/** The problems of one file `a.yaml`, as they are printed, without its name. */
export function problemsOf(text: string): string[] {
  return readDefinitions([{ file: 'a.yaml', text }]).problems.map((problem) =>
    formatProblem(problem).replace('a.yaml:', ''),
  );
}

/** The SLOs of a file that has no problem. */
export function slosOf(text: string): readonly Slo[] {
  const { slos, problems } = readDefinitions([{ file: 'a.yaml', text }]);
  expect(problems.map(formatProblem)).toEqual([]);
  return slos;
}

/** What a good text makes when one part of it is replaced. */
export function mutated(good: string): (from: string, to: string, ...problems: string[]) => void {
  return (from, to, ...problems) => {
    expect(good).toContain(from);
    expect(problemsOf(good.replace(from, () => to)), to).toEqual(problems);
  };
}
