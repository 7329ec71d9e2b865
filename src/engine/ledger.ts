import { Alert } from './alert.ts';
import { burnRate, exhaustedAtMs, goodRatio } from './burn-rate.ts';
import { HOUR_MS } from './duration.ts';
import { PendingEvents } from './pending.ts';
import { Ring, slotMsFor, type Tier } from './ring.ts';
import type { Scope } from './scope.ts';
import type { BurnRateAlert, Duration, Slo } from './slo.ts';
import type { AlertState, AlertTransition, SloHealth, SloState } from './state.ts';
import { BUDGET_EXHAUSTED, nominalPeriodMs, STANDARD_WINDOWS } from './windows.ts';

/**
 * The events of one SLO: settled ones in its ring, newer ones pending until the watermark reaches them; and what follows
 * from them, which is budget, burn rates and alerts.
 */
export class Ledger {
  readonly slo: Slo;
  readonly scope: Scope;
  readonly #ring: Ring;
  readonly #windows: readonly Window[];
  readonly #sloWindow: number;
  readonly #hourWindow: number;
  readonly #alertRules: readonly AlertRule[];
  readonly #alerts: readonly Alert[];
  /** Good and bad events of each window, in the windows' order. */
  readonly #sums: Float64Array;
  /** The watermark up to which events are in the ring; NaN before the first. */
  #settledMs = Number.NaN;
  /** Event time of the last evaluation that was not frozen; NaN before the first. */
  #evaluatedMs = Number.NaN;
  #frozen = false;
  readonly #pending = new PendingEvents();

