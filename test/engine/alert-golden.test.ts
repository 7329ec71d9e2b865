import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import type { AlertTransition } from '../../src/engine/state.ts';
import { policyAlerts } from '../../src/engine/windows.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/**
 * Detection and reset of burn-rate alerts in seconds, for 99.9 %, constant traffic and a clean history: a burn of `error ratio`
 * crosses a window of `w` seconds after `factor x 0.001 / error ratio x w`; after the errors have stopped the short window
 * falls below its factor after `short x (1 - factor x 0.001 / error ratio)`. (SRE Workbook, chapter 5.)
 */
const TICK_S = 10;
const REQUESTS_PER_TICK = 1000;
const HISTORY_S = 3 * 86_400;
const INCIDENT_S = 12 * 3_600;
const RECOVERY_S = 7 * 3_600;

interface Times {
  detectS: number;
  resetS: number;
}

/** Seconds from the first error to firing, and from the last error to inactive, by alert. */
function observe(slo: Slo, errorRatio: number): Map<string, Times> {
  const engine = new Engine([slo], { settleMs: 0 });
  const times = new Map<string, Times>();
  let good = 0;
  let bad = 0;
  const endS = HISTORY_S + INCIDENT_S + RECOVERY_S;
  for (let second = 0; second <= endS; second += TICK_S) {
    const nowMs = MIDNIGHT_MS + second * 1000;
    const failing = second > HISTORY_S && second <= HISTORY_S + INCIDENT_S;
    bad += failing ? REQUESTS_PER_TICK * errorRatio : 0;
    good += REQUESTS_PER_TICK * (failing ? 1 - errorRatio : 1);
    feed(
      engine,
      [
        { labels: series('200'), tMs: nowMs, value: good },
        { labels: series('500'), tMs: nowMs, value: bad },
      ],
      nowMs,
    );
    if (second < HISTORY_S) continue;
    for (const transition of engine.evaluate(nowMs)) record(times, transition, second);
  }
  return times;
}

function record(times: Map<string, Times>, { alert, to }: AlertTransition, second: number): void {
  const seen = times.get(alert) ?? { detectS: Number.NaN, resetS: Number.NaN };
  if (to === 'firing') seen.detectS = second - HISTORY_S;
  if (to === 'inactive') seen.resetS = second - HISTORY_S - INCIDENT_S;
  times.set(alert, seen);
}

const ALERTS = ['page-quick', 'page-slow', 'ticket-quick', 'ticket-slow'];

function golden(errorRatio: number, rows: readonly (readonly [detectS: number, resetS: number])[]): void {
  test(`an error ratio of ${errorRatio} is detected and reset to one tick in every tier`, () => {
    const times = observe(anSlo(), errorRatio);
    rows.forEach(([detectS, resetS], i) => {
      const seen = times.get(ALERTS[i]!)!;
      expectWithinATick(seen.detectS, detectS);
      expectWithinATick(seen.resetS, resetS);
    });
  });
}

/** The table is rounded to a second; ticks come every ten. */
function expectWithinATick(seenS: number, theoryS: number): void {
  expect(seenS).toBeGreaterThanOrEqual(theoryS - 1);
  expect(seenS).toBeLessThanOrEqual(theoryS + TICK_S + 1);
}

golden(1.0, [
  [52, 296],
  [130, 1789],
  [259, 7178],
  [259, 21578],
]);
golden(0.5, [
  [104, 291],
  [259, 1778],
  [518, 7157],
  [518, 21557],
]);
golden(0.1, [
  [518, 257],
  [1296, 1692],
  [2592, 6984],
  [2592, 21384],
]);
golden(0.02, [
  [2592, 84],
  [6480, 1260],
  [12960, 6120],
  [12960, 20520],
]);
golden(0.015, [
  [3456, 12],
  [8640, 1080],
  [17280, 5760],
  [17280, 20160],
]);

function goldenPyrra(errorRatio: number, detectS: number, resetS: number): void {
  test(`Pyrra's fast burn at an error ratio of ${errorRatio} has its 2 minutes of for`, () => {
    const slo = anSlo({}, '28d');
    const policy = { ...slo.alerts, name: 'pyrra', burnRateAlerts: policyAlerts('pyrra', 28 * 86_400_000) };
    const seen = observe({ ...slo, alerts: policy }, errorRatio).get('fast-burn')!;
    expectWithinATick(seen.detectS, detectS);
    expectWithinATick(seen.resetS, resetS);
  });
}

goldenPyrra(1.0, 170, 296);
goldenPyrra(0.5, 221, 292);
goldenPyrra(0.1, 624, 258);
goldenPyrra(0.02, 2640, 90);
goldenPyrra(0.015, 3480, 20);

test('the budget alert fires once the budget has been spent for five minutes', () => {
  const engine = new Engine([anSlo()], { settleMs: 0 });
  const fired: number[] = [];
  for (let second = 0; second <= 900; second += TICK_S) {
    const nowMs = MIDNIGHT_MS + second * 1000;
    feed(engine, [{ labels: series('500'), tMs: nowMs, value: second }], nowMs);
    for (const transition of engine.evaluate(nowMs)) {
      if (transition.alert === 'error-budget-exhausted' && transition.to === 'firing') fired.push(second);
    }
  }
  expect(fired).toEqual([TICK_S + 300]);
});
