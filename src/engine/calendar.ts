/**
 * Events of the running calendar period. A period begins at a midnight of its time zone, which no slot need end at, so it has
 * a sum of its own: exact to the millisecond, and started anew when an event of a later period arrives.
 */

export interface Period {
  readonly startMs: number;
  readonly endMs: number;
}

/** The period `(startMs, endMs]` that holds a time. It comes from the definition, which knows time zones. */
export type PeriodOf = (tMs: number) => Period;

export class CalendarSum {
  readonly #periodOf: PeriodOf;
  #startMs = Number.NaN;
  #endMs = Number.NaN;
  #good = 0;
  #bad = 0;

  constructor(periodOf: PeriodOf) {
    this.#periodOf = periodOf;
  }

  /** Late events of an earlier period are of no window any more. */
  add(tMs: number, good: number, bad: number): void {
    if (!(tMs <= this.#endMs)) {
      const { startMs, endMs } = this.#periodOf(tMs);
      this.#startMs = startMs;
      this.#endMs = endMs;
      this.#good = 0;
      this.#bad = 0;
    }
    if (tMs <= this.#startMs) return;
    this.#good += good;
    this.#bad += bad;
  }

  /** Writes good and bad events of the period that holds `asOfMs`, up to it. */
  read(asOfMs: number, out: Float64Array, at: number): void {
    const current = asOfMs <= this.#endMs && asOfMs > this.#startMs;
    out[at] = current ? this.#good : 0;
    out[at + 1] = current ? this.#bad : 0;
  }

  period(asOfMs: number): Period {
    return this.#periodOf(asOfMs);
  }

  save(): readonly number[] {
    return [this.#startMs, this.#endMs, this.#good, this.#bad];
  }

  /** False when it was another period that was saved. */
  load(save: readonly number[]): boolean {
    if (save.length === 0) return false;
    const [startMs, endMs, good, bad] = save as [number, number, number, number];
    if (Number.isNaN(endMs)) return true;
    const period = this.#periodOf(endMs);
    if (period.startMs !== startMs || period.endMs !== endMs) return false;
    this.#startMs = startMs;
    this.#endMs = endMs;
    this.#good = good;
    this.#bad = bad;
    return true;
  }
}
