/**
 * The labels of a series, in the one order and the one byte form that stand for it. Slow path only: a known series is
 * found by its bytes and never decoded again.
 */

/** Sorted by the UTF-8 bytes of the name; an empty value is an absent label. */
export interface LabelSet {
  readonly names: readonly string[];
  readonly values: readonly string[];
}

/** The value of a label, '' when the series does not have it. */
export function labelValue(labels: LabelSet, name: string): string {
  const i = labels.names.indexOf(name);
  return i === -1 ? '' : labels.values[i]!;
}

/** Sorts the labels and drops the empty ones. Repeated names stay, see `repeatedName`. */
export function labelSet(pairs: Iterable<readonly [name: string, value: string]>): LabelSet {
  const present = [...pairs].filter(([, value]) => value !== '').sort((a, b) => compareUtf8(a[0], b[0]));
  return { names: present.map(([name]) => name), values: present.map(([, value]) => value) };
}

/** A label name as every reader of Prometheus's formats knows it: `pyrra.dev/team` is `pyrra_dev_team`. */
export function prometheusLabelName(raw: string): string {
  return raw.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9])/, '_');
}

/** A name that occurs twice, or null. */
export function repeatedName(names: readonly string[]): string | null {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return null;
}

/**
 * Orders texts by their UTF-8 bytes. `<` orders by UTF-16 units, which puts an astral character (a surrogate pair,
 * 0xd800 and up) before U+E000 to U+FFFF.
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return byteRank(unitA) - byteRank(unitB);
  }
  return a.length - b.length;
}

/** Moves the surrogates behind every other UTF-16 unit, where their four-byte forms belong. */
function byteRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

const LABEL_TAG = 0x0a;
const ORIGINAL_TAG = 0x12;
const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;

const encoder = new TextEncoder();
// Without ignoreBOM a leading U+FEFF would vanish and two different series would become one.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** For bytes that are no text as a whole: what is none of it becomes U+FFFD. */
const lenientDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The canonical bytes of a series: its labels as the label fields of a remote write 1.0 TimeSeries, in order, with
 * every length as short as possible. It is what Prometheus sends, so that its bytes need no second form.
 */
export function encodeLabels(labels: LabelSet): Uint8Array {
  return encode(labels, LABEL_TAG);
}

/** Canonical bytes with the original names of a series behind them. */
export function withOriginals(canonical: Uint8Array, originals: LabelSet): Uint8Array {
  const behind = encode(originals, ORIGINAL_TAG);
  const bytes = new Uint8Array(canonical.length + behind.length);
  bytes.set(canonical);
  bytes.set(behind, canonical.length);
  return bytes;
}

function encode(labels: LabelSet, tag: number): Uint8Array {
  const names = labels.names.map((name) => encoder.encode(name));
  const values = labels.values.map((value) => encoder.encode(value));
  let size = 0;
  for (let i = 0; i < names.length; i++) {
    const labelSize = stringFieldSize(names[i]!.length) + stringFieldSize(values[i]!.length);
    size += 1 + varintSize(labelSize) + labelSize;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < names.length; i++) {
    const labelSize = stringFieldSize(names[i]!.length) + stringFieldSize(values[i]!.length);
    bytes[at++] = tag;
    at = writeVarint(bytes, at, labelSize);
    at = writeString(bytes, at, NAME_TAG, names[i]!);
    at = writeString(bytes, at, VALUE_TAG, values[i]!);
  }
  return bytes;
}

/** What bytes of `encodeLabels` or `withOriginals` say; anything else is a bug. */
export function decodeSeries(bytes: Uint8Array): { labels: LabelSet; originals: LabelSet | null; labelsEnd: number } {
  const { labels, at } = decode(bytes, 0, bytes.length, LABEL_TAG);
  const originals = at === bytes.length ? null : decode(bytes, at, bytes.length, ORIGINAL_TAG).labels;
  return { labels, originals, labelsEnd: at };
}

/** The labels behind bytes that `encodeLabels` or `withOriginals` wrote; anything else is a bug. */
export function decodeLabels(bytes: Uint8Array, start: number, end: number): LabelSet {
  return decode(bytes, start, end, LABEL_TAG).labels;
}

/** Reads fields of one tag, up to the end or the first original name. */
function decode(bytes: Uint8Array, start: number, end: number, labelTag: number): { labels: LabelSet; at: number } {
  const names: string[] = [];
  const values: string[] = [];
  // One text for all labels: where all bytes are ASCII each label is a piece of it, and 20 texts cost six times as much.
  const whole = lenientDecoder.decode(bytes.subarray(start, end));
  const isAscii = whole.length === end - start && !whole.includes('\ufffd');
  let at = start;
  const length = (tag: number): number => {
    if (at >= end || bytes[at++] !== tag) throw new Error(`BUG: byte ${at - 1} is not the tag of a canonical label`);
    let value = 0;
    for (let shift = 0; shift < 32; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (at + value > end) throw new Error(`BUG: a canonical label ends after byte ${end}`);
    return value;
  };
  const text = (tag: number): string => {
    const size = length(tag);
    at += size;
    return isAscii ? whole.slice(at - size - start, at - start) : decoder.decode(bytes.subarray(at - size, at));
  };
  while (at < end && (labelTag === ORIGINAL_TAG || at === start || bytes[at] !== ORIGINAL_TAG)) {
    length(labelTag);
    names.push(text(NAME_TAG));
    values.push(text(VALUE_TAG));
  }
  return { labels: { names, values }, at };
}

/**
 * The label sets by which a series can be selected. A series whose names were translated has those labels beside the
 * translated ones, and either metric name.
 */
export function readings(labels: LabelSet, originals: LabelSet | null): LabelSet[] {
  if (originals === null) return [labels];
  const all: [string, string][] = labels.names.map((name, i) => [name, labels.values[i]!]);
  originals.names.forEach((name, i) => {
    if (!labels.names.includes(name)) all.push([name, originals.values[i]!]);
  });
  const named = labelSet(all);
  const originalName = labelValue(originals, '__name__');
  if (originalName === '') return [named];
  return [named, labelSet(all.map(([name, value]) => [name, name === '__name__' ? originalName : value]))];
}

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `name{a="b"}` for messages, in PromQL's notation; nothing in it can move a cursor or begin a new line. */
export function formatSeries(labels: LabelSet): string {
  let name = '';
  const parts: string[] = [];
  labels.names.forEach((label, i) => {
    const value = labels.values[i]!;
    if (label !== '__name__' || value === '')
      parts.push(`${LABEL_NAME.test(label) ? label : quoted(label)}=${quoted(value)}`);
    else if (METRIC_NAME.test(value)) name = value;
    else parts.unshift(quoted(value));
  });
  if (parts.length === 0 && name !== '') return name;
  return `${name}{${parts.join(', ')}}`;
}

function quoted(text: string): string {
  const escaped = text
    .replace(/["\\]/g, '\\$&')
    .replace(
      /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
      (char) => `\\u${char.codePointAt(0)!.toString(16).padStart(4, '0')}`,
    );
  return `"${escaped}"`;
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
  return size;
}

function stringFieldSize(byteLength: number): number {
  return 1 + varintSize(byteLength) + byteLength;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

function writeString(bytes: Uint8Array, at: number, tag: number, text: Uint8Array): number {
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, text.length);
  bytes.set(text, start);
  return start + text.length;
}
