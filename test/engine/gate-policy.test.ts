import { expect, test } from 'vitest';
import { calendarPeriods } from '../../src/definitions/calendar.ts';
import { readGatePolicyFile } from '../../src/definitions/gate-policy.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import { policyVerdict } from '../../src/engine/gate-policy.ts';
import type { Slo } from '../../src/engine/slo.ts';
import type { Verdict } from '../../src/engine/state.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const NOW_MS = MIDNIGHT_MS + 10 * DAY_MS;
const AS_OF = new Date(NOW_MS).toISOString();

function slo(service: string, name: string, fields: Partial<Slo> = {}): Slo {
  return anSlo({
    id: `${service}/${name}`,
    service,
    name,
    sli: { kind: 'push' },
    objective: 0.9,
    errorBudget: 0.1,
    ...fields,
  });
}

/** An engine to whose SLOs so many events were pushed, and no more for `silentMs`. */
function engineOf(
  events: Record<string, readonly [goodBefore: number, bad: number]>,
  slos: readonly Slo[],
  silentMs = 0,
) {
  const engine = new Engine(slos, { settleMs: 0, staleAfterMs: HOUR_MS });
  const toMs = NOW_MS - silentMs;
  for (const [sloId, [good, bad]] of Object.entries(events)) {
    const event = { sloId, group: null, id: null };
    engine.push(
      [
        { ...event, tMs: toMs - 5 * DAY_MS, good, bad: 0 },
        { ...event, tMs: toMs - 20 * MINUTE_MS, good: 0, bad },
        { ...event, tMs: toMs, good: 0, bad: 0 },
      ],
      NOW_MS,
    );
  }
  engine.evaluate(NOW_MS);
  return engine;
}

/** `api/half` has spent half of its budget twenty minutes ago, `api/full` nothing, and `quiet/silent` was never heard of. */
const ENGINE = engineOf({ 'api/half': [95, 5], 'api/full': [100, 0] }, [
  slo('api', 'half'),
  slo('api', 'full'),
  slo('quiet', 'silent'),
]);

function verdict(text: string, engine = ENGINE): Verdict {
  const { policy, problems } = readGatePolicyFile({ file: 'gate.yml', text });
  expect(problems).toEqual([]);
  return policyVerdict(policy!, engine, NOW_MS);
}

function check(expression: string, slo = 'api/half', action = 'block_deploy', engine = ENGINE): Verdict {
  const [service, name] = slo.split('/');
  return verdict(`checks: [{service: ${service}, slo: ${name}, check: '${expression}', action: ${action}}]`, engine);
}

test('a check that holds allows', () => {
  expect(check('error_budget_remaining > 0.2')).toEqual({
    verdict: 'allow',
    ok: true,
    asOf: AS_OF,
    service: 'api',
    reasons: [],
    checks: [
      {
        slo: 'api/half',
        check: 'error_budget_remaining > 0.2',
        passed: true,
        action: 'block_deploy',
        observed: { error_budget_remaining: 0.5 },
      },
    ],
  });
});

test('a check that does not hold blocks or warns, and says what it saw and wants', () => {
  const blocked = check('error_budget_remaining > 0.6');
  expect(blocked).toMatchObject({ verdict: 'block', ok: false, asOf: AS_OF });
  expect(blocked.reasons).toEqual(['api/half: error_budget_remaining is 0.5, the policy wants > 0.6']);
  expect(blocked.checks[0]).toMatchObject({ passed: false, observed: { error_budget_remaining: 0.5 } });
  const warned = check('0.6 < error_budget_remaining or burn_rate_1h < 1', 'api/half', 'warn_only');
  expect(warned).toMatchObject({ verdict: 'warn', ok: true });
  expect(warned.reasons).toEqual([
    'api/half: error_budget_remaining is 0.5, burn_rate_1h is 10, the policy wants 0.6 < error_budget_remaining or burn_rate_1h < 1',
  ]);
});

