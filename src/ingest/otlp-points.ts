import {
  SAMPLE_DELTA,
  SAMPLE_HISTOGRAM,
  SAMPLE_HISTOGRAM_DELTA,
  SAMPLE_STALE,
  SAMPLE_STARTED,
  SAMPLE_VALUE,
  SampleBatch,
} from '../engine/batch.ts';
import { type Bucket, downscale, SCHEMA_MAX, SCHEMA_MIN } from '../engine/native-histogram.ts';
import type { IngestLimits } from './limits.ts';
import { msOfNanos } from './nanos.ts';
import type { Refusal } from './otlp-attributes.ts';
import { KEY_BYTES_MAX, KEY_NUMBER_BYTES, OtlpKey } from './otlp-key.ts';
import {
  COUNTER_DELTA,
  EXPONENTIAL,
  EXPONENTIAL_DELTA,
  GAUGE,
  HISTOGRAM,
  HISTOGRAM_DELTA,
  type OtlpMetric,
  type OtlpSeries,
  type OtlpStream,
  SUMMARY,
} from './otlp-series.ts';
import type { Remembered } from './remembered.ts';
import { contentStart, VARINT, WireCursor } from './wire.ts';

/**
 * Data points of OTLP to rows. A stream is found by the number of its metric and the bytes of its attributes. Times are compared as
 * nanoseconds and kept as milliseconds.
 */

const START_TIME = 0x11;
const TIME = 0x19;
const AS_DOUBLE = 0x21;
const AS_INT = 0x31;
const COUNT = 0x21;
const SUM = 0x29;
const BUCKET_COUNTS = 6;
const EXPLICIT_BOUNDS = 7;
const SCALE = 0x30;
const ZERO_COUNT = 0x39;
const POSITIVE = 0x42;
const NEGATIVE = 0x4a;
const ZERO_THRESHOLD = 0x71;
const OFFSET = 0x08;
const EXPONENTIAL_COUNTS = 2;

/** Where each kind of point has its attributes and its flags. */
const NUMBER_ATTRIBUTES = 0x3a;
const NUMBER_FLAGS = 0x40;
const HISTOGRAM_ATTRIBUTES = 0x4a;
const HISTOGRAM_FLAGS = 0x50;
const EXPONENTIAL_ATTRIBUTES = 0x0a;

const NO_RECORDED_VALUE = 1;
/** Finer than any client makes them, and brought to the finest that there is by merging. */
const SCALE_MAX = 52;
/** What Prometheus takes for a threshold of 0. */
const ZERO_THRESHOLD_MIN = 1e-128;

const TWO_32 = 2 ** 32;

const MISSING_TIME: Refusal = { reason: 'missing_time', what: 'a data point without a time' };
const MISSING_VALUE: Refusal = { reason: 'missing_value', what: 'a data point without a value' };
const TOO_LONG: Refusal = { reason: 'label_limit', what: `attributes of more than ${KEY_BYTES_MAX} bytes` };

export class OtlpPoints {
  /** Data points of the request that have rows, and by point its first row. */
  count = 0;
  rows = new Int32Array(1024);

  readonly #series: OtlpSeries;
  readonly #limits: IngestLimits;
  readonly #streams: Remembered<OtlpStream>;
  readonly #cursor = new WireCursor();
  readonly #key = new OtlpKey();
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #batch = new SampleBatch(0);

  // The point that is being read.
  #timeHi = 0;
  #timeLo = 0;
  #startHi = 0;
  #startLo = 0;
  #tMs = 0;
  #startMs = 0;
  #flags = 0;
  #sender = 0;
  #count = 0;
  /** What the count, or the value of a whole number, lacks to what was sent: above 2^53 a double has gaps. */
  #low = 0;
  #sum = Number.NaN;
  readonly #counts: number[] = [];
  readonly #bounds: number[] = [];

