import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { policyAlerts } from '../../src/engine/windows.ts';
import { calendarWindow } from '../support/calendar.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const HOUR_MS = 3_600_000;
const SCRAPE_MS = 300_000;

/** Thirty days of 1000 requests in 5 minutes by day and 2 by night, with an outage of two hours on the tenth day. */
function monthWithOutage(outageHour: number): { consumed: number; averageOfRatios: number } {
  const slo = anSlo();
  const engine = new Engine([slo], { settleMs: 0 });
  const outageMs = MIDNIGHT_MS + (10 * 24 + outageHour) * HOUR_MS;
  const value = { good: 0, bad: 0 };
  let ratios = 0;
  const scrapes = (30 * 24 * HOUR_MS) / SCRAPE_MS;
  for (let i = 0; i <= scrapes; i++) {
    const tMs = MIDNIGHT_MS + i * SCRAPE_MS;
    if (i > 0) {
      const hour = new Date(tMs - 1).getUTCHours();
      const requests = hour >= 8 && hour < 20 ? 1000 : 2;
      const failing = tMs > outageMs && tMs <= outageMs + 2 * HOUR_MS;
      if (failing) value.bad += requests;
      else value.good += requests;
      ratios += failing ? 1 : 0;
    }
    feed(
      engine,
      [
        { labels: series('200'), tMs, value: value.good },
        { labels: series('500'), tMs, value: value.bad },
      ],
      tMs,
    );
  }
  const state = engine.state(slo.id, MIDNIGHT_MS + scrapes * SCRAPE_MS)!;
  expect(state.burnRates['30d']).toBe(state.errorBudget.consumed);
  return { consumed: state.errorBudget.consumed!, averageOfRatios: ratios / scrapes / slo.errorBudget };
}

const REQUESTS = 30 * 144 * (1000 + 2);

test('an outage of two hours by day costs what its requests were, twice what an average of ratios says', () => {
  const { consumed, averageOfRatios } = monthWithOutage(12);
  expect(Math.abs(consumed - 24_000 / REQUESTS / 0.001)).toBeLessThan(1e-9);
  expect(consumed).toBeCloseTo(5.54, 2);
  expect(averageOfRatios).toBeCloseTo(2.78, 2);
});

test('the same outage at night costs a five-hundredth of it, where an average of ratios sees no difference', () => {
  const { consumed, averageOfRatios } = monthWithOutage(2);
  expect(Math.abs(consumed - 48 / REQUESTS / 0.001)).toBeLessThan(1e-9);
  expect(consumed).toBeCloseTo(0.011, 3);
  expect(averageOfRatios).toBeCloseTo(2.78, 2);
});

function ringIsSmall(slo: Slo, what: string): void {
  test(`the ring of an SLO ${what} takes at most 40 KiB`, () => {
    expect(new Engine([slo]).ringBytes).toBeLessThanOrEqual(40 * 1024);
  });
}

function withPyrra(slo: Slo, periodMs: number): Slo {
  return { ...slo, alerts: { ...slo.alerts, name: 'pyrra', burnRateAlerts: policyAlerts('pyrra', periodMs) } };
}

ringIsSmall(anSlo(), 'over 30 days');
ringIsSmall(withPyrra(anSlo(), duration('30d').ms), "over 30 days with Pyrra's windows");
ringIsSmall(withPyrra(anSlo({}, '28d'), duration('28d').ms), "over 28 days with Pyrra's windows");
ringIsSmall(anSlo({}, '90d'), 'over 90 days');
for (const unit of ['week', 'month', 'quarter', 'year'] as const) {
  ringIsSmall(anSlo({ window: calendarWindow(unit, 'UTC') }), `over a calendar ${unit}`);
}
ringIsSmall(
  withPyrra(anSlo({ window: calendarWindow('month', 'UTC') }), duration('30d').ms),
  "over a calendar month with Pyrra's windows",
);
