import { SAMPLE_STALE, SAMPLE_STARTED, SAMPLE_VALUE, SampleBatch } from '../engine/batch.ts';
import { decodeLabels, formatSeries, varintSize } from '../engine/label-set.ts';
import type { SeriesTable } from '../engine/series-table.ts';
import { IngestError } from './errors.ts';
import { HistogramReader } from './histogram.ts';
import type { IngestLimits } from './limits.ts';
import { type HaLabels, NewSeries, type SeriesResolver } from './new-series.ts';
import type { Rejections } from './rejections.ts';
import { SymbolTuples } from './symbol-tuples.ts';
import { malformed, WireCursor } from './wire.ts';

/**
 * The walk over a decompressed `io.prometheus.write.v2.Request`.
 *
 * First the symbols and series are found, because fields may come in any order. Fast path: a series whose labels are those
 * of the predicted tuple, and whose samples look as Prometheus writes them. Every other legal layout takes `#readSeries`.
 * Series that are not known become provisional rows; they are met only when the whole message proved well-formed, and for
 * that their labels are written out as remote write 1.0 has them, so that both protocols know them by the same bytes.
 */

const SYMBOLS_TAG = 0x22;
const TIMESERIES_TAG = 0x2a;

const LABELS_REFS_TAG = 0x0a;
const LABELS_REF_TAG = 0x08;
const SAMPLES_TAG = 0x12;
const HISTOGRAMS_TAG = 0x1a;
const EXEMPLARS_TAG = 0x22;
const METADATA_TAG = 0x2a;
/** Of the release candidate 3, which Prometheus sent before 3.8: the start of all samples of the series. */
const CREATED_TIMESTAMP_TAG = 0x30;

const VALUE_TAG = 0x09;
const TIMESTAMP_TAG = 0x10;
const START_TIMESTAMP_TAG = 0x18;

/** The bits 0x7ff0000000000002. They are a signalling NaN, which does not survive as a number. */
const STALE_LO = 2;
const STALE_HI = 0x7ff00000;

/** The tag and the bytes of a value, and of a timestamp of our times. */
const VALUE_LENGTH = 9;
const TIME_LENGTH = 7;
/** Set in the first four bytes of a varint that is longer. */
const CONTINUED = 0x80808080 | 0;

/** References to these have at most three bytes. */
const SYMBOLS_OF_THREE_BYTES = 2 ** 21;

const UNKNOWN = -1;
const REJECTED = -1;
/** In `#numberOf`: a symbol that was not looked up in this request. */
const UNREAD = -2;

const COLUMN_INITIAL = 1024;
const COLUMN_KEPT_MAX = 64 * 1024;
const LABEL_BYTES_INITIAL = 1024;
const LABEL_BYTES_KEPT_MAX = 1024 * 1024;

const LABEL_TAG = 0x0a;
const LABEL_NAME_TAG = 0x0a;
const LABEL_VALUE_TAG = 0x12;

/** What a request holds, as its sender counts it. */
export interface ItemCounts {
  samples: number;
  histograms: number;
  exemplars: number;
}

export class RemoteWrite2 {
  /** Of the last request: its series, and the native histograms in it that no SLO wants. */
  seriesCount: number;
  histogramCount: number;
  /** What was received and not rejected. */
  readonly valid: ItemCounts;

