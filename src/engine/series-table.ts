/**
 * Label bytes to SeriesId, without a string or an object for a series that is known.
 *
 * The bytes under which a series was met are its *forms*: the canonical one, and aliases (other spellings of the same
 * labels, or labels that a sender adds and the engine drops). Forms are what is stored, hashed and predicted, so a
 * sender of aliases is read as fast as one of canonical bytes.
 *
 * Two ways lead to a form. Senders repeat their series in the same order, hence each form remembers which one
 * followed it last time (`successor`): comparing its bytes to what arrived is all it takes. Otherwise the bytes are
 * hashed, and always compared in full: a hash alone is never trusted. The hash is keyed, so a sender cannot choose
 * colliding series.
 */

export interface SeriesTableOptions {
  readonly seriesMax: number;
  readonly aliasesMax: number;
  /** Key of the hash, up to 53 bits; random at start of the process. */
  readonly seed: number;
  /** All forms together. */
  readonly labelBytesMax?: number;
}

/** 3 to 4 million series as Prometheus sends them. */
const LABEL_BYTES_MAX = 2 ** 30;
const FORMS_INITIAL = 1024;
const ARENA_BYTES_INITIAL = 256 * 1024;

export class SeriesTable {
  /** Forms one after the other, each at a multiple of 4 so that `arenaWords` sees it aligned. */
  arena: Uint8Array;
  arenaWords: Int32Array;
  /** Columns by form. */
  formStart: Int32Array;
  formLength: Int32Array;
  /** The series a form belongs to. */
  seriesOf: Int32Array;
  /** Which replica of an HA pair writes its series so; 0 for a sender of its own. */
  formSender: Int32Array;
  /** The form that followed this one last time, -1 when none has. */
  successor: Int32Array;
  formCount: number;
  /** The number of series. Their ids are 0, 1, 2… in the order of insertion. */
  size: number;

  /** By series: its canonical form. */
  #canonicalForm: Int32Array;
  #arenaLength: number;
  /**
   * Open addressing with linear probing, at most half full. A slot holds a form, -1 when free, and beside it its
   * hash.
   */
  #slots: Int32Array;
  #hashes: Int32Array;
  readonly #seriesMax: number;
  readonly #aliasesMax: number;
  readonly #labelBytesMax: number;
  #view: DataView;
  readonly #key0: number;
  readonly #key1: number;

  constructor(options: SeriesTableOptions) {
    this.arena = new Uint8Array(ARENA_BYTES_INITIAL);
    this.arenaWords = new Int32Array(this.arena.buffer);
    this.formStart = new Int32Array(FORMS_INITIAL);
    this.formLength = new Int32Array(FORMS_INITIAL);
    this.seriesOf = new Int32Array(FORMS_INITIAL);
    this.formSender = new Int32Array(FORMS_INITIAL);
    this.successor = new Int32Array(FORMS_INITIAL);
    this.formCount = 0;
    this.size = 0;
    this.#canonicalForm = new Int32Array(FORMS_INITIAL);
    this.#arenaLength = 0;
    this.#slots = new Int32Array(2 * FORMS_INITIAL).fill(-1);
    this.#hashes = new Int32Array(2 * FORMS_INITIAL);
    this.#seriesMax = options.seriesMax;
    this.#aliasesMax = options.aliasesMax;
    this.#labelBytesMax = Math.min(options.labelBytesMax ?? LABEL_BYTES_MAX, LABEL_BYTES_MAX);
    this.#view = new DataView(new ArrayBuffer(0));
    this.#key0 = options.seed | 0;
    this.#key1 = Math.floor(options.seed / 2 ** 32) | 0;
  }

  get aliasCount(): number {
    return this.formCount - this.size;
  }

  /** Memory held, for benches. */
  get byteSize(): number {
    const columns = this.formStart.byteLength + this.formLength.byteLength + this.seriesOf.byteLength;
    const index = this.#canonicalForm.byteLength + this.#slots.byteLength + this.#hashes.byteLength;
    return this.arena.byteLength + columns + this.formSender.byteLength + this.successor.byteLength + index;
  }

