import { CalendarSum } from './calendar.ts';
import { Ring, type RingBlocks, type RingTier } from './ring.ts';
import type { Duration, Slo } from './slo.ts';
import { longestPeriodMs, STANDARD_WINDOWS } from './windows.ts';

/** A window of a tally: where its sums stand, and what the files call it. */
export interface Window {
  readonly ms: number;
  /** `1d` and `24h` are one window with two names. */
  readonly texts: string[];
}

/** Every window an SLO is asked about, shortest first; a calendar window is not among them. */
export function windowsOf(slo: Slo): Window[] {
  const windows = new Map<number, Window>();
  const add = (duration: Duration): void => {
    const window = windows.get(duration.ms) ?? { ms: duration.ms, texts: [] };
    if (!window.texts.includes(duration.text)) window.texts.push(duration.text);
    windows.set(duration.ms, window);
  };
  for (const standard of STANDARD_WINDOWS) add(standard);
  for (const alert of slo.alerts.burnRateAlerts) {
    add(alert.short);
    add(alert.long);
  }
  if (slo.window.kind === 'rolling') add(slo.window.duration);
  // Nobody asks for it, but the events of the period must outlive a change to another window.
  else windows.set(longestPeriodMs(slo.window), { ms: longestPeriodMs(slo.window), texts: [] });
  return [...windows.values()].sort((a, b) => a.ms - b.ms);
}

/** Settled good and bad events: a ring for rolling windows, and a sum for the calendar period where the SLO has one. */
export class Tally {
  readonly windows: readonly Window[];
  /** Good and bad by window; last those of the calendar period. An entry is valid after it was read. */
  readonly sums: Float64Array;
  /** Which entry of `sums` is the SLO window. */
  readonly sloWindow: number;
  readonly ring: Ring;
  readonly #tiers: readonly RingTier[];
  readonly #calendar: CalendarSum | null;

  constructor(slo: Slo, windows: readonly Window[], rings: RingBlocks) {
    this.windows = windows;
    this.ring = rings.allocate(windows.map((window) => window.ms));
    this.#tiers = windows.map((window) => this.ring.tierOf(window.ms));
    this.sums = new Float64Array(2 * (windows.length + 1));
    if (slo.window.kind === 'rolling') {
      this.#calendar = null;
      this.sloWindow = this.indexOf(slo.window.duration.ms);
    } else {
      this.#calendar = new CalendarSum(slo.window.periodOf);
      this.sloWindow = windows.length;
    }
  }

  indexOf(ms: number): number {
    const index = this.windows.findIndex((window) => window.ms === ms);
    if (index === -1) throw new Error(`BUG: no window of ${ms} ms`);
    return index;
  }

  /** Whether the SLO window is one of the calendar, which no ring knows. */
  get hasCalendar(): boolean {
    return this.#calendar !== null;
  }

  add(tMs: number, good: number, bad: number): void {
    this.ring.add(tMs, good, bad);
    this.#calendar?.add(tMs, good, bad);
  }

  /** Sums of every window that ends at `asOfMs`. */
  read(asOfMs: number): Float64Array {
    for (let window = 0; window <= this.windows.length; window++) this.readWindow(window, asOfMs);
    return this.sums;
  }

  /** The sums of one window; those of the calendar period come after the last. */
  readWindow(window: number, asOfMs: number): void {
    if (window < this.windows.length)
      this.#tiers[window]!.read(asOfMs, this.windows[window]!.ms, this.sums, 2 * window);
    else this.#calendar?.read(asOfMs, this.sums, 2 * window);
  }

  /** Good and bad events of `(asOfMs - windowMs, asOfMs]`, whether it is one of the windows or not; null when it is not kept. */
  readOver(windowMs: number, asOfMs: number): { good: number; bad: number } | null {
    const tier = this.ring.tierFor(windowMs);
    if (tier === null) return null;
    const sums = new Float64Array(2);
    tier.read(asOfMs, windowMs, sums, 0);
    return { good: sums[0]!, bad: sums[1]! };
  }

  save(): TallySave {
    return { ring: this.ring.save(), calendar: this.#calendar?.save() ?? [] };
  }

  load(save: TallySave): void {
    const ring = Ring.from(save.ring);
    this.ring.load(ring);
    const calendar = this.#calendar;
    if (calendar === null || calendar.load(save.calendar)) return;
    // Another window than the one that was saved: what the slots know of the period is kept, to a slot at its beginning.
    ring.eachSlot((endMs, good, bad) => calendar.add(endMs, good, bad));
  }
}

export interface TallySave {
  ring: ArrayBuffer;
  calendar: readonly number[];
}
