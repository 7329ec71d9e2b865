/**
 * One resolution of the rings of a block: *prefix sums* by slot, the rings side by side.
 *
 * Entry `k` of a ring is everything up to the end of slot `k`. A window is then the difference of two entries, pro-rated inside
 * the slot that straddles its left edge, whatever its length.
 */
export class Tier {
  readonly slotMs: number;
  readonly slots: number;
  readonly #lanes: number;
  /** A row a slot, a lane a ring, good beside bad. The row of slot `k` is `k modulo slots`, the same for every ring. */
  readonly #prefix: Float64Array;
  /** By lane, the newest slot written, absolute; NaN while empty. */
  readonly #heads: Float64Array;
  readonly #headRows: Int32Array;
  /** Of the right edge of windows, by lane: how many slots it lies behind the head, and the share of its slot beyond it. */
  readonly #behind: Int32Array;
  readonly #shares: Float64Array;

  constructor(slotMs: number, slots: number, lanes: number) {
    this.slotMs = slotMs;
    this.slots = slots;
    this.#lanes = lanes;
    this.#prefix = new Float64Array(2 * slots * lanes);
    this.#heads = new Float64Array(lanes).fill(Number.NaN);
    this.#headRows = new Int32Array(lanes);
    this.#behind = new Int32Array(lanes);
    this.#shares = new Float64Array(lanes);
  }

  /** The newest slot of a ring; NaN while it is empty. */
  head(lane: number): number {
    return this.#heads[lane]!;
  }

