import type { Group } from '../engine/ledger.ts';
import type { PushedEvents } from '../engine/pushes.ts';
import {
  type ByteReader,
  FormatError,
  ROW_BYTES_MAX,
  readDeltas,
  readValues,
  VALUE_DOUBLE,
  VALUE_WHOLE,
  writeDeltas,
  writeValues,
  writeVarint,
} from './record-columns.ts';

/**
 * Pushed events in a journal record:
 *
 * ```
 * budgets:  count, then each: id of the SLO; 0, or 1 + the number of labels of the group, then names and values
 * events:   count, then the columns: budgets, timestamps, good, bad; ids, each as 0 or 1 + its length and its bytes
 * ```
 *
 * An SLO goes by its id and not by a number, because the next run may have others.
 */

const TEXT_LENGTH_BYTES_MAX = 5;

export function encodePushes(events: readonly PushedEvents[]): Uint8Array {
  const numbers = new Map<string, number>();
  const budgets: PushedEvents[] = [];
  const column = new Float64Array(events.length);
  events.forEach((event, i) => {
    const key = JSON.stringify([event.sloId, event.group]);
    let number = numbers.get(key);
    if (number === undefined) {
      number = budgets.push(event) - 1;
      numbers.set(key, number);
    }
    column[i] = number;
  });

  const out = new TextWriter(4 * ROW_BYTES_MAX * (events.length + 1));
  out.varint(budgets.length);
  for (const { sloId, group } of budgets) {
    out.text(sloId);
    const labels = group === null ? null : Object.entries(group);
    out.varint(labels === null ? 0 : 1 + labels.length);
    for (const label of labels ?? []) for (const text of label) out.text(text);
  }
  out.varint(events.length);
  out.columns(events, column);
  for (const { id } of events) {
    if (id === null) out.varint(0);
    else out.text(id, 1);
  }
  return out.finish();
}

class TextWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;
  readonly #utf8 = new TextEncoder();

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(this.#at + length, 2 * this.#bytes.length));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  varint(value: number): void {
    this.#reserve(ROW_BYTES_MAX);
    this.#at = writeVarint(this.#bytes, this.#at, value);
  }

  /** The length has `more` added to it. */
  text(text: string, more = 0): void {
    const bytes = this.#utf8.encode(text);
    this.#reserve(TEXT_LENGTH_BYTES_MAX + bytes.length);
    this.#at = writeVarint(this.#bytes, this.#at, bytes.length + more);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  columns(events: readonly PushedEvents[], column: Float64Array): void {
    const { length } = events;
    this.#reserve(4 * ROW_BYTES_MAX * (length + 1));
    const bytes = this.#bytes;
    const view = this.#view;
    let at = writeDeltas(bytes, view, this.#at, column, length);
    for (let i = 0; i < length; i++) column[i] = events[i]!.tMs;
    at = writeDeltas(bytes, view, at, column, length);
    const classes = new Uint8Array(length);
    for (const which of ['good', 'bad'] as const) {
      for (let i = 0; i < length; i++) {
        const value = events[i]![which];
        column[i] = value;
        classes[i] = Number.isSafeInteger(value) && !Object.is(value, -0) ? VALUE_WHOLE : VALUE_DOUBLE;
      }
      at = writeValues(bytes, view, at, classes, column, length);
    }
    this.#at = at;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export function decodePushes(reader: ByteReader): PushedEvents[] {
  const text = (length = reader.varint()): string => utf8.decode(reader.take(length));
  const budgets = Array.from({ length: reader.count() }, () => ({ sloId: text(), group: readGroup(reader, text) }));
  const length = reader.count();
  const column = (): Float64Array => {
    const values = new Float64Array(length);
    readDeltas(reader, values, length);
    return values;
  };
  const classes = new Uint8Array(length);
  const values = (): Float64Array => {
    const read = new Float64Array(length);
    readValues(reader, classes, read, length);
    return read;
  };
  const numbers = column();
  const timesMs = column();
  const good = values();
  const bad = values();
  return Array.from({ length }, (_, i) => {
    const budget = budgets[numbers[i]!];
    if (budget === undefined) throw new FormatError(`budget ${numbers[i]} is not defined`);
    const idLength = reader.varint();
    const id = idLength === 0 ? null : text(idLength - 1);
    return { ...budget, tMs: timesMs[i]!, good: good[i]!, bad: bad[i]!, id };
  });
}

function readGroup(reader: ByteReader, text: () => string): Group | null {
  const count = reader.count();
  if (count === 0) return null;
  return Object.fromEntries(Array.from({ length: count - 1 }, () => [text(), text()]));
}
