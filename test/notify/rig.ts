import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { readLabelMatcher } from '../../src/definitions/label-matcher.ts';
import type { Alerting } from '../../src/engine/alerting.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Group } from '../../src/engine/ledger.ts';
import type { Matcher, Slo } from '../../src/engine/slo.ts';
import { Notifier } from '../../src/notify/notifier.ts';
import { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import type { HttpReceiver, Received } from './receiver.ts';

/** An engine that is pushed events, a store and a notifier, in simulated time. */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;

/** An SLO with an owner and a runbook, and without the alert of the spent budget. */
export function burningSlo(fields: Partial<Slo> = {}, alerts: Partial<Slo['alerts']> = {}): Slo {
  const slo = anSlo({ owner: 'team-api', runbook: 'https://runbooks.example/api', ...fields });
  return { ...slo, alerts: { ...slo.alerts, budgetExhausted: false, ...alerts } };
}

/** The alerts of the default policy by these names. */
export function onlyAlerts(...names: string[]): Partial<Slo['alerts']> {
  const { burnRateAlerts } = anSlo().alerts;
  return { burnRateAlerts: burnRateAlerts.filter(({ name }) => names.includes(name)) };
}

export class Rig {
  readonly dir = mkdtempSync(join(tmpdir(), 'slipstream-notify-'));
  readonly logged: { readonly level: string; readonly message: string }[] = [];
  nowMs = MIDNIGHT_MS + 12 * 60 * MINUTE_MS;
  slos: readonly Slo[];
  engine: Engine;
  store: Store;
  notifier: Notifier;
  readonly #limits = { outboxMax: 100, alertHistoryMax: 1000 };
  readonly #settleMs: number;
  #alerting: Alerting;

  constructor(alerting: Alerting, slos: readonly Slo[] = [burningSlo({}, onlyAlerts('page-quick'))], settleMs = 0) {
    this.#settleMs = settleMs;
    this.slos = slos;
    this.#alerting = alerting;
    this.engine = this.#engine();
    this.store = Store.open(this.dir);
    this.notifier = this.#notifier();
    onTestFinished(async () => {
      await this.notifier.stop();
      this.store.close();
      rmSync(this.dir, { recursive: true });
    });
  }

  #engine(): Engine {
    return new Engine(this.slos, { settleMs: this.#settleMs });
  }

  #notifier(): Notifier {
    const note =
      (level: string) =>
      (_fields: object, message: string): void => {
        this.logged.push({ level, message });
      };
    return new Notifier({
      alerting: this.#alerting,
      store: this.store,
      serverUrl: () => 'http://slipstream.test',
      staleAfterMs: 5 * MINUTE_MS,
      limits: this.#limits,
      compileMatcher: (text) => readLabelMatcher(text) as Matcher,
      log: { info: note('info'), warn: note('warn'), error: note('error') },
      clock: () => this.nowMs,
    });
  }

  /** Good and bad events of an SLO at the present time, and a tick. */
  push(good: number, bad: number, slo = 0, group: Group | null = null): void {
    const { id: sloId } = this.slos[slo]!;
    this.engine.push([{ sloId, group, tMs: this.nowMs, good, bad, id: null }], this.nowMs);
    this.tick();
  }

  tick(): void {
    this.engine.evaluate(this.nowMs);
    this.notifier.tick(this.engine);
  }

  pass(ms: number): void {
    this.nowMs += ms;
  }

  /** Lets time pass, second by second, until so many requests have come. */
  async until(receiver: HttpReceiver, count: number): Promise<Received> {
    while (receiver.received.length < count) {
      this.pass(SECOND_MS);
      this.tick();
      await sleep(5);
    }
    return receiver.have(count);
  }

  /** Waits until nothing is left to be delivered. */
  async drained(): Promise<void> {
    while (this.store.outbox.integrations().length > 0) await sleep(5);
  }

  /** As after a kill: what was in memory is gone, except that the engine's events are recovered. */
  async restart(alerting = this.#alerting): Promise<void> {
    this.#alerting = alerting;
    const snapshot = this.engine.snapshot();
    await this.notifier.stop();
    this.store.close();
    this.store = Store.open(this.dir);
    this.engine = this.#engine();
    this.engine.restore(snapshot, this.nowMs);
    this.notifier = this.#notifier();
    this.engine.restoreAlerts(this.notifier.savedAlerts);
  }
}
