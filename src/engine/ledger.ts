import { type ActiveAlert, Alert, type SavedAlert } from './alert.ts';
import { burnRate, exhaustedAtMs, goodRatio, leastErrorRatio } from './burn-rate.ts';
import type { Period } from './calendar.ts';
import { MinuteEvents } from './minute-events.ts';
import { type PendingRow, PendingRows } from './pending.ts';
import { type Ring, type RingBlocks, slotMsFor } from './ring.ts';
import type { Scope } from './scope.ts';
import { isSliced, Slices, type SlicesSave } from './slices.ts';
import type { BurnRateAlert, Slo } from './slo.ts';
import type { AlertState, AlertTransition, SloHealth, SloState, WindowState } from './state.ts';
import { Tally, type TallySave, windowsOf } from './tally.ts';
import type { Timekeeper } from './timekeeper.ts';
import type { Watched } from './watch.ts';
import { BUDGET_EXHAUSTED, longestPeriodMs, nominalPeriodMs } from './windows.ts';

/** The label values that make a group, by label name; null for an SLO without groups. */
export type Group = Readonly<Record<string, string>>;

/**
 * The events of one SLO, or of one group of it: settled ones in the tally, newer ones pending until the watermark reaches
 * them; and what follows from them, which is budget, burn rates and alerts.
 */
export class Ledger {
  readonly slo: Slo;
  readonly group: Group | null;
  readonly #time: Timekeeper;
  readonly #rings: RingBlocks;
  readonly #tally: Tally;
  /** Of the tally; it knows the watermark up to which events are settled. */
  readonly #ring: Ring;
  readonly #pending = new PendingRows();
  readonly #slices: Slices | null;
  readonly #alertRules: readonly AlertRule[];
  readonly #alerts: readonly Alert[];
  readonly #periodMs: number;
  readonly #coverageSlotMs: number;
  /** Good events at the least and at the most, where a latency threshold lies between two buckets. */
  #bounds: Bounds | null = null;
  /** Settled events that history has not been given yet. Late ones add to minutes given before. */
  readonly unrecorded = new MinuteEvents();
  /** Event time of the last evaluation that was not frozen; NaN before the first. */
  #evaluatedMs = Number.NaN;
  #frozen = false;

