import { expect, test } from 'vitest';
import { calendarPeriods } from '../../src/definitions/calendar.ts';
import { DAY_MS, HOUR_MS } from '../../src/engine/duration.ts';
import type { Slot } from '../../src/engine/history.ts';
import { outlookOf, type SloOutlook, sloOutlook } from '../../src/engine/outlook.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const SLO = anSlo({ objective: 0.9, errorBudget: 0.1 }, '10d');
const NOW_MS = MIDNIGHT_MS + 20 * DAY_MS;

/** 1,000 events a day in one hour at noon, with so many bad ones. */
function day(index: number, bad: number): Slot {
  return { endMs: MIDNIGHT_MS + index * DAY_MS - 12 * HOUR_MS, lengthMs: HOUR_MS, good: 1000 - bad, bad };
}

function outlook(
  slots: Slot[],
  days: number,
  { slo = SLO as Slo, hourlyBurn = 0 as number | null, incidentsMax = 5, sinceMs = MIDNIGHT_MS } = {},
): SloOutlook {
  const question = { untilMs: NOW_MS + days * DAY_MS, incidentsMax };
  return sloOutlook(slo, undefined, slots, { sinceMs, asOfMs: NOW_MS }, hourlyBurn, question);
}

const CALM = Array.from({ length: 20 }, (_, i) => day(i + 1, 0));

test('when nothing burns the budget heals as old events leave the window', () => {
  const slots = [...CALM.slice(0, 12), day(13, 500), ...CALM.slice(13)];
  expect(outlook(slots, 1)).toMatchObject({ burnRate: 0, ifBurnGoesOn: 0.5 });
  expect(outlook(slots, 3).ifBurnGoesOn).toBe(1);
});

test('the burn of the last hour goes on with the traffic of the last day', () => {
  // Of the ten days that then are in the window five have gone by, and in five a fifth of the events will be bad.
  expect(outlook(CALM, 5, { hourlyBurn: 2 }).ifBurnGoesOn).toBeCloseTo(0, 12);
  expect(outlook(CALM, 10, { hourlyBurn: 2 }).ifBurnGoesOn).toBeCloseTo(-1, 12);
  expect(outlook(CALM, 100, { hourlyBurn: 2 }).ifBurnGoesOn).toBeCloseTo(-1, 12);
});

test('a deploy may fail like the worst of the last incidents', () => {
  const slots = CALM.map((slot, i) =>
    i === 2 ? day(3, 900) : i === 11 ? day(12, 400) : i === 18 ? day(19, 300) : slot,
  );
  const worst = { from: '2026-01-12T11:00:00.000Z', to: '2026-01-12T12:00:00.000Z', bad: 400 };
  const two = outlook(slots, 4, { incidentsMax: 2 });
  expect(two.worstIncident).toEqual(worst);
  expect(two.ifBurnGoesOn).toBeCloseTo(0.7, 12);
  expect(two.ifDeployFails).toBeCloseTo(0.3, 12);
  expect(outlook(slots, 4, { incidentsMax: 1 }).worstIncident).toMatchObject({ bad: 300 });
  expect(outlook(slots, 4, { incidentsMax: 3 }).worstIncident).toMatchObject({ bad: 900 });
  expect(outlook(CALM, 4)).toMatchObject({ worstIncident: null, ifBurnGoesOn: 1, ifDeployFails: 1 });
});

test('the traffic of an SLO that is younger than a day is that of its life', () => {
  const slots = [{ endMs: NOW_MS, lengthMs: 6 * HOUR_MS, good: 1000, bad: 0 }];
  const young = outlook(slots, 0.25, { hourlyBurn: 2, sinceMs: NOW_MS - 6 * HOUR_MS });
  expect(young.ifBurnGoesOn).toBeCloseTo(0, 12);
});

test('a calendar window begins anew', () => {
  const periodOf = calendarPeriods('month', 'UTC');
  const slo = { ...SLO, window: { kind: 'calendar', unit: 'month', timezone: 'UTC', periodOf } as const };
  const slots = [...CALM.slice(0, 12), day(13, 1000), ...CALM.slice(13)];
  expect(outlook(slots, 5, { slo }).ifBurnGoesOn).toBeCloseTo(1 - 1000 / 25_000 / 0.1, 12);
  expect(outlook(slots, 15, { slo, hourlyBurn: 0.5 }).ifBurnGoesOn).toBeCloseTo(0.5, 12);
});

test('without data nothing is foreseen', () => {
  const nothing = { burnRate: null, ifBurnGoesOn: null, worstIncident: null, ifDeployFails: null };
  expect(outlook([], 1, { hourlyBurn: null })).toEqual({ slo: 'api/availability', ...nothing });
});

test('the outlook has a verdict of its own', () => {
  const f = (verdict: string, ...slos: [ifBurnGoesOn: number | null, ifDeployFails: number | null][]): void => {
    const outlooks = slos.map(([ifBurnGoesOn, ifDeployFails]) => ({
      ...outlook(CALM, 1),
      ifBurnGoesOn,
      ifDeployFails,
    }));
    expect(outlookOf(NOW_MS, outlooks)).toMatchObject({ until: new Date(NOW_MS).toISOString(), verdict });
  };
  f('allow', [0.5, 0.1]);
  f('warn', [0.5, 0], [0.5, 0.1]);
  f('unknown', [null, null], [0.5, -1]);
  f('block', [0, -1], [null, null]);
  f('unknown');
});
