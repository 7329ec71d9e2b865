import { compareUtf8 } from '../engine/label-set.ts';
import { strictText } from './new-series.ts';
import type { RejectionReason } from './rejections.ts';
import { WireCursor } from './wire.ts';

/** Attributes as pairs of texts. Slow path only: they are read when a resource, a scope or a stream is met for the first time. */

export type Pair = readonly [name: string, value: string];

/** Why something cannot become a series. */
export interface Refusal {
  readonly reason: RejectionReason;
  readonly what: string;
}

export interface AttributeLimits {
  readonly labelsMax: number;
  readonly labelValueBytesMax: number;
}

const KEY = 0x0a;
const VALUE = 0x12;
const STRING = 0x0a;
const BOOL = 0x10;
const INT = 0x18;
const DOUBLE = 0x21;
const ARRAY = 0x2a;
const KVLIST = 0x32;
const BYTES = 0x3a;

/**
 * The attributes in `bytes[start, end)`, which are KeyValue fields and nothing else, known to be well-formed, by rising key.
 * A value that is no text becomes one: `true`, `1.5`, JSON of an array or of a list of pairs, base64 of bytes.
 */
export function readAttributes(
  bytes: Uint8Array,
  start: number,
  end: number,
  { labelsMax, labelValueBytesMax }: AttributeLimits,
): Pair[] | Refusal {
  const cursor = new WireCursor();
  const pairs: Pair[] = [];
  const keys = new Set<string>();
  cursor.reset(bytes, start, end);
  while (cursor.position < end) {
    if (pairs.length === labelsMax) return { reason: 'label_limit', what: `more than ${labelsMax} attributes` };
    cursor.tag();
    const fieldEnd = cursor.length() + cursor.position;
    const { key, valueStart, valueEnd } = readKeyValue(cursor, fieldEnd);
    cursor.position = fieldEnd;
    cursor.end = end;
    if (key === null) return { reason: 'invalid_utf8', what: 'an attribute key is not valid UTF-8 text' };
    if (key === '') return { reason: 'empty_label_name', what: 'an attribute has no key' };
    if (keys.has(key)) return { reason: 'duplicate_label', what: `attribute ${JSON.stringify(key)} is repeated` };
    keys.add(key);
    if (valueEnd - valueStart > labelValueBytesMax) {
      const what = `attribute ${JSON.stringify(key)} has ${valueEnd - valueStart} bytes, the limit is ${labelValueBytesMax}`;
      return { reason: 'label_limit', what };
    }
    const value = readValue(bytes, valueStart, valueEnd);
    if (value === null) {
      return { reason: 'invalid_utf8', what: `attribute ${JSON.stringify(key)} is not valid UTF-8 text` };
    }
    pairs.push([key, typeof value === 'string' ? value : value.json]);
  }
  return pairs.sort((a, b) => compareUtf8(a[0], b[0]));
}

function readKeyValue(cursor: WireCursor, end: number): { key: string | null; valueStart: number; valueEnd: number } {
  let key: string | null = '';
  let valueStart = 0;
  let valueEnd = 0;
  cursor.end = end;
  while (cursor.position < end) {
    const tag = cursor.tag();
    if (tag !== KEY && tag !== VALUE) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.length();
    const start = cursor.position;
    cursor.position += length;
    if (tag === KEY) {
      key = strictText(cursor.bytes, start, cursor.position);
    } else {
      valueStart = start;
      valueEnd = cursor.position;
    }
  }
  return { key, valueStart, valueEnd };
}

/** A value that is not a text by itself, as JSON. */
interface Json {
  readonly json: string;
}

/** An AnyValue; null when a text in it is not UTF-8. A value that is not set is the empty text, hence an absent label. */
function readValue(bytes: Uint8Array, start: number, end: number): string | Json | null {
  const cursor = new WireCursor();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let value: string | Json | null = '';
  cursor.reset(bytes, start, end);
  while (cursor.position < end) {
    const tag = cursor.tag();
    let at = cursor.position;
    if (tag === BOOL || tag === INT || tag === DOUBLE) {
      cursor.skip(tag);
      if (tag === BOOL) value = { json: cursor.lo === 0 && cursor.hi === 0 ? 'false' : 'true' };
      else if (tag === INT) value = { json: int64Text(cursor.lo, cursor.hi) };
      else value = { json: String(view.getFloat64(at, true)) };
      continue;
    }
    if (tag !== STRING && tag !== ARRAY && tag !== KVLIST && tag !== BYTES) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.length();
    at = cursor.position;
    cursor.position += length;
    if (tag === STRING) value = strictText(bytes, at, cursor.position);
    else if (tag === BYTES) value = Buffer.from(bytes.subarray(at, cursor.position)).toString('base64');
    else if (tag === ARRAY) value = arrayJson(bytes, at, cursor.position);
    else value = pairsJson(bytes, at, cursor.position);
  }
  return value;
}

function int64Text(lo: number, hi: number): string {
  const small = hi * 2 ** 32 + (lo >>> 0);
  return Number.isSafeInteger(small) ? String(small) : ((BigInt(hi) << 32n) | BigInt(lo >>> 0)).toString();
}

function arrayJson(bytes: Uint8Array, start: number, end: number): Json | null {
  const items: string[] = [];
  for (const [from, to] of fields(bytes, start, end)) {
    const item = readValue(bytes, from, to);
    if (item === null) return null;
    items.push(jsonOf(item));
  }
  return { json: `[${items.join(',')}]` };
}

function pairsJson(bytes: Uint8Array, start: number, end: number): Json | null {
  const pairs: [string, string][] = [];
  for (const [from, to] of fields(bytes, start, end)) {
    const cursor = new WireCursor();
    cursor.reset(bytes, from, to);
    const { key, valueStart, valueEnd } = readKeyValue(cursor, to);
    const value = readValue(bytes, valueStart, valueEnd);
    if (key === null || value === null) return null;
    pairs.push([key, jsonOf(value)]);
  }
  pairs.sort((a, b) => compareUtf8(a[0], b[0]));
  return { json: `{${pairs.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}` };
}

function jsonOf(value: string | Json): string {
  return typeof value === 'string' ? JSON.stringify(value) : value.json;
}

/** The contents of the fields numbered 1, which is where ArrayValue and KeyValueList have theirs. */
function* fields(bytes: Uint8Array, start: number, end: number): Generator<[start: number, end: number]> {
  const cursor = new WireCursor();
  cursor.reset(bytes, start, end);
  while (cursor.position < end) {
    const tag = cursor.tag();
    if (tag !== KEY) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.length();
    cursor.position += length;
    yield [cursor.position - length, cursor.position];
  }
}