  constructor(slo: Slo, scope: Scope) {
    this.slo = slo;
    this.scope = scope;
    this.#windows = windowsOf(slo);
    const periodMs = nominalPeriodMs(slo.window);
    this.#ring = new Ring(this.#windows.map((window) => window.ms));
    for (const window of this.#windows) window.tier = this.#ring.tierOf(window.ms);
    this.#sums = new Float64Array(2 * this.#windows.length);
    this.#sloWindow = this.#indexOf(periodMs);
    this.#hourWindow = this.#indexOf(HOUR_MS);
    this.#alertRules = slo.alerts.burnRateAlerts.map((rule) => ({
      rule,
      long: this.#indexOf(rule.long.ms),
      short: this.#indexOf(rule.short.ms),
    }));
    const forMs = slo.alerts.burnRateAlerts.map((rule) => rule.forMs);
    if (slo.alerts.budgetExhausted) forMs.push(BUDGET_EXHAUSTED.forMs);
    this.#alerts = forMs.map((ms) => new Alert(ms));
    scope.trackCoverage(slotMsFor(periodMs), periodMs);
  }

  #indexOf(ms: number): number {
    return this.#windows.findIndex((window) => window.ms === ms);
  }

  /** Bytes of the ring, the state that every SLO has. */
  get ringBytes(): number {
    return this.#ring.buffer.byteLength;
  }

  /** Events of one event time; a late one goes to its slot, one beyond the watermark waits. */
  post(tMs: number, good: number, bad: number): void {
    if (tMs <= this.#settledMs) this.#ring.add(tMs, good, bad);
    else this.#pending.add(tMs, good, bad);
  }

  /** Moves everything up to the watermark into the ring. */
  settle(watermarkMs: number): void {
    if (!(watermarkMs > this.#settledMs || Number.isNaN(this.#settledMs)) || Number.isNaN(watermarkMs)) return;
    this.#pending.drain(watermarkMs, this.#ring);
    this.#settledMs = watermarkMs;
  }

  /** Reads every window as of the watermark. */
  #readSums(asOfMs: number): Float64Array {
    for (let i = 0; i < this.#windows.length; i++) {
      const window = this.#windows[i]!;
      window.tier!.read(asOfMs, window.ms, this.#sums, 2 * i);
    }
    return this.#sums;
  }

  /** Judges every alert as of the watermark. The events up to it must have been settled. */
  evaluate(nowMs: number, transitions: AlertTransition[]): void {
    if (this.scope.hasNoData(nowMs)) {
      this.#frozen = true;
      return;
    }
    const asOfMs = this.#settledMs;
    if (this.#frozen) {
      if (!Number.isNaN(this.#evaluatedMs)) for (const alert of this.#alerts) alert.thaw(asOfMs - this.#evaluatedMs);
      this.#frozen = false;
    }
    this.#evaluatedMs = asOfMs;
    const sums = this.#readSums(asOfMs);
    const { errorBudget } = this.slo;
    for (let i = 0; i < this.#alerts.length; i++) {
      const alert = this.#alerts[i]!;
      const before = alert.state;
      if (alert.step(this.#condition(i, sums, errorBudget), asOfMs)) {
        const { name, severity } = this.#alertRules[i]?.rule ?? BUDGET_EXHAUSTED;
        transitions.push({
          sloId: this.slo.id,
          group: null,
          alert: name,
          severity,
          from: before,
          to: alert.state,
          atMs: asOfMs,
        });
      }
    }
  }

  #condition(alert: number, sums: Float64Array, errorBudget: number): boolean {
    const rule = this.#alertRules[alert];
    if (rule === undefined) {
      return 1 - burnRate(sums[2 * this.#sloWindow]!, sums[2 * this.#sloWindow + 1]!, errorBudget) <= 0;
    }
    const { long, short } = rule;
    const { factor } = rule.rule;
    const longBad = sums[2 * long + 1]!;
    return (
      burnRate(sums[2 * long]!, longBad, errorBudget) > factor &&
      burnRate(sums[2 * short]!, sums[2 * short + 1]!, errorBudget) > factor &&
      longBad >= this.slo.alerts.minBadEvents
    );
  }

  state(nowMs: number): SloState {
    const { slo, scope } = this;
    const observed = !Number.isNaN(this.#settledMs);
    const asOfMs = Math.min(this.#settledMs, nowMs);
    const sums = this.#readSums(observed ? asOfMs : 0);
    const good = sums[2 * this.#sloWindow]!;
    const bad = sums[2 * this.#sloWindow + 1]!;
    const total = good + bad;
    const periodMs = nominalPeriodMs(slo.window);
    const consumed = observed ? burnRate(good, bad, slo.errorBudget) : null;
    const remaining = consumed === null ? null : 1 - consumed;
    const hourBurn = burnRate(sums[2 * this.#hourWindow]!, sums[2 * this.#hourWindow + 1]!, slo.errorBudget);
    const exhaustedMs = remaining === null ? null : exhaustedAtMs(asOfMs, remaining, hourBurn, periodMs);
    const allowedBad = total * slo.errorBudget;
    const burnRates: Record<string, number | null> = {};
    this.#windows.forEach((window, i) => {
      for (const text of window.texts) {
        burnRates[text] = observed ? burnRate(sums[2 * i]!, sums[2 * i + 1]!, slo.errorBudget) : null;
      }
    });
    return {
      id: slo.id,
      service: slo.service,
      name: slo.name,
      owner: slo.owner,
      labels: { ...slo.labels },
      description: slo.description,
      runbook: slo.runbook,
      sliKind: slo.sli.kind,
      objective: slo.objective,
      window:
        slo.window.kind === 'rolling'
          ? { kind: 'rolling', duration: slo.window.duration.text }
          : { kind: 'calendar', unit: slo.window.unit, timezone: slo.window.timezone, start: '', end: '' },
      asOf: observed ? new Date(asOfMs).toISOString() : null,
      state: this.#health(nowMs, remaining),
      coverage: scope.coverage(slotMsFor(periodMs), periodMs, nowMs),
      sli: observed ? goodRatio(good, bad) : null,
      events: { good, bad, total },
      errorBudget: {
        remaining,
        consumed,
        allowedBad,
        remainingBad: allowedBad - bad,
        exhaustedAt: exhaustedMs === null ? null : new Date(exhaustedMs).toISOString(),
      },
      burnRates,
      alerts: this.#alertStates(),
    };
  }

  #health(nowMs: number, remaining: number | null): SloHealth {
    if (remaining === null || this.scope.hasNoData(nowMs)) return 'no_data';
    if (remaining <= 0) return 'exhausted';
    return this.#alerts.some((alert) => alert.state === 'firing') ? 'at_risk' : 'healthy';
  }

  #alertStates(): AlertState[] {
    return this.#alerts.map((alert, i) => {
      const rule = this.#alertRules[i]?.rule;
      const { name, severity } = rule ?? BUDGET_EXHAUSTED;
      const since = Number.isNaN(alert.sinceMs) ? null : new Date(alert.sinceMs).toISOString();
      const state: AlertState = { name, severity, state: alert.state, since };
      if (rule === undefined) return state;
      return { ...state, long: rule.long.text, short: rule.short.text, factor: rule.factor };
    });
  }

  save(): LedgerSave {
    return {
      sloId: this.slo.id,
      settledMs: this.#settledMs,
      evaluatedMs: this.#evaluatedMs,
      frozen: this.#frozen,
      ring: this.#ring.buffer,
      pending: this.#pending.rows(),
      alerts: this.#alertStates().map(({ name, state }, i) => ({ name, state, sinceMs: this.#alerts[i]!.sinceMs })),
    };
  }

  /** Takes over what another process, or another definition of the same SLO, had counted. */
  load(save: LedgerSave): void {
    this.#settledMs = save.settledMs;
    this.#evaluatedMs = save.evaluatedMs;
    this.#frozen = save.frozen;
    const ring = new Ring(save.ring);
    if (ring.hasLayoutOf(this.#ring)) this.#ring.copy(ring);
    else this.#ring.absorb(ring);
    for (const [tMs, good, bad] of save.pending) this.#pending.add(tMs, good, bad);
    const names = this.#alertStates().map((alert) => alert.name);
    for (const saved of save.alerts) {
      const alert = this.#alerts[names.indexOf(saved.name)];
      if (alert === undefined) continue;
      alert.state = saved.state;
      alert.sinceMs = saved.sinceMs;
    }
  }
}

export interface LedgerSave {
  sloId: string;
  settledMs: number;
  evaluatedMs: number;
  frozen: boolean;
  ring: ArrayBuffer;
  pending: (readonly [tMs: number, good: number, bad: number])[];
  alerts: { name: string; state: AlertState['state']; sinceMs: number }[];
}

interface AlertRule {
  readonly rule: BurnRateAlert;
  readonly long: number;
  readonly short: number;
}

interface Window {
  readonly ms: number;
  /** As the files write it; `1d` and `24h` are one window with two names. */
  readonly texts: string[];
  tier: Tier | null;
}

function windowsOf(slo: Slo): Window[] {
  const windows = new Map<number, Window>();
  const add = (duration: Duration): void => {
    const window = windows.get(duration.ms) ?? { ms: duration.ms, texts: [], tier: null };
    if (!window.texts.includes(duration.text)) window.texts.push(duration.text);
    windows.set(duration.ms, window);
  };
  for (const standard of STANDARD_WINDOWS) add(standard);
  for (const alert of slo.alerts.burnRateAlerts) {
    add(alert.short);
    add(alert.long);
  }
  if (slo.window.kind === 'rolling') add(slo.window.duration);
  return [...windows.values()].sort((a, b) => a.ms - b.ms);
}
