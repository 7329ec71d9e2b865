import {
  compareUtf8,
  encodeLabels,
  formatSeries,
  type LabelSet,
  labelSet,
  labelValue,
  repeatedName,
  varintSize,
} from '../engine/label-set.ts';
import type { SeriesTable } from '../engine/series-table.ts';
import type { RejectionReason, Rejections } from './rejections.ts';
import { WireCursor } from './wire.ts';

/** What ingest needs of the engine. */
export interface SeriesResolver {
  readonly table: SeriesTable;
  /** The id of the series with these labels, which is added to the table when it is new; -1 when that is full. */
  register(labels: LabelSet, canonicalBytes: Uint8Array): number;
}

export interface LabelLimits {
  readonly labelsMax: number;
  readonly labelNameBytesMax: number;
  readonly labelValueBytesMax: number;
}

const NAME_TAG = 0x0a;
const VALUE_TAG = 0x12;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Meets each series once: decodes its labels strictly, refuses what cannot be a series, and has the engine register
 * it.
 */
export class NewSeries {
  readonly #resolver: SeriesResolver;
  readonly #limits: LabelLimits;
  readonly #rejections: Rejections;
  readonly #cursor = new WireCursor();
  #names: string[] = [];
  #values: string[] = [];

  constructor(resolver: SeriesResolver, limits: LabelLimits, rejections: Rejections) {
    this.#resolver = resolver;
    this.#limits = limits;
    this.#rejections = rejections;
  }

  /**
   * The id of the series whose label fields are `bytes[start, end)`, which are known to be well-formed. -1 when it is
   * rejected, and its samples are then counted.
   */
  resolve(bytes: Uint8Array, start: number, end: number, samples: number): number {
    const table = this.#resolver.table;
    // It may have been met a few series earlier in the same request.
    const known = table.find(bytes, start, end);
    if (known !== -1) return known;

    const canonical = this.#readLabels(bytes, start, end, samples);
    if (canonical === null) return -1;
    const names = this.#names;
    const values = this.#values;
    const labels = canonical ? { names, values } : labelSet(names.map((name, i) => [name, values[i]!] as const));
    const repeated = canonical ? null : repeatedName(names);
    if (repeated !== null)
      return this.#reject('duplicate_label', samples, `label ${JSON.stringify(repeated)} is repeated`);
    if (labelValue(labels, '__name__') === '') return this.#reject('missing_metric_name', samples, 'no metric name');
    const id = this.#resolver.register(labels, canonical ? bytes.slice(start, end) : encodeLabels(labels));
    if (id === -1) return this.#reject('series_limit', samples, 'the limit of series is reached');
    if (!table.matches(id, bytes, start, end)) table.alias(bytes, start, end, id);
    return id;
  }

  /**
   * Fills `#names` and `#values`. Whether the bytes are canonical as they stand, or null when the series was
   * rejected.
   */
  #readLabels(bytes: Uint8Array, start: number, end: number, samples: number): boolean | null {
    const { labelsMax, labelNameBytesMax, labelValueBytesMax } = this.#limits;
    const cursor = this.#cursor;
    const names: string[] = [];
    const values: string[] = [];
    this.#names = names;
    this.#values = values;
    let canonical = true;
    let canonicalLength = 0;
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      if (names.length === labelsMax) {
        this.#reject('label_limit', samples, `more than ${labelsMax} labels`);
        return null;
      }
      cursor.end = end;
      cursor.tag();
      const labelLength = cursor.length();
      const labelEnd = cursor.position + labelLength;
      cursor.end = labelEnd;
      let nameStart = cursor.position;
      let nameEnd = nameStart;
      let valueStart = nameStart;
      let valueEnd = nameStart;
      while (cursor.position < labelEnd) {
        const tag = cursor.tag();
        if (tag === NAME_TAG) {
          const length = cursor.length();
          nameStart = cursor.position;
          nameEnd = cursor.position += length;
        } else if (tag === VALUE_TAG) {
          const length = cursor.length();
          valueStart = cursor.position;
          valueEnd = cursor.position += length;
        } else {
          cursor.skip(tag);
        }
      }

      const nameLength = nameEnd - nameStart;
      const valueLength = valueEnd - valueStart;
      if (nameLength > labelNameBytesMax) {
        this.#reject('label_limit', samples, `a label name of ${nameLength} bytes, the limit is ${labelNameBytesMax}`);
        return null;
      }
      const name = strictText(bytes, nameStart, nameEnd);
      if (name === null) {
        this.#reject('invalid_utf8', samples, 'a label name is not valid UTF-8 text');
        return null;
      }
      if (name === '') {
        this.#reject('empty_label_name', samples, 'a label has no name');
        return null;
      }
      if (valueLength > labelValueBytesMax) {
        const what = `label ${JSON.stringify(name)} has ${valueLength} bytes, the limit is ${labelValueBytesMax}`;
        this.#reject('label_limit', samples, what);
        return null;
      }
      const value = strictText(bytes, valueStart, valueEnd);
      if (value === null) {
        this.#reject('invalid_utf8', samples, `label ${JSON.stringify(name)} is not valid UTF-8 text`);
        return null;
      }
      // Canonical bytes are those that cannot be shorter, with name before value and the names ascending.
      const fields = 2 + varintSize(nameLength) + nameLength + varintSize(valueLength) + valueLength;
      canonicalLength += 1 + varintSize(fields) + fields;
      const ascends = names.length === 0 || compareUtf8(names[names.length - 1]!, name) < 0;
      canonical = canonical && ascends && valueLength > 0 && nameStart < valueStart;
      names.push(name);
      values.push(value);
    }
    return canonical && canonicalLength === end - start;
  }

  #reject(reason: RejectionReason, samples: number, what: string): number {
    const rejections = this.#rejections;
    rejections.samples[reason] += samples;
    if (rejections.wantsExample) {
      rejections.addExample(`${what}: ${formatSeries({ names: this.#names, values: this.#values })}`);
    }
    return -1;
  }
}

/**
 * The text, or null when it is not UTF-8 or holds a NUL. Nothing is ever replaced: that would merge different series.
 */
function strictText(bytes: Uint8Array, start: number, end: number): string | null {
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    if (byte === 0) return null;
    all |= byte;
  }
  if (all < 0x80) return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}
