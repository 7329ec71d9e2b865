/**
 * Snappy's block format over bytes of which some are not known yet, so that a body is compressed once and its numbers are
 * written into it each time it is sent.
 *
 * A symbol is a byte, or stands for a byte to come; symbols that are equal will be equal bytes, and only those are copied.
 * A group of bytes to come is never cut in two: it stands in the output as a whole, or is copied as a whole.
 */

/** Marks the second and later symbols of a group of bytes to come. */
export const INSIDE = 0x80000000;
/** The first symbol that is no byte. */
export const FIRST_UNKNOWN = 0x100;

const TABLE_BITS = 14;
const OFFSET_MAX = 65_535;
const MATCH_MIN = 4;
const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;

export interface Compressed {
  readonly bytes: Uint8Array;
  /** Where each symbol stands in the output; -1 when it is copied from an earlier one. */
  readonly positions: Int32Array;
}

export function compressSymbols(symbols: Uint32Array): Compressed {
  const { length } = symbols;
  const writer = new BlockWriter(symbols);
  const table = new Int32Array(1 << TABLE_BITS).fill(-1);
  let literalFrom = 0;
  let at = 0;
  while (at + MATCH_MIN <= length) {
    const slot = hashOf(symbols, at);
    const candidate = table[slot]!;
    table[slot] = at;
    const matched = candidate !== -1 && at - candidate <= OFFSET_MAX ? matchOf(symbols, candidate, at) : 0;
    if (matched < MATCH_MIN) {
      at++;
      continue;
    }
    writer.literal(literalFrom, at);
    writer.copy(at - candidate, matched);
    at += matched;
    literalFrom = at;
  }
  writer.literal(literalFrom, length);
  return { bytes: writer.bytes.slice(0, writer.length), positions: writer.positions };
}

function hashOf(symbols: Uint32Array, at: number): number {
  let hash = symbols[at]!;
  for (let i = 1; i < MATCH_MIN; i++) hash = Math.imul(hash, 0x01000193) ^ symbols[at + i]!;
  return Math.imul(hash, 0x9e3779b1) >>> (32 - TABLE_BITS);
}

/** How many symbols from `at` on are those from `candidate` on. A match neither begins nor ends inside a group. */
function matchOf(symbols: Uint32Array, candidate: number, at: number): number {
  if (symbols[at]! >= INSIDE) return 0;
  let length = 0;
  while (at + length < symbols.length && symbols[candidate + length] === symbols[at + length]) length++;
  while (length > 0 && at + length < symbols.length && symbols[at + length]! >= INSIDE) length--;
  return length;
}

class BlockWriter {
  readonly #symbols: Uint32Array;
  readonly bytes: Uint8Array;
  readonly positions: Int32Array;
  length = 0;

  constructor(symbols: Uint32Array) {
    this.#symbols = symbols;
    this.bytes = new Uint8Array(32 + symbols.length + Math.floor(symbols.length / 6));
    this.positions = new Int32Array(symbols.length).fill(-1);
    let rest = symbols.length;
    for (; rest > 0x7f; rest >>>= 7) this.#byte((rest & 0x7f) | 0x80);
    this.#byte(rest);
  }

  literal(from: number, to: number): void {
    if (from === to) return;
    const size = to - from - 1;
    // 60 to 63 say that the size follows in one to four bytes.
    const sizeBytes = size < 60 ? 0 : Math.ceil((32 - Math.clz32(size)) / 8);
    this.#byte(LITERAL | ((sizeBytes === 0 ? size : 59 + sizeBytes) << 2));
    for (let i = 0; i < sizeBytes; i++) this.#byte(size >>> (8 * i));
    for (let i = from; i < to; i++) {
      this.positions[i] = this.length;
      this.#byte(this.#symbols[i]! < FIRST_UNKNOWN ? this.#symbols[i]! : 0);
    }
  }

  copy(offset: number, length: number): void {
    let rest = length;
    // No piece may be shorter than 4 bytes, the least that the short form can say.
    while (rest >= 68) rest -= this.#copy2(offset, 64);
    if (rest > 64) rest -= this.#copy2(offset, 60);
    if (rest >= 12 || offset >= 2048) this.#copy2(offset, rest);
    else {
      this.#byte(COPY_1 | ((rest - 4) << 2) | ((offset >> 8) << 5));
      this.#byte(offset);
    }
  }

  #copy2(offset: number, length: number): number {
    this.#byte(COPY_2 | ((length - 1) << 2));
    this.#byte(offset);
    this.#byte(offset >> 8);
    return length;
  }

  #byte(value: number): void {
    this.bytes[this.length++] = value;
  }
}
