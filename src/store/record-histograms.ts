import type { Bucket, NativeHistogram, ResetHint } from '../engine/native-histogram.ts';
import { type ByteReader, FormatError, writeVarint, zigzag } from './record-columns.ts';

/**
 * Native histograms in a journal record. Whoever observes into buckets that are there already changes counts only, so the
 * layout is left out where it is that of the series' histogram before, and counts that all grew are written as increases:
 *
 * ```
 * head:    flags in 3 bits, the reset hint above them
 * layout:  schema, zero threshold, custom bounds, indexes of the positive and of the negative buckets
 * counts:  all, those of the zero bucket, of the positive and of the negative ones
 * ```
 */

const FLAG_SAME_LAYOUT = 1;
/** Counts are increases over those of the histogram before; the layout is the same. */
const FLAG_GROWS = 2;
/** Counts are doubles, because one of them is no whole number. */
const FLAG_DOUBLES = 4;
const FLAG_BITS = 3;
const RESET_HINTS: readonly ResetHint[] = ['unknown', 'yes', 'no', 'gauge'];

/** Of a varint or a double. */
const NUMBER_BYTES_MAX = 8;
/** A bucket index is far below this: spans hold 32 bits each. */
const INDEX_MAX = 2 ** 51;

export class HistogramEncoder {
  /** The last histogram of each series. */
  readonly #previous = new Map<number, NativeHistogram>();
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** The next histograms shall be readable without those before them. */
  restart(): void {
    this.#previous.clear();
  }

  /** The bytes are valid until the next call. */
  encode(seriesId: number, histogram: NativeHistogram): Uint8Array {
    const { positive, negative, customBounds } = histogram;
    const numbers = 8 + customBounds.length + 2 * (positive.length + negative.length);
    this.#reserve(numbers * NUMBER_BYTES_MAX);
    const counts = countsOf(histogram);
    const previous = this.#previous.get(seriesId);
    const isSame = previous !== undefined && haveSameLayout(previous, histogram);
    const isWhole = counts.every(isVarint);
    const before = isSame && isWhole ? countsOf(previous) : [];
    const grows = before.length > 0 && before.every((count, i) => isVarint(count) && count <= counts[i]!);
    const flags = (isSame ? FLAG_SAME_LAYOUT : 0) | (grows ? FLAG_GROWS : 0) | (isWhole ? 0 : FLAG_DOUBLES);
    this.#varint(flags + (RESET_HINTS.indexOf(histogram.resetHint) << FLAG_BITS));
    if (!isSame) this.#layout(histogram);
    for (const [i, count] of counts.entries()) {
      if (isWhole) this.#varint(grows ? count - before[i]! : count);
      else this.#double(count);
    }
    this.#previous.set(seriesId, histogram);
    return this.#bytes.subarray(0, this.#at);
  }

  #layout({ schema, zeroThreshold, customBounds, positive, negative }: NativeHistogram): void {
    this.#varint(zigzag(schema));
    this.#double(zeroThreshold);
    this.#varint(customBounds.length);
    for (const bound of customBounds) this.#double(bound);
    this.#indexes(positive);
    this.#indexes(negative);
  }

  #indexes(buckets: readonly Bucket[]): void {
    this.#varint(buckets.length);
    let last = 0;
    for (const [index] of buckets) {
      if (!(Math.abs(index) < INDEX_MAX)) throw new RangeError(`a bucket of index ${index} is not readable`);
      this.#varint(zigzag(index - last));
      last = index;
    }
  }

  #varint(value: number): void {
    this.#at = writeVarint(this.#bytes, this.#at, value);
  }

  #double(value: number): void {
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  #reserve(length: number): void {
    this.#at = 0;
    if (length <= this.#bytes.length) return;
    this.#bytes = new Uint8Array(2 * length);
    this.#view = new DataView(this.#bytes.buffer);
  }
}

export class HistogramDecoder {
  readonly #previous = new Map<number, NativeHistogram>();

  restart(): void {
    this.#previous.clear();
  }

  decode(seriesId: number, reader: ByteReader): NativeHistogram {
    const head = reader.varint();
    const resetHint = RESET_HINTS[Math.floor(head / 2 ** FLAG_BITS)];
    if (resetHint === undefined) throw new FormatError(`a histogram begins with ${head}`);
    const isSame = (head & FLAG_SAME_LAYOUT) !== 0;
    const grows = (head & FLAG_GROWS) !== 0;
    const isWhole = (head & FLAG_DOUBLES) === 0;
    const previous = this.#previous.get(seriesId);
    if (isSame && previous === undefined) throw new FormatError(`series ${seriesId} has no histogram to build on`);
    const base = isSame ? previous! : readLayout(reader);
    const counts = countsOf(base).map((before) => {
      if (!isWhole) return reader.double();
      return grows ? before + reader.varint() : reader.varint();
    });
    const positiveEnd = 2 + base.positive.length;
    const histogram: NativeHistogram = {
      ...base,
      count: counts[0]!,
      zeroCount: counts[1]!,
      positive: withCounts(base.positive, counts.slice(2, positiveEnd)),
      negative: withCounts(base.negative, counts.slice(positiveEnd)),
      resetHint,
    };
    this.#previous.set(seriesId, histogram);
    return histogram;
  }
}

/** A histogram of nothing. */
function readLayout(reader: ByteReader): NativeHistogram {
  const schema = reader.signed();
  const zeroThreshold = reader.double();
  const customBounds = Array.from({ length: reader.count() }, () => reader.double());
  const positive = readIndexes(reader);
  const negative = readIndexes(reader);
  return { schema, zeroThreshold, customBounds, positive, negative, count: 0, zeroCount: 0, resetHint: 'unknown' };
}

function readIndexes(reader: ByteReader): Bucket[] {
  let last = 0;
  return Array.from({ length: reader.count() }, () => {
    last += reader.signed();
    return [last, 0];
  });
}

function withCounts(buckets: readonly Bucket[], counts: readonly number[]): Bucket[] {
  return buckets.map(([index], i) => [index, counts[i]!]);
}

function countsOf({ count, zeroCount, positive, negative }: NativeHistogram): number[] {
  return [count, zeroCount, ...positive.map(([, n]) => n), ...negative.map(([, n]) => n)];
}

function isVarint(count: number): boolean {
  return Number.isSafeInteger(count) && count >= 0 && !Object.is(count, -0);
}

function haveSameLayout(a: NativeHistogram, b: NativeHistogram): boolean {
  const sameIndexes = (x: readonly Bucket[], y: readonly Bucket[]): boolean =>
    x.length === y.length && x.every(([index], i) => index === y[i]![0]);
  return (
    a.schema === b.schema &&
    Object.is(a.zeroThreshold, b.zeroThreshold) &&
    a.customBounds.length === b.customBounds.length &&
    a.customBounds.every((bound, i) => Object.is(bound, b.customBounds[i])) &&
    sameIndexes(a.positive, b.positive) &&
    sameIndexes(a.negative, b.negative)
  );
}