  constructor(series: OtlpSeries, limits: IngestLimits, streams: Remembered<OtlpStream>) {
    this.#series = series;
    this.#limits = limits;
    this.#streams = streams;
  }

  /** A request begins, whose rows go to the batch. */
  begin(bytes: Uint8Array<ArrayBuffer>, batch: SampleBatch): void {
    this.count = 0;
    this.#batch = batch;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  end(): void {
    this.#key.trim();
    this.#bytes = new Uint8Array(0);
  }

  /** A data point, which is the message `[start, end)`, to rows; what is wrong with it is counted. */
  read(metric: OtlpMetric, start: number, end: number): void {
    this.#key.begin(metric.id);
    this.#timeHi = 0;
    this.#timeLo = 0;
    this.#startHi = 0;
    this.#startLo = 0;
    this.#flags = 0;
    this.#count = 0;
    this.#low = 0;
    this.#sum = Number.NaN;
    this.#counts.length = 0;
    this.#bounds.length = 0;
    this.#cursor.reset(this.#bytes, start, end);
    const firstRow = this.#batch.length;
    this.#sender = 0;
    switch (metric.kind) {
      case HISTOGRAM:
      case HISTOGRAM_DELTA:
        this.#histogramPoint(metric, end);
        break;
      case EXPONENTIAL:
      case EXPONENTIAL_DELTA:
        this.#exponentialPoint(metric, end);
        break;
      case SUMMARY:
        this.#summaryPoint(metric, end);
        break;
      default:
        this.#numberPoint(metric, end);
    }
    this.#batch.setSender(firstRow, this.#batch.length, this.#sender);
  }

