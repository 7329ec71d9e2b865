import { expect, test } from 'vitest';
import { builtInVerdict } from '../../src/engine/gate.ts';
import type { AlertState, SloState } from '../../src/engine/state.ts';

const HEALTHY: SloState = {
  id: 'api/availability',
  service: 'api',
  name: 'availability',
  owner: '',
  labels: {},
  description: '',
  runbook: '',
  sliKind: 'events',
  objective: 0.999,
  window: { kind: 'rolling', duration: '30d' },
  asOf: '2026-01-01T00:00:00.000Z',
  state: 'healthy',
  coverage: 1,
  sli: 1,
  events: { good: 1, bad: 0, total: 1 },
  errorBudget: { remaining: 1, consumed: 0, allowedBad: 0.001, remainingBad: 0.001, exhaustedAt: null },
  burnRates: {},
  alerts: [],
};

function firing(name: string, severity: string): AlertState {
  return { name, severity, state: 'firing', since: '2026-01-01T00:00:00.000Z' };
}

const PAGING: SloState = { ...HEALTHY, id: 'api/paging', state: 'at_risk', alerts: [firing('page-quick', 'page')] };
const TICKET: SloState = { ...HEALTHY, id: 'api/ticket', state: 'at_risk', alerts: [firing('ticket-slow', 'ticket')] };
const EXHAUSTED: SloState = {
  ...HEALTHY,
  id: 'api/exhausted',
  state: 'exhausted',
  errorBudget: { ...HEALTHY.errorBudget, remaining: -0.25 },
};
const SILENT: SloState = { ...HEALTHY, id: 'api/silent', state: 'no_data' };
const NEVER: SloState = {
  ...SILENT,
  id: 'api/never',
  asOf: null,
  errorBudget: { ...HEALTHY.errorBudget, remaining: null },
};

function verdictIs(states: readonly SloState[], verdict: string, ...reasons: string[]): void {
  test(`${states.map((state) => state.id).join(' and ')}: ${verdict}`, () => {
    const answer = builtInVerdict('api', states);
    expect(answer.verdict).toBe(verdict);
    expect(answer.ok).toBe(verdict === 'allow' || verdict === 'warn');
    expect(answer.reasons).toEqual(reasons);
  });
}

verdictIs([HEALTHY], 'allow');
verdictIs([TICKET], 'warn', 'api/ticket: ticket-slow is firing');
verdictIs([PAGING], 'block', 'api/paging: page-quick is firing');
verdictIs([EXHAUSTED], 'block', 'api/exhausted: the error budget is exhausted, error_budget_remaining is -0.25');
verdictIs([SILENT], 'unknown', 'api/silent: no data since 2026-01-01T00:00:00.000Z');
verdictIs([NEVER], 'unknown', 'api/never: nothing was ever received for it');
verdictIs(
  [TICKET, SILENT],
  'unknown',
  'api/ticket: ticket-slow is firing',
  'api/silent: no data since 2026-01-01T00:00:00.000Z',
);
verdictIs(
  [SILENT, PAGING],
  'block',
  'api/silent: no data since 2026-01-01T00:00:00.000Z',
  'api/paging: page-quick is firing',
);
verdictIs([], 'unknown', 'service "api" has no such SLO');

test('a verdict is as old as the oldest SLO it speaks of', () => {
  const older = { ...HEALTHY, asOf: '2025-12-31T23:59:00.000Z' };
  expect(builtInVerdict('api', [HEALTHY, older]).asOf).toBe('2025-12-31T23:59:00.000Z');
  expect(builtInVerdict('api', [HEALTHY, NEVER]).asOf).toBe(null);
});
