/**
 * What is newer than the watermark, in rows `(tMs, a, b)` by event time. Mostly it comes in order; a few targets interleave,
 * so a row is inserted from the end.
 */
export class PendingRows {
  #rows: Float64Array = new Float64Array(3 * 8);
  #front = 0;
  #count = 0;

  /** Adds to the row of this event time, or makes one. */
  add(tMs: number, a: number, b: number): void {
    const at = this.#positionAfter(tMs);
    if (at > this.#front && this.#rows[3 * (at - 1)] === tMs) {
      this.#rows[3 * at - 2]! += a;
      this.#rows[3 * at - 1]! += b;
      return;
    }
    this.#insertAt(at, tMs, a, b);
  }

  /** A row of its own, behind those of the same time. */
  insert(tMs: number, a: number, b: number): void {
    this.#insertAt(this.#positionAfter(tMs), tMs, a, b);
  }

  #positionAfter(tMs: number): number {
    let at = this.#front + this.#count;
    while (at > this.#front && this.#rows[3 * (at - 1)]! > tMs) at--;
    return at;
  }

  #insertAt(position: number, tMs: number, a: number, b: number): void {
    let at = position;
    if (3 * (this.#front + this.#count + 1) > this.#rows.length) {
      at -= this.#front;
      this.#makeRoom();
    }
    this.#rows.copyWithin(3 * (at + 1), 3 * at, 3 * (this.#front + this.#count));
    this.#rows[3 * at] = tMs;
    this.#rows[3 * at + 1] = a;
    this.#rows[3 * at + 2] = b;
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

  /** Hands over the rows up to and including `untilMs`, oldest first. */
  drain(untilMs: number, into: (tMs: number, a: number, b: number) => void): void {
    while (this.#count > 0 && this.#rows[3 * this.#front]! <= untilMs) {
      const at = 3 * this.#front;
      this.#front++;
      this.#count--;
      into(this.#rows[at]!, this.#rows[at + 1]!, this.#rows[at + 2]!);
    }
    if (this.#count === 0) this.#front = 0;
  }

  rows(): PendingRow[] {
    return Array.from({ length: this.#count }, (_, i) => {
      const at = 3 * (this.#front + i);
      return [this.#rows[at]!, this.#rows[at + 1]!, this.#rows[at + 2]!];
    });
  }

  load(rows: readonly PendingRow[]): void {
    for (const [tMs, a, b] of rows) this.insert(tMs, a, b);
  }
}

export type PendingRow = [tMs: number, a: number, b: number];