  /** Counts settled events. */
  readonly #count = (tMs: number, good: number, bad: number): void => {
    this.#tally.add(tMs, good, bad);
    this.unrecorded.add(tMs, good, bad);
  };

  constructor(slo: Slo, group: Group | null, time: Timekeeper, rings: RingBlocks) {
    this.slo = slo;
    this.group = group;
    this.#time = time;
    this.#rings = rings;
    this.#tally = new Tally(slo, windowsOf(slo), rings);
    this.#ring = this.#tally.ring;
    this.#alertRules = slo.alerts.burnRateAlerts.map((rule) => ({
      rule,
      long: this.#tally.indexOf(rule.long.ms),
      short: this.#tally.indexOf(rule.short.ms),
    }));
    const forMs = slo.alerts.burnRateAlerts.map((rule) => rule.forMs);
    if (slo.alerts.budgetExhausted) forMs.push(BUDGET_EXHAUSTED.forMs);
    this.#alerts = forMs.map((ms) => new Alert(ms));
    this.#periodMs = nominalPeriodMs(slo.window);
    this.#coverageSlotMs = slotMsFor(this.#periodMs);
    const sinceMs = group === null ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    this.#slices = isSliced(slo) ? new Slices(slo, time, longestPeriodMs(slo.window), sinceMs) : null;
    if (this.#slices !== null) time.awaitSlices();
  }

  /** What the SLO keeps time by at present. */
  get scope(): Scope {
    return this.#time.scope;
  }

  /** Nothing before `sinceMs` was observed for this SLO, although its targets had been heard. */
  listenSince(sinceMs: number): void {
    if (this.#slices !== null) this.#slices.sinceMs = sinceMs;
  }

  /** A series of this ledger has its first sample at `tMs`. */
  appear(tMs: number): void {
    this.#slices?.appear(tMs);
  }

  /** End of the slice that waits for the watermark; Infinity where there are no slices, -Infinity before the first. */
  get nextSliceEndMs(): number {
    if (this.#slices === null) return Number.POSITIVE_INFINITY;
    const { nextEndMs } = this.#slices;
    return Number.isNaN(nextEndMs) ? Number.NEGATIVE_INFINITY : nextEndMs;
  }

  /** Bytes of the ring, the state that every SLO has. */
  get ringBytes(): number {
    return this.#ring.byteLength;
  }

  /** Events of one event time; late ones go to their slot, those beyond the watermark wait. */
  post(tMs: number, good: number, bad: number): void {
    if (this.#slices !== null) this.#slices.post(tMs, good, bad);
    else if (tMs <= this.#ring.settledMs) this.#count(tMs, good, bad);
    else this.#pending.add(tMs, good, bad);
  }

  /** A sample of one of the series that the slices are judged by: a gauge's value, or a counter's increase. */
  postSample(tMs: number, slot: number, value: number): void {
    this.#slices!.post(tMs, slot, value);
  }

  /** How many of the events at `tMs` were good at the least and at the most. */
  postBounds(tMs: number, lower: number, upper: number): void {
    this.#bounds ??= new Bounds(this.slo, this.#rings);
    this.#bounds.post(tMs, lower, upper, this.#ring.settledMs);
  }

  /** Settles everything up to the watermark. */
  settle(watermarkMs: number): void {
    if (Number.isNaN(watermarkMs) || watermarkMs <= this.#ring.settledMs) return;
    if (this.#slices !== null) this.#slices.settle(watermarkMs, this.#count);
    else this.#pending.drain(watermarkMs, this.#count);
    this.#bounds?.settle(watermarkMs);
    this.#ring.settledMs = watermarkMs;
  }

  /** What to watch, so that the ledger need be judged only when a window burns that an alert waits for. */
  get watched(): Watched {
    const waits = new Float64Array(this.#ring.block.windowsMs.length).fill(Number.POSITIVE_INFINITY);
    const wait = (window: number, burn: number): void => {
      waits[window] = Math.min(waits[window]!, leastErrorRatio(burn, this.slo.errorBudget));
    };
    for (const { rule, long } of this.#alertRules) wait(long, rule.factor);
    if (this.slo.alerts.budgetExhausted && !this.#tally.hasCalendar) wait(this.#tally.sloWindow, 1);
    return { ring: this.#ring, waits };
  }

  /** Whether its alerts may change although no window burns: one of them is not inactive, or reads a calendar period. */
  get isRestless(): boolean {
    if (this.slo.alerts.budgetExhausted && this.#tally.hasCalendar) return true;
    return this.#alerts.some((alert) => alert.state !== 'inactive');
  }

  /** Judges every alert as of the watermark. The events up to it must have been settled. */
  evaluate(nowMs: number, transitions: AlertTransition[]): void {
    if (this.scope.hasNoData(nowMs)) {
      // Up to here there was data, whether or not somebody looked: after a restart nobody has.
      if (!this.#frozen) this.#evaluatedMs = this.#ring.settledMs;
      this.#frozen = true;
      return;
    }
    const asOfMs = this.#ring.settledMs;
    if (this.#frozen) {
      if (!Number.isNaN(this.#evaluatedMs)) for (const alert of this.#alerts) alert.thaw(asOfMs - this.#evaluatedMs);
      this.#frozen = false;
    }
    this.#evaluatedMs = asOfMs;
    for (let i = 0; i < this.#alerts.length; i++) {
      const alert = this.#alerts[i]!;
      const before = alert.state;
      if (!alert.step(this.#condition(i, asOfMs), asOfMs)) continue;
      const { name, severity } = this.#alertRules[i]?.rule ?? BUDGET_EXHAUSTED;
      const { id: sloId } = this.slo;
      transitions.push({
        sloId,
        group: this.group,
        alert: name,
        severity,
        from: before,
        to: alert.state,
        atMs: asOfMs,
      });
    }
  }

  #condition(alert: number, asOfMs: number): boolean {
    const alertRule = this.#alertRules[alert];
    if (alertRule === undefined) return this.#burns(this.#tally.sloWindow, asOfMs) >= 1;
    const { rule, long, short } = alertRule;
    // The short window is read only when the long one burns, which it seldom does.
    return (
      this.#burns(long, asOfMs) > rule.factor &&
      this.#tally.sums[2 * long + 1]! >= this.slo.alerts.minBadEvents &&
      this.#burns(short, asOfMs) > rule.factor
    );
  }

  #burns(window: number, asOfMs: number): number {
    this.#tally.readWindow(window, asOfMs);
    const { sums } = this.#tally;
    return burnRate(sums[2 * window]!, sums[2 * window + 1]!, this.slo.errorBudget);
  }

  state(nowMs: number): SloState {
    const { slo } = this;
    const { windows, sloWindow } = this.#tally;
    const observed = !Number.isNaN(this.#ring.settledMs);
    const asOfMs = observed ? Math.min(this.#ring.settledMs, nowMs) : nowMs;
    const sums = this.#tally.read(asOfMs);
    const good = sums[2 * sloWindow]!;
    const bad = sums[2 * sloWindow + 1]!;
    const total = good + bad;
    const period = slo.window.kind === 'calendar' ? slo.window.periodOf(asOfMs) : null;
    const consumed = observed ? burnRate(good, bad, slo.errorBudget) : null;
    const remaining = consumed === null ? null : 1 - consumed;
    const allowedBad = total * slo.errorBudget;
    const burnRates: Record<string, number | null> = {};
    windows.forEach((window, i) => {
      const burn = observed ? burnRate(sums[2 * i]!, sums[2 * i + 1]!, slo.errorBudget) : null;
      for (const text of window.texts) burnRates[text] = burn;
    });
    if (slo.window.kind === 'calendar') burnRates[slo.window.unit] = consumed;
    const bounds = this.#bounds?.ratios(asOfMs, total) ?? null;
    const exhaustedMs = consumed === null ? null : this.#exhaustedMs(asOfMs, consumed, burnRates['1h'] ?? 0, period);
    return {
      id: slo.id,
      service: slo.service,
      name: slo.name,
      ...(this.group === null ? {} : { group: { ...this.group } }),
      owner: slo.owner,
      labels: { ...slo.labels },
      description: slo.description,
      runbook: slo.runbook,
      sliKind: slo.sli.kind,
      objective: slo.objective,
      window: windowState(slo, period),
      asOf: observed ? new Date(asOfMs).toISOString() : null,
      state: this.#health(nowMs, remaining),
      coverage: this.#coverage(nowMs, period),
      sli: observed ? goodRatio(good, bad) : null,
      ...(bounds === null ? {} : { approximate: bounds }),
      events: { good, bad, total },
      errorBudget: {
        remaining,
        consumed,
        ...(period === null ? {} : { remainingOfProjected: projected(consumed, asOfMs, period) }),
        allowedBad,
        remainingBad: allowedBad - bad,
        exhaustedAt: exhaustedMs === null ? null : new Date(exhaustedMs).toISOString(),
      },
      burnRates,
      alerts: this.#alertStates(),
    };
  }

  /** Events of one of the windows that have a burn rate, up to the watermark; null while nothing was observed. */
  recentEvents(windowMs: number, nowMs: number): { good: number; bad: number } | null {
    if (Number.isNaN(this.#ring.settledMs)) return null;
    const window = this.#tally.indexOf(windowMs);
    this.#tally.readWindow(window, Math.min(this.#ring.settledMs, nowMs));
    const { sums } = this.#tally;
    return { good: sums[2 * window]!, bad: sums[2 * window + 1]! };
  }

  /** Over any window up to the watermark; null while nothing was observed, undefined when such a window is not kept. */
  burnRateOver(windowMs: number, nowMs: number): number | null | undefined {
    const events = this.#tally.readOver(windowMs, Math.min(this.#ring.settledMs, nowMs));
    if (events === null) return undefined;
    return Number.isNaN(this.#ring.settledMs) ? null : burnRate(events.good, events.bad, this.slo.errorBudget);
  }

  #exhaustedMs(asOfMs: number, consumed: number, burn: number, period: Period | null): number | null {
    if (period === null || consumed >= 1) return exhaustedAtMs(asOfMs, 1 - consumed, burn, this.#periodMs);
    // What the whole period allows is not spent evenly: its budget is that of the projected events.
    const left = projected(consumed, asOfMs, period)!;
    const at = exhaustedAtMs(asOfMs, left, burn, period.endMs - period.startMs);
    return at !== null && at > period.endMs ? null : at;
  }

  #health(nowMs: number, remaining: number | null): SloHealth {
    if (remaining === null || this.scope.hasNoData(nowMs)) return 'no_data';
    if (remaining <= 0) return 'exhausted';
    return this.#alerts.some((alert) => alert.state === 'firing') ? 'at_risk' : 'healthy';
  }

  #coverage(nowMs: number, period: Period | null): number {
    const windowMs = period === null ? this.#periodMs : Math.max(nowMs - period.startMs, 1);
    return this.scope.coverage(this.#coverageSlotMs, windowMs, nowMs);
  }

  /** Adds the alerts that are pending or firing. */
  listActive(active: ActiveAlert[]): void {
    for (let i = 0; i < this.#alerts.length; i++) {
      const { state, sinceMs } = this.#alerts[i]!;
      if (state === 'inactive') continue;
      const rule = this.#alertRules[i]?.rule ?? null;
      const { name, severity } = rule ?? BUDGET_EXHAUSTED;
      active.push({ slo: this.slo, group: this.group, name, severity, rule, state, sinceMs, isFrozen: this.#frozen });
    }
  }

  /** Takes over how the alerts stood when the process before this one ended: what is not named was inactive. */
  restoreAlerts(saved: readonly SavedAlert[]): void {
    for (const [i, alert] of this.#alerts.entries()) {
      const { name } = this.#alertRules[i]?.rule ?? BUDGET_EXHAUSTED;
      const mine = saved.find((candidate) => candidate.name === name);
      alert.load(mine?.state ?? 'inactive', mine?.sinceMs ?? Number.NaN);
    }
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
      group: this.group,
      settledMs: this.#ring.settledMs,
      evaluatedMs: this.#evaluatedMs,
      frozen: this.#frozen,
      tally: this.#tally.save(),
      pending: this.#pending.rows(),
      bounds: this.#bounds?.save() ?? null,
      slices: this.#slices?.save() ?? null,
      alerts: this.#alertStates().map(({ name, state }, i) => ({ name, state, sinceMs: this.#alerts[i]!.sinceMs })),
    };
  }

  /** Takes over what another process, or another definition of the same SLO, had counted. */
  load(save: LedgerSave): void {
    this.#ring.settledMs = save.settledMs;
    this.#evaluatedMs = save.evaluatedMs;
    this.#frozen = save.frozen;
    this.#tally.load(save.tally);
    this.#pending.load(save.pending);
    if (save.bounds !== null) {
      this.#bounds = new Bounds(this.slo, this.#rings);
      this.#bounds.load(save.bounds);
    }
    if (save.slices !== null) this.#slices?.load(save.slices);
    const names = this.#alertStates().map((alert) => alert.name);
    for (const saved of save.alerts) {
      this.#alerts[names.indexOf(saved.name)]?.load(saved.state, saved.sinceMs);
    }
  }
}

/** Has a scope keep what the ledgers of an SLO will ask it, from before the first group of it appears. */
export function track(slo: Slo, scope: Scope): void {
  scope.trackCoverage(slotMsFor(nominalPeriodMs(slo.window)), longestPeriodMs(slo.window));
  if (!isSliced(slo)) return;
  scope.trackReports(slo.slice!.ms, longestPeriodMs(slo.window));
  scope.nextSliceEndMs = Number.NEGATIVE_INFINITY;
}

export interface LedgerSave {
  sloId: string;
  group: Group | null;
  settledMs: number;
  evaluatedMs: number;
  frozen: boolean;
  tally: TallySave;
  pending: PendingRow[];
  bounds: { tally: TallySave; pending: PendingRow[] } | null;
  slices: SlicesSave | null;
  alerts: { name: string; state: AlertState['state']; sinceMs: number }[];
}

interface AlertRule {
  readonly rule: BurnRateAlert;
  readonly long: number;
  readonly short: number;
}

/** Good events at the least and at the most over the SLO window. */
class Bounds {
  readonly #tally: Tally;
  readonly #pending = new PendingRows();

  constructor(slo: Slo, rings: RingBlocks) {
    this.#tally = new Tally(slo, [{ ms: longestPeriodMs(slo.window), texts: [] }], rings);
  }

  post(tMs: number, lower: number, upper: number, settledMs: number): void {
    if (tMs <= settledMs) this.#tally.add(tMs, lower, upper);
    else this.#pending.add(tMs, lower, upper);
  }

  settle(watermarkMs: number): void {
    this.#pending.drain(watermarkMs, (tMs, lower, upper) => this.#tally.add(tMs, lower, upper));
  }

  /** The SLI from the buckets on either side of the threshold; null when they agree or nothing happened. */
  ratios(asOfMs: number, total: number): { lower: number; upper: number } | null {
    const sums = this.#tally.read(asOfMs);
    const lower = sums[2 * this.#tally.sloWindow]!;
    const upper = sums[2 * this.#tally.sloWindow + 1]!;
    if (total <= 0 || lower === upper) return null;
    return { lower: Math.min(Math.max(lower / total, 0), 1), upper: Math.min(Math.max(upper / total, 0), 1) };
  }

  save(): { tally: TallySave; pending: PendingRow[] } {
    return { tally: this.#tally.save(), pending: this.#pending.rows() };
  }

  load(save: { tally: TallySave; pending: PendingRow[] }): void {
    this.#tally.load(save.tally);
    this.#pending.load(save.pending);
  }
}

/**
 * Share of a calendar period's whole budget that is left, were the rest of the period to bring as many events as the part that
 * has passed; null while nothing was observed.
 */
function projected(consumed: number | null, asOfMs: number, { startMs, endMs }: Period): number | null {
  if (consumed === null) return null;
  return 1 - (consumed * (asOfMs - startMs)) / (endMs - startMs);
}

function windowState({ window }: Slo, period: Period | null): WindowState {
  if (window.kind === 'rolling') return { kind: 'rolling', duration: window.duration.text };
  return {
    kind: 'calendar',
    unit: window.unit,
    timezone: window.timezone,
    start: new Date(period!.startMs).toISOString(),
    end: new Date(period!.endMs).toISOString(),
  };
}
