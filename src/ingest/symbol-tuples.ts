import { randomInt } from 'node:crypto';
import { SeriesTable } from '../engine/series-table.ts';

/**
 * Which series a sender of remote write 2.0 means by a list of symbols, remembered from request to request.
 *
 * A request numbers its symbols anew. Here each has a number that stays, and the labels of a series are a *tuple* of those,
 * 4 bytes a symbol: what the label bytes are to remote write 1.0. The engine's SeriesTable knows the truth, and never forgets
 * a series; this is a cache in front of it, and is thrown away when it is full. Only accepted series are remembered, so that
 * symbols that no series uses take no room.
 */

const SYMBOLS_MAX = 1_000_000;
const SYMBOL_BYTES_MAX = 2 ** 26;
const TUPLES_MAX = 2_000_000;
const TUPLE_BYTES_MAX = 2 ** 28;
const TUPLES_INITIAL = 1024;
const SYMBOLS_IN_TUPLE_INITIAL = 64;

export interface SymbolTuplesLimits {
  readonly symbolsMax: number;
  readonly tuplesMax: number;
}

export class SymbolTuples {
  /** Texts to the numbers of symbols, and tuples to theirs: a form has the number of what it is the form of. */
  symbols: SeriesTable;
  tuples: SeriesTable;
  /** By tuple: the series, which replica of an HA pair writes it so, and the length of its labels in remote write 1.0. */
  seriesOf: Int32Array;
  senderOf: Int32Array;
  labelBytesOf: Int32Array;
  /** The tuple to be looked up or added, as words and as the bytes of these words. */
  words: Int32Array;
  #wordBytes: Uint8Array;

  readonly #limits: SymbolTuplesLimits;

  constructor(limits: Partial<SymbolTuplesLimits> = {}) {
    this.#limits = { symbolsMax: SYMBOLS_MAX, tuplesMax: TUPLES_MAX, ...limits };
    this.symbols = this.#emptySymbols();
    this.tuples = this.#emptyTuples();
    this.seriesOf = new Int32Array(TUPLES_INITIAL);
    this.senderOf = new Int32Array(TUPLES_INITIAL);
    this.labelBytesOf = new Int32Array(TUPLES_INITIAL);
    this.words = new Int32Array(SYMBOLS_IN_TUPLE_INITIAL);
    this.#wordBytes = new Uint8Array(this.words.buffer);
  }

  #emptySymbols(): SeriesTable {
    const { symbolsMax } = this.#limits;
    return new SeriesTable({ seriesMax: symbolsMax, aliasesMax: 0, labelBytesMax: SYMBOL_BYTES_MAX, seed: seed() });
  }

  #emptyTuples(): SeriesTable {
    const { tuplesMax } = this.#limits;
    return new SeriesTable({ seriesMax: tuplesMax, aliasesMax: 0, labelBytesMax: TUPLE_BYTES_MAX, seed: seed() });
  }

  /** Forgets everything; numbers that were given out mean nothing any more. */
  clear(): void {
    this.symbols = this.#emptySymbols();
    this.tuples = this.#emptyTuples();
    this.seriesOf = new Int32Array(TUPLES_INITIAL);
    this.senderOf = new Int32Array(TUPLES_INITIAL);
    this.labelBytesOf = new Int32Array(TUPLES_INITIAL);
  }

  /** Makes room in `words`. */
  reserveWords(count: number): void {
    if (count <= this.words.length) return;
    this.words = new Int32Array(2 * count);
    this.#wordBytes = new Uint8Array(this.words.buffer);
  }

  /** The tuple of the first `count` of `words`, -1 when unknown. */
  find(count: number): number {
    return this.tuples.findForm(this.#wordBytes, 0, 4 * count);
  }

  /** Remembers the tuple of the first `count` of `words`. False when there is no room. */
  add(count: number, seriesId: number, sender: number, labelBytes: number): boolean {
    if (this.find(count) !== -1) return true;
    const tuple = this.tuples.insert(this.#wordBytes, 0, 4 * count);
    if (tuple === -1) return false;
    if (tuple === this.seriesOf.length) {
      this.seriesOf = doubled(this.seriesOf);
      this.senderOf = doubled(this.senderOf);
      this.labelBytesOf = doubled(this.labelBytesOf);
    }
    this.seriesOf[tuple] = seriesId;
    this.senderOf[tuple] = sender;
    this.labelBytesOf[tuple] = labelBytes;
    return true;
  }
}

/** Nobody can choose colliding symbols. */
function seed(): number {
  return randomInt(2 ** 47);
}

function doubled(column: Int32Array): Int32Array {
  const wide = new Int32Array(2 * column.length);
  wide.set(column);
  return wide;
}
