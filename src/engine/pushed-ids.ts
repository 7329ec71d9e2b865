/**
 * The ids under which events were pushed to an SLO, so that a retry counts nothing.
 *
 * They are kept in two generations: when the young one is full or as old as the SLO window, it becomes the old one and the old
 * one is forgotten. So an id is known for a whole window, or until as many newer ones have come as a generation holds.
 */

/** Ids of a generation. */
export const GENERATION_IDS_MAX = 100_000;

export class PushedIds {
  readonly #windowMs: number;
  readonly #idsMax: number;
  #young = new Set<string>();
  #old = new Set<string>();
  /** Arrival of the first id of the young generation. */
  #beganMs = Number.NaN;

  constructor(windowMs: number, idsMax = GENERATION_IDS_MAX) {
    this.#windowMs = windowMs;
    this.#idsMax = idsMax;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  has(id: string): boolean {
    return this.#young.has(id) || this.#old.has(id);
  }

  add(id: string, nowMs: number): void {
    if (this.#young.size >= this.#idsMax || nowMs - this.#beganMs >= this.#windowMs) this.rotate();
    if (this.#young.size === 0) this.#beganMs = nowMs;
    this.#young.add(id);
  }

  /** Forgets the old generation. */
  rotate(): void {
    this.#old = this.#young;
    this.#young = new Set();
  }

  save(): PushedIdsSave {
    return { beganMs: this.#beganMs, young: [...this.#young], old: [...this.#old] };
  }

  load({ beganMs, young, old }: PushedIdsSave): void {
    this.#beganMs = beganMs;
    this.#young = new Set(young);
    this.#old = new Set(old);
  }
}

export interface PushedIdsSave {
  beganMs: number;
  young: string[];
  old: string[];
}