  readonly #resolver: SeriesResolver;
  readonly #limits: IngestLimits;
  readonly #rejections: Rejections;
  readonly #newSeries: NewSeries;
  readonly #cursor: WireCursor;
  readonly #histogram: HistogramReader;
  readonly #known: SymbolTuples;
  /** The table that `#known` was learnt from. */
  #table: SeriesTable;
  #batch: SampleBatch;
  /** By symbol of the request: where its text is, and its number in `#known`; -1 when unknown there. */
  #symbolStart: Int32Array;
  #symbolEnd: Int32Array;
  #numberOf: Int32Array;
  #symbolCount: number;
  #seriesStart: Int32Array;
  #seriesEnd: Int32Array;
  /** The tuple that was read last, from request to request; -1 after an unknown series. */
  #previousTuple: number;
  /** Who sends the rows from `#senderRow` on; written into the batch when another one begins. */
  #sender: number;
  #senderRow: number;
  /** Rows that are histograms. */
  #histogramRows: number;
  /** Length of the labels of all series if remote write 1.0 had brought them. */
  #labelBytes: number;
  /** By unknown series: its number in the request, and the rows that wait for it. */
  #unknownSeries: Int32Array;
  #unknownFirstRow: Int32Array;
  #unknownEndRow: Int32Array;
  #unknownCount: number;
  #unknownHistogramCount: number;
  /** Of the series that was scanned last. References beyond those that may be are counted only. */
  #refs: Int32Array;
  #refCount: number;
  #badRef: number;
  #histograms: number;
  #exemplars: number;
  #createdMs: number;
  /** Labels as remote write 1.0 writes them. */
  #labels: Uint8Array;

