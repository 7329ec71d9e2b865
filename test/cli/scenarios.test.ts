import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readScenarioFile } from '../../src/cli/test/command.ts';
import { runTest } from '../../src/cli/test/simulation.ts';
import { formatProblem } from '../../src/definitions/problem.ts';

/** Every scenario in test/scenarios, each of its tests by its name. */
const FOLDER = 'test/scenarios';

for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.test.yaml'))) {
  describe(name, () => {
    const { scenario, problems } = readScenarioFile(join(FOLDER, name));
    test('the file is valid', () => {
      expect(problems.map(formatProblem)).toEqual([]);
    });
    for (const each of scenario?.tests ?? []) {
      test(each.name, () => {
        const differences = runTest(scenario!, each);
        expect(differences.map(({ expectation, message }) => `at ${expectation.at}: ${message}`)).toEqual([]);
      });
    }
  });
}
