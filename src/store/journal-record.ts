import { crc32 } from 'node:zlib';
import { holdsHistogram, SAMPLE_DELTA, SAMPLE_STARTED, SAMPLE_WIDE, SampleBatch } from '../engine/batch.ts';
import type { PushedEvents } from '../engine/pushes.ts';
import {
  ByteReader,
  FormatError,
  ROW_BYTES_MAX,
  readDeltas,
  readValues,
  VALUE_DOUBLE,
  VALUE_INCREASE,
  VALUE_NAN,
  VALUE_WHOLE,
  writeDeltas,
  writeValues,
  writeVarint,
} from './record-columns.ts';
import { HistogramDecoder, HistogramEncoder } from './record-histograms.ts';
import { decodePushes, encodePushes } from './record-pushes.ts';

/**
 * One journal record: what one request changed, in few bytes.
 *
 * ```
 * crc32 of what follows (4) | version (1) | flags (1) | nowMs (8)
 * definitions:  count, then each: series id, length, canonical label bytes
 * rows:         count, then the columns: series ids, timestamps, kinds, values; of the rows whose kind has them, start
 *               timestamps, low parts and histograms (record-histograms.ts)
 * pushed:       with their flag, events that were pushed (record-pushes.ts); then there are no definitions and no rows
 * ```
 *
 * A series id means something only within one run of the process, an *epoch*. The first record of an epoch carries a flag
 * that makes the reader forget all ids, and a series is defined by the first record of the epoch that has a row of it.
 *
 * Whole values are written as the increase over the value of the series that was journalled before, and so are the counts of
 * histograms. A snapshot trims those older records, so the first record after it carries a flag that takes all of them as 0.
 *
 * A timestamp or start of -0 is read back as 0. Everything else comes back bit for bit, except the payload of a NaN.
 */

const VERSION = 2;
const FLAG_EPOCH = 1;
const FLAG_VALUES_FROM_ZERO = 2;
const FLAG_PUSHED = 4;
const FLAGS_KNOWN = FLAG_EPOCH | FLAG_VALUES_FROM_ZERO | FLAG_PUSHED;

const HEADER_BYTES = 14;
/** Bounds what a record can make its reader allocate; far above what any request may hold. */
const ROWS_MAX = 2 ** 24;
const SERIES_ID_MAX = 2 ** 26;
/** A series id and a length, both varints. */
const DEFINITION_BYTES_MAX = 16;

/** In the reader's map of ids: no definition was seen, and the series was refused. */
const UNDEFINED = -2;
const REFUSED = -1;

/** Where the writer finds the canonical labels of a series id. An id means the same labels as long as the process lives. */
export interface SeriesLabels {
  labelBytes(seriesId: number): Uint8Array;
}

/** What records are replayed into. */
export interface ReplayTarget {
  /** The present id of the series, which is registered if need be; negative when it is refused. The bytes are a view. */
  registerCanonical(labelBytes: Uint8Array): number;
  /** The batch is reused for the next record. */
  ingest(batch: SampleBatch, nowMs: number): unknown;
  push(events: readonly PushedEvents[], nowMs: number): unknown;
}

export class CorruptRecordError extends Error {
  override readonly name = 'CorruptRecordError';
  readonly seq: number;

  constructor(seq: number, reason: string) {
    super(
      `journal record ${seq} cannot be read: ${reason}; ` +
        'restore a backup, or move the data directory away to start without its history',
    );
    this.seq = seq;
  }
}

export class RecordEncoder {
  readonly #labels: SeriesLabels;
  readonly #histograms = new HistogramEncoder();
  #flags: number;
  /** A bit a series: whether the epoch has its definition. */
  #defined: Uint32Array;
  /** The last whole value of each series that was journalled; 0 before. */
  #previous: Float64Array;
  #bytes: Uint8Array;
  #view: DataView;
  #column: Float64Array;
  #classes: Uint8Array;

