import { SAMPLE_STALE, SAMPLE_VALUE, SampleBatch } from '../engine/batch.ts';
import { decodeLabels, formatSeries } from '../engine/label-set.ts';
import { equalBytes } from '../engine/series-table.ts';
import { IngestError } from './errors.ts';
import { HistogramReader } from './histogram.ts';
import type { Kernel } from './kernel.ts';
import type { IngestLimits } from './limits.ts';
import { type HaLabels, NewSeries, type SeriesResolver } from './new-series.ts';
import type { Rejections } from './rejections.ts';
import { WireCursor } from './wire.ts';

/**
 * The walk over a decompressed `prometheus.WriteRequest`.
 *
 * Fast path: a series whose label bytes are those of the predicted form and whose samples look as Prometheus writes
 * them. It touches nothing but typed arrays. Every other legal layout takes `#readSeries`, which is a hash and a few
 * calls slower. Series that are not known become provisional rows; they are met only when the whole message proved
 * well-formed.
 */

const TIMESERIES_TAG = 0x0a;
const LABELS_TAG = 0x0a;
const SAMPLES_TAG = 0x12;
const HISTOGRAMS_TAG = 0x22;
const VALUE_TAG = 0x09;
const TIMESTAMP_TAG = 0x10;

/** The bits 0x7ff0000000000002. They are a signalling NaN, which does not survive as a number. */
const STALE_LO = 2;
const STALE_HI = 0x7ff00000;

/** The length of a sample with a value and a timestamp of 6 bytes, and that of one whose value is 0 and left out. */
const SAMPLE_LENGTH = 16;
const ZERO_SAMPLE_LENGTH = 7;
/** Set in the first four bytes of a varint that is longer. */
const CONTINUED = 0x80808080 | 0;

const UNKNOWN = -1;
const REJECTED = -1;
const UNKNOWN_INITIAL = 1024;
const UNKNOWN_KEPT_MAX = 16 * 1024;
const GATHERED_KEPT_BYTES_MAX = 1024 * 1024;

/** The native histograms of a series that is not known yet. */
interface UnknownHistograms {
  readonly seriesStart: number;
  readonly seriesEnd: number;
  readonly count: number;
}

export class RemoteWrite1 {
  /** Of the last request: its series, and the native histograms in it that no SLO wants. */
  seriesCount: number;
  histogramCount: number;

  readonly #resolver: SeriesResolver;
  readonly #limits: IngestLimits;
  readonly #rejections: Rejections;
  readonly #newSeries: NewSeries;
  readonly #cursor: WireCursor;
  readonly #histogram: HistogramReader;
  #batch: SampleBatch;
  /** The form that was read last, from request to request; -1 after an unknown series. */
  #previousForm: number;
  /** Where its label bytes are; -1 when they are not in one piece, or it is not known. */
  #formStart: number;
  #formEnd: number;
  /** Who sends the rows from `#senderRow` on; written into the batch when another one begins. */
  #sender: number;
  #senderRow: number;
  /** By unknown series: where its label bytes are, whether in `#gathered`, and the rows that wait for it. */
  #unknownStart: Int32Array;
  #unknownEnd: Int32Array;
  #unknownInGathered: Uint8Array;
  #unknownFirstRow: Int32Array;
  #unknownEndRow: Int32Array;
  #unknownCount: number;
  /** By unknown series, where it has any. */
  readonly #unknownHistograms: Map<number, UnknownHistograms>;
  #unknownHistogramCount: number;
  /** Label fields that had other fields between them, brought together. */
  #gathered: Uint8Array;
  #gatheredLength: number;

