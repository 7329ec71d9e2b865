import type { Fleet } from './fleet.ts';
import { compressSymbols, FIRST_UNKNOWN, INSIDE } from './symbol-snappy.ts';

/**
 * A request that is sent in every round. It is encoded and compressed once, with marks where numbers belong that change;
 * before it is sent they are written over. That costs some ten nanoseconds a sample, so that one core can load many.
 */

/** A number that changes: what it is, of which series or target, and what is subtracted from it (-1: nothing). */
export interface Hole {
  readonly kind: HoleKind;
  readonly of: number;
  readonly minus: number;
}

/**
 * `double` and `count` are values of series, a count a whole number of 64 bits. `millis` (a varint) and `nanos` (64 bits) are
 * the time of a target's scrape, `start` (64 bits) that of its start.
 */
export type HoleKind = 'double' | 'count' | 'millis' | 'nanos' | 'start';

/** No byte sequence of UTF-8, and a finite number in every encoding. */
const MARK = Uint8Array.of(0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0xc8);
const MARK_VIEW = new DataView(MARK.buffer);
export const MARK_DOUBLE = MARK_VIEW.getFloat64(0, true);
export const MARK_UINT64 = String(MARK_VIEW.getBigUint64(0, true));
export const MARK_INT64 = String(MARK_VIEW.getBigInt64(0, true));

/** A varint of six bytes: milliseconds have those from 1971 to 2109. */
const MARK_VARINT = Uint8Array.of(0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0x2f);
export const MARK_MS = MARK_VARINT.reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0);

const MARKS: Readonly<Record<HoleKind, Uint8Array>> = {
  double: MARK,
  count: MARK,
  millis: MARK_VARINT,
  nanos: MARK,
  start: MARK,
};
const NANOS_A_MS = 1_000_000n;

/** Where holes of one kind stand in the body. */
interface Places {
  readonly at: Uint32Array;
  readonly of: Int32Array;
  readonly minus: Int32Array;
}

export class Template {
  readonly samples: number;
  /** Before compression. */
  readonly rawBytes: number;
  /** Whose series are in it. */
  readonly targets: readonly number[];
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #places: Readonly<Record<HoleKind, Places>>;

  /** `holes` in the order of their marks in `raw`. */
  constructor(
    raw: Uint8Array,
    holes: readonly Hole[],
    options: { samples: number; targets: readonly number[]; isCompressed: boolean },
  ) {
    const offsets = marksOf(raw, holes);
    this.samples = options.samples;
    this.targets = options.targets;
    this.rawBytes = raw.length;
    let positions: (offset: number) => number = (offset) => offset;
    this.#bytes = raw;
    if (options.isCompressed) {
      const compressed = compressSymbols(symbolsOf(raw, holes, offsets));
      this.#bytes = compressed.bytes;
      positions = (offset) => compressed.positions[offset]!;
    }
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    const placesOf = (kind: HoleKind): Places => {
      const present = holes.flatMap((hole, i) => {
        const at = hole.kind === kind ? positions(offsets[i]!) : -1;
        return at === -1 ? [] : [{ ...hole, at }];
      });
      return {
        at: Uint32Array.from(present, ({ at }) => at),
        of: Int32Array.from(present, ({ of }) => of),
        minus: Int32Array.from(present, ({ minus }) => minus),
      };
    };
    this.#places = {
      double: placesOf('double'),
      count: placesOf('count'),
      millis: placesOf('millis'),
      nanos: placesOf('nanos'),
      start: placesOf('start'),
    };
  }

  /** The body with the fleet's present numbers; valid until the next call. */
  fill({ values, timesMs, startsMs }: Fleet): Uint8Array {
    const { double, count, millis, nanos, start } = this.#places;
    const view = this.#view;
    for (let i = 0; i < double.at.length; i++) view.setFloat64(double.at[i]!, values[double.of[i]!]!, true);
    for (let i = 0; i < count.at.length; i++) {
      const minus = count.minus[i]!;
      const value = values[count.of[i]!]! - (minus === -1 ? 0 : values[minus]!);
      view.setUint32(count.at[i]!, value >>> 0, true);
      view.setUint32(count.at[i]! + 4, Math.floor(value / 2 ** 32), true);
    }
    for (let i = 0; i < millis.at.length; i++) this.#varint(millis.at[i]!, timesMs[millis.of[i]!]!);
    this.#writeNanos(nanos, timesMs);
    this.#writeNanos(start, startsMs);
    return this.#bytes;
  }

  #varint(at: number, value: number): void {
    const bytes = this.#bytes;
    let rest = value;
    for (let i = 0; i < MARK_VARINT.length - 1; i++) {
      bytes[at + i] = (rest & 0x7f) | 0x80;
      rest = Math.floor(rest / 128);
    }
    bytes[at + MARK_VARINT.length - 1] = rest;
  }

  /** Neighbours are mostly of one target: its time is converted once. */
  #writeNanos({ at, of }: Places, timesMs: Float64Array): void {
    let target = -1;
    let nanos = 0n;
    for (let i = 0; i < at.length; i++) {
      if (of[i] !== target) {
        target = of[i]!;
        nanos = BigInt(timesMs[target]!) * NANOS_A_MS;
      }
      this.#view.setBigUint64(at[i]!, nanos, true);
    }
  }
}

/** Where the mark of each hole begins. */
function marksOf(raw: Uint8Array, holes: readonly Hole[]): Uint32Array {
  const bytes = Buffer.from(raw.buffer, raw.byteOffset, raw.length);
  let from = 0;
  return Uint32Array.from(holes, ({ kind }) => {
    const at = bytes.indexOf(MARKS[kind], from);
    if (at === -1) throw new Error(`no mark of a ${kind} from byte ${from} on`);
    from = at + MARKS[kind].length;
    return at;
  });
}

/** The bytes to come of one target's time are the same wherever they stand; those of a value are there once. */
function symbolsOf(raw: Uint8Array, holes: readonly Hole[], offsets: Uint32Array): Uint32Array {
  const symbols = Uint32Array.from(raw);
  const times = new Map<number, number>();
  let unused = FIRST_UNKNOWN;
  holes.forEach(({ kind, of }, i) => {
    const { length } = MARKS[kind];
    let first = kind === 'millis' ? times.get(of) : undefined;
    if (first === undefined) {
      first = unused;
      unused += length;
      if (kind === 'millis') times.set(of, first);
    }
    for (let j = 0; j < length; j++) symbols[offsets[i]! + j] = (first + j + (j > 0 ? INSIDE : 0)) >>> 0;
  });
  return symbols;
}
