import { expect, test } from 'vitest';
import { readCheck } from '../../src/definitions/check-expression.ts';
import { type Condition, holds, type Values } from '../../src/engine/check.ts';

const VALUES: Values = new Map([
  ['error_budget_remaining', 0.5],
  ['error_budget_consumed', 0.5],
  ['budget_pace', 1.5],
  ['burn_rate_1h', 2],
  ['burn_rate_5m', 3],
  ['sli', null],
  ['alerts_firing', 0],
  ['hours_to_exhaustion', Number.POSITIVE_INFINITY],
]);

function read(text: string): Condition {
  const condition = readCheck(text);
  if ('message' in condition) throw new Error(`${text}: ${condition.at}: ${condition.message}`);
  return condition;
}

function is(text: string, expected: boolean | null): void {
  expect(holds(read(text), VALUES), text).toBe(expected);
}

test('every operator compares', () => {
  is('error_budget_remaining > 0.4', true);
  is('error_budget_remaining > 0.5', false);
  is('error_budget_remaining >= 0.5', true);
  is('error_budget_remaining >= 0.51', false);
  is('error_budget_remaining < 0.6', true);
  is('error_budget_remaining < 0.5', false);
  is('error_budget_remaining <= 0.5', true);
  is('error_budget_remaining <= 0.49', false);
  is('alerts_firing == 0', true);
  is('alerts_firing == 1', false);
  is('alerts_firing != 1', true);
  is('alerts_firing != 0', false);
});

test('a value stands on either side, and so may two values', () => {
  is('0.2 < error_budget_remaining', true);
  is('burn_rate_5m > burn_rate_1h', true);
  is('(burn_rate_5m) < (2.5)', false);
  is('-1 < error_budget_remaining', true);
  is('error_budget_remaining>-.5', true);
  is('hours_to_exhaustion > 1e6', true);
  is('1.5 == budget_pace', true);
});

test('and binds tighter than or, and parentheses tighter than both', () => {
  const yes = 'alerts_firing == 0';
  const no = 'alerts_firing == 1';
  is(`${yes} or ${no} and ${no}`, true);
  is(`(${yes} or ${no}) and ${no}`, false);
  is(`${no} and ${no} or ${yes}`, true);
  is(`${no} and (${no} or ${yes})`, false);
  is(`((${yes})) and ${yes}`, true);
});

test('a value that is not known leaves open what depends on it, and nothing else', () => {
  is('sli > 0.9', null);
  is('sli > 0.9 and alerts_firing == 1', false);
  is('sli > 0.9 and alerts_firing == 0', null);
  is('sli > 0.9 or alerts_firing == 0', true);
  is('sli > 0.9 or alerts_firing == 1', null);
});

test('a chain of the same word is one condition', () => {
  expect(read('sli > 0.1 and sli > 0.2 and sli > 0.3')).toMatchObject({ kind: 'and', terms: [{}, {}, {}] });
  is(Array.from({ length: 40 }, () => 'alerts_firing == 0').join(' and '), true);
});

test('burn rates are of any window, or of a calendar unit', () => {
  expect(read('burn_rate_1h30m < 3')).toEqual({
    kind: 'comparison',
    op: '<',
    left: { kind: 'burn rate', name: 'burn_rate_1h30m', window: { text: '1h30m', ms: 5_400_000 } },
    right: { kind: 'number', value: 3 },
  });
  expect(read('burn_rate_month < 1')).toMatchObject({ left: { window: 'month' } });
});

test('what is wrong is said at its character', () => {
  const f = (text: string, at: number, message: string): void => expect(readCheck(text), text).toEqual({ at, message });
  const value = (got: string) => `must be a value such as error_budget_remaining or 0.2, got ${got}`;
  const names =
    'error_budget_remaining, error_budget_consumed, budget_pace, sli, alerts_firing, hours_to_exhaustion, burn_rate_<window>';
  const comparison = 'must be a comparison such as error_budget_remaining > 0.2';
  f('', 0, value('the end'));
  f('sli >', 5, value('the end'));
  f('sli > and', 6, value("'and'"));
  f('> 0.2', 0, value("'>'"));
  f('sli >> 2', 5, value("'>'"));
  f('sli', 0, comparison);
  f('0.2', 0, comparison);
  f('(sli)', 0, comparison);
  f('sli > 0.9 and alerts_firing', 14, comparison);
  f('sli or sli > 0.9', 0, comparison);
  f('0.1 < sli < 0.9', 10, '< compares two values, and one side of it is a condition');
  f('sli > (sli > 0.9)', 4, '> compares two values, and one side of it is a condition');
  f('(sli > 0.9', 10, "must be ')', got the end");
  f('(sli > 0.9 0.8)', 11, "must be ')', got '0.8'");
  f('sli > 0.9)', 9, "must be and, or or the end, got ')'");
  f('sli > 0.9 sli < 1', 10, "must be and, or or the end, got 'sli'");
  f('sli > 20%', 8, "unexpected '%'; write a fraction: 0.2 for 20%");
  f('sli = 1', 4, "unexpected '='; write == to compare");
  f('sli > 0.9 && sli < 1', 10, "unexpected '&'; write and");
  f('sli > 0.9 || sli < 1', 10, "unexpected '|'; write or");
  f('!(sli > 0.9)', 0, "unexpected '!'; there is no negation: turn the comparison round");
  f('sli > 0.9  😀', 11, "unexpected '😀'");
  f('error_budget_remainig > 1', 0, "there is no value 'error_budget_remainig'; did you mean error_budget_remaining?");
  f('sli > 0.9 AND sli < 1', 10, "must be and, or or the end, got 'AND'");
  f('latency > 1', 0, `there is no value 'latency'; there are ${names}`);
  const window = 'must be a window such as 1h or 3d, or week, month, quarter, year, got';
  f('burn_rate_5x > 1', 10, `${window} '5x'`);
  f('1 < burn_rate_', 14, `${window} ''`);
  f('burn_rate_0 > 1', 10, "must be a window of at least 1s and at most 400d, got '0'");
  f('burn_rate_500d > 1', 10, "must be a window of at least 1s and at most 400d, got '500d'");
  f(`${'('.repeat(65)}sli > 1${')'.repeat(65)}`, 64, 'nested deeper than 64 parentheses');
  f(' '.repeat(1001), 0, 'must have at most 1000 characters');
});

test('the deepest nesting that is allowed is read', () => {
  is(`${'('.repeat(64)}alerts_firing == 0${')'.repeat(64)}`, true);
});
