import { expect, test } from 'vitest';
import { MINUTE_MS } from '../../src/engine/duration.ts';
import type { Slot } from '../../src/engine/history.ts';
import { LedgerHistory, serviceReport } from '../../src/engine/report.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

function at(minutes: number): number {
  return MIDNIGHT_MS + minutes * MINUTE_MS;
}

function text(minutes: number): string {
  return new Date(at(minutes)).toISOString();
}

function slot(minute: number, good: number, bad: number): Slot {
  return { endMs: at(minute), lengthMs: MINUTE_MS, good, bad };
}

function slo(name: string, fields: Partial<Slo> = {}): Slo {
  return anSlo({ id: `api/${name}`, name, objective: 0.9, errorBudget: 0.1, ...fields });
}

function history(name: string, ...slots: Slot[]): LedgerHistory {
  return new LedgerHistory(slo(name), undefined, slots, at(1000));
}

const HOUR = { fromMs: at(60), toMs: at(120) };
const HOUR_BEFORE = { fromMs: at(0), toMs: at(60) };

function report(...histories: LedgerHistory[]) {
  return serviceReport('api', histories, HOUR, HOUR_BEFORE);
}

test('the one number is the SLI of the SLO that spent most of its budget', () => {
  const strict = new LedgerHistory(
    slo('strict', { objective: 0.99, errorBudget: 0.01 }),
    undefined,
    [slot(30, 99, 1), slot(70, 198, 2)],
    at(1000),
  );
  const answer = report(history('loose', slot(70, 95, 5)), strict);
  expect(answer).toMatchObject({ service: 'api', attainment: 0.99, slo: 'api/strict', met: true });
  expect(answer.previous).toEqual({ attainment: 0.99, slo: 'api/strict', met: true });
  expect(answer.slos[0]).toEqual({
    id: 'api/loose',
    objective: 0.9,
    sli: 0.95,
    events: { good: 95, bad: 5, total: 100 },
    errorBudget: { consumed: 0.5, remaining: 0.5 },
    met: true,
  });
});

test('a service has met its objectives when all of them kept within their budgets', () => {
  const fine = history('fine', slot(70, 90, 10));
  const over = history('over', slot(70, 89, 11));
  expect(report(fine).met).toBe(true);
  expect(report(fine, over)).toMatchObject({ met: false, attainment: 0.89, slo: 'api/over' });
});

test('without events nothing was attained and nothing missed', () => {
  const silent = history('silent', slot(30, 90, 10));
  expect(report(silent)).toMatchObject({
    attainment: null,
    slo: null,
    met: null,
    slos: [{ sli: null, errorBudget: { consumed: 0, remaining: 1 }, met: null }],
    incidents: [],
  });
  expect(report(silent, history('fine', slot(70, 1, 0)))).toMatchObject({ attainment: 1, slo: 'api/fine', met: true });
  expect(serviceReport('api', [], HOUR, HOUR_BEFORE)).toMatchObject({ attainment: null, slos: [] });
});

test('an incident is where the budget burns, calm of less than ten minutes included', () => {
  const { incidents } = report(
    history(
      'a',
      slot(65, 50, 50),
      slot(66, 100, 0),
      slot(74, 50, 50),
      slot(76, 95, 5),
      slot(85, 0, 20),
      slot(110, 130, 0),
    ),
  );
  expect(incidents).toEqual([
    { slo: 'api/a', from: text(64), to: text(74), bad: 100, budgetSpent: 100 / 55 },
    { slo: 'api/a', from: text(84), to: text(85), bad: 20, budgetSpent: 20 / 55 },
  ]);
});

test('the worst incident of all SLOs comes first, and ten are told', () => {
  const many = Array.from({ length: 5 }, (_, i) => slot(61 + 11 * i, 10, 20 + i));
  const { incidents } = report(history('a', ...many), history('b', ...many), history('c', slot(100, 0, 1000)));
  expect(incidents.length).toBe(10);
  expect(incidents[0]).toMatchObject({ slo: 'api/c' });
  const spent = incidents.map(({ budgetSpent }) => budgetSpent);
  expect(spent).toEqual(spent.toSorted((a, b) => b - a));
});

test('what spends less than a hundredth of the budget is no incident', () => {
  const calm = slot(100, 1000, 0);
  expect(report(history('a', slot(61, 4, 1), calm)).incidents).toEqual([]);
  expect(report(history('a', slot(61, 8, 2), slot(110, 0, 0), calm)).incidents).toMatchObject([{ bad: 2 }]);
});

test('an incident ends with the interval', () => {
  const hours = [{ endMs: at(120), lengthMs: 60 * MINUTE_MS, good: 30, bad: 30 }];
  const interval = { fromMs: at(70), toMs: at(100) };
  const [incident] = new LedgerHistory(slo('a'), undefined, hours, at(1000)).incidents(interval);
  expect(incident).toEqual({ slo: 'api/a', from: text(70), to: text(100), bad: 15, budgetSpent: 5 });
});

test('groups are told by their labels', () => {
  const grouped = new LedgerHistory(slo('a'), { region: 'eu' }, [slot(70, 0, 10)], at(1000));
  expect(report(grouped)).toMatchObject({
    slos: [{ id: 'api/a', group: { region: 'eu' } }],
    incidents: [{ slo: 'api/a', group: { region: 'eu' } }],
  });
});
