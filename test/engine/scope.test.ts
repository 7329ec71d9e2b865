import { expect, test } from 'vitest';
import { Coverage, Scope } from '../../src/engine/scope.ts';

const SETTLE_MS = 5_000;
const STALE_AFTER_MS = 300_000;

function aScope(): Scope {
  return new Scope('', [[]], SETTLE_MS, STALE_AFTER_MS);
}

function report(scope: Scope, tMs: number, arrivedMs: number): void {
  scope.observe(tMs, tMs, arrivedMs);
}

test('an event time is a watermark only after it has had settle', () => {
  const scope = aScope();
  report(scope, 100_000, 101_000);
  expect(scope.watermarkMs(105_999)).toBeNaN();
  expect(scope.watermarkMs(106_000)).toBe(100_000);
});

test('a newer report does not delay an older one', () => {
  const scope = aScope();
  for (let t = 100_000; t < 110_000; t += 1_000) report(scope, t, t);
  expect(scope.watermarkMs(109_000)).toBe(104_000);
  expect(scope.watermarkMs(1_000_000)).toBe(109_000);
});

test('hundreds of reports within settle cost a bounded queue and at most a 32nd of settle', () => {
  const scope = aScope();
  for (let t = 100_000; t < 120_000; t += 10) report(scope, t, t);
  const watermarkMs = scope.watermarkMs(119_990);
  expect(watermarkMs).toBeLessThanOrEqual(119_990 - SETTLE_MS);
  expect(watermarkMs).toBeGreaterThanOrEqual(119_990 - SETTLE_MS - SETTLE_MS / 16);
});

test('a clock ahead cannot push the watermark past the wall clock', () => {
  const scope = aScope();
  report(scope, 400_000, 100_000);
  expect(scope.watermarkMs(110_000)).toBe(110_000);
});

test('a target that lags does not hold the watermark back', () => {
  const scope = aScope();
  report(scope, 100_000, 100_000);
  report(scope, 40_000, 101_000);
  expect(scope.watermarkMs(106_000)).toBe(100_000);
});

test('no data: nothing ever, a watermark that stands still, and one that lags', () => {
  const scope = aScope();
  expect(scope.hasNoData(0)).toBe(true);
  report(scope, 100_000, 100_000);
  expect(scope.hasNoData(105_000)).toBe(false);
  expect(scope.hasNoData(100_000 + STALE_AFTER_MS)).toBe(false);
  expect(scope.hasNoData(100_001 + STALE_AFTER_MS)).toBe(true);
  report(scope, 110_000, 1_000_000);
  expect(scope.hasNoData(1_005_000)).toBe(true);
});

test('coverage counts the observed share of the window from the clock', () => {
  const scope = aScope();
  const dayMs = 86_400_000;
  scope.trackCoverage(3_600_000, 30 * dayMs);
  for (let t = 0; t <= 15 * dayMs; t += 900_000) scope.observe(Math.max(0, t - 900_000), t, t);
  expect(scope.coverage(3_600_000, 30 * dayMs, 15 * dayMs)).toBe(0.5);
  expect(scope.coverage(3_600_000, 30 * dayMs, 30 * dayMs)).toBe(0.5);
  expect(scope.coverage(3_600_000, 30 * dayMs, 45 * dayMs)).toBe(0);
});

test('slots of a silence are not covered, those between two reports of a run are', () => {
  const coverage = new Coverage(10_000, 100);
  coverage.mark(0, 0);
  coverage.mark(0, 45_000);
  coverage.mark(100_000, 100_000);
  expect([0, 1, 2, 3, 4, 5, 8, 9, 10].map((slot) => coverage.isCovered(slot))).toEqual([
    true,
    true,
    true,
    true,
    true,
    false,
    false,
    true,
    false,
  ]);
});
