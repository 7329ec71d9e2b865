import { MINUTE_MS } from './duration.ts';
import type { NativeHistogram } from './native-histogram.ts';

/**
 * The only thing that crosses from ingest to engine: samples in columns, in the order of the request.
 *
 * A batch is the transaction (validated as a whole, then applied), the unit of the benchmarks and of the journal.
 * The columns are reused from request to request; only the first `length` rows mean anything.
 */

/** Samples further in the future than this are refused, as Prometheus does: accepting one would blind its series. */
export const FUTURE_MAX_MS = 10 * MINUTE_MS;

/** What a row holds beside its value. */
export const SAMPLE_VALUE = 0;
/** A stale marker: the value means nothing. It is found on the bytes, because JavaScript may rewrite NaN payloads. */
export const SAMPLE_STALE = 1;
/** A cumulative value with a start timestamp: when its counter began at zero. */
export const SAMPLE_STARTED = 2;
/** A declared delta: the value is the increment as it stands. */
export const SAMPLE_DELTA = 3;
/** A native histogram: the value is its index in `histograms`. */
export const SAMPLE_HISTOGRAM = 4;
/** A native histogram that is an increment by itself. */
export const SAMPLE_HISTOGRAM_DELTA = 5;
/** As SAMPLE_STARTED, of a whole number that a double cannot hold: the value is the nearest one, `lows` what is missing. */
export const SAMPLE_WIDE = 6;

/** Whether the value of a row of this kind is its index in `histograms`. */
export function holdsHistogram(kind: number): boolean {
  return kind === SAMPLE_HISTOGRAM || kind === SAMPLE_HISTOGRAM_DELTA;
}

export class SampleBatch {
  length: number;
  seriesIds: Int32Array;
  /** Unix milliseconds; a whole number, possibly negative, possibly beyond 2^53 (and then refused by the engine). */
  timestampsMs: Float64Array;
  values: Float64Array;
  kinds: Uint8Array;
  /** Unix milliseconds, 0 when unknown; meaningful only on rows of a kind other than SAMPLE_VALUE and SAMPLE_STALE. */
  startsMs: Float64Array;
  /** What the value of a SAMPLE_WIDE row lacks: of 64 bits, at most 1,024 either way. Meaningful only on such rows. */
  lows: Int16Array;
  /** Which replica of an HA pair sent the row; 0 for a sender of its own. Meaningful only with `hasSenders`. */
  senders: Int32Array;
  hasSenders: boolean;
  /** By what the samples came: `rw1`, `rw2`, `otlp`. */
  protocol = '';
  readonly histograms: NativeHistogram[] = [];

  constructor(capacity = 4096) {
    this.length = 0;
    this.seriesIds = new Int32Array(capacity);
    this.timestampsMs = new Float64Array(capacity);
    this.values = new Float64Array(capacity);
    this.kinds = new Uint8Array(capacity);
    this.startsMs = new Float64Array(capacity);
    this.lows = new Int16Array(capacity);
    this.senders = new Int32Array(capacity);
    this.hasSenders = false;
  }

  get capacity(): number {
    return this.seriesIds.length;
  }

  clear(): void {
    this.length = 0;
    this.histograms.length = 0;
    this.hasSenders = false;
  }

  /** Makes room for at least `capacity` rows and keeps the present ones. Kernels call it between series, never per sample. */
  reserve(capacity: number): void {
    if (capacity <= this.seriesIds.length) return;
    const size = Math.max(capacity, this.seriesIds.length * 2);
    this.seriesIds = grown(this.seriesIds, new Int32Array(size));
    this.timestampsMs = grown(this.timestampsMs, new Float64Array(size));
    this.values = grown(this.values, new Float64Array(size));
    this.kinds = grown(this.kinds, new Uint8Array(size));
    this.startsMs = grown(this.startsMs, new Float64Array(size));
    this.lows = grown(this.lows, new Int16Array(size));
    this.senders = grown(this.senders, new Int32Array(size));
  }

  /** Goes on in columns of another owner, which are of one length. The rows there were are lost. */
  adopt(seriesIds: Int32Array, timestampsMs: Float64Array, values: Float64Array, kinds: Uint8Array): void {
    this.length = 0;
    this.seriesIds = seriesIds;
    this.timestampsMs = timestampsMs;
    this.values = values;
    this.kinds = kinds;
    if (this.startsMs.length >= seriesIds.length) return;
    this.startsMs = new Float64Array(seriesIds.length);
    this.lows = new Int16Array(seriesIds.length);
    this.senders = new Int32Array(seriesIds.length);
  }

  push(seriesId: number, timestampMs: number, value: number, kind: number): void {
    if (this.length === this.seriesIds.length) this.reserve(this.length + 1);
    const row = this.length++;
    this.seriesIds[row] = seriesId;
    this.timestampsMs[row] = timestampMs;
    this.values[row] = value;
    this.kinds[row] = kind;
  }

  /** Says who sent the rows from `firstRow` up to `endRow`. */
  setSender(firstRow: number, endRow: number, sender: number): void {
    if (sender !== 0 && !this.hasSenders) {
      this.hasSenders = true;
      this.senders.fill(0, 0, this.length);
    }
    if (this.hasSenders) this.senders.fill(sender, firstRow, endRow);
  }

  /** Copies a row over another one, to take rows out. */
  move(from: number, to: number): void {
    this.seriesIds[to] = this.seriesIds[from]!;
    this.timestampsMs[to] = this.timestampsMs[from]!;
    this.values[to] = this.values[from]!;
    this.kinds[to] = this.kinds[from]!;
    this.startsMs[to] = this.startsMs[from]!;
    this.lows[to] = this.lows[from]!;
    this.senders[to] = this.senders[from]!;
  }

  /** A row with a start timestamp, 0 when it is unknown. */
  pushStarted(seriesId: number, timestampMs: number, value: number, kind: number, startMs: number): void {
    this.push(seriesId, timestampMs, value, kind);
    this.startsMs[this.length - 1] = startMs;
  }

  /** A cumulative whole number that is `value + low`, with its start timestamp. */
  pushWide(seriesId: number, timestampMs: number, value: number, low: number, startMs: number): void {
    this.pushStarted(seriesId, timestampMs, value, low === 0 ? SAMPLE_STARTED : SAMPLE_WIDE, startMs);
    this.lows[this.length - 1] = low;
  }

  pushHistogram(
    seriesId: number,
    timestampMs: number,
    histogram: NativeHistogram,
    startMs: number,
    kind = SAMPLE_HISTOGRAM,
  ): void {
    this.pushStarted(seriesId, timestampMs, this.histograms.length, kind, startMs);
    this.histograms.push(histogram);
  }
}

function grown<T extends Int32Array | Int16Array | Float64Array | Uint8Array>(from: T, to: T): T {
  to.set(from as never);
  return to;
}
