import { BODY, BODY_BYTES_MAX, DECODED, DECODED_BYTES_MAX } from './layout';

/**
 * Snappy's block format, from the body to the decoded bytes. Every length is checked before it is believed. Returns the
 * decoded length, or -1 for whatever is malformed or too large: the decoder in TypeScript then says what is wrong.
 */
export function decode(bodyBytes: usize, decodedBytesMax: usize): i32 {
  if (bodyBytes === 0 || bodyBytes > BODY_BYTES_MAX) return -1;
  if (isFramed(bodyBytes)) return -1;
  const bodyEnd = BODY + bodyBytes;
  let from = BODY;
  let declared: usize = 0;
  for (let shift: usize = 0; ; shift += 7) {
    // Four groups of seven bits are more than may be decoded here.
    if (shift === 28 || from === bodyEnd) return -1;
    const byte = <usize>load<u8>(from++);
    declared |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  if (declared > decodedBytesMax || declared > DECODED_BYTES_MAX) return -1;

  const end = DECODED + declared;
  let to = DECODED;
  while (from < bodyEnd) {
    // The tag and what may follow it; behind the body there is slop to be read.
    const word = load<u32>(from);
    const kind = word & 3;
    if (kind === COPY_2) {
      const length = <usize>((word >>> 2) & 63) + 1;
      from += 3;
      if (from > bodyEnd || !copy(to, (word >>> 8) & 0xffff, length, end)) return -1;
      to += length;
    } else if (kind === LITERAL) {
      let length = <usize>((word >>> 2) & 63) + 1;
      from++;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (lengthBytes > bodyEnd - from) return -1;
        length = <usize>(load<u32>(from) & (<u32>0xffffffff >>> (32 - 8 * <u32>lengthBytes))) + 1;
        from += lengthBytes;
      }
      // A length of 2^32 has become 0.
      if (length - 1 >= bodyEnd - from || length > end - to) return -1;
      if (length <= 64) copy64(to, from);
      else memory.copy(to, from, length);
      from += length;
      to += length;
    } else if (kind === COPY_1) {
      const length = <usize>((word >>> 2) & 7) + 4;
      from += 2;
      if (from > bodyEnd || !copy(to, ((word & 0xe0) << 3) | ((word >>> 8) & 0xff), length, end)) return -1;
      to += length;
    } else {
      const length = <usize>((word >>> 2) & 63) + 1;
      from += 5;
      if (from > bodyEnd || !copy(to, load<u32>(from - 4), length, end)) return -1;
      to += length;
    }
  }
  return to === end ? <i32>declared : -1;
}

const LITERAL: u32 = 0;
const COPY_1: u32 = 1;
const COPY_2: u32 = 2;
/** How the first chunk of the framed format begins; as a declared length it would be 895 bytes, with a literal of one. */
const FRAMED: u32 = 0x000006ff;
/** `sNaPpY` */
const FRAMED_NAME: u32 = 0x50614e73;
const FRAMED_NAME_END: u16 = 0x5970;

function isFramed(bodyBytes: usize): bool {
  return (
    bodyBytes >= 10 &&
    load<u32>(BODY) === FRAMED &&
    load<u32>(BODY, 4) === FRAMED_NAME &&
    load<u16>(BODY, 8) === FRAMED_NAME_END
  );
}

/** Repeats up to 64 decoded bytes from `offset` bytes back; false when these are none, or too many. */
function copy(to: usize, offset: u32, length: usize, end: usize): bool {
  // An offset of 0 has become 2^32.
  if (<usize>(offset - 1) >= to - DECODED || length > end - to) return false;
  const from = to - <usize>offset;
  if (offset >= 16) {
    copy64(to, from);
  } else {
    // Source and target overlap.
    for (let i: usize = 0; i < length; i++) store<u8>(to + i, load<u8>(from + i));
  }
  return true;
}

/**
 * Copies 64 bytes, of which some may be too many: they are written over next. In steps of 16, each read after the one before
 * it was written, because source and target may overlap.
 */
function copy64(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}
