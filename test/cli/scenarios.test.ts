import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readScenarioFile } from '../../src/cli/test/command.ts';
import type { ScenarioTest } from '../../src/cli/test/scenario.ts';
import { runTest } from '../../src/cli/test/simulation.ts';
import { formatProblem } from '../../src/definitions/problem.ts';

/** Every scenario in test/scenarios, each of its tests by its name. */
const FOLDER = 'test/scenarios';

/** No multiple of a tick or a scrape. */
const RESTART_EVERY_MS = 97_000;
const RESTARTS_MAX = 50;

/** The same with many a restart, of which nobody may notice anything. */
function restarted(test: ScenarioTest): ScenarioTest {
  const lastMs = test.expectations.at(-1)!.atMs;
  const actions = [...test.actions];
  const everyMs = Math.max(RESTART_EVERY_MS, Math.floor((lastMs - test.startMs) / RESTARTS_MAX));
  for (let atMs = test.startMs + everyMs; atMs < lastMs; atMs += everyMs) {
    actions.push({ atMs, slos: null });
  }
  return { ...test, actions: actions.sort((a, b) => a.atMs - b.atMs) };
}

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.test.yaml'))) {
  describe(name, () => {
    const { scenario, problems } = readScenarioFile(join(FOLDER, name));
    test('the file is valid', () => {
      expect(problems.map(formatProblem)).toEqual([]);
    });
    for (const each of scenario?.tests ?? []) {
      const differencesOf = (run: ScenarioTest): string[] =>
        runTest(scenario!, run).map(({ expectation, message }) => `at ${expectation.at}: ${message}`);
      test(each.name, () => {
        expect(differencesOf(each)).toEqual([]);
      });
      test(`${each.name}, with restarts`, () => {
        expect(differencesOf(restarted(each))).toEqual([]);
      });
    }
  });
}
