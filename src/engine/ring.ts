import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './duration.ts';
import { type SlotTaker, Tier } from './tier.ts';

/**
 * Good and bad events of one ledger in slots, and the sum over any window in constant time (see Tier).
 *
 * A slot of `s` milliseconds is `(k*s, (k+1)*s]` in Unix time.
 *
 * Why no drift is possible: nothing is ever taken out of a running sum. An entry is written by additions alone, and the
 * rounding error of an addition before the window's left edge is in both ends of the difference and cancels exactly, so the
 * error of a window is that of the additions inside it and cannot grow with age. Sums of whole numbers are exact to 2^53
 * (28 years at ten million events a second).
 *
 * Saved, a ring is one ArrayBuffer: `magic, version, tiers, then per tier slotMs, slots, head, entries`, then the newest entries
 * of each tier, good and bad in turn; those before are nothing. In memory the rings of one layout lie side by side in blocks.
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
const VERSION = 2;
const HEADER = 3;
const TIER_HEADER = 4;
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
 * Memory for rings. Those of one layout lie side by side: a block holds the same slot of 64 rings in one row of a kilobyte. A
 * tick reads the same few slots of every ring; with a ring a piece each of these reads is a miss of the cache and of the page
 * table (1.9 us an SLO for 10,000 of them), side by side the misses are shared. A row is no memory until it is written.
 */
const LANES = 64;

export class RingBlocks {
  readonly blocks: RingBlock[] = [];
  readonly #open = new Map<string, RingBlock>();

  /** A ring for these windows. */
  allocate(windowsMs: readonly number[]): Ring {
    const key = windowsMs.join();
    let open = this.#open.get(key);
    if (open === undefined || open.used === LANES) {
      open = new RingBlock(tiersFor(windowsMs), LANES, windowsMs);
      this.#open.set(key, open);
      this.blocks.push(open);
    }
    return new Ring(open, open.used++);
  }
}

/** Rings for the same windows, side by side. */
export class RingBlock {
  readonly windowsMs: readonly number[];
  readonly tiers: readonly Tier[];
  readonly lanes: number;
  /** How many lanes have their ring. */
  used = 0;
  /** By lane, the event time up to which the ring has all events; NaN before the first. */
  readonly settledMs: Float64Array;
  /** Whether any of the rings got events, or has all of a later time, since somebody set it to false. */
  changed = false;
  readonly #tiersByWindow: readonly Tier[];

  constructor(layout: readonly TierLayout[], lanes: number, windowsMs: readonly number[]) {
    this.windowsMs = windowsMs;
    this.lanes = lanes;
    this.tiers = layout.map(({ slotMs, slots }) => new Tier(slotMs, slots, lanes));
    this.#tiersByWindow = windowsMs.map((windowMs) => this.tierOf(windowMs));
    this.settledMs = new Float64Array(lanes).fill(Number.NaN);
  }

  tierOf(windowMs: number): Tier {
    const slotMs = slotMsFor(windowMs);
    const tier = this.tiers.find((candidate) => candidate.slotMs === slotMs);
    if (tier === undefined) throw new Error(`BUG: the ring was not built for a window of ${windowMs} ms`);
    return tier;
  }

  /**
   * Reads every ring as of what it has settled: good and bad events of window `w` and lane `l` at `sums[w][2 * l]`. Windows
   * without an array are left out.
   */
  read(sums: readonly (Float64Array | null)[]): void {
    const { settledMs, used, tiers } = this;
    for (const tier of tiers) tier.readAsOf(settledMs, used);
    for (let window = 0; window < sums.length; window++) {
      const out = sums[window]!;
      if (out !== null) this.#tiersByWindow[window]!.readAll(settledMs, used, this.windowsMs[window]!, out);
    }
  }
}

export class Ring {
  readonly block: RingBlock;
  readonly lane: number;

  constructor(block: RingBlock, lane: number) {
    this.block = block;
    this.lane = lane;
  }

  /** A ring by itself. */
  static of(windowsMs: readonly number[]): Ring {
    return new Ring(new RingBlock(tiersFor(windowsMs), 1, windowsMs), 0);
  }

  /** The ring that `save` wrote. */
  static from(buffer: ArrayBuffer): Ring {
    const saved = new Float64Array(buffer);
    if (saved[0] !== MAGIC || saved[1] !== VERSION) throw new Error('BUG: not a ring of this version');
    const layout = Array.from({ length: saved[2]! }, (_, i) => {
      const at = HEADER + i * TIER_HEADER;
      return { slotMs: saved[at]!, slots: saved[at + 1]! };
    });
    const { block, lane } = new Ring(new RingBlock(layout, 1, []), 0);
    let from = HEADER + layout.length * TIER_HEADER;
    block.tiers.forEach((tier, i) => {
      const at = HEADER + i * TIER_HEADER;
      const count = saved[at + 3]!;
      tier.load(lane, saved[at + 2]!, saved.subarray(from, from + 2 * count));
      from += 2 * count;
    });
    return new Ring(block, lane);
  }

