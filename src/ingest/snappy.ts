import { IngestError } from './errors.ts';

/**
 * Snappy's block format into a buffer that is used again and again. Every length is checked before it is believed, and
 * each step consumes input, so no body can take longer than its size allows.
 */

/** What is kept between requests; a giant one gives its memory back. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024;
const INITIAL_BYTES = 1024 * 1024;
/** Word-wise copies may write up to three bytes past the end of what they copy. */
const SLOP_BYTES = 4;
/** A copy of 64 bytes takes 3, the best there is: more than 22 times its size no body can become. */
const RATIO_MAX = 22;
const RATIO_SLACK_BYTES = 64;

const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;
/** `ff 06 00 00 sNaPpY`, the first chunk of the framed format. */
const FRAMED = [0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59];

export class SnappyDecoder {
  /** The decoded bytes, valid until the next call; only as many as `decode` returned mean anything. */
  output: Uint8Array;
  view: DataView;
  readonly #decodedBytesMax: number;

  constructor(decodedBytesMax: number) {
    this.#decodedBytesMax = decodedBytesMax;
    this.output = new Uint8Array(INITIAL_BYTES);
    this.view = new DataView(this.output.buffer);
  }

  /** Returns the length of what is now in `output`. */
  decode(body: Uint8Array): number {
    if (body.length === 0) malformed(0, 'the body is empty');
    if (isFramed(body)) malformed(0, 'the body is in the framed format, the block format is wanted');
    let declared = 0;
    let at = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at === body.length) malformed(at, 'the declared length is cut off');
      const byte = body[at++]!;
      declared += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (at === 5) malformed(0, 'the declared length has more than 5 bytes');
    }
    if (declared >= 2 ** 32) malformed(0, 'the declared length has more than 32 bits');
    if (declared > this.#decodedBytesMax) {
      const message = `the decompressed body would have ${declared} bytes, the limit is ${this.#decodedBytesMax}`;
      throw new IngestError('decoded_too_large', message);
    }
    if (declared > RATIO_MAX * body.length + RATIO_SLACK_BYTES) {
      malformed(0, `a body of ${body.length} bytes cannot hold the declared ${declared} bytes`);
    }
    if (declared + SLOP_BYTES > this.output.length) this.#resize(Math.max(declared, 2 * this.output.length));
    decompress(body, at, this.output, this.view, declared);
    return declared;
  }

  /** To be called when the decoded bytes are no longer needed. */
  trim(): void {
    if (this.output.length > KEPT_BYTES_MAX + SLOP_BYTES) this.#resize(INITIAL_BYTES);
  }

  #resize(size: number): void {
    this.output = new Uint8Array(Math.min(size, this.#decodedBytesMax) + SLOP_BYTES);
    this.view = new DataView(this.output.buffer);
  }
}

function isFramed(body: Uint8Array): boolean {
  return body.length >= FRAMED.length && FRAMED.every((byte, i) => body[i] === byte);
}

function malformed(at: number, what: string): never {
  throw new IngestError('malformed_snappy', `malformed snappy at byte ${at}: ${what}`);
}

/** The limits of the copies were measured on the bench's corpus, where half of the copies move more than 64 bytes. */
const WORDWISE_BYTES_MAX = 32;
const BYTEWISE_LITERAL_BYTES_MAX = 128;

function decompress(input: Uint8Array, from: number, output: Uint8Array, view: DataView, declared: number): void {
  const inputEnd = input.length;
  let at = from;
  let out = 0;
  while (at < inputEnd) {
    const tagAt = at;
    const tag = input[at++]!;
    const kind = tag & 3;
    let length = 0;
    if (kind === LITERAL) {
      length = (tag >>> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (at + lengthBytes > inputEnd) malformed(tagAt, 'the length of a literal is cut off');
        length = 0;
        for (let i = 0; i < lengthBytes; i++) length |= input[at++]! << (8 * i);
        length = (length >>> 0) + 1;
      }
      if (length > inputEnd - at) malformed(tagAt, `a literal of ${length} bytes, ${inputEnd - at} are left`);
      if (length > declared - out) malformed(tagAt, `more than the declared ${declared} bytes`);
      if (length <= BYTEWISE_LITERAL_BYTES_MAX) {
        for (let i = 0; i < length; i++) output[out + i] = input[at + i]!;
      } else {
        output.set(input.subarray(at, at + length), out);
      }
      at += length;
      out += length;
      continue;
    }
    let offset = 0;
    if (kind === COPY_1) {
      if (at >= inputEnd) malformed(tagAt, 'a copy is cut off');
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag >>> 5) << 8) | input[at++]!;
    } else if (kind === COPY_2) {
      if (at + 2 > inputEnd) malformed(tagAt, 'a copy is cut off');
      length = (tag >>> 2) + 1;
      const low = input[at]!;
      const high = input[at + 1]!;
      offset = low | (high << 8);
      at += 2;
      // Matches of more than 64 bytes come as several copies of one offset. One call for all of them saves a third of
      // the time.
      while (at + 2 < inputEnd && (input[at]! & 3) === COPY_2 && input[at + 1] === low && input[at + 2] === high) {
        length += (input[at]! >>> 2) + 1;
        at += 3;
      }
    } else {
      if (at + 4 > inputEnd) malformed(tagAt, 'a copy is cut off');
      length = (tag >>> 2) + 1;
      offset = (input[at]! | (input[at + 1]! << 8) | (input[at + 2]! << 16) | (input[at + 3]! << 24)) >>> 0;
      at += 4;
    }
    if (offset === 0 || offset > out) malformed(tagAt, `a copy from ${offset} bytes back, ${out} are written`);
    if (length > declared - out) malformed(tagAt, `more than the declared ${declared} bytes`);
    if (length <= WORDWISE_BYTES_MAX && offset >= 4) {
      for (let i = 0; i < length; i += 4) view.setInt32(out + i, view.getInt32(out + i - offset, true), true);
    } else if (offset >= length) {
      output.copyWithin(out, out - offset, out - offset + length);
    } else {
      // Source and target overlap: the copy repeats the last `offset` bytes.
      for (let i = 0; i < length; i++) output[out + i] = output[out + i - offset]!;
    }
    out += length;
  }
  if (out !== declared) malformed(inputEnd, `${out} bytes where ${declared} were declared`);
}