test('every value can be asked for', () => {
  const observed = (name: string, expected: number | string | null, id = 'api/half'): void => {
    expect(check(`${name} > 1e9`, id).checks[0]!.observed, name).toEqual({ [name]: expected });
  };
  observed('error_budget_remaining', 0.5);
  observed('error_budget_consumed', 0.5);
  observed('budget_pace', 0.5);
  observed('sli', 0.95);
  // page-slow, ticket-quick, ticket-slow.
  observed('alerts_firing', 3);
  observed('alerts_firing', 0, 'api/full');
  // Half of 30 days of budget at ten times the sustainable rate.
  observed('hours_to_exhaustion', 36);
  observed('hours_to_exhaustion', 'Infinity', 'api/full');
  observed('burn_rate_30m', 10);
  observed('burn_rate_5m', 0);
  observed('burn_rate_30d', 0.5);
});

test('a burn rate is of any window that events are kept for, by whatever name', () => {
  const burns = (window: string, expected: number): void =>
    expect(check(`burn_rate_${window} > 1e9`).checks[0]!.observed[`burn_rate_${window}`], window).toBe(expected);
  burns('20m', 0);
  burns('21m', 10);
  burns('24h', 10);
  burns('4d12h', 10);
  burns('2h15m', 10);
  burns('7d', 0.5);
  burns('720h', 0.5);
});

test('a burn rate that no events are kept for is unknown, whatever no data counts as', () => {
  const asked = (window: string): void => {
    const text = `{checks: [{service: api, slo: half, check: burn_rate_${window} < 1, action: warn_only}], on_no_data: allow}`;
    const answer = verdict(text);
    expect(answer.verdict, window).toBe('unknown');
    const why = `burn_rate_${window} cannot be answered: no events are kept for such a window`;
    expect(answer.reasons).toEqual([`api/half: ${why}`]);
    expect(answer.checks[0]).toMatchObject({ passed: false, observed: { [`burn_rate_${window}`]: null } });
  };
  asked('90d');
  asked('3m');
  asked('month');
});

test('of a calendar window the pace is the share spent over the share of the time', () => {
  const periodOf = calendarPeriods('month', 'UTC');
  const engine = engineOf({ 'api/month': [95, 5] }, [
    slo('api', 'month', { window: { kind: 'calendar', unit: 'month', timezone: 'UTC', periodOf } }),
  ]);
  const [seen] = check('budget_pace < 1 and burn_rate_month == 0.5', 'api/month', 'block_deploy', engine).checks;
  expect(seen!.observed['burn_rate_month']).toBe(0.5);
  expect(seen!.observed['budget_pace']).toBeCloseTo((0.5 * 31) / 10, 12);
});

test('a budget that is spent is exhausted in no time', () => {
  const engine = engineOf({ 'api/spent': [50, 50] }, [slo('api', 'spent')]);
  expect(check('hours_to_exhaustion > 24', 'api/spent', 'block_deploy', engine).reasons).toEqual([
    'api/spent: hours_to_exhaustion is 0, the policy wants > 24',
  ]);
});

test('a check without slo must hold for every SLO of the service', () => {
  const answer = verdict('checks: [{service: api, check: error_budget_remaining > 0.6, action: block_deploy}]');
  expect(answer.verdict).toBe('block');
  expect(answer.checks.map(({ slo: id, passed }) => [id, passed])).toEqual([
    ['api/half', false],
    ['api/full', true],
  ]);
});

test('what is not there is unknown, whatever no data counts as', () => {
  const answer = verdict(`on_no_data: allow
checks:
  - {service: apy, check: sli > 0, action: warn_only}
  - {service: api, slo: latency, check: sli > 0, action: warn_only}`);
  expect(answer).toMatchObject({ verdict: 'unknown', ok: false, asOf: null, service: 'apy, api' });
  expect(answer.reasons).toEqual(['there is no service "apy"', 'service "api" has no SLO "latency"']);
  expect(answer.checks.map(({ slo: id, passed, observed }) => [id, passed, observed])).toEqual([
    ['apy', false, {}],
    ['api/latency', false, {}],
  ]);
});

