import type { RingBlock } from './ring.ts';

/**
 * Which ledgers a tick has to judge. Nearly all of them have no alert that is pending or fires, and burn no window as fast as any
 * of their alerts waits for, so that nothing can change. They are told apart in columns, block by block and without touching a
 * ledger: a tick over 10,000 SLOs that missed the cache for each of their objects took 5 ms.
 *
 * What is found is at times too much, never too little. The ledger itself decides.
 */
export class Watch {
  readonly #blocks = new Map<RingBlock, WatchedBlock>();
  /** By ledger, what the last `look` found. */
  #burning = new Uint8Array(64);
  /** By ledger: whether it is to be judged in any case. */
  #restless = new Uint8Array(64).fill(1);

  /** Takes up a ledger, known by its number. It is judged until it is found to rest. */
  add(ledger: number, { ring, waits }: Watched): void {
    if (ledger >= this.#burning.length) this.#grow();
    const block = this.#blocks.get(ring.block) ?? new WatchedBlock(ring.block);
    this.#blocks.set(ring.block, block);
    block.add(ledger, ring.lane, waits);
  }

  #grow(): void {
    const burning = new Uint8Array(2 * this.#burning.length);
    const restless = new Uint8Array(burning.length).fill(1);
    burning.set(this.#burning);
    restless.set(this.#restless);
    this.#burning = burning;
    this.#restless = restless;
  }

  /** Reads the windows of all rings that changed. */
  look(): void {
    for (const block of this.#blocks.values()) block.look(this.#burning);
  }

  /** Whether anything can change for a ledger, as of the last look. */
  isDue(ledger: number): boolean {
    return (this.#burning[ledger]! | this.#restless[ledger]!) !== 0;
  }

  /** Says of a ledger that was judged whether it is to be judged again, whatever its windows hold. */
  setRestless(ledger: number, restless: boolean): void {
    this.#restless[ledger] = restless ? 1 : 0;
  }
}

/** What is watched of a ledger. */
export interface Watched {
  readonly ring: { readonly block: RingBlock; readonly lane: number };
  /**
   * By window of the ring, the share of bad events from which on an alert may have to change, or `Infinity`: see
   * `leastErrorRatio`.
   */
  readonly waits: Float64Array;
}

class WatchedBlock {
  readonly #rings: RingBlock;
  readonly #ledgerOf: Int32Array;
  /** By window, what its lanes wait for; null where none waits. */
  readonly #waits: (Float64Array | null)[];
  /** Scratch, by window: good and bad by lane. */
  readonly #sums: (Float64Array | null)[];

  constructor(rings: RingBlock) {
    this.#rings = rings;
    this.#ledgerOf = new Int32Array(rings.lanes);
    this.#waits = rings.windowsMs.map(() => null);
    this.#sums = rings.windowsMs.map(() => null);
  }

  add(ledger: number, lane: number, waits: Float64Array): void {
    this.#ledgerOf[lane] = ledger;
    const { lanes } = this.#rings;
    waits.forEach((ratio, window) => {
      if (ratio === Number.POSITIVE_INFINITY) return;
      this.#waits[window] ??= new Float64Array(lanes).fill(Number.POSITIVE_INFINITY);
      this.#sums[window] ??= new Float64Array(2 * lanes);
      this.#waits[window]![lane] = ratio;
    });
  }

  look(burning: Uint8Array): void {
    const rings = this.#rings;
    if (!rings.changed) return;
    rings.changed = false;
    const ledgerOf = this.#ledgerOf;
    const { used } = rings;
    rings.read(this.#sums);
    for (let lane = 0; lane < used; lane++) burning[ledgerOf[lane]!] = 0;
    for (let window = 0; window < this.#sums.length; window++) {
      const sums = this.#sums[window]!;
      if (sums === null) continue;
      const waits = this.#waits[window]!;
      for (let lane = 0; lane < used; lane++) {
        const bad = sums[2 * lane + 1]!;
        if (bad > (sums[2 * lane]! + bad) * waits[lane]!) burning[ledgerOf[lane]!] = 1;
      }
    }
  }
}