  #numberPoint(metric: OtlpMetric, end: number): void {
    const cursor = this.#cursor;
    let hasValue = false;
    let value = 0;
    while (cursor.position < end) {
      const at = cursor.position;
      const tag = cursor.tag();
      if (this.#isCommon(tag, at, NUMBER_ATTRIBUTES, NUMBER_FLAGS)) continue;
      const content = cursor.position;
      cursor.skip(tag);
      if (tag === AS_DOUBLE) {
        hasValue = true;
        value = this.#view.getFloat64(content, true);
        this.#low = 0;
      } else if (tag === AS_INT) {
        hasValue = true;
        value = this.#wide(this.#view.getInt32(content + 4, true), this.#view.getUint32(content, true));
      }
    }
    const isStale = (this.#flags & NO_RECORDED_VALUE) !== 0;
    if (!hasValue && !isStale) {
      this.#series.reject(MISSING_VALUE, metric);
      return;
    }
    const ids = this.#begin(metric, isStale);
    if (ids === null) return;
    if (metric.kind === GAUGE) this.#batch.push(ids[0]!, this.#tMs, value, SAMPLE_VALUE);
    else if (metric.kind === COUNTER_DELTA) this.#push(ids[0]!, value, true);
    else this.#batch.pushWide(ids[0]!, this.#tMs, value, this.#low, this.#start(false));
  }

  #summaryPoint(metric: OtlpMetric, end: number): void {
    const cursor = this.#cursor;
    while (cursor.position < end) {
      const at = cursor.position;
      const tag = cursor.tag();
      if (!this.#isCommon(tag, at, NUMBER_ATTRIBUTES, NUMBER_FLAGS)) this.#countOrSum(tag);
    }
    const ids = this.#begin(metric, (this.#flags & NO_RECORDED_VALUE) !== 0);
    if (ids === null) return;
    this.#batch.pushWide(ids[0]!, this.#tMs, this.#count, this.#low, this.#start(false));
    // Unlike that of a histogram the sum of a summary has no presence: what is not there is 0.
    this.#push(ids[1]!, Number.isNaN(this.#sum) ? 0 : this.#sum, false);
  }

  #histogramPoint(metric: OtlpMetric, end: number): void {
    const cursor = this.#cursor;
    while (cursor.position < end) {
      const at = cursor.position;
      const tag = cursor.tag();
      if (this.#isCommon(tag, at, HISTOGRAM_ATTRIBUTES, HISTOGRAM_FLAGS)) continue;
      if (tag >>> 3 === BUCKET_COUNTS) this.#fixed64s(tag);
      else if (tag >>> 3 === EXPLICIT_BOUNDS) this.#doubles(tag);
      else this.#countOrSum(tag);
    }
    const isStale = (this.#flags & NO_RECORDED_VALUE) !== 0;
    const problem = isStale ? null : this.#histogramProblem();
    if (problem !== null) {
      this.#series.reject({ reason: 'invalid_histogram', what: problem }, metric);
      return;
    }
    const attributesEnd = this.#key.length;
    for (const bound of this.#bounds) this.#key.addDouble(bound);
    const ids = this.#begin(metric, isStale, attributesEnd);
    if (ids === null) return;
    const isDelta = metric.kind === HISTOGRAM_DELTA;
    let under = 0;
    for (let i = 0; i < this.#bounds.length; i++) {
      under += this.#counts[i]!;
      this.#push(ids[i]!, under, isDelta);
    }
    const rest = this.#bounds.length;
    this.#push(ids[rest]!, this.#count, isDelta);
    this.#push(ids[rest + 1]!, this.#count, isDelta);
    if (Number.isFinite(this.#sum)) this.#push(ids[rest + 2]!, this.#sum, isDelta);
  }

  /** What contradicts itself in a classic histogram; null when nothing does. */
  #histogramProblem(): string | null {
    const counts = this.#counts;
    const bounds = this.#bounds;
    const { histogramBucketsMax } = this.#limits;
    if (counts.length > histogramBucketsMax) return `a histogram of more than ${histogramBucketsMax} buckets`;
    if (counts.length !== bounds.length + 1 && counts.length + bounds.length > 0) {
      return `a histogram with ${bounds.length} bounds and ${counts.length} counts`;
    }
    for (let i = 0; i < bounds.length; i++) {
      if (!Number.isFinite(bounds[i]) || (i > 0 && !(bounds[i]! > bounds[i - 1]!))) {
        return 'a histogram whose bounds are not finite numbers that rise';
      }
    }
    let inBuckets = 0;
    for (const count of counts) inBuckets += count;
    if (this.#count > Number.MAX_SAFE_INTEGER) return 'a histogram with a count above 2^53';
    if (counts.length > 0 && inBuckets !== this.#count) {
      return `a histogram that counts ${this.#count} observations and has ${inBuckets} in its buckets`;
    }
    return null;
  }

  #exponentialPoint(metric: OtlpMetric, end: number): void {
    const cursor = this.#cursor;
    let scale = 0;
    let zeroCount = 0;
    let zeroThreshold = 0;
    let positive: Bucket[] = [];
    let negative: Bucket[] = [];
    let buckets = 0;
    while (cursor.position < end) {
      const at = cursor.position;
      const tag = cursor.tag();
      if (this.#isCommon(tag, at, EXPONENTIAL_ATTRIBUTES, HISTOGRAM_FLAGS)) continue;
      const content = cursor.position;
      if (tag === POSITIVE || tag === NEGATIVE) {
        const read = this.#buckets();
        buckets += this.#counts.length;
        if (tag === POSITIVE) positive = read;
        else negative = read;
      } else if (tag === ZERO_COUNT) {
        cursor.skip(tag);
        zeroCount = this.#fixed64(content);
      } else if (tag === ZERO_THRESHOLD) {
        cursor.skip(tag);
        zeroThreshold = this.#view.getFloat64(content, true);
      } else {
        this.#countOrSum(tag);
        if (tag === SCALE) scale = zigzag(cursor.lo);
      }
    }
    const isStale = (this.#flags & NO_RECORDED_VALUE) !== 0;
    const histogram = {
      schema: scale,
      count: this.#count,
      zeroThreshold: zeroThreshold === 0 ? ZERO_THRESHOLD_MIN : zeroThreshold,
      zeroCount,
      positive,
      negative,
      customBounds: [],
      resetHint: 'unknown' as const,
    };
    const inBuckets = sumOf(positive) + sumOf(negative) + zeroCount;
    let problem: string | null = null;
    if (buckets > this.#limits.histogramBucketsMax) {
      problem = `a histogram of more than ${this.#limits.histogramBucketsMax} buckets`;
    } else if (scale < SCHEMA_MIN || scale > SCALE_MAX) {
      problem = `an exponential histogram of scale ${scale}`;
    } else if (!(histogram.zeroThreshold > 0 && histogram.zeroThreshold < Number.POSITIVE_INFINITY)) {
      problem = `an exponential histogram with the zero threshold ${zeroThreshold}`;
    } else if (this.#count > Number.MAX_SAFE_INTEGER) {
      problem = 'a histogram with a count above 2^53';
    } else if (inBuckets !== this.#count) {
      problem = `a histogram that counts ${this.#count} observations and has ${inBuckets} in its buckets`;
    }
    if (problem !== null && !isStale) {
      this.#series.reject({ reason: 'invalid_histogram', what: problem }, metric);
      return;
    }
    const ids = this.#begin(metric, isStale);
    if (ids === null) return;
    const isDelta = metric.kind === EXPONENTIAL_DELTA;
    const kind = isDelta ? SAMPLE_HISTOGRAM_DELTA : SAMPLE_HISTOGRAM;
    this.#batch.pushHistogram(ids[0]!, this.#tMs, downscale(histogram, SCHEMA_MAX), this.#start(isDelta), kind);
  }

  /** A Buckets message at the cursor: the buckets that have events, numbered as Prometheus does, by their upper bound. */
  #buckets(): Bucket[] {
    const cursor = this.#cursor;
    const messageEnd = cursor.end;
    const length = cursor.length();
    const end = cursor.position + length;
    const counts = this.#counts;
    let offset = 0;
    counts.length = 0;
    cursor.end = end;
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag >>> 3 !== EXPONENTIAL_COUNTS) {
        cursor.skip(tag);
        if (tag === OFFSET) offset = zigzag(cursor.lo);
      } else if ((tag & 7) === VARINT) {
        cursor.varint();
        counts.push(unsigned(cursor));
      } else {
        const packed = cursor.length();
        const packedEnd = cursor.position + packed;
        while (cursor.position < packedEnd) {
          cursor.varint();
          counts.push(unsigned(cursor));
        }
      }
    }
    cursor.end = messageEnd;
    const buckets: Bucket[] = [];
    for (let i = 0; i < counts.length; i++) {
      if (counts[i]! > 0) buckets.push([offset + i + 1, counts[i]!]);
    }
    return buckets;
  }

  /** Takes a field that every kind of point has, past whose tag the cursor stands; `at` is where it begins. */
  #isCommon(tag: number, at: number, attributesTag: number, flagsTag: number): boolean {
    const cursor = this.#cursor;
    if (tag === attributesTag) {
      cursor.skip(tag);
      this.#key.add(this.#bytes, at, cursor.position);
    } else if (tag === TIME) {
      this.#timeLo = this.#view.getUint32(cursor.position, true);
      this.#timeHi = this.#view.getUint32(cursor.position + 4, true);
      cursor.position += 8;
    } else if (tag === START_TIME) {
      this.#startLo = this.#view.getUint32(cursor.position, true);
      this.#startHi = this.#view.getUint32(cursor.position + 4, true);
      cursor.position += 8;
    } else if (tag === flagsTag) {
      cursor.varint();
      this.#flags = cursor.lo;
    } else {
      return false;
    }
    return true;
  }

  #countOrSum(tag: number): void {
    const content = this.#cursor.position;
    this.#cursor.skip(tag);
    if (tag === COUNT)
      this.#count = this.#wide(this.#view.getUint32(content + 4, true), this.#view.getUint32(content, true));
    else if (tag === SUM) this.#sum = this.#view.getFloat64(content, true);
  }

  /** The double nearest to a whole number of 64 bits; the rest is kept as the low part. */
  #wide(hi: number, lo: number): number {
    const value = hi * TWO_32 + lo;
    this.#low = lo - (value - hi * TWO_32);
    return value;
  }