test('no data counts as the policy says, and the reason stands', () => {
  const onNoData = (name: string, ok: boolean): void => {
    const checks = 'checks: [{service: quiet, check: error_budget_remaining > 0.2, action: warn_only}]';
    const answer = verdict(`${checks}\non_no_data: ${name}`);
    expect([answer.verdict, answer.ok]).toEqual([name, ok]);
    expect(answer.reasons).toEqual(['quiet/silent: nothing was ever received for it']);
    expect(answer.checks).toMatchObject([{ slo: 'quiet/silent', passed: false, observed: {} }]);
  };
  onNoData('unknown', false);
  onNoData('allow', true);
  onNoData('warn', true);
  onNoData('block', false);
});

test('an SLO that fell silent has no data, although its last numbers are known', () => {
  const engine = engineOf({ 'api/half': [95, 5] }, [slo('api', 'half')], 2 * HOUR_MS);
  const asOf = new Date(NOW_MS - 2 * HOUR_MS).toISOString();
  const answer = check('error_budget_remaining > 0', 'api/half', 'block_deploy', engine);
  expect(answer).toMatchObject({ verdict: 'unknown', asOf, reasons: [`api/half: no data since ${asOf}`] });
});

test('an SLI of no events is not known', () => {
  const engine = engineOf({ 'api/idle': [0, 0] }, [slo('api', 'idle')]);
  const sli = check('sli > 0.9', 'api/idle', 'block_deploy', engine);
  expect([sli.verdict, sli.reasons]).toEqual(['unknown', ['api/idle: sli is not known, the policy wants sli > 0.9']]);
  expect(check('sli > 0.9 or error_budget_remaining == 1', 'api/idle', 'block_deploy', engine).verdict).toBe('allow');
});

test('block beats unknown beats warn beats allow', () => {
  const line = {
    allow: '{service: api, check: error_budget_remaining > 0, action: block_deploy}',
    warn: '{service: api, check: error_budget_remaining > 0.6, action: warn_only}',
    unknown: '{service: quiet, check: error_budget_remaining > 0, action: warn_only}',
    block: '{service: api, check: error_budget_remaining > 0.6, action: block_deploy}',
  };
  const f = (names: (keyof typeof line)[], expected: string): void => {
    const text = (order: typeof names) => `checks: [${order.map((name) => line[name]).join(', ')}]`;
    expect(verdict(text(names)).verdict).toBe(expected);
    expect(verdict(text(names.toReversed())).verdict).toBe(expected);
  };
  f(['allow'], 'allow');
  f(['allow', 'warn'], 'warn');
  f(['allow', 'warn', 'unknown'], 'unknown');
  f(['allow', 'warn', 'unknown', 'block'], 'block');
});

test('deploy_enabled false blocks everything with that reason', () => {
  const reasons = ['deploy_enabled is false: the policy blocks every deploy'];
  expect(verdict('deploy_enabled: false')).toEqual({
    verdict: 'block',
    ok: false,
    asOf: null,
    service: '',
    reasons,
    checks: [],
  });
  const checks = 'checks: [{service: api, check: error_budget_remaining > 0, action: block_deploy}]';
  expect(verdict(`deploy_enabled: false\n${checks}`)).toMatchObject({ verdict: 'block', reasons, asOf: AS_OF });
  expect(verdict('deploy_enabled: true').verdict).toBe('allow');
});

test('a grouped SLO is judged group by group, and without a group it has no data', () => {
  const grouped = slo('api', 'zones', { groupBy: ['zone'] });
  const engine = new Engine([grouped], { settleMs: 0 });
  const policy = 'checks: [{service: api, check: error_budget_remaining > 0.2, action: block_deploy}]';
  expect(verdict(policy, engine)).toMatchObject({
    verdict: 'unknown',
    reasons: ['api/zones: nothing was ever received for it'],
  });
  const event = { sloId: grouped.id, tMs: NOW_MS, id: null };
  engine.push(
    [
      { ...event, group: { zone: 'a' }, good: 9, bad: 1 },
      { ...event, group: { zone: 'b' }, good: 100, bad: 1 },
    ],
    NOW_MS,
  );
  const answer = verdict(policy, engine);
  expect([answer.verdict, answer.reasons]).toEqual([
    'block',
    ['api/zones{zone="a"}: error_budget_remaining is 0, the policy wants > 0.2'],
  ]);
  expect(answer.checks.map(({ slo: id }) => id)).toEqual(['api/zones{zone="a"}', 'api/zones{zone="b"}']);
});
