import { expect, test } from 'vitest';
import { DEMO_SLOS } from '../../src/cli/demo/slos.ts';
import { LIVE_INCIDENT, Shop, Traffic } from '../../src/cli/demo/traffic.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../src/engine/duration.ts';

const LIVE_FROM_MS = Date.UTC(2026, 0, 15, 12);
const traffic = new Traffic(1, LIVE_FROM_MS);

function shopAt(seed: number, stepMs: number, steps: number): number[] {
  const fromMs = LIVE_FROM_MS - DAY_MS;
  const shop = new Shop(new Traffic(seed, LIVE_FROM_MS), fromMs);
  for (let i = 1; i <= steps; i++) shop.advance(fromMs + i * stepMs);
  return [...shop.values];
}

test('the same seed and time give the same traffic, another seed another one', () => {
  expect(shopAt(1, MINUTE_MS, 600)).toEqual(shopAt(1, MINUTE_MS, 600));
  expect(shopAt(1, MINUTE_MS, 600)).not.toEqual(shopAt(2, MINUTE_MS, 600));
});

test('afternoons are busier than nights', () => {
  const midnightMs = Date.UTC(2026, 0, 14);
  const atHour = (hour: number): number => traffic.requestsPerSecond('checkout', midnightMs + hour * HOUR_MS);
  expect(atHour(15)).toBeGreaterThan(3 * atHour(3));
});

test('live incidents begin, end and come back on time', () => {
  const failingAt = (ms: number): number => traffic.failingShare('checkout', LIVE_FROM_MS + ms);
  const { afterMs, durationMs, everyMs } = LIVE_INCIDENT;
  for (const round of [0, 1, 2]) {
    const startMs = round * everyMs + afterMs;
    expect(failingAt(startMs - SECOND_MS)).toBeLessThan(0.001);
    expect(failingAt(startMs)).toBe(0.3);
    expect(failingAt(startMs + durationMs - SECOND_MS)).toBe(0.3);
    expect(failingAt(startMs + durationMs)).toBeLessThan(0.001);
  }
});

test('history has one incident and spends part of the budget, not all of it', () => {
  const fromMs = LIVE_FROM_MS - 30 * DAY_MS;
  const shop = new Shop(traffic, fromMs);
  for (let tMs = fromMs + 5 * MINUTE_MS; tMs <= LIVE_FROM_MS; tMs += 5 * MINUTE_MS) shop.advance(tMs);
  const sum = (job: string, test: (labels: Record<string, string>) => boolean): number =>
    shop.labels.reduce((total, pairs, i) => {
      const labels = Object.fromEntries(pairs);
      return labels['job'] === job && test(labels) ? total + shop.values[i]! : total;
    }, 0);
  const consumed = (job: string, budget: number): number => {
    const bad = sum(job, ({ status, outcome }) => status === '500' || outcome === 'failed');
    const total = sum(job, ({ status, outcome }) => status !== undefined || outcome !== undefined);
    return bad / total / budget;
  };
  expect(consumed('storefront', 0.001)).toBeCloseTo(0.2, 1);
  expect(consumed('catalog', 0.001)).toBeCloseTo(0.15, 1);
  expect(consumed('checkout', 0.0005)).toBeGreaterThan(0.4);
  expect(consumed('checkout', 0.0005)).toBeLessThan(0.9);
  expect(consumed('payments', 0.005)).toBeGreaterThan(0.2);
  expect(consumed('payments', 0.005)).toBeLessThan(0.7);
  expect(shop.labels).toHaveLength(24);
});

test('counters are whole numbers that never fall, and the parts of a histogram agree', () => {
  const shop = new Shop(traffic, LIVE_FROM_MS);
  let before = [...shop.values];
  for (let second = 1; second <= 300; second++) {
    shop.advance(LIVE_FROM_MS + second * SECOND_MS);
    const after = [...shop.values];
    after.forEach((value, i) => {
      expect(Number.isInteger(value)).toBe(true);
      expect(value).toBeGreaterThanOrEqual(before[i]!);
    });
    before = after;
  }
  const value = (name: string, le?: string): number =>
    shop.values[
      shop.labels.findIndex((pairs) => {
        const labels = Object.fromEntries(pairs);
        return labels['__name__'] === `http_request_duration_seconds_${name}` && labels['le'] === le;
      })
    ]!;
  expect(value('bucket', '+Inf')).toBe(value('count'));
  expect(value('bucket', '0.3')).toBeLessThan(0.9 * value('count'));
});

test('the example definitions are valid, and every series of the shop is wanted by one of them', () => {
  const { slos, problems } = readDefinitions([{ file: 'slos.yaml', text: DEMO_SLOS }]);
  expect(problems).toEqual([]);
  const selectors = slos.flatMap(({ sli }) => (sli.kind === 'events' ? [...sli.total, ...sli.selectors] : []));
  const wanted = (labels: Map<string, string>): boolean =>
    selectors.some(({ matchers }) => matchers.every(({ name, matches }) => matches(labels.get(name) ?? '')));
  const unwanted = new Shop(traffic, LIVE_FROM_MS).labels.filter((pairs) => !wanted(new Map(pairs)));
  // A histogram comes with all its buckets, needed or not.
  expect(unwanted.map((pairs) => new Map(pairs).get('le'))).toEqual(['+Inf', '+Inf']);
});