  #fixed64(at: number): number {
    return this.#view.getUint32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true);
  }

  /** One bucket count, or several of them packed. */
  #fixed64s(tag: number): void {
    const start = contentStart(this.#cursor, tag);
    for (let at = start; at < this.#cursor.position; at += 8) this.#counts.push(this.#fixed64(at));
  }

  #doubles(tag: number): void {
    const start = contentStart(this.#cursor, tag);
    for (let at = start; at < this.#cursor.position; at += 8) this.#bounds.push(this.#view.getFloat64(at, true));
  }

  /**
   * Finds the series of the point that was read; `attributesEnd` is where its attributes end in the key. Null when there are no
   * values to be pushed: the point is rejected, or it says that nothing was recorded.
   */
  #begin(metric: OtlpMetric, isStale: boolean, attributesEnd = this.#key.length): Int32Array | null {
    if (this.#timeHi === 0 && this.#timeLo === 0) return this.#series.reject(MISSING_TIME, metric);
    this.#tMs = msOfNanos(this.#timeHi, this.#timeLo);
    this.#startMs = msOfNanos(this.#startHi, this.#startLo);
    const stream = this.#stream(metric, attributesEnd);
    if (stream === null) return null;
    const { ids } = stream;
    this.#sender = stream.sender;
    if (this.count === this.rows.length) {
      const rows = new Int32Array(2 * this.count);
      rows.set(this.rows);
      this.rows = rows;
    }
    this.rows[this.count++] = this.#batch.length;
    if (!isStale) return ids;
    for (const id of ids) this.#batch.push(id, this.#tMs, Number.NaN, SAMPLE_STALE);
    return null;
  }

  #stream(metric: OtlpMetric, attributesEnd: number): OtlpStream | null {
    if (this.#key.length > KEY_BYTES_MAX) return this.#series.reject(TOO_LONG, metric);
    const known = metric.id === -1 ? undefined : this.#streams.find(this.#key);
    if (known !== undefined) return known;
    const stream = this.#series.stream(metric, this.#key.bytes, KEY_NUMBER_BYTES, attributesEnd, this.#bounds);
    if (stream !== null && metric.id !== -1) this.#streams.add(this.#key, stream);
    return stream;
  }

  /** A row of a counter. */
  #push(id: number, value: number, isDelta: boolean): void {
    this.#batch.pushStarted(id, this.#tMs, value, isDelta ? SAMPLE_DELTA : SAMPLE_STARTED, this.#start(isDelta));
  }

  /**
   * The start in milliseconds, 0 when it is unknown: when it is not given, when it is after the time, and, of a cumulative point,
   * when it is the time itself. A start earlier in the same millisecond counts as the millisecond before: it is known.
   */
  #start(isDelta: boolean): number {
    const later = this.#startHi - this.#timeHi || this.#startLo - this.#timeLo;
    if ((this.#startHi === 0 && this.#startLo === 0) || later > 0) return 0;
    if (isDelta) return this.#startMs;
    if (later === 0) return 0;
    return this.#startMs === this.#tMs ? this.#tMs - 1 : this.#startMs;
  }
}

function unsigned({ lo, hi }: WireCursor): number {
  return (hi >>> 0) * TWO_32 + (lo >>> 0);
}

/** A sint32. */
function zigzag(lo: number): number {
  return (lo >>> 1) ^ -(lo & 1);
}

function sumOf(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, [, count]) => sum + count, 0);
}
