import { expect } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import type { Alerting } from '../../src/engine/alerting.ts';

/** What an alerting file says that has no problem. */
export function alertingOf(text: string, env: Record<string, string> = {}): Alerting {
  const { alerting, problems } = readDefinitions([{ file: 'alerting.yaml', text }], { env });
  expect(problems.map(formatProblem)).toEqual([]);
  return alerting!;
}
