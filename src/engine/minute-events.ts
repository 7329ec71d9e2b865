import { MINUTE_MS } from './duration.ts';

/**
 * Good and bad events by the minute that holds them, until somebody takes them. Events mostly come in order, so the minute that
 * got the last ones is at hand, and only those before it are kept in a map.
 */
export class MinuteEvents {
  /** Its end; NaN while there is none. */
  #minuteMs = Number.NaN;
  #good = 0;
  #bad = 0;
  #earlier: Map<number, [good: number, bad: number]> | null = null;

  add(tMs: number, good: number, bad: number): void {
    const minuteMs = Math.ceil(tMs / MINUTE_MS) * MINUTE_MS;
    if (minuteMs === this.#minuteMs) {
      this.#good += good;
      this.#bad += bad;
      return;
    }
    const known = this.#earlier?.get(minuteMs);
    if (known !== undefined) {
      known[0] += good;
      known[1] += bad;
      return;
    }
    if (!Number.isNaN(this.#minuteMs)) {
      this.#earlier ??= new Map();
      this.#earlier.set(this.#minuteMs, [this.#good, this.#bad]);
    }
    this.#minuteMs = minuteMs;
    this.#good = good;
    this.#bad = bad;
  }

  /** Hands over all there is, each minute by its end, and forgets it. */
  take(each: (minuteMs: number, good: number, bad: number) => void): void {
    if (Number.isNaN(this.#minuteMs)) return;
    this.#earlier?.forEach(([good, bad], minuteMs) => {
      each(minuteMs, good, bad);
    });
    this.#earlier = null;
    each(this.#minuteMs, this.#good, this.#bad);
    this.#minuteMs = Number.NaN;
  }
}
