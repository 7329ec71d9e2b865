/**
 * Columns of numbers as bytes: the kernels of the journal record.
 *
 * - A *varint* is a whole number in 0..2^53-1: seven bits a byte, the lowest first, the high bit says that more follow.
 * - A *delta column* holds numbers that go up in even steps (series ids, timestamps, kinds): runs of equal differences.
 *   The head of a run is `zigzag(difference) * 2`, plus 1 when a run length follows. A length of 0 announces a double that
 *   no whole difference can reach.
 * - A *value column* is runs of one class, `length * 4 + class`, each followed by its payloads.
 *
 * Writers get a buffer with room for `ROW_BYTES_MAX` a row and return the new cursor. Readers check every bound.
 */

/** A head of 8 bytes, a run length of 5; a double takes less. */
export const ROW_BYTES_MAX = 13;

/** The value is the series' previous whole value plus the payload, a varint. */
export const VALUE_INCREASE = 0;
/** The value is the payload, a varint. */
export const VALUE_WHOLE = 1;
/** The value is the payload, eight bytes. */
export const VALUE_DOUBLE = 2;
/** The value is NaN and has no payload. */
export const VALUE_NAN = 3;

/** A zig-zag difference and the run bit must stay below 2^53. */
const DELTA_MAX = 2 ** 51 - 1;

/** What is wrong with the bytes, in words. */
export class FormatError extends Error {
  override readonly name = 'FormatError';
}

export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

export function writeDeltas(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  column: Float64Array,
  length: number,
): number {
  let at = start;
  let last = 0;
  let row = 0;
  while (row < length) {
    const value = column[row]!;
    const delta = value - last;
    const reached = last + delta === value && Math.abs(delta) <= DELTA_MAX && Math.floor(delta) === delta;
    last = value;
    row++;
    if (!reached) {
      bytes[at++] = 1;
      bytes[at++] = 0;
      view.setFloat64(at, value, true);
      at += 8;
      continue;
    }
    let run = 1;
    while (row < length && last + delta === column[row]) {
      last = column[row]!;
      run++;
      row++;
    }
    const head = zigzag(delta) * 2;
    if (run === 1) {
      if (head < 0x80) bytes[at++] = head;
      else at = writeVarint(bytes, at, head);
    } else {
      at = writeVarint(bytes, at, head + 1);
      at = writeVarint(bytes, at, run);
    }
  }
  return at;
}

export function writeValues(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  classes: Uint8Array,
  payloads: Float64Array,
  length: number,
): number {
  let at = start;
  let row = 0;
  while (row < length) {
    const kind = classes[row];
    let end = row + 1;
    while (end < length && classes[end] === kind) end++;
    at = writeVarint(bytes, at, (end - row) * 4 + kind!);
    if (kind === VALUE_DOUBLE) {
      for (; row < end; row++, at += 8) view.setFloat64(at, payloads[row]!, true);
    } else if (kind !== VALUE_NAN) {
      for (; row < end; row++) {
        const payload = payloads[row]!;
        if (payload < 0x80) bytes[at++] = payload;
        else at = writeVarint(bytes, at, payload);
      }
    }
    row = end;
  }
  return at;
}

/** For whole numbers of either sign, up to 2^52. */
export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/** A cursor over bytes; whatever would lead beyond their end is a `FormatError`. */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new FormatError('it ends too early');
    return this.bytes[this.at++]!;
  }

  varint(): number {
    let byte = this.byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    do {
      byte = this.byte();
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (value > Number.MAX_SAFE_INTEGER || scale > 2 ** 56) throw new FormatError('a number is too long');
    } while (byte >= 0x80);
    return value;
  }

  /** What `zigzag` made a varint. */
  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  double(): number {
    if (this.at + 8 > this.bytes.length) throw new FormatError('it ends too early');
    const value = this.#view.getFloat64(this.at, true);
    this.at += 8;
    return value;
  }

  /** The length of a list whose elements take at least a byte each. */
  count(): number {
    const count = this.varint();
    if (count > this.bytes.length - this.at) throw new FormatError('it ends too early');
    return count;
  }

  /** A view of the next `length` bytes. */
  take(length: number): Uint8Array {
    if (length > this.bytes.length - this.at) throw new FormatError('it ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

export function readDeltas(reader: ByteReader, column: Float64Array, length: number): void {
  let last = 0;
  let row = 0;
  while (row < length) {
    const head = reader.varint();
    const zigzag = Math.floor(head / 4);
    // The two low bits of the head are the run bit and the sign.
    const delta = (head & 2) === 0 ? zigzag : -zigzag - 1;
    const run = (head & 1) === 0 ? 1 : reader.varint();
    if (run === 0) {
      if (head !== 1) throw new FormatError('a run is empty');
      last = reader.double();
      column[row++] = last;
      continue;
    }
    if (run > length - row) throw new FormatError('a run is longer than the column');
    for (const end = row + run; row < end; row++) {
      last += delta;
      column[row] = last;
    }
  }
}

export function readValues(reader: ByteReader, classes: Uint8Array, payloads: Float64Array, length: number): void {
  let row = 0;
  while (row < length) {
    const head = reader.varint();
    const kind = head & 3;
    const run = Math.floor(head / 4);
    if (run === 0) throw new FormatError('a run is empty');
    if (run > length - row) throw new FormatError('a run is longer than the column');
    classes.fill(kind, row, row + run);
    for (const end = row + run; row < end; row++) {
      payloads[row] = kind === VALUE_NAN ? Number.NaN : kind === VALUE_DOUBLE ? reader.double() : reader.varint();
    }
  }
}
