import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './duration.ts';

/**
 * Good and bad events of one ledger in slots, and the sum over any window in constant time.
 *
 * A slot of `s` milliseconds is `(k*s, (k+1)*s]` in Unix time. A tier is a ring of slots that holds *prefix sums*: entry `k`
 * is everything up to the end of slot `k`. A window is then the difference of two entries, pro-rated inside the slot that
 * straddles its left edge, whatever its length.
 *
 * Why no drift is possible: nothing is ever taken out of a running sum. An entry is written by additions alone, and the
 * rounding error of an addition before the window's left edge is in both ends of the difference and cancels exactly, so the
 * error of a window is that of the additions inside it and cannot grow with age. Sums of whole numbers are exact to 2^53
 * (28 years at ten million events a second).
 *
 * Everything is in one ArrayBuffer, which is also its form in a snapshot:
 * `magic, version, tiers, then per tier slotMs, slots, head`, then the entries of each tier, good beside bad: with thousands of
 * rings each entry that is read is a cache miss, and this way it is one, not two.
 */

interface TierSpec {
  readonly slotMs: number;
  readonly reachMs: number;
}

/** A window is served by the finest tier that reaches it: every slot divides a day and is at most 1/30 of its windows. */
const LADDER: readonly TierSpec[] = [
  { slotMs: SECOND_MS, reachMs: 5 * MINUTE_MS - 1 },
  { slotMs: 10 * SECOND_MS, reachMs: 150 * MINUTE_MS - 1 },
  { slotMs: 5 * MINUTE_MS, reachMs: 3 * DAY_MS },
  { slotMs: HOUR_MS, reachMs: 36 * DAY_MS },
  { slotMs: 3 * HOUR_MS, reachMs: 108 * DAY_MS },
  { slotMs: 12 * HOUR_MS, reachMs: 432 * DAY_MS },
];

const MAGIC = 0x51_1b_57_ea;
const VERSION = 1;
const HEADER = 3;
const TIER_HEADER = 3;
/** The slot of the right edge, that of the left edge, and the one before it, beyond the window's whole slots. */
const SLACK_SLOTS = 3;

/** The slot size that serves a window of this length. */
export function slotMsFor(windowMs: number): number {
  const tier = LADDER.find((spec) => windowMs <= spec.reachMs);
  if (tier === undefined) throw new Error(`BUG: no tier reaches a window of ${windowMs} ms`);
  return tier.slotMs;
}

/** Index of the slot that holds `tMs`; a time on a boundary belongs to the slot that ends there. */
export function slotIndex(tMs: number, slotMs: number): number {
  return Math.ceil(tMs / slotMs) - 1;
}

export class Ring {
  readonly buffer: ArrayBuffer;
  readonly #header: Float64Array;
  readonly #tiers: readonly Tier[];

  /** A ring that can answer every window given, or the one whose bytes are given. */
  constructor(from: readonly number[] | ArrayBuffer) {
    if (from instanceof ArrayBuffer) {
      this.buffer = from;
      this.#header = new Float64Array(from);
      if (this.#header[0] !== MAGIC || this.#header[1] !== VERSION) throw new Error('BUG: not a ring of this version');
    } else {
      const layout = tiersFor(from);
      const slots = layout.reduce((sum, tier) => sum + tier.slots, 0);
      this.buffer = new ArrayBuffer(
        (HEADER + layout.length * TIER_HEADER + 2 * slots) * Float64Array.BYTES_PER_ELEMENT,
      );
      this.#header = new Float64Array(this.buffer);
      this.#header.set([MAGIC, VERSION, layout.length]);
      layout.forEach((tier, i) => {
        this.#header.set([tier.slotMs, tier.slots, Number.NaN], HEADER + i * TIER_HEADER);
      });
    }
    this.#tiers = this.#views();
  }

  #views(): Tier[] {
    const tiers: Tier[] = [];
    const count = this.#header[2]!;
    let offset = HEADER + count * TIER_HEADER;
    for (let i = 0; i < count; i++) {
      const at = HEADER + i * TIER_HEADER;
      const slots = this.#header[at + 1]!;
      tiers.push(
        new Tier(this.#header.subarray(at, at + TIER_HEADER), this.#header.subarray(offset, offset + 2 * slots)),
      );
      offset += 2 * slots;
    }
    return tiers;
  }

  /** Adds events at event time `tMs`; false when it is older than every slot kept. */
  add(tMs: number, good: number, bad: number): boolean {
    let kept = false;
    for (let i = 0; i < this.#tiers.length; i++) {
      if (this.#tiers[i]!.add(tMs, good, bad)) kept = true;
    }
    return kept;
  }

  /** Which tier serves a window; resolved once, so that reading is two look-ups. */
  tierOf(windowMs: number): Tier {
    const slotMs = slotMsFor(windowMs);
    const tier = this.#tiers.find((candidate) => candidate.slotMs === slotMs);
    if (tier === undefined) throw new Error(`BUG: the ring was not built for a window of ${windowMs} ms`);
    return tier;
  }

  /** The same slots and reach, so that one may take the other's place. */
  hasLayoutOf(other: Ring): boolean {
    if (this.#tiers.length !== other.#tiers.length) return false;
    return this.#tiers.every((tier, i) => {
      const theirs = other.#tiers[i]!;
      return tier.slotMs === theirs.slotMs && tier.slots === theirs.slots;
    });
  }

  /** Takes over the events of a ring of the same layout. */
  copy(other: Ring): void {
    this.#header.set(other.#header);
    this.#tiers.forEach((tier, i) => {
      tier.head = other.#tiers[i]!.head;
    });
  }

  /**
   * Takes over the events of a ring of another layout (an SLO whose windows changed): each stretch of time from the finest
   * tier that still has it. Slot sizes are nested, so the cut between two tiers falls on a boundary of both.
   */
  absorb(other: Ring): void {
    other.eachSlot((endMs, good, bad) => this.add(endMs, good, bad));
  }

  /** Every slot with events, oldest first, from the finest tier that still has it. */
  eachSlot(take: (endMs: number, good: number, bad: number) => void): void {
    const tiers = this.#tiers;
    for (let i = tiers.length - 1; i >= 0; i--) {
      const tier = tiers[i]!;
      const coarser = tiers[i + 1];
      const finer = tiers[i - 1];
      const fromMs = coarser === undefined ? tier.oldestMs : takeOverMs(tier, coarser);
      const untilMs = finer === undefined ? Number.POSITIVE_INFINITY : takeOverMs(finer, tier);
      for (let slot = fromMs / tier.slotMs; slot <= tier.head && (slot + 1) * tier.slotMs <= untilMs; slot++) {
        const good = tier.goodThrough(slot) - tier.goodThrough(slot - 1);
        const bad = tier.badThrough(slot) - tier.badThrough(slot - 1);
        if (good !== 0 || bad !== 0) take((slot + 1) * tier.slotMs, good, bad);
      }
    }
  }
}