  /** Begins an epoch. */
  constructor(labels: SeriesLabels) {
    this.#labels = labels;
    this.#flags = FLAG_EPOCH;
    this.#defined = new Uint32Array(128);
    this.#previous = new Float64Array(4096);
    this.#bytes = new Uint8Array(65_536);
    this.#view = new DataView(this.#bytes.buffer);
    this.#column = new Float64Array(4096);
    this.#classes = new Uint8Array(4096);
  }

  /** The next record shall be readable without the values of the records before it. */
  restartValues(): void {
    this.#previous.fill(0);
    this.#histograms.restart();
    this.#flags |= FLAG_VALUES_FROM_ZERO;
  }

  /** The first `changedCount` of `changedRows` are rows of the batch, in the order in which they were applied. */
  encode(batch: SampleBatch, changedRows: Uint32Array, changedCount: number, nowMs: number): Uint8Array {
    if (changedCount > ROWS_MAX)
      throw new RangeError(`a record of ${changedCount} rows; at most ${ROWS_MAX} are readable`);
    if (changedCount > this.#column.length) {
      const capacity = Math.max(changedCount, this.#column.length * 2);
      this.#column = new Float64Array(capacity);
      this.#classes = new Uint8Array(capacity);
    }
    const column = this.#column;
    let at = this.#writeDefinitions(this.#undefined(batch.seriesIds, changedRows, changedCount));

    this.#reserve(at, (changedCount * 6 + 1) * ROW_BYTES_MAX);
    const bytes = this.#bytes;
    const view = this.#view;
    at = writeVarint(bytes, at, changedCount);
    const { seriesIds, timestampsMs, kinds } = batch;
    for (let i = 0; i < changedCount; i++) column[i] = seriesIds[changedRows[i]!]!;
    at = writeDeltas(bytes, view, at, column, changedCount);
    // Adding 0 makes a -0, which no difference can reach, an ordinary 0.
    for (let i = 0; i < changedCount; i++) column[i] = timestampsMs[changedRows[i]!]! + 0;
    at = writeDeltas(bytes, view, at, column, changedCount);
    for (let i = 0; i < changedCount; i++) column[i] = kinds[changedRows[i]!]!;
    at = writeDeltas(bytes, view, at, column, changedCount);
    this.#classify(batch, changedRows, changedCount);
    at = writeValues(bytes, view, at, this.#classes, column, changedCount);
    at = this.#writeStarts(batch, changedRows, changedCount, at);
    at = this.#writeLows(batch, changedRows, changedCount, at);
    at = this.#writeHistograms(batch, changedRows, changedCount, at);
    return this.#finish(at, nowMs);
  }

  #writeStarts({ kinds, startsMs }: SampleBatch, changedRows: Uint32Array, changedCount: number, at: number): number {
    const column = this.#column;
    let count = 0;
    for (let i = 0; i < changedCount; i++) {
      const row = changedRows[i]!;
      if (hasStart(kinds[row]!)) column[count++] = startsMs[row]! + 0;
    }
    return writeDeltas(this.#bytes, this.#view, at, column, count);
  }

  #writeLows({ kinds, lows }: SampleBatch, changedRows: Uint32Array, changedCount: number, at: number): number {
    const column = this.#column;
    let count = 0;
    for (let i = 0; i < changedCount; i++) {
      const row = changedRows[i]!;
      if (kinds[row] === SAMPLE_WIDE) column[count++] = lows[row]!;
    }
    return writeDeltas(this.#bytes, this.#view, at, column, count);
  }

  #writeHistograms(batch: SampleBatch, changedRows: Uint32Array, changedCount: number, start: number): number {
    const { seriesIds, kinds, values, histograms } = batch;
    let at = start;
    for (let i = 0; i < changedCount; i++) {
      const row = changedRows[i]!;
      if (!holdsHistogram(kinds[row]!)) continue;
      const bytes = this.#histograms.encode(seriesIds[row]!, histograms[values[row]!]!);
      this.#reserve(at, bytes.length);
      this.#bytes.set(bytes, at);
      at += bytes.length;
    }
    return at;
  }

  /** The events of one request that were applied. */
  encodePushes(events: readonly PushedEvents[], nowMs: number): Uint8Array {
    const pushed = encodePushes(events);
    this.#reserve(HEADER_BYTES, 2 + pushed.length);
    let at = writeVarint(this.#bytes, HEADER_BYTES, 0);
    at = writeVarint(this.#bytes, at, 0);
    this.#bytes.set(pushed, at);
    this.#flags |= FLAG_PUSHED;
    return this.#finish(at + pushed.length, nowMs);
  }

  #finish(end: number, nowMs: number): Uint8Array {
    const bytes = this.#bytes;
    const view = this.#view;
    bytes[4] = VERSION;
    bytes[5] = this.#flags;
    view.setFloat64(6, nowMs, true);
    view.setUint32(0, crc32(bytes.subarray(4, end)), true);
    this.#flags = 0;
    return bytes.slice(0, end);
  }

  /** The changed series that the epoch has not defined, now marked as defined. */
  #undefined(seriesIds: Int32Array, changedRows: Uint32Array, changedCount: number): number[] {
    let idMax = -1;
    for (let i = 0; i < changedCount; i++) {
      // Unsigned, so that a negative id is a huge one.
      const id = seriesIds[changedRows[i]!]! >>> 0;
      if (id > idMax) idMax = id;
    }
    if (idMax > SERIES_ID_MAX) throw new RangeError(`series id ${idMax}; at most ${SERIES_ID_MAX} is readable`);
    this.#reserveSeries(idMax + 1);

    const fresh: number[] = [];
    const defined = this.#defined;
    for (let i = 0; i < changedCount; i++) {
      const id = seriesIds[changedRows[i]!]!;
      const word = defined[id >>> 5]!;
      const bit = 1 << (id & 31);
      if ((word & bit) === 0) {
        defined[id >>> 5] = word | bit;
        fresh.push(id);
      }
    }
    return fresh;
  }

  #writeDefinitions(ids: readonly number[]): number {
    let at = HEADER_BYTES;
    this.#reserve(at, DEFINITION_BYTES_MAX);
    at = writeVarint(this.#bytes, at, ids.length);
    for (const id of ids) {
      const labels = this.#labels.labelBytes(id);
      this.#reserve(at, DEFINITION_BYTES_MAX + labels.length);
      at = writeVarint(this.#bytes, at, id);
      at = writeVarint(this.#bytes, at, labels.length);
      this.#bytes.set(labels, at);
      at += labels.length;
    }
    return at;
  }

  /** Values to classes and payloads, and into the previous values. */
  #classify(batch: SampleBatch, changedRows: Uint32Array, changedCount: number): void {
    const { seriesIds, values, kinds } = batch;
    const previous = this.#previous;
    const payloads = this.#column;
    const classes = this.#classes;
    for (let i = 0; i < changedCount; i++) {
      const row = changedRows[i]!;
      const kind = kinds[row]!;
      // The value of a histogram is its place in the batch, which the reader finds by itself.
      const value = holdsHistogram(kind) ? Number.NaN : values[row]!;
      if (value >= 0 && value <= Number.MAX_SAFE_INTEGER && Math.floor(value) === value && !Object.is(value, -0)) {
        const id = seriesIds[row]!;
        const before = previous[id]!;
        previous[id] = value;
        // A declared delta has nothing to do with the one before.
        const grows = value >= before && kind !== SAMPLE_DELTA;
        classes[i] = grows ? VALUE_INCREASE : VALUE_WHOLE;
        payloads[i] = grows ? value - before : value;
      } else {
        classes[i] = Number.isNaN(value) ? VALUE_NAN : VALUE_DOUBLE;
        payloads[i] = value;
      }
    }
  }

  #reserve(at: number, length: number): void {
    if (at + length <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(at + length, this.#bytes.length * 2));
    bytes.set(this.#bytes.subarray(0, at));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #reserveSeries(count: number): void {
    if (count <= this.#previous.length) return;
    const capacity = Math.ceil(Math.max(count, this.#previous.length * 2) / 32) * 32;
    const previous = new Float64Array(capacity);
    previous.set(this.#previous);
    this.#previous = previous;
    const defined = new Uint32Array(capacity / 32);
    defined.set(this.#defined);
    this.#defined = defined;
  }
}

function hasStart(kind: number): boolean {
  return kind === SAMPLE_STARTED || kind === SAMPLE_DELTA || kind === SAMPLE_WIDE || holdsHistogram(kind);
}

/** How many rows of a record were applied, and how many belong to series that were refused. */
export interface DecodedRows {
  readonly applied: number;
  readonly refused: number;
}

export class RecordDecoder {
  /** From the epoch's ids to the present ones. */
  #ids: Int32Array;
  #previous: Float64Array;
  #column: Float64Array;
  #classes: Uint8Array;
  readonly #batch: SampleBatch;
  readonly #histograms = new HistogramDecoder();

  /** `snapshotIds` leads from the ids of the snapshot that was loaded to the present ones; negative means refused. */
  constructor(snapshotIds: Int32Array = new Int32Array(0)) {
    this.#ids = snapshotIds.map((id) => (id < 0 ? REFUSED : id));
    this.#previous = new Float64Array(snapshotIds.length);
    this.#column = new Float64Array(4096);
    this.#classes = new Uint8Array(4096);
    this.#batch = new SampleBatch();
  }

  /** Reads the next record and applies it. Throws a `CorruptRecordError`, after which the decoder is of no more use. */
  decode(record: Uint8Array, seq: number, target: ReplayTarget): DecodedRows {
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    if (record.length < HEADER_BYTES) throw new CorruptRecordError(seq, `it has only ${record.length} bytes`);
    if (crc32(record.subarray(4)) !== view.getUint32(0, true))
      throw new CorruptRecordError(seq, 'its checksum is wrong');
    const version = record[4]!;
    if (version !== VERSION) {
      throw new CorruptRecordError(seq, `it has version ${version}, and this program reads version ${VERSION}`);
    }
    let applied: number;
    let rows: number;
    let pushed: PushedEvents[] | null = null;
    try {
      const reader = new ByteReader(record, HEADER_BYTES);
      this.#readFlags(record[5]!);
      this.#readDefinitions(reader, target);
      rows = this.#readRows(reader);
      if ((record[5]! & FLAG_PUSHED) !== 0) pushed = decodePushes(reader);
      if (reader.at !== record.length) throw new FormatError('bytes follow its end');
      applied = this.#mapRows();
    } catch (error) {
      if (error instanceof FormatError) throw new CorruptRecordError(seq, error.message);
      throw error;
    }
    const nowMs = view.getFloat64(6, true);
    if (pushed === null) target.ingest(this.#batch, nowMs);
    else target.push(pushed, nowMs);
    return { applied: applied + (pushed?.length ?? 0), refused: rows - applied };
  }

  #readFlags(flags: number): void {
    if ((flags & ~FLAGS_KNOWN) !== 0) throw new FormatError(`its flags are ${flags}`);
    if ((flags & FLAG_EPOCH) !== 0) this.#ids.fill(UNDEFINED);
    if ((flags & (FLAG_EPOCH | FLAG_VALUES_FROM_ZERO)) === 0) return;
    this.#previous.fill(0);
    this.#histograms.restart();
  }

  #readDefinitions(reader: ByteReader, target: ReplayTarget): void {
    for (let count = reader.varint(); count > 0; count--) {
      const id = reader.varint();
      if (id > SERIES_ID_MAX) throw new FormatError(`series id ${id} is too big`);
      const present = target.registerCanonical(reader.take(reader.varint()));
      if (id >= this.#ids.length) this.#growSeries(id + 1);
      this.#ids[id] = present < 0 ? REFUSED : present;
    }
  }

  /** The rows with the ids of the epoch. */
  #readRows(reader: ByteReader): number {
    const rows = reader.varint();
    if (rows > ROWS_MAX) throw new FormatError(`it has ${rows} rows`);
    if (rows > this.#column.length) {
      this.#column = new Float64Array(rows);
      this.#classes = new Uint8Array(rows);
    }
    const batch = this.#batch;
    batch.clear();
    batch.reserve(rows);
    batch.length = rows;
    const { seriesIds, timestampsMs, values, kinds } = batch;
    const column = this.#column;
    const classes = this.#classes;
    const ids = this.#ids;
    const previous = this.#previous;

    readDeltas(reader, column, rows);
    for (let row = 0; row < rows; row++) {
      const id = column[row]!;
      const present = ids[id];
      if (present === undefined || present === UNDEFINED) throw new FormatError(`series ${id} is not defined`);
      seriesIds[row] = id;
    }
    readDeltas(reader, column, rows);
    for (let row = 0; row < rows; row++) timestampsMs[row] = column[row]!;
    readDeltas(reader, column, rows);
    for (let row = 0; row < rows; row++) kinds[row] = column[row]!;
    readValues(reader, classes, column, rows);
    for (let row = 0; row < rows; row++) {
      const id = seriesIds[row]!;
      const increase = classes[row] === VALUE_INCREASE;
      const value = increase ? previous[id]! + column[row]! : column[row]!;
      if (increase || classes[row] === VALUE_WHOLE) previous[id] = value;
      values[row] = value;
    }
    this.#readStarts(reader, rows);
    this.#readLows(reader, rows);
    this.#readHistograms(reader, rows);
    return rows;
  }

  #readStarts(reader: ByteReader, rows: number): void {
    const { kinds, startsMs } = this.#batch;
    const column = this.#column;
    let count = 0;
    for (let row = 0; row < rows; row++) if (hasStart(kinds[row]!)) count++;
    readDeltas(reader, column, count);
    let next = 0;
    for (let row = 0; row < rows; row++) if (hasStart(kinds[row]!)) startsMs[row] = column[next++]!;
  }

  #readLows(reader: ByteReader, rows: number): void {
    const { kinds, lows } = this.#batch;
    const column = this.#column;
    let count = 0;
    for (let row = 0; row < rows; row++) if (kinds[row] === SAMPLE_WIDE) count++;
    readDeltas(reader, column, count);
    let next = 0;
    for (let row = 0; row < rows; row++) if (kinds[row] === SAMPLE_WIDE) lows[row] = column[next++]!;
  }

  #readHistograms(reader: ByteReader, rows: number): void {
    const { seriesIds, kinds, values, histograms } = this.#batch;
    for (let row = 0; row < rows; row++) {
      if (!holdsHistogram(kinds[row]!)) continue;
      values[row] = histograms.push(this.#histograms.decode(seriesIds[row]!, reader)) - 1;
    }
  }

  /** From the ids of the epoch to the present ones, without the rows of refused series. Returns the rows that are left. */
  #mapRows(): number {
    const batch = this.#batch;
    const ids = this.#ids;
    let kept = 0;
    for (let row = 0; row < batch.length; row++) {
      const id = ids[batch.seriesIds[row]!]!;
      if (id === REFUSED) continue;
      batch.move(row, kept);
      batch.seriesIds[kept] = id;
      kept++;
    }
    batch.length = kept;
    return kept;
  }

  #growSeries(count: number): void {
    const capacity = Math.max(count, this.#ids.length * 2);
    const ids = new Int32Array(capacity).fill(UNDEFINED);
    ids.set(this.#ids);
    this.#ids = ids;
    const previous = new Float64Array(capacity);
    previous.set(this.#previous);
    this.#previous = previous;
  }
}
