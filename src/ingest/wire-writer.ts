import { varintSize } from '../engine/label-set.ts';

/** Writes protobuf's wire format into a buffer that grows and is used again. 64 bits come as two unsigned halves. */

const INITIAL_BYTES = 4096;
const VARINT_BYTES_MAX = 10;
/** A length of up to this takes one byte, which is what `begin` leaves for it. */
const SHORT_LENGTH_MAX = 0x7f;
/** Never a byte of UTF-8. */
const NO_TEXT = 0xff;

const LONE_SURROGATE = /\p{Cs}/u;

const encoder = new TextEncoder();

export class WireWriter {
  bytes = new Uint8Array(INITIAL_BYTES);
  length = 0;
  #view = new DataView(this.bytes.buffer);

  /** What was written, in bytes of its own. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.length);
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType, 0);
  }

  varint(lo: number, hi: number): void {
    this.#reserve(VARINT_BYTES_MAX);
    let low = lo >>> 0;
    let high = hi >>> 0;
    while (high > 0 || low > 0x7f) {
      this.bytes[this.length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.bytes[this.length++] = low;
  }

  fixed64(lo: number, hi: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.length, lo, true);
    this.#view.setUint32(this.length + 4, hi, true);
    this.length += 8;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Bytes with their length in front. */
  delimited(bytes: Uint8Array): void {
    this.varint(bytes.length, 0);
    this.raw(bytes);
  }

  /** A text with half of a surrogate pair in it is no UTF-8, and is written so that its reader sees that. */
  text(text: string): void {
    const mark = this.begin();
    this.raw(encoder.encode(text));
    if (LONE_SURROGATE.test(text)) this.raw(Uint8Array.of(NO_TEXT));
    this.end(mark);
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Opens something whose length is known only at its `end`, which takes what this returns. */
  begin(): number {
    this.#reserve(1);
    return ++this.length;
  }

  end(mark: number): void {
    const length = this.length - mark;
    if (length <= SHORT_LENGTH_MAX) {
      this.bytes[mark - 1] = length;
      return;
    }
    const room = varintSize(length);
    this.#reserve(room);
    this.bytes.copyWithin(mark - 1 + room, mark, mark + length);
    this.length = mark - 1;
    this.varint(length, 0);
    this.length += length;
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.length + size, 2 * this.bytes.length));
    bytes.set(this.bytes.subarray(0, this.length));
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}