  constructor(resolver: SeriesResolver, limits: IngestLimits, rejections: Rejections, ha: HaLabels | null = null) {
    this.seriesCount = 0;
    this.histogramCount = 0;
    this.#resolver = resolver;
    this.#limits = limits;
    this.#rejections = rejections;
    this.#newSeries = new NewSeries(resolver, limits, rejections, ha);
    this.#cursor = new WireCursor();
    this.#histogram = new HistogramReader(limits.histogramBucketsMax);
    this.#batch = new SampleBatch(0);
    this.#previousForm = -1;
    this.#formStart = -1;
    this.#formEnd = -1;
    this.#sender = 0;
    this.#senderRow = 0;
    this.#unknownStart = new Int32Array(UNKNOWN_INITIAL);
    this.#unknownEnd = new Int32Array(UNKNOWN_INITIAL);
    this.#unknownInGathered = new Uint8Array(UNKNOWN_INITIAL);
    this.#unknownFirstRow = new Int32Array(UNKNOWN_INITIAL);
    this.#unknownEndRow = new Int32Array(UNKNOWN_INITIAL);
    this.#unknownCount = 0;
    this.#unknownHistograms = new Map();
    this.#unknownHistogramCount = 0;
    this.#gathered = new Uint8Array(1024);
    this.#gatheredLength = 0;
  }