  /** The left edge of the oldest slot whose own events are known; the entry before it only serves to subtract. */
  oldestMs(lane: number): number {
    return (this.#heads[lane]! - this.slots + 2) * this.slotMs;
  }

  /** Adds events to a ring; false when they are older than every slot it keeps. */
  add(lane: number, tMs: number, good: number, bad: number): boolean {
    const slot = Math.ceil(tMs / this.slotMs) - 1;
    if (!(slot <= this.#heads[lane]!)) this.#advance(lane, slot);
    const prefix = this.#prefix;
    const behind = this.#heads[lane]! - slot;
    if (behind >= this.slots) return false;
    // One addition when the event is in the newest slot; a late one is in every later prefix too.
    let row = this.#rowBehind(lane, behind);
    for (let left = behind; left >= 0; left--) {
      const i = 2 * (row * this.#lanes + lane);
      prefix[i]! += good;
      prefix[i + 1]! += bad;
      if (++row === this.slots) row = 0;
    }
    return true;
  }

  /** Slots that were passed over hold what the last one held. */
  #advance(lane: number, slot: number): void {
    const passed = slot - this.#heads[lane]!;
    this.#heads[lane] = slot;
    if (!(passed < this.slots)) {
      // The first slot of the ring, or one beyond all it holds.
      const last = this.#headRows[lane]!;
      this.#headRows[lane] = rowOf(slot, this.slots);
      if (passed >= this.slots) this.#fill(lane, last);
      return;
    }
    const prefix = this.#prefix;
    let row = this.#headRows[lane]!;
    const from = 2 * (row * this.#lanes + lane);
    const good = prefix[from]!;
    const bad = prefix[from + 1]!;
    for (let left = passed; left > 0; left--) {
      if (++row === this.slots) row = 0;
      const i = 2 * (row * this.#lanes + lane);
      prefix[i] = good;
      prefix[i + 1] = bad;
    }
    this.#headRows[lane] = row;
  }

  /** Every slot of a ring holds what one row holds. */
  #fill(lane: number, row: number): void {
    const prefix = this.#prefix;
    const from = 2 * (row * this.#lanes + lane);
    const good = prefix[from]!;
    const bad = prefix[from + 1]!;
    for (let i = 2 * lane; i < prefix.length; i += 2 * this.#lanes) {
      prefix[i] = good;
      prefix[i + 1] = bad;
    }
  }

  #rowBehind(lane: number, behind: number): number {
    const row = this.#headRows[lane]! - behind;
    return row < 0 ? row + this.slots : row;
  }

  /** Where the entry of a slot stands, given how far it lies behind the head: the head's beyond it, the oldest before that. */
  #entry(lane: number, behind: number): number {
    const kept = behind < 0 ? 0 : behind >= this.slots ? this.slots - 1 : behind;
    return 2 * (this.#rowBehind(lane, kept) * this.#lanes + lane);
  }

  /** Writes good and bad events of a ring in `(asOfMs - windowMs, asOfMs]` to `out[at]` and `out[at + 1]`. */
  read(lane: number, asOfMs: number, windowMs: number, out: Float64Array, at: number): void {
    const head = this.#heads[lane]!;
    if (Number.isNaN(head)) {
      out[at] = 0;
      out[at + 1] = 0;
      return;
    }
    const prefix = this.#prefix;
    const { slotMs } = this;
    const edgeMs = asOfMs - windowMs;
    const left = Math.ceil(edgeMs / slotMs) - 1;
    const to = this.#entry(lane, head - (Math.ceil(asOfMs / slotMs) - 1));
    const from = this.#entry(lane, head - left);
    // The share of the straddling slot that lies inside the window; 0 when the edge is a boundary.
    const share = ((left + 1) * slotMs - edgeMs) / slotMs;
    let good = prefix[to]! - prefix[from]!;
    let bad = prefix[to + 1]! - prefix[from + 1]!;
    if (share !== 0) {
      // Before the oldest slot there is nothing to subtract from: reads reach at most one slot further than the ring keeps.
      const before = this.#entry(lane, head - left + 1);
      good += share * (prefix[from]! - prefix[before]!);
      bad += share * (prefix[from + 1]! - prefix[before + 1]!);
    }
    out[at] = good;
    out[at + 1] = bad;
  }

  /**
   * Says of what time `readAll` reads the rings of the lanes before `until`. What depends on the right edge alone is
   * done once for all windows that this tier serves: the divisions.
   */
  readAsOf(asOfMs: Float64Array, until: number): void {
    const { slotMs, slots } = this;
    const heads = this.#heads;
    const behind = this.#behind;
    const shares = this.#shares;
    for (let lane = 0; lane < until; lane++) {
      const tMs = asOfMs[lane]!;
      const slot = Math.ceil(tMs / slotMs) - 1;
      behind[lane] = Math.min(Math.max(heads[lane]! - slot, -slots), slots);
      shares[lane] = ((slot + 1) * slotMs - tMs) / slotMs;
    }
  }

  /**
   * What `read` writes, bit for bit, of every ring before `until` at `out[2 * lane]`: in 10 ns in place of 30. Times and
   * the window are whole milliseconds. The sums of a lane whose time is NaN are NaN.
   */
  readAll(asOfMs: Float64Array, until: number, windowMs: number, out: Float64Array): void {
    const windowSlots = windowMs / this.slotMs;
    if (!Number.isInteger(windowSlots)) {
      for (let lane = 0; lane < until; lane++) this.read(lane, asOfMs[lane]!, windowMs, out, 2 * lane);
      return;
    }
    const prefix = this.#prefix;
    const headRows = this.#headRows;
    const behind = this.#behind;
    const shares = this.#shares;
    const lanes = this.#lanes;
    const { slots } = this;
    const rowSize = 2 * lanes;
    const oldest = slots - 1;
    const back = windowSlots | 0;
    let headRow = -1;
    let right = 0;
    let to = 0;
    let from = 0;
    let before = 0;
    for (let lane = 0; lane < until; lane++) {
      // Rings that are fed have mostly got to the same slot, so that their entries are in the same rows.
      if (headRows[lane] !== headRow || behind[lane] !== right) {
        headRow = headRows[lane]!;
        right = behind[lane]!;
        const left = (right + back) | 0;
        let row = headRow - Math.min(Math.max(right, 0), oldest);
        to = Math.imul(row < 0 ? row + slots : row, rowSize);
        row = headRow - Math.min(Math.max(left, 0), oldest);
        from = Math.imul(row < 0 ? row + slots : row, rowSize);
        row = headRow - Math.min(Math.max(left + 1, 0), oldest);
        before = Math.imul(row < 0 ? row + slots : row, rowSize);
      }
      const at = 2 * lane;
      const good = prefix[from + at]!;
      const bad = prefix[from + at + 1]!;
      const share = shares[lane]!;
      out[at] = prefix[to + at]! - good + share * (good - prefix[before + at]!);
      out[at + 1] = prefix[to + at + 1]! - bad + share * (bad - prefix[before + at + 1]!);
    }
  }

  /** How many of a ring's newest slots have an entry other than nothing; the older ones are as in an empty ring. */
  written(lane: number): number {
    if (Number.isNaN(this.#heads[lane]!)) return 0;
    let count = this.slots;
    for (; count > 1; count--) {
      const i = this.#entry(lane, count - 1);
      if (this.#prefix[i] !== 0 || this.#prefix[i + 1] !== 0) break;
    }
    return count;
  }

  /** Fills `out` with the newest entries of a ring, oldest first. */
  write(lane: number, out: Float64Array): void {
    for (let behind = out.length / 2 - 1, to = 0; behind >= 0; behind--, to += 2) {
      const i = this.#entry(lane, behind);
      out[to] = this.#prefix[i]!;
      out[to + 1] = this.#prefix[i + 1]!;
    }
  }

  /** Gives an empty ring what `write` wrote of one whose newest slot was `head`. */
  load(lane: number, head: number, entries: Float64Array): void {
    if (entries.length === 0) return;
    this.#heads[lane] = head;
    this.#headRows[lane] = rowOf(head, this.slots);
    for (let behind = entries.length / 2 - 1, from = 0; behind >= 0; behind--, from += 2) {
      const i = this.#entry(lane, behind);
      this.#prefix[i] = entries[from]!;
      this.#prefix[i + 1] = entries[from + 1]!;
    }
  }

  /** Gives an empty ring what a ring of another tier with as many slots has. */
  copy(lane: number, other: Tier, otherLane: number): void {
    const entries = new Float64Array(2 * other.written(otherLane));
    other.write(otherLane, entries);
    this.load(lane, other.head(otherLane), entries);
  }

  /** Every slot of a ring with events that ends after `fromMs` and by `untilMs`, oldest first. */
  eachSlot(lane: number, fromMs: number, untilMs: number, take: SlotTaker): void {
    const { slotMs } = this;
    const head = this.#heads[lane]!;
    for (let slot = fromMs / slotMs; slot <= head && (slot + 1) * slotMs <= untilMs; slot++) {
      const to = this.#entry(lane, head - slot);
      const from = this.#entry(lane, head - slot + 1);
      const good = this.#prefix[to]! - this.#prefix[from]!;
      const bad = this.#prefix[to + 1]! - this.#prefix[from + 1]!;
      if (good !== 0 || bad !== 0) take((slot + 1) * slotMs, good, bad);
    }
  }
}

export type SlotTaker = (endMs: number, good: number, bad: number) => void;

/** Slots before 1970 have negative indices. */
function rowOf(slot: number, slots: number): number {
  const rest = slot % slots;
  return rest < 0 ? rest + slots : rest;
}
