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
 * Saved, a ring is one ArrayBuffer: `magic, version, tiers, then per tier slotMs, slots, head`, then the entries of each tier,
 * good and bad in turn. In memory the rings of one layout lie side by side in blocks (see RingBlocks).
 */

export interface TierLayout {
  readonly slotMs: number;
  readonly slots: number;
}

/** A window is served by the finest tier that reaches it: every slot divides a day and is at most 1/30 of its windows. */
const LADDER: readonly { readonly slotMs: number; readonly reachMs: number }[] = [
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

/** Between 2h and 2h30m the tier of 10 s may not reach, and that of 5 m has so many slots. */
const SLOTS_MIN = 24;

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

/** The tiers that can answer every window given. */
function tiersFor(windowsMs: readonly number[]): TierLayout[] {
  return LADDER.flatMap(({ slotMs }) => {
    const served = windowsMs.filter((windowMs) => slotMsFor(windowMs) === slotMs);
    if (served.length === 0) return [];
    return [{ slotMs, slots: Math.ceil(Math.max(...served) / slotMs) + SLACK_SLOTS }];
  });
}

function slotsOf(layout: readonly TierLayout[]): number {
  return layout.reduce((sum, tier) => sum + tier.slots, 0);
}

/**
 * Memory for rings. Those of one layout lie side by side: a block holds the same slot of 32 rings in one row of 512 bytes. A
 * tick reads the same few slots of every ring; with a ring a piece each of these reads is a miss of the cache and of the page
 * table (1.9 us an SLO for 10,000 of them), side by side the misses are shared.
 */
const LANES = 32;

export class RingBlocks {
  readonly #open = new Map<string, { readonly block: Float64Array; readonly lanes: number; used: number }>();
  /** A ring for these windows. */
  allocate(windowsMs: readonly number[]): Ring {
    const layout = tiersFor(windowsMs);
    const key = JSON.stringify(layout);
    let open = this.#open.get(key);
    if (open === undefined || open.used === open.lanes) {
      open = { block: new Float64Array(2 * LANES * slotsOf(layout)), lanes: LANES, used: 0 };
      this.#open.set(key, open);
    }
    return new Ring(layout, open.block, LANES, open.used++);
  }
}

export class Ring {
  readonly #tiers: readonly Tier[];

  /** The ring in lane `lane` of a block that holds `lanes` of them. */
  constructor(layout: readonly TierLayout[], block: Float64Array, lanes: number, lane: number) {
    let row = 0;
    this.#tiers = layout.map(({ slotMs, slots }) => {
      const tier = new Tier(slotMs, slots, block, 2 * (row * lanes + lane), 2 * lanes);
      row += slots;
      return tier;
    });
  }

  /** A ring by itself. */
  static of(windowsMs: readonly number[]): Ring {
    const layout = tiersFor(windowsMs);
    return new Ring(layout, new Float64Array(2 * slotsOf(layout)), 1, 0);
  }

  /** The ring that `save` wrote. */
  static from(buffer: ArrayBuffer): Ring {
    const saved = new Float64Array(buffer);
    if (saved[0] !== MAGIC || saved[1] !== VERSION) throw new Error('BUG: not a ring of this version');
    const layout = Array.from({ length: saved[2]! }, (_, i) => {
      const at = HEADER + i * TIER_HEADER;
      return { slotMs: saved[at]!, slots: saved[at + 1]! };
    });
    const ring = new Ring(layout, saved.slice(HEADER + layout.length * TIER_HEADER), 1, 0);
    ring.#tiers.forEach((tier, i) => {
      tier.head = saved[HEADER + i * TIER_HEADER + 2]!;
    });
    return ring;
  }

  save(): ArrayBuffer {
    const saved = new Float64Array(this.byteLength / Float64Array.BYTES_PER_ELEMENT);
    saved.set([MAGIC, VERSION, this.#tiers.length]);
    let at = HEADER;
    for (const { slotMs, slots, head } of this.#tiers) {
      saved.set([slotMs, slots, head], at);
      at += TIER_HEADER;
    }
    for (const tier of this.#tiers) at = tier.write(saved, at);
    return saved.buffer;
  }

  /** Of what it saves, which is also its share of a block. */
  get byteLength(): number {
    const entries = HEADER + this.#tiers.length * TIER_HEADER + 2 * slotsOf(this.#tiers);
    return entries * Float64Array.BYTES_PER_ELEMENT;
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

  /** The finest tier that reaches a window which the ring was not built for; null when none does, or only too coarse ones. */
  tierFor(windowMs: number): Tier | null {
    const reaching = this.#tiers.find(({ slotMs, slots }) => Math.ceil(windowMs / slotMs) + SLACK_SLOTS <= slots);
    return reaching !== undefined && reaching.slotMs * SLOTS_MIN <= windowMs ? reaching : null;
  }

  /** Takes over the events of another ring; where its layout differs (an SLO whose windows changed), slot by slot. */
  load(other: Ring): void {
    if (this.#hasLayoutOf(other)) {
      this.#tiers.forEach((tier, i) => {
        tier.copy(other.#tiers[i]!);
      });
    } else {
      other.eachSlot((endMs, good, bad) => this.add(endMs, good, bad));
    }
  }

  #hasLayoutOf(other: Ring): boolean {
    if (this.#tiers.length !== other.#tiers.length) return false;
    return this.#tiers.every(({ slotMs, slots }, i) => {
      const theirs = other.#tiers[i]!;
      return slotMs === theirs.slotMs && slots === theirs.slots;
    });
  }

  /**
   * Every slot with events, oldest first, each stretch of time from the finest tier that still has it. Slot sizes are nested,
   * so the cut between two tiers falls on a boundary of both.
   */
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

/** One resolution of a ring. */
export class Tier {
  readonly slotMs: number;
  readonly slots: number;
  /** Prefix sums, good beside bad: the entry of slot `k` is at `base + stride * (k modulo slots)`. */
  readonly #prefix: Float64Array;
  readonly #base: number;
  readonly #stride: number;
  /** The newest slot written, absolute; NaN while empty. */
  head = Number.NaN;

  constructor(slotMs: number, slots: number, prefix: Float64Array, base: number, stride: number) {
    this.slotMs = slotMs;
    this.slots = slots;
    this.#prefix = prefix;
    this.#base = base;
    this.#stride = stride;
  }

  /** The left edge of the oldest slot whose own events are known; the entry before it only serves to subtract. */
  get oldestMs(): number {
    return (this.head - this.slots + 2) * this.slotMs;
  }

  add(tMs: number, good: number, bad: number): boolean {
    const prefix = this.#prefix;
    const slot = Math.ceil(tMs / this.slotMs) - 1;
    if (!(slot <= this.head)) this.#advance(slot);
    else if (slot <= this.head - this.slots) return false;
    // One addition when the event is in the newest slot; a late one is in every later prefix too.
    for (let k = slot; k <= this.head; k++) {
      const i = this.#at(k);
      prefix[i]! += good;
      prefix[i + 1]! += bad;
    }
    return true;
  }

  #advance(slot: number): void {
    const prefix = this.#prefix;
    if (!Number.isNaN(this.head)) {
      const from = this.#at(this.head);
      const good = prefix[from]!;
      const bad = prefix[from + 1]!;
      for (let k = Math.max(this.head + 1, slot - this.slots + 1); k <= slot; k++) {
        const i = this.#at(k);
        prefix[i] = good;
        prefix[i + 1] = bad;
      }
    }
    this.head = slot;
  }

  /** Slots before 1970 have negative indices. */
  #at(slot: number): number {
    const rest = slot % this.slots;
    return this.#base + this.#stride * (rest < 0 ? rest + this.slots : rest);
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
    return this.#at(slot > head ? head : slot <= head - slots ? head - slots + 1 : slot);
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

  /** Writes the entries to `out` from `at` on, in the order of the ring, and returns their end. */
  write(out: Float64Array, at: number): number {
    let to = at;
    for (let row = 0; row < this.slots; row++) {
      const i = this.#at(row);
      out[to++] = this.#prefix[i]!;
      out[to++] = this.#prefix[i + 1]!;
    }
    return to;
  }

  /** Becomes what a tier of the same layout is. */
  copy(other: Tier): void {
    this.head = other.head;
    for (let row = 0; row < this.slots; row++) {
      const from = other.#at(row);
      const to = this.#at(row);
      this.#prefix[to] = other.#prefix[from]!;
      this.#prefix[to + 1] = other.#prefix[from + 1]!;
    }
  }
}
