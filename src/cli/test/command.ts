import { statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { loadDefinitions, loadGatePolicy, readText } from '../../definitions/load.ts';
import { findFiles } from '../../definitions/paths.ts';
import { formatProblem } from '../../definitions/problem.ts';
import { EXIT, type Io } from '../io.ts';
import { type LoadDefinitions, readScenario, type ScenarioFile } from './scenario-file.ts';
import { runTest } from './simulation.ts';

const IN_FOLDER = '**/*.test.{yaml,yml}';

/**
 * `slipstream test SCENARIO…`: unit tests for SLOs, on the real engine in simulated time. A scenario is a file, a glob, or
 * a folder with its `*.test.yaml`.
 */
export function testCommand(scenarios: readonly string[], io: Io): number {
  const { files, failed: unread } = findFiles(scenarios.map((path) => (isFolder(path) ? join(path, IN_FOLDER) : path)));
  for (const { path, message } of unread) io.err(`${path}: ${message}\n`);
  if (files.length === 0 || unread.length > 0) return EXIT.usage;

  let ok = 0;
  let failed = 0;
  let invalid = 0;
  for (const file of files) {
    const { scenario, problems } = readScenarioFile(file);
    for (const problem of problems) io.out(`${formatProblem(problem)}\n`);
    if (scenario === null) {
      invalid++;
      continue;
    }
    for (const test of scenario.tests) {
      const differences = runTest(scenario, test);
      io.out(`${differences.length === 0 ? 'ok    ' : 'FAILED'}  ${file}: test "${test.name}"\n`);
      for (const { expectation, message } of differences) {
        io.out(`        ${file}: test "${test.name}": at ${expectation.at} slo ${expectation.slo}: ${message}\n`);
      }
      if (differences.length === 0) ok++;
      else failed++;
    }
  }
  const invalidFiles = invalid === 0 ? '' : `, ${counted(invalid, 'invalid file')}`;
  io.out(
    `${counted(ok + failed, 'test')} in ${counted(files.length, 'file')}: ${ok} ok, ${failed} failed${invalidFiles}\n`,
  );
  return failed > 0 || invalid > 0 ? EXIT.no : EXIT.yes;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Reads one scenario file and the definitions it names, whose paths are relative to it. */
export function readScenarioFile(file: string): ScenarioFile {
  const text = readText(file);
  if (typeof text !== 'string') return { scenario: null, problems: [text] };
  const resolve = (path: string): string => (isAbsolute(path) ? path : join(dirname(file), path));
  const load: LoadDefinitions = (paths) => {
    const resolved = paths.map(resolve);
    const { slos, problems, missing } = loadDefinitions(resolved);
    return {
      slos,
      // A path that leads nowhere is the scenario's problem, and has a place there.
      problems: problems.filter((problem) => !missing.includes(problem.file)),
      missing: paths.filter((_, i) => missing.includes(resolved[i]!)),
    };
  };
  return readScenario(file, text, load, (path) => loadGatePolicy(resolve(path)));
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