  /** The series whose labels these bytes are, -1 when unknown. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const form = this.findForm(bytes, start, end);
    return form === -1 ? -1 : this.seriesOf[form]!;
  }

  /** Whether these bytes are the canonical form of a series. */
  matches(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    return this.formEquals(this.#canonicalForm[id]!, bytes, start, end);
  }

  /** Adds a series under its canonical bytes, which must be unknown. -1 when the table is full. */
  insert(bytes: Uint8Array, start: number, end: number): number {
    if (this.size >= this.#seriesMax || !this.#addForm(bytes, start, end, this.size, 0)) return -1;
    if (this.size === this.#canonicalForm.length) this.#canonicalForm = doubled(this.#canonicalForm);
    this.#canonicalForm[this.size] = this.formCount - 1;
    return this.size++;
  }

  /**
   * Makes other bytes, which must be unknown, mean the series too, as `sender` writes it. False when there is no room: they
   * stay unknown.
   */
  alias(bytes: Uint8Array, start: number, end: number, id: number, sender = 0): boolean {
    if (id < 0 || id >= this.size) throw new Error(`BUG: alias of the unknown series ${id}`);
    return this.aliasCount < this.#aliasesMax && this.#addForm(bytes, start, end, id, sender);
  }

  /** A copy of the canonical bytes. */
  labelBytes(id: number): Uint8Array {
    if (id < 0 || id >= this.size) throw new Error(`BUG: there is no series ${id}`);
    const form = this.#canonicalForm[id]!;
    const start = this.formStart[form]!;
    return this.arena.slice(start, start + this.formLength[form]!);
  }

  /** The form that is expected to follow, -1 when there is no telling. */
  predicted(previousForm: number): number {
    return previousForm === -1 ? -1 : this.successor[previousForm]!;
  }

  /** The form with these bytes, -1 when unknown. */
  findForm(bytes: Uint8Array, start: number, end: number): number {
    const view = this.#viewOf(bytes);
    const hash = keyedHash(view, bytes.byteOffset + start, bytes.byteOffset + end, this.#key0, this.#key1);
    const slots = this.#slots;
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const form = slots[slot]!;
      if (form === -1) return -1;
      if (hashes[slot] === hash && this.formEquals(form, bytes, start, end)) return form;
    }
  }

  /** Compares every byte. */
  formEquals(form: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (this.formLength[form] !== length) return false;
    const at = this.formStart[form]!;
    return equalBytes(this.arena, this.arenaWords, at, this.#viewOf(bytes), bytes.byteOffset + start, length);
  }

  /** Words are read through a view, which lives as long as the same buffer is asked about. */
  #viewOf(bytes: Uint8Array): DataView {
    if (this.#view.buffer !== bytes.buffer) this.#view = new DataView(bytes.buffer);
    return this.#view;
  }

  #addForm(bytes: Uint8Array, start: number, end: number, id: number, sender: number): boolean {
    const length = end - start;
    const at = this.#arenaLength;
    if (at + length > this.#labelBytesMax) return false;
    if (at + length > this.arena.length) this.#growArena(at + length);
    if (this.formCount === this.formStart.length) this.#growForms();
    const form = this.formCount++;
    this.arena.set(bytes.subarray(start, end), at);
    this.#arenaLength = (at + length + 3) & ~3;
    this.formStart[form] = at;
    this.formLength[form] = length;
    this.seriesOf[form] = id;
    this.formSender[form] = sender;
    this.successor[form] = -1;
    // Series are met in the order in which they will come again.
    if (form > 0 && this.successor[form - 1] === -1) this.successor[form - 1] = form;
    const { byteOffset } = bytes;
    this.#place(form, keyedHash(this.#viewOf(bytes), byteOffset + start, byteOffset + end, this.#key0, this.#key1));
    return true;
  }

  #place(form: number, hash: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = hash & mask;
    while (slots[slot] !== -1) slot = (slot + 1) & mask;
    slots[slot] = form;
    this.#hashes[slot] = hash;
  }

  #growArena(needed: number): void {
    const arena = new Uint8Array(Math.min(Math.max(needed, 2 * this.arena.length) + 3, this.#labelBytesMax + 3) & ~3);
    arena.set(this.arena);
    this.arena = arena;
    this.arenaWords = new Int32Array(arena.buffer);
  }

  #growForms(): void {
    this.formStart = doubled(this.formStart);
    this.formLength = doubled(this.formLength);
    this.seriesOf = doubled(this.seriesOf);
    this.formSender = doubled(this.formSender);
    this.successor = doubled(this.successor);
    const slots = this.#slots;
    const hashes = this.#hashes;
    this.#slots = new Int32Array(2 * slots.length).fill(-1);
    this.#hashes = new Int32Array(2 * slots.length);
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots[slot] !== -1) this.#place(slots[slot]!, hashes[slot]!);
    }
  }
}

function doubled(column: Int32Array): Int32Array {
  const wide = new Int32Array(2 * column.length);
  wide.set(column);
  return wide;
}

/**
 * Whether the form at `formStart` of the arena has these bytes. All of them are compared, as whole numbers: `0 ===
 * -0` and `NaN !== NaN` make doubles useless for it.
 */
export function equalBytes(
  arena: Uint8Array,
  arenaWords: Int32Array,
  formStart: number,
  view: DataView,
  start: number,
  length: number,
): boolean {
  let word = formStart >> 2;
  let i = 0;
  // Unrolled by four: snappy aside, a sample takes 110 ns instead of 150.
  for (; i + 16 <= length; i += 16, word += 4) {
    const differing =
      (arenaWords[word]! ^ view.getInt32(start + i, true)) |
      (arenaWords[word + 1]! ^ view.getInt32(start + i + 4, true)) |
      (arenaWords[word + 2]! ^ view.getInt32(start + i + 8, true)) |
      (arenaWords[word + 3]! ^ view.getInt32(start + i + 12, true));
    if (differing !== 0) return false;
  }
  for (; i + 4 <= length; i += 4, word++) {
    if (arenaWords[word] !== view.getInt32(start + i, true)) return false;
  }
  for (; i < length; i++) {
    if (arena[formStart + i] !== view.getUint8(start + i)) return false;
  }
  return true;
}

/**
 * HalfSipHash-1-3 (Aumasson and Bernstein's SipHash on 32-bit words), with 32 bits of output. Faster mixes such as
 * Murmur's have collisions that hold for every seed; this one costs a few hundred nanoseconds for the labels of a
 * series, and only where the prediction failed. The round stands here twice, as a loop for both the words and the end
 * is a twentieth slower.
 */
function keyedHash(view: DataView, start: number, end: number, key0: number, key1: number): number {
  const wordsEnd = start + ((end - start) & ~3);
  let v0 = key0;
  let v1 = key1;
  let v2 = 0x6c796765 ^ key0;
  let v3 = 0x74656462 ^ key1;
  for (let at = start; at < wordsEnd; at += 4) {
    const word = view.getInt32(at, true);
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  // The last word holds the length and the bytes that are left; three rounds without input finish it.
  let word = (end - start) << 24;
  for (let at = wordsEnd; at < end; at++) word |= view.getUint8(at) << (8 * (at - wordsEnd));
  for (let round = 0; round < 4; round++) {
    if (round === 1) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
    word = 0;
  }
  return v1 ^ v3;
}