  constructor(
    resolver: SeriesResolver,
    limits: IngestLimits,
    rejections: Rejections,
    ha: HaLabels | null = null,
    known: SymbolTuples = new SymbolTuples(),
  ) {
    this.seriesCount = 0;
    this.histogramCount = 0;
    this.valid = { samples: 0, histograms: 0, exemplars: 0 };
    this.#resolver = resolver;
    this.#limits = limits;
    this.#rejections = rejections;
    this.#newSeries = new NewSeries(resolver, limits, rejections, ha);
    this.#cursor = new WireCursor();
    this.#histogram = new HistogramReader(limits.histogramBucketsMax);
    this.#known = known;
    this.#table = resolver.table;
    this.#batch = new SampleBatch(0);
    this.#symbolStart = new Int32Array(COLUMN_INITIAL);
    this.#symbolEnd = new Int32Array(COLUMN_INITIAL);
    this.#numberOf = new Int32Array(COLUMN_INITIAL);
    this.#symbolCount = 0;
    this.#seriesStart = new Int32Array(COLUMN_INITIAL);
    this.#seriesEnd = new Int32Array(COLUMN_INITIAL);
    this.#previousTuple = -1;
    this.#sender = 0;
    this.#senderRow = 0;
    this.#histogramRows = 0;
    this.#labelBytes = 0;
    this.#unknownSeries = new Int32Array(COLUMN_INITIAL);
    this.#unknownFirstRow = new Int32Array(COLUMN_INITIAL);
    this.#unknownEndRow = new Int32Array(COLUMN_INITIAL);
    this.#unknownCount = 0;
    this.#unknownHistogramCount = 0;
    // One label more than there may be, which is what NewSeries refuses.
    this.#refs = new Int32Array(2 * limits.labelsMax + 2);
    this.#refCount = 0;
    this.#badRef = -1;
    this.#histograms = 0;
    this.#exemplars = 0;
    this.#createdMs = 0;
    this.#labels = new Uint8Array(LABEL_BYTES_INITIAL);
    known.reserveWords(this.#refs.length);
  }

  /**
   * Fills the batch from `bytes[0, end)`; `view` is of the same bytes. Throws when the message is malformed or too large,
   * and has then registered nothing.
   */
  read(bytes: Uint8Array, view: DataView, end: number, batch: SampleBatch): void {
    const { samplesPerRequestMax, decodedBytesMax } = this.#limits;
    batch.clear();
    this.#begin(batch);
    this.#findSymbolsAndSeries(bytes, end);
    this.#walk(bytes, view);
    if (batch.hasSenders) batch.senders.fill(this.#sender, this.#senderRow, batch.length);
    if (batch.length + this.#unknownHistogramCount > samplesPerRequestMax) {
      tooMany('too_many_samples', 'samples', samplesPerRequestMax);
    }
    if (this.#labelBytes > decodedBytesMax) {
      const what = `the labels of the request have ${this.#labelBytes} bytes when they are written out`;
      throw new IngestError('decoded_too_large', `${what}, the limit is ${decodedBytesMax}`);
    }
    this.valid.samples += batch.length - this.#histogramRows;
    if (this.#unknownCount > 0) this.#resolveUnknown(bytes, view);
    this.#trim();
  }

  #begin(batch: SampleBatch): void {
    const { valid } = this;
    this.seriesCount = 0;
    this.histogramCount = 0;
    valid.samples = 0;
    valid.histograms = 0;
    valid.exemplars = 0;
    this.#batch = batch;
    this.#symbolCount = 0;
    this.#sender = 0;
    this.#senderRow = 0;
    this.#histogramRows = 0;
    this.#labelBytes = 0;
    this.#unknownCount = 0;
    this.#unknownHistogramCount = 0;
    const { table } = this.#resolver;
    if (table === this.#table) return;
    // The engine was replaced.
    this.#table = table;
    this.#forget();
  }

  #forget(): void {
    this.#known.clear();
    this.#previousTuple = -1;
    this.#numberOf.fill(UNREAD, 0, this.#symbolCount);
  }

  #findSymbolsAndSeries(bytes: Uint8Array, end: number): void {
    const { seriesPerRequestMax, symbolsPerRequestMax } = this.#limits;
    const cursor = this.#cursor;
    let { seriesCount } = this;
    let symbolCount = 0;
    let at = 0;
    while (at < end) {
      const first = bytes[at]!;
      let isSymbol = first === SYMBOLS_TAG;
      let start = -1;
      let length = 0;
      // A tag and a length of one or two bytes, the common case. Whatever else begins here is left to the cursor.
      if (at + 3 <= end && (isSymbol || first === TIMESERIES_TAG)) {
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
        if (tag !== SYMBOLS_TAG && tag !== TIMESERIES_TAG) {
          cursor.skip(tag);
          at = cursor.position;
          continue;
        }
        isSymbol = tag === SYMBOLS_TAG;
        length = cursor.length();
        start = cursor.position;
      }
      at = start + length;
      if (isSymbol) {
        if (symbolCount === symbolsPerRequestMax) tooMany('too_many_symbols', 'symbols', symbolsPerRequestMax);
        if (symbolCount === this.#symbolStart.length) this.#resizeSymbols(2 * symbolCount);
        this.#symbolStart[symbolCount] = start;
        this.#symbolEnd[symbolCount++] = at;
      } else {
        if (seriesCount === seriesPerRequestMax) tooMany('too_many_series', 'series', seriesPerRequestMax);
        if (seriesCount === this.#seriesStart.length) this.#resizeSeries(2 * seriesCount);
        this.#seriesStart[seriesCount] = start;
        this.#seriesEnd[seriesCount++] = at;
      }
    }
    this.seriesCount = seriesCount;
    this.#symbolCount = symbolCount;
    this.#numberOf.fill(UNREAD, 0, symbolCount);
    if (symbolCount > 0 && this.#symbolStart[0] !== this.#symbolEnd[0]) {
      malformed(this.#symbolStart[0]!, 'the first symbol is not the empty text');
    }
  }

  #walk(bytes: Uint8Array, view: DataView): void {
    const { tuples, seriesOf, senderOf, labelBytesOf } = this.#known;
    const { arenaWords, formStart, formLength, successor } = tuples;
    const { samplesPerRequestMax } = this.#limits;
    const { seriesCount } = this;
    const batch = this.#batch;
    const numberOf = this.#numberOf;
    const lastSymbol = Math.min(this.#symbolCount, SYMBOLS_OF_THREE_BYTES) - 1;
    // The column's length is a power of two.
    const mask = numberOf.length - 1;
    const seriesStart = this.#seriesStart;
    const seriesEnd = this.#seriesEnd;
    let { seriesIds, timestampsMs, values, kinds, startsMs } = batch;
    let rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
    let row = 0;
    let previous = this.#previousTuple;
    let sender = 0;
    let labelBytes = 0;
    for (let series = 0; series < seriesCount; series++) {
      const start = seriesStart[series]!;
      const end = seriesEnd[series]!;
      const tuple = previous === -1 ? -1 : successor[previous]!;
      // Where its references end, or -1 when they are not those of the predicted tuple.
      let field = -1;
      if (tuple !== -1 && end - start >= 2 && bytes[start] === LABELS_REFS_TAG && bytes[start + 1]! < 0x80) {
        let at = start + 2;
        const refsEnd = at + bytes[start + 1]!;
        let word = formStart[tuple]! >> 2;
        const wordsEnd = word + (formLength[tuple]! >> 2);
        let differing = 0;
        let last = lastSymbol;
        if (refsEnd <= end) {
          while (at < refsEnd && word < wordsEnd) {
            let ref = bytes[at++]!;
            // What is cut off takes `at` beyond `refsEnd`; what is longer than three bytes is beyond every symbol.
            if (ref >= 0x80) {
              ref = (ref & 0x7f) | (bytes[at++]! << 7);
              if (ref >= 0x4000) ref = (ref & 0x3fff) | (bytes[at++]! << 14);
            }
            // Negative from the first reference on that is beyond every symbol.
            last |= lastSymbol - ref;
            differing |= numberOf[ref & mask]! ^ arenaWords[word++]!;
          }
          if (at === refsEnd && word === wordsEnd && last >= 0) {
            if (differing === 0 || this.#isTuple(bytes, start + 2, refsEnd, tuple)) field = refsEnd;
          }
        }
      }
      let rowEnd = row;
      while (field !== -1 && field < end) {
        if (end - field < 2) {
          field = -1;
          break;
        }
        const tag = bytes[field]!;
        const length = bytes[field + 1]!;
        let at = field + 2;
        const next = at + length;
        field = length < 0x80 && next <= end ? next : -1;
        if (field === -1 || tag === METADATA_TAG) continue;
        if (tag !== SAMPLES_TAG) {
          field = -1;
          break;
        }
        if (rowEnd === rowsMax) {
          this.#reserveRow(rowEnd);
          ({ seriesIds, timestampsMs, values, kinds, startsMs } = batch);
          rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
        }
        let kind = SAMPLE_VALUE;
        if (length >= VALUE_LENGTH && bytes[at] === VALUE_TAG) {
          if (view.getInt32(at + 5, true) === STALE_HI && view.getInt32(at + 1, true) === STALE_LO) kind = SAMPLE_STALE;
          values[rowEnd] = view.getFloat64(at + 1, true);
          at += VALUE_LENGTH;
        } else {
          values[rowEnd] = 0;
        }
        if (!isTime(bytes, view, at, next, TIMESTAMP_TAG)) {
          field = -1;
          break;
        }
        const timeWord = view.getInt32(at + 1, true);
        const timeHigh = (bytes[at + 5]! & 0x7f) | (bytes[at + 6]! << 7);
        timestampsMs[rowEnd] = timeHigh * 0x10000000 + low28(timeWord);
        at += TIME_LENGTH;
        if (at < next) {
          if (next - at !== TIME_LENGTH || !isTime(bytes, view, at, next, START_TIMESTAMP_TAG)) {
            field = -1;
            break;
          }
          const startWord = view.getInt32(at + 1, true);
          const startHigh = (bytes[at + 5]! & 0x7f) | (bytes[at + 6]! << 7);
          startsMs[rowEnd] = startHigh * 0x10000000 + low28(startWord);
          if (kind === SAMPLE_VALUE) kind = SAMPLE_STARTED;
        }
        kinds[rowEnd++] = kind;
      }
      if (field !== -1) {
        if (senderOf[tuple] !== sender) {
          sender = senderOf[tuple]!;
          this.#changeSender(row, sender);
        }
        const id = seriesOf[tuple]!;
        for (; row < rowEnd; row++) seriesIds[row] = id;
        labelBytes += labelBytesOf[tuple]!;
        previous = tuple;
      } else {
        batch.length = row;
        this.#previousTuple = previous;
        this.#readSeries(bytes, view, series);
        previous = this.#previousTuple;
        sender = this.#sender;
        row = batch.length;
        ({ seriesIds, timestampsMs, values, kinds, startsMs } = batch);
        rowsMax = Math.min(seriesIds.length, samplesPerRequestMax);
      }
    }
    batch.length = row;
    this.#previousTuple = previous;
    this.#labelBytes += labelBytes;
  }

  /** Whether references, which are well-formed and few, are those of a tuple, some of whose symbols were not looked up yet. */
  #isTuple(bytes: Uint8Array, start: number, end: number, tuple: number): boolean {
    const { tuples, symbols } = this.#known;
    const cursor = this.#cursor;
    cursor.reset(bytes, start, end);
    for (let word = tuples.formStart[tuple]! >> 2; cursor.position < end; word++) {
      cursor.varint();
      const ref = cursor.lo;
      const number = tuples.arenaWords[word]!;
      if (this.#numberOf[ref] === number) continue;
      if (!symbols.formEquals(number, bytes, this.#symbolStart[ref]!, this.#symbolEnd[ref]!)) return false;
      this.#numberOf[ref] = number;
    }
    return true;
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
  #readSeries(bytes: Uint8Array, view: DataView, series: number): void {
    const batch = this.#batch;
    const { valid } = this;
    const firstRow = batch.length;
    this.#scanSeries(bytes, view, series, true);
    const createdMs = this.#createdMs;
    const histograms = this.#histograms;
    valid.histograms += histograms;
    valid.exemplars += this.#exemplars;
    const isUsable = this.#badRef === -1 && this.#refCount % 2 === 0;
    // Exemplars are not read, so nobody needs to know whose they are. Prometheus sends each as a series of its own.
    if (batch.length === firstRow && histograms === 0) {
      if (!isUsable && this.#exemplars > 0) this.#addUnknown(series, firstRow, firstRow);
      return;
    }
    if (createdMs !== 0) {
      for (let row = firstRow; row < batch.length; row++) {
        if (batch.kinds[row] !== SAMPLE_VALUE) continue;
        batch.kinds[row] = SAMPLE_STARTED;
        batch.startsMs[row] = createdMs;
      }
    }

    const known = this.#known;
    const tuple = isUsable && this.#numberRefs(bytes) ? known.find(this.#refCount) : -1;
    if (tuple === -1) {
      if (isUsable) this.#labelBytes += this.#labelLength();
      this.#checkHistograms(bytes, view, series);
      this.#previousTuple = -1;
      this.#unknownHistogramCount += histograms;
      this.#addUnknown(series, firstRow, batch.length);
      return;
    }
    if (this.#previousTuple !== -1) known.tuples.successor[this.#previousTuple] = tuple;
    this.#previousTuple = tuple;
    this.#labelBytes += known.labelBytesOf[tuple]!;
    const id = known.seriesOf[tuple]!;
    const sender = known.senderOf[tuple]!;
    if (sender !== this.#sender) this.#changeSender(firstRow, sender);
    for (let row = firstRow; row < batch.length; row++) batch.seriesIds[row] = id;
    if (histograms > 0) this.#addHistograms(bytes, view, series, id);
  }

  /** Reads the fields of a series; its samples into rows that belong to no series yet, or not at all. */
  #scanSeries(bytes: Uint8Array, view: DataView, series: number, withSamples: boolean): void {
    const cursor = this.#cursor;
    const end = this.#seriesEnd[series]!;
    this.#refCount = 0;
    this.#badRef = -1;
    this.#histograms = 0;
    this.#exemplars = 0;
    this.#createdMs = 0;
    cursor.reset(bytes, this.#seriesStart[series]!, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag === LABELS_REFS_TAG) {
        const refsEnd = cursor.length() + cursor.position;
        cursor.end = refsEnd;
        while (cursor.position < refsEnd) this.#readRef();
        cursor.end = end;
      } else if (tag === LABELS_REF_TAG) {
        this.#readRef();
      } else if (tag === SAMPLES_TAG && withSamples) {
        this.#readSample(view);
      } else {
        cursor.skip(tag);
        if (tag === HISTOGRAMS_TAG) this.#histograms++;
        else if (tag === EXEMPLARS_TAG) this.#exemplars++;
        else if (tag === CREATED_TIMESTAMP_TAG) this.#createdMs = cursor.hi * 0x100000000 + (cursor.lo >>> 0);
      }
    }
  }

  #readRef(): void {
    const cursor = this.#cursor;
    cursor.varint();
    const ref = cursor.lo >>> 0;
    if (ref >= this.#symbolCount && this.#badRef === -1) this.#badRef = ref;
    if (this.#refCount < this.#refs.length) this.#refs[this.#refCount] = ref;
    this.#refCount++;
  }

  /** Reads a sample message at the cursor into a row whose series is not known yet. */
  #readSample(view: DataView): void {
    const batch = this.#batch;
    const cursor = this.#cursor;
    const seriesEnd = cursor.end;
    const length = cursor.length();
    cursor.end = cursor.position + length;
    let valueAt = -1;
    let stale = false;
    let timeMs = 0;
    let startMs = 0;
    while (cursor.position < cursor.end) {
      const tag = cursor.tag();
      const at = cursor.position;
      cursor.skip(tag);
      if (tag === VALUE_TAG) {
        valueAt = at;
        stale = view.getInt32(at, true) === STALE_LO && view.getInt32(at + 4, true) === STALE_HI;
      } else if (tag === TIMESTAMP_TAG) {
        timeMs = cursor.hi * 0x100000000 + (cursor.lo >>> 0);
      } else if (tag === START_TIMESTAMP_TAG) {
        startMs = cursor.hi * 0x100000000 + (cursor.lo >>> 0);
      }
    }
    cursor.end = seriesEnd;
    this.#reserveRow(batch.length);
    const value = valueAt === -1 ? 0 : view.getFloat64(valueAt, true);
    const kind = stale ? SAMPLE_STALE : startMs !== 0 ? SAMPLE_STARTED : SAMPLE_VALUE;
    batch.pushStarted(UNKNOWN, timeMs, value, kind, startMs);
  }

  /** Fills the words of the tuple. False when one of the symbols is not of any known series. */
  #numberRefs(bytes: Uint8Array): boolean {
    const { words, symbols } = this.#known;
    const refs = this.#refs;
    const numberOf = this.#numberOf;
    const count = this.#refCount;
    if (count > refs.length) return false;
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      if (numberOf[ref] === UNREAD) {
        numberOf[ref] = symbols.find(bytes, this.#symbolStart[ref]!, this.#symbolEnd[ref]!);
      }
      if (numberOf[ref]! < 0) return false;
      words[i] = numberOf[ref]!;
    }
    return true;
  }

  /** Reads the native histograms of a series into rows, if an SLO wants them. */
  #addHistograms(bytes: Uint8Array, view: DataView, series: number, id: number): void {
    if (!this.#resolver.wantsHistograms(id)) {
      this.histogramCount += this.#histograms;
      return;
    }
    const batch = this.#batch;
    const cursor = this.#cursor;
    const histogram = this.#histogram;
    const createdMs = this.#createdMs;
    const end = this.#seriesEnd[series]!;
    const firstRow = batch.length;
    cursor.reset(bytes, this.#seriesStart[series]!, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag !== HISTOGRAMS_TAG) {
        cursor.skip(tag);
        continue;
      }
      this.#scanHistogram(view);
      this.#reserveRow(batch.length);
      const { timestampMs, startMs } = histogram;
      if (histogram.isStale) {
        batch.push(id, timestampMs, Number.NaN, SAMPLE_STALE);
        continue;
      }
      const built = histogram.build();
      if (built !== null) batch.pushHistogram(id, timestampMs, built, startMs === 0 ? createdMs : startMs);
      else this.#rejectHistogram(id);
    }
    this.#histogramRows += batch.length - firstRow;
  }

  /** Looks into the histograms of a series that is not known, and perhaps wanted. */
  #checkHistograms(bytes: Uint8Array, view: DataView, series: number): void {
    if (this.#histograms === 0) return;
    const cursor = this.#cursor;
    const end = this.#seriesEnd[series]!;
    cursor.reset(bytes, this.#seriesStart[series]!, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      if (tag === HISTOGRAMS_TAG) this.#scanHistogram(view);
      else cursor.skip(tag);
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
    this.valid.histograms--;
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

  #addUnknown(series: number, firstRow: number, endRow: number): void {
    if (this.#unknownCount === this.#unknownSeries.length) this.#resizeUnknown(2 * this.#unknownCount);
    const i = this.#unknownCount++;
    this.#unknownSeries[i] = series;
    this.#unknownFirstRow[i] = firstRow;
    this.#unknownEndRow[i] = endRow;
  }

  /** Meets the unknown series in their order and gives their rows an id; rows of rejected ones are taken out. */
  #resolveUnknown(bytes: Uint8Array, view: DataView): void {
    const batch = this.#batch;
    const { valid } = this;
    let rejected = false;
    for (let i = 0; i < this.#unknownCount; i++) {
      const series = this.#unknownSeries[i]!;
      const firstRow = this.#unknownFirstRow[i]!;
      const endRow = this.#unknownEndRow[i]!;
      this.#scanSeries(bytes, view, series, false);
      const id = this.#meet(bytes, endRow - firstRow + this.#histograms);
      for (let row = firstRow; row < endRow; row++) batch.seriesIds[row] = id;
      if (id === REJECTED) {
        rejected = true;
        valid.samples -= endRow - firstRow;
        valid.histograms -= this.#histograms;
        valid.exemplars -= this.#exemplars;
        continue;
      }
      batch.setSender(firstRow, endRow, this.#newSeries.sender);
      if (this.#histograms === 0) continue;
      // Behind all others: the order of rows means something within a series only.
      const firstHistogram = batch.length;
      this.#addHistograms(bytes, view, series, id);
      batch.setSender(firstHistogram, batch.length, this.#newSeries.sender);
    }
    if (!rejected) return;
    let kept = 0;
    for (let row = 0; row < batch.length; row++) {
      if (batch.seriesIds[row] !== REJECTED) batch.move(row, kept++);
    }
    batch.length = kept;
  }

  /** The id of the series that was scanned last, REJECTED when it cannot be used. */
  #meet(bytes: Uint8Array, samples: number): number {
    const refCount = this.#refCount;
    if (this.#badRef !== -1) {
      return this.#rejectRefs(samples, `a label reference of ${this.#badRef}, there are ${this.#symbolCount} symbols`);
    }
    if (refCount % 2 !== 0) return this.#rejectRefs(samples, `${refCount} label references, which is no even number`);
    const length = this.#writeLabels(bytes);
    const id = this.#newSeries.resolve(this.#labels, 0, length, samples);
    if (id !== REJECTED) this.#remember(bytes, id, length);
    return id;
  }

  /** What is rejected of a series without samples are its exemplars. */
  #rejectRefs(samples: number, what: string): number {
    const rejections = this.#rejections;
    rejections.samples.invalid_label_refs += samples === 0 ? this.#exemplars : samples;
    rejections.addExample(what);
    return REJECTED;
  }

  #remember(bytes: Uint8Array, id: number, labelBytes: number): void {
    const known = this.#known;
    for (let i = 0; i < this.#refCount; i++) {
      const ref = this.#refs[i]!;
      if (this.#numberOf[ref]! < 0) {
        const start = this.#symbolStart[ref]!;
        const end = this.#symbolEnd[ref]!;
        const present = known.symbols.find(bytes, start, end);
        this.#numberOf[ref] = present !== -1 ? present : known.symbols.insert(bytes, start, end);
      }
      if (this.#numberOf[ref] === -1) {
        this.#forget();
        return;
      }
      known.words[i] = this.#numberOf[ref]!;
    }
    if (!known.add(this.#refCount, id, this.#newSeries.sender, labelBytes)) this.#forget();
  }

  /** How long the labels that were scanned last are in remote write 1.0. */
  #labelLength(): number {
    const count = Math.min(this.#refCount, this.#refs.length);
    let length = 0;
    for (let i = 0; i < count; i += 2) {
      const fields = this.#fieldLength(this.#refs[i]!) + this.#fieldLength(this.#refs[i + 1]!);
      length += 1 + varintSize(fields) + fields;
    }
    return length;
  }

  #fieldLength(ref: number): number {
    const length = this.#symbolEnd[ref]! - this.#symbolStart[ref]!;
    return 1 + varintSize(length) + length;
  }

  /** Writes the labels that were scanned last as the label fields of remote write 1.0. Returns their length. */
  #writeLabels(bytes: Uint8Array): number {
    const length = this.#labelLength() + 2;
    if (length > this.#labels.length) this.#labels = new Uint8Array(2 * length);
    const count = Math.min(this.#refCount, this.#refs.length);
    const labels = this.#labels;
    let at = 0;
    for (let i = 0; i < count; i += 2) {
      const name = this.#refs[i]!;
      const value = this.#refs[i + 1]!;
      labels[at++] = LABEL_TAG;
      at = writeVarint(labels, at, this.#fieldLength(name) + this.#fieldLength(value));
      at = this.#writeField(bytes, at, LABEL_NAME_TAG, name);
      at = this.#writeField(bytes, at, LABEL_VALUE_TAG, value);
    }
    // The rest of too many labels is left out; with a label that no series has, they cannot be those of another one.
    if (this.#refCount > this.#refs.length) {
      labels[at++] = LABEL_TAG;
      labels[at++] = 0;
    }
    return at;
  }

  #writeField(bytes: Uint8Array, at: number, tag: number, ref: number): number {
    const labels = this.#labels;
    const start = this.#symbolStart[ref]!;
    const end = this.#symbolEnd[ref]!;
    labels[at++] = tag;
    at = writeVarint(labels, at, end - start);
    for (let i = start; i < end; i++) labels[at++] = bytes[i]!;
    return at;
  }

  #resizeSymbols(size: number): void {
    this.#symbolStart = resized(this.#symbolStart, size);
    this.#symbolEnd = resized(this.#symbolEnd, size);
    this.#numberOf = new Int32Array(size);
  }

  #resizeSeries(size: number): void {
    this.#seriesStart = resized(this.#seriesStart, size);
    this.#seriesEnd = resized(this.#seriesEnd, size);
  }

  #resizeUnknown(size: number): void {
    this.#unknownSeries = resized(this.#unknownSeries, size);
    this.#unknownFirstRow = resized(this.#unknownFirstRow, size);
    this.#unknownEndRow = resized(this.#unknownEndRow, size);
  }

  /** A giant request must not hold its memory for ever. */
  #trim(): void {
    if (this.#symbolStart.length > COLUMN_KEPT_MAX) this.#resizeSymbols(COLUMN_INITIAL);
    if (this.#seriesStart.length > COLUMN_KEPT_MAX) this.#resizeSeries(COLUMN_INITIAL);
    if (this.#unknownSeries.length > COLUMN_KEPT_MAX) this.#resizeUnknown(COLUMN_INITIAL);
    if (this.#labels.length > LABEL_BYTES_KEPT_MAX) this.#labels = new Uint8Array(LABEL_BYTES_INITIAL);
  }
}

function tooMany(code: 'too_many_series' | 'too_many_samples' | 'too_many_symbols', what: string, max: number): never {
  throw new IngestError(code, `the request has more than ${max} ${what}`);
}

/** Whether there is a timestamp of six bytes, as between 2004 and 3000 it is. */
function isTime(bytes: Uint8Array, view: DataView, at: number, end: number, tag: number): boolean {
  return (
    end - at >= TIME_LENGTH &&
    bytes[at] === tag &&
    (view.getInt32(at + 1, true) & CONTINUED) === CONTINUED &&
    bytes[at + 5]! >= 0x80 &&
    bytes[at + 6]! < 0x80
  );
}

/** The four groups of seven bits in the first four bytes of a varint. */
function low28(word: number): number {
  return (word & 0x7f) | ((word >>> 1) & 0x3f80) | ((word >>> 2) & 0x1fc000) | ((word >>> 3) & 0xfe00000);
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  for (; value >= 0x80; value >>>= 7) bytes[at++] = (value & 0x7f) | 0x80;
  bytes[at++] = value;
  return at;
}

/** A copy of another length. */
function resized(column: Int32Array, size: number): Int32Array {
  const copy = new Int32Array(size);
  copy.set(column.length > size ? column.subarray(0, size) : column);
  return copy;
}
