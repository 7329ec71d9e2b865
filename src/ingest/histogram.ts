import {
  type Bucket,
  CUSTOM_BUCKETS_SCHEMA,
  downscale,
  type NativeHistogram,
  type ResetHint,
  SCHEMA_MAX,
  SCHEMA_MIN,
} from '../engine/native-histogram.ts';
import { FIXED64, LENGTH_DELIMITED, malformed, VARINT, type WireCursor } from './wire.ts';

/**
 * The Histogram message of remote write to the engine's NativeHistogram, in two steps: `scan` reads whatever is well-formed
 * protobuf, `build` refuses what contradicts itself. Nothing is allocated by a length that the message merely claims.
 */

const COUNT_INT = (1 << 3) | VARINT;
const COUNT_FLOAT = (2 << 3) | FIXED64;
const SUM = (3 << 3) | FIXED64;
const SCHEMA = (4 << 3) | VARINT;
const ZERO_THRESHOLD = (5 << 3) | FIXED64;
const ZERO_COUNT_INT = (6 << 3) | VARINT;
const ZERO_COUNT_FLOAT = (7 << 3) | FIXED64;
const NEGATIVE_SPANS = (8 << 3) | LENGTH_DELIMITED;
const NEGATIVE_DELTAS = 9;
const NEGATIVE_COUNTS = 10;
const POSITIVE_SPANS = (11 << 3) | LENGTH_DELIMITED;
const POSITIVE_DELTAS = 12;
const POSITIVE_COUNTS = 13;
const RESET_HINT = (14 << 3) | VARINT;
const TIMESTAMP = (15 << 3) | VARINT;
const CUSTOM_VALUES = 16;
/** In remote write 2.0. */
const START_TIMESTAMP = (17 << 3) | VARINT;

const SPAN_OFFSET = (1 << 3) | VARINT;
const SPAN_LENGTH = (2 << 3) | VARINT;

const RESET_HINTS: readonly ResetHint[] = ['unknown', 'yes', 'no', 'gauge'];
/** Finer than any client makes them, and brought to the finest that there is by merging. */
const DOWNSCALED_SCHEMA_MAX = 52;
/** A stale marker is a sum of the bits 0x7ff0000000000002. */
const STALE_LO = 2;
const STALE_HI = 0x7ff00000;
/** Float counts are sums that were rounded, in whatever order. */
const FLOAT_TOLERANCE = 1e-9;

/** One sign of the buckets: spans, and as many integer deltas or float counts as the spans are long. */
interface Side {
  readonly name: string;
  readonly spanOffsets: number[];
  readonly spanLengths: number[];
  readonly deltas: number[];
  readonly counts: number[];
}

function side(name: string): Side {
  return { name, spanOffsets: [], spanLengths: [], deltas: [], counts: [] };
}

export class HistogramReader {
  /** Of the message that was scanned last. */
  timestampMs = 0;
  /** 0 when it is unknown. */
  startMs = 0;
  isStale = false;
  /** Why `build` refused it. */
  problem = '';

  readonly #bucketsMax: number;
  readonly #positive = side('positive');
  readonly #negative = side('negative');
  readonly #customValues: number[] = [];
  #isFloat = false;
  #count = 0;
  #sum = 0;
  #schema = 0;
  #zeroThreshold = 0;
  #zeroCountInt = 0;
  #zeroCountFloat = 0;
  #resetHint = 0;
  /** A list was longer than is kept of it. */
  #overflow = false;

  constructor(bucketsMax: number) {
    this.#bucketsMax = bucketsMax;
  }

  /** Reads the message between the cursor and its end. Throws when it is malformed. */
  scan(cursor: WireCursor, view: DataView): void {
    this.#clear();
    while (cursor.position < cursor.end) {
      const tag = cursor.tag();
      const at = cursor.position;
      if (tag === NEGATIVE_SPANS) this.#scanSpan(cursor, this.#negative);
      else if (tag === POSITIVE_SPANS) this.#scanSpan(cursor, this.#positive);
      else if (tag >>> 3 === NEGATIVE_DELTAS) this.#scanDeltas(cursor, tag, this.#negative.deltas);
      else if (tag >>> 3 === POSITIVE_DELTAS) this.#scanDeltas(cursor, tag, this.#positive.deltas);
      else if (tag >>> 3 === NEGATIVE_COUNTS) this.#scanDoubles(cursor, tag, view, this.#negative.counts);
      else if (tag >>> 3 === POSITIVE_COUNTS) this.#scanDoubles(cursor, tag, view, this.#positive.counts);
      else if (tag >>> 3 === CUSTOM_VALUES) this.#scanDoubles(cursor, tag, view, this.#customValues);
      else {
        cursor.skip(tag);
        this.#scalar(cursor, view, tag, at);
      }
    }
  }