  save(): ArrayBuffer {
    const { tiers } = this.block;
    const counts = tiers.map((tier) => tier.written(this.lane));
    const entries = counts.reduce((sum, count) => sum + count, 0);
    const saved = new Float64Array(HEADER + tiers.length * TIER_HEADER + 2 * entries);
    saved.set([MAGIC, VERSION, tiers.length]);
    let to = HEADER + tiers.length * TIER_HEADER;
    tiers.forEach((tier, i) => {
      const count = counts[i]!;
      saved.set([tier.slotMs, tier.slots, tier.head(this.lane), count], HEADER + i * TIER_HEADER);
      tier.write(this.lane, saved.subarray(to, to + 2 * count));
      to += 2 * count;
    });
    return saved.buffer;
  }

  /** Its share of a block. */
  get byteLength(): number {
    return 2 * slotsOf(this.block.tiers) * Float64Array.BYTES_PER_ELEMENT;
  }

  /** The event time up to which it has all events; NaN before the first. */
  get settledMs(): number {
    return this.block.settledMs[this.lane]!;
  }

  set settledMs(tMs: number) {
    this.block.settledMs[this.lane] = tMs;
    this.block.changed = true;
  }

  /** Adds events at event time `tMs`; false when it is older than every slot kept. */
  add(tMs: number, good: number, bad: number): boolean {
    const { tiers } = this.block;
    this.block.changed = true;
    let kept = false;
    for (let i = 0; i < tiers.length; i++) {
      if (tiers[i]!.add(this.lane, tMs, good, bad)) kept = true;
    }
    return kept;
  }

  /** The tier that serves a window; resolved once, so that reading is two look-ups. */
  tierOf(windowMs: number): RingTier {
    return new RingTier(this.block.tierOf(windowMs), this.lane);
  }

  /** The finest tier that reaches a window which the ring was not built for; null when none does, or only too coarse ones. */
  tierFor(windowMs: number): RingTier | null {
    const { tiers } = this.block;
    const reaching = tiers.find(({ slotMs, slots }) => Math.ceil(windowMs / slotMs) + SLACK_SLOTS <= slots);
    const isFine = reaching !== undefined && reaching.slotMs * SLOTS_MIN <= windowMs;
    return isFine ? new RingTier(reaching, this.lane) : null;
  }

  /** Takes over the events of another ring; where its layout differs (an SLO whose windows changed), slot by slot. */
  load(other: Ring): void {
    this.block.changed = true;
    if (this.#hasLayoutOf(other)) {
      this.block.tiers.forEach((tier, i) => {
        tier.copy(this.lane, other.block.tiers[i]!, other.lane);
      });
    } else {
      other.eachSlot((endMs, good, bad) => this.add(endMs, good, bad));
    }
  }

  #hasLayoutOf(other: Ring): boolean {
    const { tiers } = this.block;
    const theirs = other.block.tiers;
    if (tiers.length !== theirs.length) return false;
    return tiers.every(({ slotMs, slots }, i) => slotMs === theirs[i]!.slotMs && slots === theirs[i]!.slots);
  }

  /**
   * Every slot with events, oldest first, each stretch of time from the finest tier that still has it. Slot sizes are nested,
   * so the cut between two tiers falls on a boundary of both.
   */
  eachSlot(take: SlotTaker): void {
    const { tiers } = this.block;
    for (let i = tiers.length - 1; i >= 0; i--) {
      const tier = tiers[i]!;
      const coarser = tiers[i + 1];
      const finer = tiers[i - 1];
      const fromMs = coarser === undefined ? tier.oldestMs(this.lane) : this.#takeOverMs(tier, coarser);
      const untilMs = finer === undefined ? Number.POSITIVE_INFINITY : this.#takeOverMs(finer, tier);
      tier.eachSlot(this.lane, fromMs, untilMs, take);
    }
  }

  /** The first boundary of a coarse tier from which the next finer one still knows every slot. */
  #takeOverMs(finer: Tier, coarser: Tier): number {
    return Math.ceil(finer.oldestMs(this.lane) / coarser.slotMs) * coarser.slotMs;
  }
}

/** One tier of one ring, to read by itself. */
export class RingTier {
  readonly #tier: Tier;
  readonly #lane: number;

  constructor(tier: Tier, lane: number) {
    this.#tier = tier;
    this.#lane = lane;
  }

  get slotMs(): number {
    return this.#tier.slotMs;
  }

  /** Writes good and bad events of `(asOfMs - windowMs, asOfMs]` to `out[at]` and `out[at + 1]`. */
  read(asOfMs: number, windowMs: number, out: Float64Array, at: number): void {
    this.#tier.read(this.#lane, asOfMs, windowMs, out, at);
  }
}