  /**
   * Fills the batch from `bytes[0, end)`; `view` is of the same bytes. Throws when the message is malformed or too
   * large, and has then registered nothing.
   */
  read(bytes: Uint8Array, view: DataView, end: number, batch: SampleBatch, kernel: Kernel | null = null): void {
    batch.clear();
    this.seriesCount = 0;
    this.histogramCount = 0;
    this.#batch = batch;
    this.#sender = 0;
    this.#senderRow = 0;
    this.#unknownCount = 0;
    // Clearing an empty map allocates.
    if (this.#unknownHistograms.size > 0) this.#unknownHistograms.clear();
    this.#unknownHistogramCount = 0;
    this.#gatheredLength = 0;
    // The engine may have been replaced since, with a smaller table.
    if (this.#previousForm >= this.#resolver.table.formCount) this.#previousForm = -1;
    const at = kernel === null ? 0 : this.#walkInKernel(kernel, bytes, view, end);
    this.#walk(bytes, view, at, end);
    if (batch.hasSenders) batch.senders.fill(this.#sender, this.#senderRow, batch.length);
    const { samplesPerRequestMax } = this.#limits;
    if (batch.length + this.#unknownHistogramCount > samplesPerRequestMax) {
      tooMany('too_many_samples', 'samples', samplesPerRequestMax);
    }
    if (this.#unknownCount > 0) this.#resolveUnknown(bytes, view);
    this.#trim();
  }

  /**
   * Reads what the kernel knows in the kernel, and every other series here. Returns where rows no longer fit its memory, or the
   * end.
   */
  #walkInKernel(kernel: Kernel, bytes: Uint8Array, view: DataView, end: number): number {
    const { seriesPerRequestMax, samplesPerRequestMax } = this.#limits;
    const batch = this.#batch;
    const { capacity } = batch;
    kernel.begin(this.#resolver.table);
    let at = 0;
    while (at < end && batch.capacity === capacity) {
      kernel.walk(end, seriesPerRequestMax, Math.min(capacity, samplesPerRequestMax));
      at = kernel.position;
      batch.length = kernel.rows;
      this.seriesCount = kernel.series;
      if (kernel.previousForm !== -1) this.#previousForm = kernel.previousForm;
      if (at === end) break;
      const { seriesCount } = this;
      at = this.#readMessage(bytes, view, at, end);
      if (this.seriesCount > seriesCount) {
        if (this.#formStart === -1) kernel.forget();
        else kernel.follow(this.#previousForm, this.#formStart, this.#formEnd);
      }
      kernel.resume(at, batch.length, this.seriesCount);
    }
    return at;
  }

  /** Reads a series, or skips whatever else begins at `at`. Returns its end. */
  #readMessage(bytes: Uint8Array, view: DataView, at: number, end: number): number {
    const cursor = this.#cursor;
    cursor.reset(bytes, at, end);
    const tag = cursor.tag();
    if (tag !== TIMESERIES_TAG) {
      cursor.skip(tag);
      return cursor.position;
    }
    const length = cursor.length();
    const start = cursor.position;
    const { seriesPerRequestMax } = this.#limits;
    if (++this.seriesCount > seriesPerRequestMax) tooMany('too_many_series', 'series', seriesPerRequestMax);
    this.#readSeries(bytes, view, start, start + length);
    return start + length;
  }

  #walk(bytes: Uint8Array, view: DataView, from: number, end: number): void {
    const { arena, arenaWords, formStart, formLength, seriesOf, formSender, successor } = this.#resolver.table;
    const { seriesPerRequestMax, samplesPerRequestMax } = this.#limits;
    const batch = this.#batch;
    const cursor = this.#cursor;
    let { seriesIds, timestampsMs, values, kinds } = batch;
    let rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
    let row = batch.length;
    let previous = this.#previousForm;
    let sender = this.#sender;
    let series = this.seriesCount;
    let at = from;
    while (at < end) {
      // A tag and a length of one or two bytes, the common case. Whatever else begins here is left to the cursor.
      let start = -1;
      let length = 0;
      if (at + 3 <= end && bytes[at] === TIMESERIES_TAG) {
        const low = bytes[at + 1]!;
        const high = bytes[at + 2]!;
        if (low < 0x80) {
          start = at + 2;
          length = low;
        } else if (high < 0x80) {
          start = at + 3;
          length = (low & 0x7f) | (high << 7);
        }
      }
      if (start === -1 || length > end - start) {
        cursor.reset(bytes, at, end);
        const tag = cursor.tag();
        if (tag !== TIMESERIES_TAG) {
          cursor.skip(tag);
          at = cursor.position;
          continue;
        }
        length = cursor.length();
        start = cursor.position;
      }
      const seriesEnd = start + length;
      at = seriesEnd;
      if (++series > seriesPerRequestMax) tooMany('too_many_series', 'series', seriesPerRequestMax);

      const form = previous === -1 ? -1 : successor[previous]!;
      let rowEnd = -1;
      if (
        form !== -1 &&
        formLength[form]! <= length &&
        equalBytes(arena, arenaWords, formStart[form]!, view, start, formLength[form]!)
      ) {
        const id = seriesOf[form]!;
        let field = start + formLength[form]!;
        rowEnd = row;
        while (field < seriesEnd) {
          let time = 0;
          if (seriesEnd - field >= 2 + SAMPLE_LENGTH && isFullSample(bytes, field)) time = field + 12;
          else if (seriesEnd - field >= 2 + ZERO_SAMPLE_LENGTH && isZeroSample(bytes, field)) time = field + 3;
          const timeWord = time === 0 ? 0 : view.getInt32(time, true);
          if (
            time === 0 ||
            (timeWord & CONTINUED) !== CONTINUED ||
            bytes[time + 4]! < 0x80 ||
            bytes[time + 5]! > 0x7f
          ) {
            rowEnd = -1;
            break;
          }
          if (rowEnd === rowsMax) {
            this.#reserveRow(rowEnd);
            ({ seriesIds, timestampsMs, values, kinds } = batch);
            rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
          }
          const timeLow =
            (timeWord & 0x7f) |
            ((timeWord >>> 1) & 0x3f80) |
            ((timeWord >>> 2) & 0x1fc000) |
            ((timeWord >>> 3) & 0xfe00000);
          const timeHigh = (bytes[time + 4]! & 0x7f) | (bytes[time + 5]! << 7);
          seriesIds[rowEnd] = id;
          timestampsMs[rowEnd] = timeHigh * 0x10000000 + timeLow;
          if (time === field + 3) {
            values[rowEnd] = 0;
            kinds[rowEnd] = SAMPLE_VALUE;
          } else {
            const stale = view.getInt32(field + 7, true) === STALE_HI && view.getInt32(field + 3, true) === STALE_LO;
            values[rowEnd] = view.getFloat64(field + 3, true);
            kinds[rowEnd] = stale ? SAMPLE_STALE : SAMPLE_VALUE;
          }
          rowEnd++;
          field = time + 6;
        }
      }
      if (rowEnd !== -1) {
        if (formSender[form] !== sender) {
          sender = formSender[form]!;
          this.#changeSender(row, sender);
        }
        row = rowEnd;
        previous = form;
      } else {
        batch.length = row;
        this.#previousForm = previous;
        this.#readSeries(bytes, view, start, seriesEnd);
        previous = this.#previousForm;
        sender = this.#sender;
        row = batch.length;
        ({ seriesIds, timestampsMs, values, kinds } = batch);
        rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
      }
    }
    batch.length = row;
    this.#previousForm = previous;
    this.seriesCount = series;
  }

  /** The rows from this one on come from another sender. */
  #changeSender(row: number, sender: number): void {
    const batch = this.#batch;
    batch.senders.fill(this.#sender, this.#senderRow, row);
    batch.hasSenders = true;
    this.#sender = sender;
    this.#senderRow = row;
  }

  /** Any legal layout of a series. */
  #readSeries(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const batch = this.#batch;
    const cursor = this.#cursor;
    const firstRow = batch.length;
    let labelsStart = start;
    let labelsEnd = start;
    let together = true;
    let histograms = 0;
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      const fieldStart = cursor.position;
      const tag = cursor.tag();
      if (tag === LABELS_TAG) {
        cursor.skip(tag);
        if (labelsEnd === labelsStart) labelsStart = fieldStart;
        else if (labelsEnd !== fieldStart) together = false;
        labelsEnd = cursor.position;
      } else if (tag === SAMPLES_TAG) {
        this.#readSample(view);
      } else {
        if (tag === HISTOGRAMS_TAG) histograms++;
        cursor.skip(tag);
      }
    }

    let source = bytes;
    if (!together) {
      labelsStart = this.#gatheredLength;
      labelsEnd = this.#gatherLabels(bytes, start, end);
      source = this.#gathered;
    }
    const { table } = this.#resolver;
    const form = table.findForm(source, labelsStart, labelsEnd);
    this.#formStart = form !== -1 && together ? labelsStart : -1;
    this.#formEnd = labelsEnd;
    if (form !== -1) {
      if (this.#previousForm !== -1) table.successor[this.#previousForm] = form;
      this.#previousForm = form;
      const id = table.seriesOf[form]!;
      const sender = table.formSender[form]!;
      if (sender !== this.#sender) this.#changeSender(firstRow, sender);
      for (let row = firstRow; row < batch.length; row++) batch.seriesIds[row] = id;
      if (histograms > 0) this.#addHistograms(bytes, view, start, end, id, histograms);
      return;
    }
    // Label bytes that are known were checked when they were met.
    this.#checkUnknown(bytes, view, start, end);
    this.#previousForm = -1;
    if (batch.length === firstRow && histograms === 0) return;
    if (!together) this.#gatheredLength = labelsEnd;
    if (histograms > 0) {
      this.#unknownHistograms.set(this.#unknownCount, { seriesStart: start, seriesEnd: end, count: histograms });
      this.#unknownHistogramCount += histograms;
    }
    this.#addUnknown(labelsStart, labelsEnd, together ? 0 : 1, firstRow, batch.length);
  }

  /** Reads a sample message at the cursor into a row whose series is not known yet. */
  #readSample(view: DataView): void {
    const batch = this.#batch;
    const cursor = this.#cursor;
    const seriesEnd = cursor.end;
    const length = cursor.length();
    cursor.end = cursor.position + length;
    let valueLo = 0;
    let valueHi = 0;
    let valueAt = -1;
    let timeLo = 0;
    let timeHi = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.tag();
      const at = cursor.position;
      cursor.skip(tag);
      if (tag === VALUE_TAG) {
        valueAt = at;
        valueLo = view.getInt32(at, true);
        valueHi = view.getInt32(at + 4, true);
      } else if (tag === TIMESTAMP_TAG) {
        timeLo = cursor.lo;
        timeHi = cursor.hi;
      }
    }
    cursor.end = seriesEnd;
    const row = batch.length;
    this.#reserveRow(row);
    batch.seriesIds[row] = UNKNOWN;
    batch.timestampsMs[row] = timeHi * 0x100000000 + (timeLo >>> 0);
    batch.values[row] = valueAt === -1 ? 0 : view.getFloat64(valueAt, true);
    batch.kinds[row] = valueLo === STALE_LO && valueHi === STALE_HI ? SAMPLE_STALE : SAMPLE_VALUE;
    batch.length = row + 1;
  }

  /** Reads the native histograms of a series into rows, if an SLO wants them. */
  #addHistograms(bytes: Uint8Array, view: DataView, start: number, end: number, id: number, count: number): void {
    if (!this.#resolver.wantsHistograms(id)) {
      this.histogramCount += count;
      return;
    }
    const batch = this.#batch;
    const cursor = this.#cursor;
    const histogram = this.#histogram;
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag !== HISTOGRAMS_TAG) {
        cursor.skip(tag);
        continue;
      }
      this.#scanHistogram(view);
      this.#reserveRow(batch.length);
      if (histogram.isStale) {
        batch.push(id, histogram.timestampMs, Number.NaN, SAMPLE_STALE);
        continue;
      }
      const built = histogram.build();
      if (built !== null) batch.pushHistogram(id, histogram.timestampMs, built, 0);
      else this.#rejectHistogram(id);
    }
  }

  /** Reads a histogram message at the cursor. */
  #scanHistogram(view: DataView): void {
    const cursor = this.#cursor;
    const seriesEnd = cursor.end;
    const length = cursor.length();
    cursor.end = cursor.position + length;
    this.#histogram.scan(cursor, view);
    cursor.end = seriesEnd;
  }

  #rejectHistogram(id: number): void {
    const rejections = this.#rejections;
    rejections.samples.invalid_histogram++;
    if (!rejections.wantsExample) return;
    const labels = this.#resolver.table.labelBytes(id);
    rejections.addExample(`${this.#histogram.problem}: ${formatSeries(decodeLabels(labels, 0, labels.length))}`);
  }

  #reserveRow(row: number): void {
    const { samplesPerRequestMax } = this.#limits;
    if (row >= samplesPerRequestMax) tooMany('too_many_samples', 'samples', samplesPerRequestMax);
    if (row < this.#batch.capacity) return;
    this.#batch.length = row;
    this.#batch.reserve(row + 1);
  }

  /**
   * Appends the label fields of a series to `#gathered` and returns their end there. The caller keeps or drops them.
   */
  #gatherLabels(bytes: Uint8Array, start: number, end: number): number {
    const cursor = this.#cursor;
    let to = this.#gatheredLength;
    if (to + end - start > this.#gathered.length) {
      const gathered = new Uint8Array(2 * (to + end - start));
      gathered.set(this.#gathered);
      this.#gathered = gathered;
    }
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      const fieldStart = cursor.position;
      const tag = cursor.tag();
      cursor.skip(tag);
      if (tag !== LABELS_TAG) continue;
      for (let i = fieldStart; i < cursor.position; i++) this.#gathered[to++] = bytes[i]!;
    }
    return to;
  }

  /** Looks into the labels and histograms of a series, whose fields are known to be well-formed. */
  #checkUnknown(bytes: Uint8Array, view: DataView, start: number, end: number): void {
    const cursor = this.#cursor;
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag === HISTOGRAMS_TAG) {
        this.#scanHistogram(view);
        continue;
      }
      if (tag !== LABELS_TAG) {
        cursor.skip(tag);
        continue;
      }
      const length = cursor.length();
      const labelEnd = cursor.position + length;
      cursor.end = labelEnd;
      while (cursor.position < labelEnd) cursor.skip(cursor.tag());
      cursor.end = end;
    }
  }

  #addUnknown(start: number, end: number, inGathered: number, firstRow: number, endRow: number): void {
    if (this.#unknownCount === this.#unknownStart.length) this.#resizeUnknown(2 * this.#unknownCount);
    const i = this.#unknownCount++;
    this.#unknownStart[i] = start;
    this.#unknownEnd[i] = end;
    this.#unknownInGathered[i] = inGathered;
    this.#unknownFirstRow[i] = firstRow;
    this.#unknownEndRow[i] = endRow;
  }

  #resizeUnknown(size: number): void {
    const kept = Math.min(size, this.#unknownCount);
    const resized = <T extends Int32Array | Uint8Array>(from: T, to: T): T => {
      to.set(from.subarray(0, kept));
      return to;
    };
    this.#unknownStart = resized(this.#unknownStart, new Int32Array(size));
    this.#unknownEnd = resized(this.#unknownEnd, new Int32Array(size));
    this.#unknownInGathered = resized(this.#unknownInGathered, new Uint8Array(size));
    this.#unknownFirstRow = resized(this.#unknownFirstRow, new Int32Array(size));
    this.#unknownEndRow = resized(this.#unknownEndRow, new Int32Array(size));
  }

  /** Meets the unknown series in their order and gives their rows an id; rows of rejected ones are taken out. */
  #resolveUnknown(bytes: Uint8Array, view: DataView): void {
    const batch = this.#batch;
    let rejected = false;
    for (let i = 0; i < this.#unknownCount; i++) {
      const firstRow = this.#unknownFirstRow[i]!;
      const endRow = this.#unknownEndRow[i]!;
      const source = this.#unknownInGathered[i] === 1 ? this.#gathered : bytes;
      const histograms = this.#unknownHistograms.get(i);
      const samples = endRow - firstRow + (histograms?.count ?? 0);
      const id = this.#newSeries.resolve(source, this.#unknownStart[i]!, this.#unknownEnd[i]!, samples);
      for (let row = firstRow; row < endRow; row++) batch.seriesIds[row] = id;
      if (id === REJECTED) {
        rejected = true;
        continue;
      }
      batch.setSender(firstRow, endRow, this.#newSeries.sender);
      if (histograms === undefined) continue;
      // Behind all others: the order of rows means something within a series only.
      const firstHistogram = batch.length;
      this.#addHistograms(bytes, view, histograms.seriesStart, histograms.seriesEnd, id, histograms.count);
      batch.setSender(firstHistogram, batch.length, this.#newSeries.sender);
    }
    if (!rejected) return;
    let kept = 0;
    for (let row = 0; row < batch.length; row++) {
      if (batch.seriesIds[row] !== REJECTED) batch.move(row, kept++);
    }
    batch.length = kept;
  }

  /** A giant request must not hold its memory for ever. */
  #trim(): void {
    this.#unknownCount = 0;
    if (this.#unknownHistograms.size > 0) this.#unknownHistograms.clear();
    if (this.#unknownStart.length > UNKNOWN_KEPT_MAX) this.#resizeUnknown(UNKNOWN_INITIAL);
    if (this.#gathered.length > GATHERED_KEPT_BYTES_MAX) this.#gathered = new Uint8Array(1024);
  }
}

function tooMany(code: 'too_many_series' | 'too_many_samples', what: string, max: number): never {
  throw new IngestError(code, `the request has more than ${max} ${what}`);
}

function isFullSample(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === SAMPLES_TAG &&
    bytes[at + 1] === SAMPLE_LENGTH &&
    bytes[at + 2] === VALUE_TAG &&
    bytes[at + 11] === TIMESTAMP_TAG
  );
}

function isZeroSample(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === SAMPLES_TAG && bytes[at + 1] === ZERO_SAMPLE_LENGTH && bytes[at + 2] === TIMESTAMP_TAG;
}
