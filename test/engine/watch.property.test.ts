import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Alert } from '../../src/engine/alert.ts';
import { duration } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { BurnRateAlert, Slo } from '../../src/engine/slo.ts';
import type { AlertTransition, SloState } from '../../src/engine/state.ts';
import { BUDGET_EXHAUSTED } from '../../src/engine/windows.ts';
import { calendarWindow } from '../support/calendar.ts';
import { feed } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { STORY } from '../support/story.ts';

const SETTLE_MS = 5_000;
const STALE_AFTER_MS = 4 * 60_000;

function alert(name: string, factor: number, long: string, short: string, forText: string): BurnRateAlert {
  return { name, severity: 'page', factor, long: duration(long), short: duration(short), forMs: duration(forText).ms };
}

/** Windows of minutes, so that a story of a quarter of an hour moves every state; one window is no multiple of its slots. */
const RULES = [
  alert('quick', 300, '5m', '1m', '30s'),
  alert('slow', 150, '10m', '5m', '2m'),
  alert('odd', 400, '6m7s', '1m', '45s'),
];

function slo(id: string, fields: Partial<Slo>): Slo {
  const alerts = { name: 'custom', burnRateAlerts: RULES, budgetExhausted: true, minBadEvents: 0 };
  return anSlo({ id, alerts, ...fields }, '1h');
}

const SLOS = [
  slo('api/tight', {}),
  slo('api/loose', { objective: 0.4, errorBudget: 0.6 }),
  slo('api/patient', { alerts: { ...slo('', {}).alerts, minBadEvents: 2_000 } }),
  slo('api/month', { window: calendarWindow('month', 'UTC') }),
];

/** Steps every alert of every SLO at every tick, by the burn rates of its state: slow, and nothing is left out. */
class NaiveAlerts {
  readonly #alerts = new Map<string, Alert[]>();
  readonly #frozen = new Set<string>();
  readonly #evaluatedMs = new Map<string, number>();

  evaluate(slo: Slo, state: SloState, engine: Engine, nowMs: number): AlertTransition[] {
    const rules = slo.alerts.burnRateAlerts;
    const alerts = this.#alerts.get(slo.id) ?? [...rules, BUDGET_EXHAUSTED].map(({ forMs }) => new Alert(forMs));
    this.#alerts.set(slo.id, alerts);
    if (state.state === 'no_data') {
      this.#frozen.add(slo.id);
      return [];
    }
    const atMs = Date.parse(state.asOf!);
    if (this.#frozen.delete(slo.id)) {
      const beforeMs = this.#evaluatedMs.get(slo.id);
      if (beforeMs !== undefined) for (const one of alerts) one.thaw(atMs - beforeMs);
    }
    this.#evaluatedMs.set(slo.id, atMs);
    return alerts.flatMap((one, i) => {
      const rule = rules[i];
      const from = one.state;
      const burning =
        rule === undefined
          ? state.errorBudget.consumed! >= 1
          : state.burnRates[rule.long.text]! > rule.factor &&
            engine.recentEvents(slo.id, rule.long.ms, nowMs)[0]!.bad >= slo.alerts.minBadEvents &&
            state.burnRates[rule.short.text]! > rule.factor;
      if (!one.step(burning, atMs)) return [];
      const { name, severity } = rule ?? BUDGET_EXHAUSTED;
      return [{ sloId: slo.id, group: null, alert: name, severity, from, to: one.state, atMs }];
    });
  }
}

test('a tick that looks only at ledgers that may change finds what one that judges every alert finds', () => {
  let transitions = 0;
  fc.assert(
    fc.property(STORY, fc.constantFrom(1_000, 10_000, 60_000), (story, tickMs) => {
      const options = { settleMs: SETTLE_MS, staleAfterMs: STALE_AFTER_MS };
      const engine = new Engine(SLOS, options);
      const naive = new NaiveAlerts();
      let nowMs = story[0]!.arrivedMs;
      const tick = (): void => {
        const states = SLOS.map((one) => engine.state(one.id, nowMs)!);
        const expected = SLOS.flatMap((one, i) => naive.evaluate(one, states[i]!, engine, nowMs));
        expect(engine.evaluate(nowMs)).toEqual(expected);
        transitions += expected.length;
      };
      for (const { samples, arrivedMs } of story) {
        for (; nowMs < arrivedMs; nowMs += tickMs) tick();
        feed(engine, samples, arrivedMs);
      }
      for (const endMs = nowMs + 3_600_000; nowMs < endMs; nowMs += 6 * tickMs) tick();
    }),
    { numRuns: 60 },
  );
  // Else nothing was shown.
  expect(transitions).toBeGreaterThan(100);
}, 60_000);
