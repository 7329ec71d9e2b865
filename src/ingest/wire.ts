import { IngestError } from './errors.ts';

/**
 * A cursor over protobuf's wire format. Everything is checked against `end` before it is used, lengths are unsigned,
 * and no value is returned that would need a heap number: 64 bits come as `lo` and `hi`.
 */

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

/** Messages name the byte of the decompressed request at which reading stopped. */
export function malformed(at: number, what: string): never {
  throw new IngestError('malformed_protobuf', `malformed protobuf at byte ${at}: ${what}`);
}

export class WireCursor {
  bytes: Uint8Array;
  position: number;
  /** The end of the message that is being read. */
  end: number;
  /** The last varint, as two signed halves: both fit a small integer of the engine. */
  lo: number;
  hi: number;

  constructor() {
    this.bytes = new Uint8Array(0);
    this.position = 0;
    this.end = 0;
    this.lo = 0;
    this.hi = 0;
  }

  reset(bytes: Uint8Array, position: number, end: number): void {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** Reads up to 64 bits into `lo` and `hi`. An int64 is `hi * 2 ** 32 + (lo >>> 0)`. */
  varint(): void {
    const bytes = this.bytes;
    const start = this.position;
    const end = this.end;
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < 10; i++) {
      const at = start + i;
      if (at >= end) malformed(start, 'a varint is cut off');
      const byte = bytes[at]!;
      const bits = byte & 0x7f;
      if (i < 4) {
        lo |= bits << (7 * i);
      } else if (i === 4) {
        lo |= bits << 28;
        hi = bits >>> 4;
      } else {
        if (i === 9 && byte > 1) malformed(start, 'a varint has more than 64 bits');
        hi |= bits << (7 * i - 32);
      }
      if (byte < 0x80) {
        this.position = at + 1;
        this.lo = lo;
        this.hi = hi;
        return;
      }
    }
  }

  /** Field number and wire type as they stand on the wire, `number << 3 | type`, unsigned. */
  tag(): number {
    const start = this.position;
    if (start < this.end) {
      const byte = this.bytes[start]!;
      if (byte < 0x80 && byte > 7) {
        this.position = start + 1;
        return byte;
      }
    }
    this.varint();
    if (this.hi !== 0) malformed(start, 'a field number has more than 29 bits');
    if (this.lo >>> 3 === 0) malformed(start, 'field number 0');
    return this.lo >>> 0;
  }

  /** The length of what follows, which is known to be there. */
  length(): number {
    const start = this.position;
    if (start < this.end) {
      const byte = this.bytes[start]!;
      if (byte < 0x80 && byte < this.end - start) {
        this.position = start + 1;
        return byte;
      }
    }
    this.varint();
    const left = this.end - this.position;
    const { lo, hi } = this;
    if (hi !== 0 || lo < 0 || lo > left) {
      malformed(start, `a length of ${(hi >>> 0) * 2 ** 32 + (lo >>> 0)}, ${left} bytes are left`);
    }
    return lo;
  }

  /** Moves past a field whose tag was just read. */
  skip(tag: number): void {
    const start = this.position;
    const wireType = tag & 7;
    let size = 0;
    if (wireType === VARINT) this.varint();
    else if (wireType === LENGTH_DELIMITED) size = this.length();
    else if (wireType === FIXED64) size = 8;
    else if (wireType === FIXED32) size = 4;
    else malformed(start, `wire type ${wireType}`);
    if (size > this.end - this.position) malformed(start, `a fixed value is cut off`);
    this.position += size;
  }
}

/** Moves past a field whose tag was just read, and returns where its content begins. */
export function contentStart(cursor: WireCursor, tag: number): number {
  if ((tag & 7) !== LENGTH_DELIMITED) {
    const start = cursor.position;
    cursor.skip(tag);
    return start;
  }
  const length = cursor.length();
  const start = cursor.position;
  cursor.position += length;
  return start;
}
