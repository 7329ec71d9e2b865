import { expect, test } from 'vitest';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { BurnRateAlert, Slo } from '../../src/engine/slo.ts';
import type { AlertTransition } from '../../src/engine/state.ts';
import { feed, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

const MINUTE_MS = 60_000;
const TICK_MS = 10_000;

function alertingSlo(forMs: number, minBadEvents = 0): Slo {
  const alert: BurnRateAlert = {
    name: 'burning',
    severity: 'page',
    factor: 10,
    long: duration('1h'),
    short: duration('5m'),
    forMs,
  };
  return anSlo({ alerts: { name: 'custom', burnRateAlerts: [alert], budgetExhausted: false, minBadEvents } });
}

/** A service that is scraped every ten seconds, with ten requests each time, and its clock. */
class Service {
  readonly engine: Engine;
  readonly transitions: string[] = [];
  nowMs = MIDNIGHT_MS;
  #good = 0;
  #bad = 0;

  constructor(slo: Slo) {
    this.engine = new Engine([slo], { settleMs: 0, staleAfterMs: 5 * MINUTE_MS });
    this.scrape(this.nowMs, 0, 0);
  }

  scrape(tMs: number, good: number, bad: number): void {
    this.#good += good;
    this.#bad += bad;
    feed(
      this.engine,
      [
        { labels: series('200'), tMs, value: this.#good },
        { labels: series('500'), tMs, value: this.#bad },
      ],
      this.nowMs,
    );
  }

  run(minutes: number, requests: number, errorRatio: number): void {
    for (const endMs = this.nowMs + minutes * MINUTE_MS; this.nowMs < endMs; ) {
      this.nowMs += TICK_MS;
      this.scrape(this.nowMs, requests * (1 - errorRatio), requests * errorRatio);
      this.tick();
    }
  }

  silence(minutes: number): void {
    for (const endMs = this.nowMs + minutes * MINUTE_MS; this.nowMs < endMs; ) {
      this.nowMs += TICK_MS;
      this.tick();
    }
  }

  tick(): void {
    for (const transition of this.engine.evaluate(this.nowMs)) this.transitions.push(this.#told(transition));
  }

  #told({ to, atMs }: AlertTransition): string {
    return `${to} at ${(atMs - MIDNIGHT_MS) / MINUTE_MS}`;
  }

  get state(): NonNullable<ReturnType<Engine['state']>> {
    return this.engine.states(this.nowMs)[0]!;
  }
}

test('zero traffic with healthy scrapes is zero events, not no data', () => {
  const service = new Service(alertingSlo(0));
  service.run(30, 0, 0);
  expect(service.state).toMatchObject({ state: 'healthy', sli: null, events: { total: 0 } });
  expect(service.state.errorBudget).toMatchObject({ remaining: 1, consumed: 0 });
  expect(Object.values(service.state.burnRates).every((burn) => burn === 0)).toBe(true);
});

test('silence for longer than staleAfter is no data, whatever the budget was', () => {
  const service = new Service(alertingSlo(0));
  service.run(10, 10, 0);
  service.silence(5);
  expect(service.state.state).toBe('healthy');
  service.silence(1);
  expect(service.state.state).toBe('no_data');
  service.run(1, 10, 0);
  expect(service.state.state).toBe('healthy');
});

test('nothing ever received is no data', () => {
  const engine = new Engine([alertingSlo(0)]);
  expect(engine.states(MIDNIGHT_MS)[0]).toMatchObject({ state: 'no_data', asOf: null, sli: null });
  expect(engine.evaluate(MIDNIGHT_MS)).toEqual([]);
});

test('a firing alert does not resolve in a silence, and does by the first data after it', () => {
  const service = new Service(alertingSlo(0));
  service.run(60, 10, 0);
  service.run(10, 10, 0.5);
  expect(service.transitions).toHaveLength(1);
  expect(service.state.alerts[0]!.state).toBe('firing');
  service.silence(180);
  expect(service.transitions).toHaveLength(1);
  expect(service.state.alerts[0]!.state).toBe('firing');
  service.run(1, 10, 0);
  expect(service.transitions.slice(1)).toEqual([`inactive at ${250 + 1 / 6}`]);
});

test('traffic that stops with the outage while scrapes go on resolves the alert', () => {
  const service = new Service(alertingSlo(0));
  service.run(60, 10, 0);
  service.run(10, 10, 0.5);
  service.run(10, 0, 0);
  expect(service.transitions).toHaveLength(2);
  expect(service.state.alerts[0]!.state).toBe('inactive');
});

test('an alert does not begin to fire in a silence', () => {
  const service = new Service(alertingSlo(2 * MINUTE_MS));
  service.run(60, 10, 0);
  service.run(2, 10, 1);
  expect(service.state.alerts[0]!.state).toBe('pending');
  service.silence(60);
  expect(service.state.alerts[0]!.state).toBe('pending');
});

test('a silence does not count for the time that a condition must hold', () => {
  const FOR_MINUTES = 10;
  const uninterrupted = new Service(alertingSlo(FOR_MINUTES * MINUTE_MS));
  uninterrupted.run(30, 10, 1);
  expect(uninterrupted.transitions).toEqual(['pending at 0.16666666666666666', `firing at ${FOR_MINUTES + 1 / 6}`]);
  const interrupted = new Service(alertingSlo(FOR_MINUTES * MINUTE_MS));
  interrupted.run(4, 10, 1);
  interrupted.silence(20);
  interrupted.run(30, 10, 1);
  // 20 minutes later, but for the tick at which data came back: the stretch since the last judgement was not observed.
  expect(interrupted.transitions).toEqual(['pending at 0.16666666666666666', `firing at ${FOR_MINUTES + 20 + 2 / 6}`]);
});

test('the freeze outlives a restart', () => {
  const slo = alertingSlo(0);
  const service = new Service(slo);
  service.run(60, 10, 0);
  service.run(10, 10, 0.5);
  service.silence(10);
  const engine = new Engine([slo], { settleMs: 0 });
  engine.restore(service.engine.snapshot(), service.nowMs);
  expect(engine.evaluate(service.nowMs + MINUTE_MS)).toEqual([]);
  expect(engine.states(service.nowMs + MINUTE_MS)[0]).toMatchObject({
    state: 'no_data',
    alerts: [{ state: 'firing' }],
  });
});

test('a sender that catches up after hours loses nothing, and nobody is told of the past', () => {
  const offline = new Service(alertingSlo(0));
  const online = new Service(alertingSlo(0));
  online.run(60, 10, 0);
  online.run(30, 10, 0.5);
  online.run(90, 10, 0);
  offline.run(10, 10, 0);
  offline.silence(170);
  expect(offline.state.state).toBe('no_data');
  const told = offline.transitions.length;
  for (let tick = 61; tick <= 180 * 6; tick++) {
    const failing = tick > 60 * 6 && tick <= 90 * 6;
    offline.scrape(MIDNIGHT_MS + tick * TICK_MS, failing ? 5 : 10, failing ? 5 : 0);
    offline.tick();
    const lagMs = offline.nowMs - (MIDNIGHT_MS + tick * TICK_MS);
    expect(offline.state.state === 'no_data').toBe(lagMs > 5 * MINUTE_MS);
  }
  expect(online.transitions).toHaveLength(2);
  expect(offline.transitions).toHaveLength(told);
  expect(offline.state.events).toEqual(online.state.events);
  expect(offline.state.burnRates).toEqual(online.state.burnRates);
});

test('with fewer bad events than minBadEvents in the long window no burn-rate alert fires', () => {
  const fired = (minBadEvents: number): boolean => {
    const service = new Service(alertingSlo(0, minBadEvents));
    service.run(60, 10, 0);
    // Six times 10 bad events.
    service.run(1, 10, 1);
    return service.transitions.some((text) => text.startsWith('firing'));
  };
  expect([fired(0), fired(59), fired(60), fired(61)]).toEqual([true, true, true, false]);
});