  #clear(): void {
    this.timestampMs = 0;
    this.startMs = 0;
    this.isStale = false;
    for (const { spanOffsets, spanLengths, deltas, counts } of [this.#positive, this.#negative]) {
      spanOffsets.length = 0;
      spanLengths.length = 0;
      deltas.length = 0;
      counts.length = 0;
    }
    this.#customValues.length = 0;
    this.#isFloat = false;
    this.#count = 0;
    this.#sum = 0;
    this.#schema = 0;
    this.#zeroThreshold = 0;
    this.#zeroCountInt = 0;
    this.#zeroCountFloat = 0;
    this.#resetHint = 0;
    this.#overflow = false;
  }

  /** A field that stands once, whose last occurrence counts. The cursor has moved past it and holds it if it is a varint. */
  #scalar(cursor: WireCursor, view: DataView, tag: number, at: number): void {
    switch (tag) {
      case COUNT_INT:
        this.#isFloat = false;
        this.#count = unsigned(cursor);
        break;
      case COUNT_FLOAT:
        this.#isFloat = true;
        this.#count = view.getFloat64(at, true);
        break;
      case SUM:
        this.#sum = view.getFloat64(at, true);
        this.isStale = view.getInt32(at, true) === STALE_LO && view.getInt32(at + 4, true) === STALE_HI;
        break;
      case SCHEMA:
        this.#schema = zigzag32(cursor.lo);
        break;
      case ZERO_THRESHOLD:
        this.#zeroThreshold = view.getFloat64(at, true);
        break;
      case ZERO_COUNT_INT:
        this.#zeroCountInt = unsigned(cursor);
        this.#zeroCountFloat = 0;
        break;
      case ZERO_COUNT_FLOAT:
        this.#zeroCountFloat = view.getFloat64(at, true);
        this.#zeroCountInt = 0;
        break;
      case RESET_HINT:
        this.#resetHint = cursor.lo;
        break;
      case TIMESTAMP:
        this.timestampMs = cursor.hi * 0x100000000 + (cursor.lo >>> 0);
        break;
      case START_TIMESTAMP:
        this.startMs = cursor.hi * 0x100000000 + (cursor.lo >>> 0);
        break;
    }
  }

  #scanSpan(cursor: WireCursor, { spanOffsets, spanLengths }: Side): void {
    const messageEnd = cursor.end;
    const length = cursor.length();
    cursor.end = cursor.position + length;
    let spanOffset = 0;
    let spanLength = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.tag();
      cursor.skip(tag);
      if (tag === SPAN_OFFSET) spanOffset = zigzag32(cursor.lo);
      else if (tag === SPAN_LENGTH) spanLength = cursor.lo >>> 0;
    }
    cursor.end = messageEnd;
    this.#push(spanOffsets, spanOffset);
    this.#push(spanLengths, spanLength);
  }

  #scanDeltas(cursor: WireCursor, tag: number, into: number[]): void {
    if ((tag & 7) === VARINT) {
      cursor.varint();
      this.#push(into, zigzag64(cursor));
    } else if ((tag & 7) === LENGTH_DELIMITED) {
      const messageEnd = cursor.end;
      const length = cursor.length();
      cursor.end = cursor.position + length;
      while (cursor.position < cursor.end) {
        cursor.varint();
        this.#push(into, zigzag64(cursor));
      }
      cursor.end = messageEnd;
    } else {
      cursor.skip(tag);
    }
  }

  #scanDoubles(cursor: WireCursor, tag: number, view: DataView, into: number[]): void {
    const start = cursor.position;
    if ((tag & 7) === FIXED64) {
      cursor.skip(tag);
      this.#push(into, view.getFloat64(start, true));
    } else if ((tag & 7) === LENGTH_DELIMITED) {
      const length = cursor.length();
      if ((length & 7) !== 0) malformed(start, `packed doubles of ${length} bytes`);
      const end = cursor.position + length;
      for (; cursor.position < end; cursor.position += 8) this.#push(into, view.getFloat64(cursor.position, true));
    } else {
      cursor.skip(tag);
    }
  }

  #push(into: number[], value: number): void {
    if (into.length < this.#bucketsMax) into.push(value);
    else this.#overflow = true;
  }

  /** The histogram that was scanned; null when it contradicts itself, and `problem` then says how. */
  build(): NativeHistogram | null {
    if (this.#overflow) return this.#refuse(`a native histogram has more than ${this.#bucketsMax} buckets`);
    const schema = this.#schema;
    const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
    if (!isCustom && (schema < SCHEMA_MIN || schema > DOWNSCALED_SCHEMA_MAX)) {
      return this.#refuse(`a native histogram has the unknown schema ${schema}`);
    }
    if (!(this.#zeroThreshold >= 0 && this.#zeroThreshold < Number.POSITIVE_INFINITY)) {
      return this.#refuse(`a native histogram has the zero threshold ${this.#zeroThreshold}`);
    }
    const positive = this.#buckets(this.#positive);
    const negative = this.#buckets(this.#negative);
    if (positive === null || negative === null) return null;
    const zeroCount = this.#isFloat ? this.#zeroCountFloat : this.#zeroCountInt;
    if (!this.#isCount(this.#count) || !this.#isCount(zeroCount)) return null;
    if (!this.#addsUp(zeroCount, positive, negative)) return null;
    if (isCustom ? !this.#isCustom(zeroCount, positive) : this.#customValues.length > 0) {
      return this.#refuse('a native histogram has bounds that do not fit its buckets');
    }
    const histogram: NativeHistogram = {
      schema,
      count: this.#count,
      zeroThreshold: this.#zeroThreshold,
      zeroCount,
      positive,
      negative,
      customBounds: this.#customValues.slice(),
      resetHint: RESET_HINTS[this.#resetHint] ?? 'unknown',
    };
    return isCustom ? histogram : downscale(histogram, SCHEMA_MAX);
  }

  /** The buckets that have events. */
  #buckets({ name, spanOffsets, spanLengths, deltas, counts }: Side): Bucket[] | null {
    const given = this.#isFloat ? counts : deltas;
    const spanned = spanLengths.reduce((sum, length) => sum + length, 0);
    if (spanned !== given.length) {
      this.#refuse(`a native histogram has ${name} spans of ${spanned} buckets and ${given.length} counts`);
      return null;
    }
    const buckets: Bucket[] = [];
    let at = 0;
    let index = 0;
    let count = 0;
    for (let span = 0; span < spanLengths.length; span++) {
      if (span > 0 && spanOffsets[span]! < 0) {
        this.#refuse(`a native histogram has ${name} spans that overlap`);
        return null;
      }
      index += spanOffsets[span]!;
      for (let left = spanLengths[span]!; left > 0; left--) {
        count = this.#isFloat ? given[at]! : count + given[at]!;
        at++;
        if (!this.#isCount(count)) return null;
        if (count > 0) buckets.push([index, count]);
        index++;
      }
    }
    return buckets;
  }

  #isCount(count: number): boolean {
    if (count >= 0 && count <= Number.MAX_SAFE_INTEGER) return true;
    this.#refuse('a native histogram has a count that is negative, no number or above 2^53');
    return false;
  }

  /** Every observation is in one bucket, except those of NaN, which make the sum NaN. */
  #addsUp(zeroCount: number, positive: readonly Bucket[], negative: readonly Bucket[]): boolean {
    let inBuckets = zeroCount;
    for (const [, count] of positive) inBuckets += count;
    for (const [, count] of negative) inBuckets += count;
    const tolerance = this.#isFloat ? FLOAT_TOLERANCE * this.#count : 0;
    const missing = this.#count - inBuckets;
    if (missing >= -tolerance && (missing <= tolerance || Number.isNaN(this.#sum))) return true;
    this.#refuse(`a native histogram counts ${this.#count} observations and has ${inBuckets} in its buckets`);
    return false;
  }

  /** Upper bounds that rise, one bucket each and one behind the last, and none of the other kinds of buckets. */
  #isCustom(zeroCount: number, positive: readonly Bucket[]): boolean {
    if (zeroCount !== 0 || this.#zeroThreshold !== 0) return false;
    if (this.#negative.spanLengths.length > 0) return false;
    let before = Number.NEGATIVE_INFINITY;
    for (const bound of this.#customValues) {
      if (!(bound > before && bound < Number.POSITIVE_INFINITY)) return false;
      before = bound;
    }
    return positive.every(([index]) => index >= 0 && index <= this.#customValues.length);
  }

  #refuse(problem: string): null {
    this.problem = problem;
    return null;
  }
}

function unsigned({ lo, hi }: WireCursor): number {
  return (hi >>> 0) * 0x100000000 + (lo >>> 0);
}

/** A sint32. */
function zigzag32(lo: number): number {
  return (lo >>> 1) ^ -(lo & 1);
}

/** A sint64; beyond 2^53 it is rounded, and by then no count any more. */
function zigzag64({ lo, hi }: WireCursor): number {
  const half = (hi >>> 1) * 0x100000000 + (((lo >>> 1) | (hi << 31)) >>> 0);
  return (lo & 1) === 0 ? half : -half - 1;
}
