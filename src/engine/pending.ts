import type { Ring } from './ring.ts';

/**
 * Events newer than the watermark, by event time. Mostly they come in order; a few targets interleave, so an event is
 * inserted from the end.
 */
export class PendingEvents {
  #rows: Float64Array = new Float64Array(3 * 8);
  #front = 0;
  #count = 0;

  add(tMs: number, good: number, bad: number): void {
    let at = this.#front + this.#count;
    while (at > this.#front && this.#rows[3 * (at - 1)]! > tMs) at--;
    if (at > this.#front && this.#rows[3 * (at - 1)] === tMs) {
      this.#rows[3 * at - 2]! += good;
      this.#rows[3 * at - 1]! += bad;
      return;
    }
    if (3 * (this.#front + this.#count + 1) > this.#rows.length) {
      at -= this.#front;
      this.#makeRoom();
    }
    this.#rows.copyWithin(3 * (at + 1), 3 * at, 3 * (this.#front + this.#count));
    this.#rows[3 * at] = tMs;
    this.#rows[3 * at + 1] = good;
    this.#rows[3 * at + 2] = bad;
    this.#count++;
  }

  #makeRoom(): void {
    const rows = this.#rows.subarray(3 * this.#front, 3 * (this.#front + this.#count));
    const roomy = this.#rows.length >= 2 * rows.length + 3 ? this.#rows : new Float64Array(2 * this.#rows.length);
    if (roomy === this.#rows) roomy.copyWithin(0, 3 * this.#front, 3 * (this.#front + this.#count));
    else roomy.set(rows);
    this.#rows = roomy;
    this.#front = 0;
  }

  drain(untilMs: number, ring: Ring): void {
    while (this.#count > 0 && this.#rows[3 * this.#front]! <= untilMs) {
      const at = 3 * this.#front;
      ring.add(this.#rows[at]!, this.#rows[at + 1]!, this.#rows[at + 2]!);
      this.#front++;
      this.#count--;
    }
    if (this.#count === 0) this.#front = 0;
  }

  rows(): (readonly [tMs: number, good: number, bad: number])[] {
    return Array.from({ length: this.#count }, (_, i) => {
      const at = 3 * (this.#front + i);
      return [this.#rows[at]!, this.#rows[at + 1]!, this.#rows[at + 2]!] as const;
    });
  }
}
