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
  readonly replicas: {
    /** The id of a replica of an HA pair, from 1 on; -1 when there are too many of them or of clusters. */
    senderOf(cluster: string, replica: string): number;
  };
  /**
   * The id of the series with these labels, which is added to the table when it is new; -1 when that is full. `originals` are
   * names by which it can be selected beside those of its labels.
   */
  register(labels: LabelSet, canonicalBytes: Uint8Array, originals?: LabelSet | null): number;
  /** Whether an SLO reads the native histograms of a series. */
  wantsHistograms(seriesId: number): boolean;
}

/** The labels by which the two of an HA pair are told apart. A series with both of them loses that of the replica. */
export interface HaLabels {
  readonly clusterLabel: string;
  readonly replicaLabel: string;
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
  readonly #ha: HaLabels | null;
  readonly #cursor = new WireCursor();
  /** The sender of the last series that was resolved; 0 when it is none of an HA pair. */
  sender = 0;
  #names: string[] = [];
  #values: string[] = [];
  /** Where each label begins. */
  #labelStarts: number[] = [];

  /** `ha` is null when there is no election. */
  constructor(resolver: SeriesResolver, limits: LabelLimits, rejections: Rejections, ha: HaLabels | null) {
    this.#resolver = resolver;
    this.#limits = limits;
    this.#rejections = rejections;
    this.#ha = ha;
  }

  /**
   * The id of the series whose label fields are `bytes[start, end)`, which are known to be well-formed. -1 when it is
   * rejected, and its samples are then counted.
   */
  resolve(bytes: Uint8Array, start: number, end: number, samples: number): number {
    const table = this.#resolver.table;
    // It may have been met a few series earlier in the same request.
    const form = table.findForm(bytes, start, end);
    this.sender = form === -1 ? 0 : table.formSender[form]!;
    if (form !== -1) return table.seriesOf[form]!;

    const canonical = this.#readLabels(bytes, start, end, samples);
    if (canonical === null) return -1;
    const names = this.#names;
    const values = this.#values;
    let labels: LabelSet = canonical
      ? { names, values }
      : labelSet(names.map((name, i) => [name, values[i]!] as const));
    const repeated = canonical ? null : repeatedName(names);
    if (repeated !== null)
      return this.#reject('duplicate_label', samples, `label ${JSON.stringify(repeated)} is repeated`);
    if (labelValue(labels, '__name__') === '') return this.#reject('missing_metric_name', samples, 'no metric name');
    const sender = this.#senderOf(labels);
    if (sender === -1) return this.#reject('ha_limit', samples, 'more clusters than are told apart');
    this.sender = sender;
    let canonicalBytes: Uint8Array | null = canonical ? bytes.slice(start, end) : null;
    if (sender !== 0) {
      const at = labels.names.indexOf(this.#ha!.replicaLabel);
      labels = { names: labels.names.toSpliced(at, 1), values: labels.values.toSpliced(at, 1) };
      if (canonicalBytes !== null) {
        const labelEnd = this.#labelStarts[at + 1] ?? end;
        // Cutting it out of the bytes instead of encoding the others anew: 8 us a series instead of 40.
        canonicalBytes = without(canonicalBytes, this.#labelStarts[at]! - start, labelEnd - start);
      }
    }
    const known = canonicalBytes ?? encodeLabels(labels);
    const id = this.#resolver.register(labels, known);
    if (id === -1) return this.#reject('series_limit', samples, 'the limit of series is reached');
    // Another series may stand for one that no SLO wants.
    if (table.find(known, 0, known.length) !== id) return id;
    if (!table.matches(id, bytes, start, end)) table.alias(bytes, start, end, id, sender);
    return id;
  }

  /** 0 when the series carries no labels of an HA pair, -1 when there are too many pairs. */
  #senderOf(labels: LabelSet): number {
    if (this.#ha === null) return 0;
    const cluster = labelValue(labels, this.#ha.clusterLabel);
    const replica = labelValue(labels, this.#ha.replicaLabel);
    return cluster === '' || replica === '' ? 0 : this.#resolver.replicas.senderOf(cluster, replica);
  }

  /** Fills `#names` and `#values`. Whether the bytes are canonical as they stand, or null when the series was rejected. */
  #readLabels(bytes: Uint8Array, start: number, end: number, samples: number): boolean | null {
    const { labelsMax, labelNameBytesMax, labelValueBytesMax } = this.#limits;
    const cursor = this.#cursor;
    const names: string[] = [];
    const values: string[] = [];
    const labelStarts: number[] = [];
    this.#names = names;
    this.#values = values;
    this.#labelStarts = labelStarts;
    let canonical = true;
    let canonicalLength = 0;
    cursor.reset(bytes, start, end);
    while (cursor.position < end) {
      if (names.length === labelsMax) {
        this.#reject('label_limit', samples, `more than ${labelsMax} labels`);
        return null;
      }
      cursor.end = end;
      labelStarts.push(cursor.position);
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

function without(bytes: Uint8Array, from: number, to: number): Uint8Array {
  bytes.copyWithin(from, to);
  return bytes.subarray(0, bytes.length - (to - from));
}

/** The text, or null when it is not UTF-8 or holds a NUL. Nothing is ever replaced: that would merge different series. */
export function strictText(bytes: Uint8Array, start: number, end: number): string | null {
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
