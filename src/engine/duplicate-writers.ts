/**
 * Two processes that write one series (duplicated targets, colliding labels) make it jump to and fro: each decrease looks like a
 * reset and would add a whole counter. A counter that was reset does not return above its old value with the next sample, time
 * and again; one that does is quarantined: its higher writer is followed and the lower one is left out (ingest.md, row 22).
 *
 * A series comes here with its first decrease and leaves when it has been calm, so steady series cost nothing.
 */

/** So many returns within so many samples are two writers. */
const RETURNS_MAX = 5;
const SAMPLES = 20;
/** Series that are watched at a time; more of them are let through. */
const SUSPECTS_MAX = 10_000;

export interface Suspect {
  id: number;
  /** The value before the last decrease, while the next sample is awaited; otherwise NaN. */
  before: number;
  /** Times the value was back above that with the next sample. */
  returns: number;
  /** Samples in the present period of observation. */
  samples: number;
  /** The higher writer's value while quarantined; otherwise NaN. */
  highest: number;
}

export class DuplicateWriters {
  readonly #suspects = new Map<number, Suspect>();

  get quarantined(): number {
    let count = 0;
    for (const { highest } of this.#suspects.values()) if (!Number.isNaN(highest)) count++;
    return count;
  }

  /** The counter fell from `before`; false when it is not watched. */
  fell(id: number, before: number): boolean {
    const suspect = this.#suspects.get(id);
    if (suspect !== undefined) {
      suspect.before = before;
      return true;
    }
    if (this.#suspects.size >= SUSPECTS_MAX) return false;
    this.#suspects.set(id, { id, before, returns: 0, samples: 0, highest: Number.NaN });
    return true;
  }

  get(id: number): Suspect | undefined {
    return this.#suspects.get(id);
  }

  /** Takes note of the next value of a watched series. */
  observe(suspect: Suspect, value: number): void {
    suspect.samples++;
    if (value >= suspect.before) {
      suspect.returns++;
      if (suspect.returns >= RETURNS_MAX && Number.isNaN(suspect.highest)) suspect.highest = value;
    }
    suspect.before = Number.NaN;
  }

  /** Whether a period of observation is over; a new one begins unless it was calm, and then the series is let go. */
  isCalm(suspect: Suspect): boolean {
    if (suspect.samples < SAMPLES) return false;
    const calm = suspect.returns === 0;
    suspect.samples = 0;
    suspect.returns = 0;
    if (calm) this.#suspects.delete(suspect.id);
    return calm;
  }

  save(): Suspect[] {
    return [...this.#suspects.values()];
  }

  load(suspect: Suspect): void {
    this.#suspects.set(suspect.id, suspect);
  }
}
