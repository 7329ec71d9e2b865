import { expect, test } from 'vitest';
import { readGatePolicyFile } from '../../src/definitions/gate-policy.ts';
import { Engine } from '../../src/engine/engine.ts';
import { builtInVerdict } from '../../src/engine/gate.ts';
import { policyVerdict } from '../../src/engine/gate-policy.ts';
import type { Override } from '../../src/engine/override.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const PUSH = { kind: 'push' } as const;
const OVERRIDE: Override = {
  id: 1,
  service: 'api',
  name: 'ana',
  reason: 'this is the fix',
  createdMs: MIDNIGHT_MS,
  expiresMs: MIDNIGHT_MS + 3_600_000,
  revokedMs: null,
};
const OVERRIDDEN = 'overridden by ana until 2026-01-01T01:00:00.000Z: this is the fix';
const SPENT = 'the error budget is exhausted, error_budget_remaining is -499';

/** Both services have spent their budgets; of `api` there is also an SLO without data. */
function engine(): Engine {
  const slos = ['api', 'web'].map((service) => anSlo({ id: `${service}/a`, service, name: 'a', sli: PUSH }));
  const made = new Engine([...slos, anSlo({ id: 'api/quiet', name: 'quiet', sli: PUSH })], { settleMs: 0 });
  const event = { group: null, tMs: MIDNIGHT_MS, good: 1, bad: 1, id: null };
  made.push(
    slos.map(({ id }) => ({ ...event, sloId: id })),
    MIDNIGHT_MS,
  );
  return made;
}

const overrideOf = (service: string): Override | null => (service === 'api' ? OVERRIDE : null);

function policy(text: string) {
  return policyVerdict(readGatePolicyFile({ file: 'p', text }).policy!, engine(), MIDNIGHT_MS, overrideOf);
}

test('an override turns block into allow, and the reason names who did it and why', () => {
  const states = engine().statesOf('api/a', MIDNIGHT_MS)!;
  const verdict = builtInVerdict('api', states, [], overrideOf);
  expect(verdict).toMatchObject({ verdict: 'allow', ok: true, reasons: [`api/a: ${SPENT}; ${OVERRIDDEN}`] });
  expect(verdict.checks.some(({ passed }) => !passed)).toBe(true);
});

test('an override does not make known what is unknown', () => {
  const states = ['api/a', 'api/quiet'].flatMap((id) => engine().statesOf(id, MIDNIGHT_MS)!);
  expect(builtInVerdict('api', states, [], overrideOf).verdict).toBe('unknown');
});

test('an override of one service leaves another blocked', () => {
  const check = (service: string) =>
    `{service: ${service}, slo: a, check: error_budget_remaining > 0, action: block_deploy}`;
  expect(policy(`checks: [${check('api')}]`).verdict).toBe('allow');
  expect(policy(`checks: [${check('api')}, ${check('web')}]`)).toMatchObject({
    verdict: 'block',
    reasons: [
      `api/a: error_budget_remaining is -499, the policy wants > 0; ${OVERRIDDEN}`,
      'web/a: error_budget_remaining is -499, the policy wants > 0',
    ],
  });
});

test('an override lets a service pass where deploys are disabled', () => {
  const disabled = 'deploy_enabled is false: the policy blocks every deploy';
  const check = (service: string) =>
    `{service: ${service}, slo: a, check: error_budget_remaining > -1000, action: warn_only}`;
  expect(policy(`{deploy_enabled: false, checks: [${check('api')}]}`)).toMatchObject({
    verdict: 'allow',
    reasons: [`${disabled}; ${OVERRIDDEN}`],
  });
  expect(policy(`{deploy_enabled: false, checks: [${check('api')}, ${check('web')}]}`).verdict).toBe('block');
  expect(policy('deploy_enabled: false').verdict).toBe('block');
});