/** The first boundary of a coarse tier from which the next finer one still knows every slot. */
function takeOverMs(finer: Tier, coarser: Tier): number {
  return Math.ceil(finer.oldestMs / coarser.slotMs) * coarser.slotMs;
}

function tiersFor(windowsMs: readonly number[]): { slotMs: number; slots: number }[] {
  return LADDER.flatMap(({ slotMs }) => {
    const served = windowsMs.filter((windowMs) => slotMsFor(windowMs) === slotMs);
    if (served.length === 0) return [];
    return [{ slotMs, slots: Math.ceil(Math.max(...served) / slotMs) + SLACK_SLOTS }];
  });
}

/** One resolution of a ring. */
export class Tier {
  readonly slotMs: number;
  readonly slots: number;
  /** Prefix sums, good and bad in turn, by slot index modulo the number of slots. */
  readonly #prefix: Float64Array;
  readonly #header: Float64Array;
  /** The newest slot written, absolute; NaN while empty. */
  head: number;

  constructor(header: Float64Array, prefix: Float64Array) {
    this.slotMs = header[0]!;
    this.slots = header[1]!;
    this.head = header[2]!;
    this.#header = header;
    this.#prefix = prefix;
  }

  /** The left edge of the oldest slot whose own events are known; the entry before it only serves to subtract. */
  get oldestMs(): number {
    return (this.head - this.slots + 2) * this.slotMs;
  }

  add(tMs: number, good: number, bad: number): boolean {
    const { slots } = this;
    const prefix = this.#prefix;
    const slot = Math.ceil(tMs / this.slotMs) - 1;
    if (!(slot <= this.head)) this.#advance(slot);
    else if (slot <= this.head - slots) return false;
    // One addition when the event is in the newest slot; a late one is in every later prefix too.
    for (let k = slot; k <= this.head; k++) {
      const i = 2 * modulo(k, slots);
      prefix[i]! += good;
      prefix[i + 1]! += bad;
    }
    return true;
  }

  #advance(slot: number): void {
    const { slots } = this;
    const prefix = this.#prefix;
    if (!Number.isNaN(this.head)) {
      const from = 2 * modulo(this.head, slots);
      const good = prefix[from]!;
      const bad = prefix[from + 1]!;
      for (let k = Math.max(this.head + 1, slot - slots + 1); k <= slot; k++) {
        const i = 2 * modulo(k, slots);
        prefix[i] = good;
        prefix[i + 1] = bad;
      }
    }
    this.head = slot;
    this.#header[2] = slot;
  }

  goodThrough(slot: number): number {
    return Number.isNaN(this.head) ? 0 : this.#prefix[this.#entry(slot)]!;
  }

  badThrough(slot: number): number {
    return Number.isNaN(this.head) ? 0 : this.#prefix[this.#entry(slot) + 1]!;
  }

  /** Where the prefix sum through the end of a slot stands. */
  #entry(slot: number): number {
    const { slots, head } = this;
    // Before the oldest slot there is nothing to subtract from: reads reach at most one slot further than the ring keeps.
    const k = slot > head ? head : slot <= head - slots ? head - slots + 1 : slot;
    return 2 * modulo(k, slots);
  }

  /** Writes good and bad events of `(asOfMs - windowMs, asOfMs]` to `out[at]` and `out[at + 1]`. */
  read(asOfMs: number, windowMs: number, out: Float64Array, at: number): void {
    if (Number.isNaN(this.head)) {
      out[at] = 0;
      out[at + 1] = 0;
      return;
    }
    const prefix = this.#prefix;
    const { slotMs } = this;
    const edgeMs = asOfMs - windowMs;
    const left = Math.ceil(edgeMs / slotMs) - 1;
    const to = this.#entry(Math.ceil(asOfMs / slotMs) - 1);
    const from = this.#entry(left);
    // The share of the straddling slot that lies inside the window; 0 when the edge is a boundary.
    const share = ((left + 1) * slotMs - edgeMs) / slotMs;
    let good = prefix[to]! - prefix[from]!;
    let bad = prefix[to + 1]! - prefix[from + 1]!;
    if (share !== 0) {
      const before = this.#entry(left - 1);
      good += share * (prefix[from]! - prefix[before]!);
      bad += share * (prefix[from + 1]! - prefix[before + 1]!);
    }
    out[at] = good;
    out[at + 1] = bad;
  }
}

/** Slots before 1970 have negative indices. */
function modulo(k: number, n: number): number {
  const rest = k % n;
  return rest < 0 ? rest + n : rest;
}
