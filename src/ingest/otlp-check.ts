import { IngestError } from './errors.ts';
import { ANY_VALUE, type Field, METRICS_REQUEST, type MessageType } from './otlp-fields.ts';
import { FIXED64, LENGTH_DELIMITED, malformed, VARINT, WireCursor } from './wire.ts';
import type { WireWriter } from './wire-writer.ts';

/**
 * Looks through a whole request before anything is done with it: whoever reads it afterwards meets nothing malformed, and
 * nothing too deep or too much.
 */

/** Of attribute values within attribute values, the only thing that can nest. */
const DEPTH_MAX = 32;
/** Rows that a data point becomes at the most, beside one a bucket. */
const ROWS_OF = new Map([
  ['NumberDataPoint', 1],
  ['HistogramDataPoint', 3],
  ['ExponentialHistogramDataPoint', 1],
  ['SummaryDataPoint', 2],
]);
const CONTAINERS = new Set(['ResourceMetrics', 'ScopeMetrics', 'Metric']);

export class OtlpCheck {
  readonly #rowsMax: number;
  readonly #containersMax: number;
  readonly #cursor = new WireCursor();
  #rows = 0;
  #containers = 0;
  #isSplit = false;

  /** At the most so many rows, and so many resources, scopes and metrics together. */
  constructor(rowsMax: number, containersMax: number) {
    this.#rowsMax = rowsMax;
    this.#containersMax = containersMax;
  }

  /** Throws when something is wrong. Returns whether a message that stands once came in several pieces, see `merged`. */
  isSplit(bytes: Uint8Array): boolean {
    this.#rows = 0;
    this.#containers = 0;
    this.#isSplit = false;
    this.#cursor.reset(bytes, 0, bytes.length);
    this.#message(METRICS_REQUEST, bytes.length, 0);
    return this.#isSplit;
  }

  #message(type: MessageType, end: number, depth: number): void {
    this.#count(type);
    const cursor = this.#cursor;
    let seen = 0;
    while (cursor.position < end) {
      cursor.end = end;
      const at = cursor.position;
      const tag = cursor.tag();
      const field = type.byNumber[tag >>> 3];
      if (field === undefined) {
        cursor.skip(tag);
      } else if (field.message !== null) {
        if ((tag & 7) !== LENGTH_DELIMITED) wrongType(at, type, field, tag);
        if (!field.repeated) {
          if ((seen & (1 << field.number)) !== 0) this.#isSplit = true;
          seen |= 1 << field.number;
        }
        const length = cursor.length();
        const inner = field.message === ANY_VALUE ? depth + 1 : depth;
        if (inner > DEPTH_MAX) malformed(at, `attribute values are nested more than ${DEPTH_MAX} deep`);
        this.#message(field.message, cursor.position + length, inner);
      } else if ((tag & 7) === field.wireType) {
        cursor.skip(tag);
        if (field.repeated) this.#addRows(1);
      } else if (field.repeated && (tag & 7) === LENGTH_DELIMITED) {
        this.#packed(field);
      } else {
        wrongType(at, type, field, tag);
      }
    }
    cursor.end = end;
  }

  #count(type: MessageType): void {
    this.#addRows(ROWS_OF.get(type.name) ?? 0);
    if (CONTAINERS.has(type.name) && ++this.#containers > this.#containersMax) {
      const message = `the request has more than ${this.#containersMax} resources, scopes and metrics`;
      throw new IngestError('too_many_series', message);
    }
  }

  #addRows(rows: number): void {
    this.#rows += rows;
    if (this.#rows > this.#rowsMax) {
      throw new IngestError('too_many_samples', `the request has more than ${this.#rowsMax} data points and buckets`);
    }
  }

  /** Several scalars in one field. */
  #packed(field: Field): void {
    const cursor = this.#cursor;
    const at = cursor.position;
    const length = cursor.length();
    const end = cursor.position + length;
    if (field.wireType === FIXED64) {
      if (length % 8 !== 0) malformed(at, `packed ${field.name} of ${length} bytes`);
      this.#addRows(length / 8);
      cursor.position = end;
      return;
    }
    cursor.end = end;
    while (cursor.position < end) {
      cursor.varint();
      this.#addRows(1);
    }
  }
}

const WIRE_TYPES = new Map([
  [VARINT, 'a varint'],
  [FIXED64, 'eight bytes'],
  [LENGTH_DELIMITED, 'a length'],
]);

function wrongType(at: number, type: MessageType, field: Field, tag: number): never {
  const wanted = WIRE_TYPES.get(field.wireType)!;
  malformed(at, `${field.name} of ${type.name} is ${wanted}, and has wire type ${tag & 7}`);
}

/** The same request with the pieces of each message put together: protobuf says that to concatenate them is to merge them. */
export function merged(bytes: Uint8Array, writer: WireWriter, type = METRICS_REQUEST): void {
  const cursor = new WireCursor();
  cursor.reset(bytes, 0, bytes.length);
  const pieces = new Map<Field, Uint8Array[]>();
  while (cursor.position < bytes.length) {
    const start = cursor.position;
    const tag = cursor.tag();
    const field = type.byNumber[tag >>> 3];
    if (field === undefined || field.message === null) {
      cursor.skip(tag);
      writer.raw(bytes.subarray(start, cursor.position));
      continue;
    }
    const length = cursor.length();
    const content = bytes.subarray(cursor.position, cursor.position + length);
    cursor.position += length;
    if (!field.repeated) {
      pieces.set(field, [...(pieces.get(field) ?? []), content]);
      continue;
    }
    writeMessage(writer, field, content);
  }
  for (const [field, contents] of pieces) writeMessage(writer, field, Buffer.concat(contents));
}

function writeMessage(writer: WireWriter, field: Field, content: Uint8Array): void {
  writer.tag(field.number, LENGTH_DELIMITED);
  const mark = writer.begin();
  merged(content, writer, field.message!);
  writer.end(mark);
}
