import type { SampleBatch } from '../engine/batch.ts';
import type { SeriesTable } from '../engine/series-table.ts';
import { KERNEL_MODULE } from './kernel-module.ts';

/**
 * The WebAssembly kernel: snappy, and the walk over a remote write 1.0 request as long as its series are known, follow each
 * other as the last time and look as Prometheus writes them. Whatever it cannot do, the readers in TypeScript do, and say
 * what is wrong with it: to have no kernel is to be slower, and nothing else. Its source is in `assembly/`.
 *
 * A body is decoded into the kernel's memory and its rows are written there; both are valid until the next body.
 */

const PAGE_BYTES = 2 ** 16;
const MEMORY_BYTES_MAX = 2 ** 30;
/** Those of 4 million series are 100 MB of address space. */
const FORMS_MAX = 2 ** 22;

/** Words of the state, as in `assembly/walk.ts`. */
const AT = 0;
const ROW = 1;
const SERIES = 2;
const PREVIOUS = 3;
const PREVIOUS_AT = 4;
const PREVIOUS_LENGTH = 5;
const SENDER = 6;
const STATE_WORDS = 7;

interface Global {
  readonly value: number;
}

/** `assembly/index.ts`. */
interface KernelExports {
  readonly BODY: Global;
  readonly BODY_BYTES_MAX: Global;
  readonly DECODED: Global;
  readonly DECODED_BYTES_MAX: Global;
  readonly KINDS: Global;
  readonly ROWS_MAX: Global;
  readonly SERIES_IDS: Global;
  readonly STATE: Global;
  readonly TIMESTAMPS: Global;
  readonly VALUES: Global;
  begin(formsMax: number): number;
  clear(forms: number): void;
  used(): number;
  decode(bodyBytes: number, decodedBytesMax: number): number;
  walk(end: number, seriesMax: number, rowsMax: number): void;
  link(
    previous: number,
    previousAt: number,
    previousLength: number,
    form: number,
    at: number,
    length: number,
    series: number,
    sender: number,
  ): void;
}

/** What is in the memory; made anew when that grows. */
class Views {
  readonly body: Uint8Array;
  readonly decoded: Uint8Array;
  readonly decodedView: DataView;
  readonly state: Int32Array;
  readonly timestampsMs: Float64Array;
  readonly values: Float64Array;
  readonly seriesIds: Int32Array;
  readonly kinds: Uint8Array;

  constructor(buffer: ArrayBuffer, at: KernelExports) {
    const rowsMax = at.ROWS_MAX.value;
    this.body = new Uint8Array(buffer, at.BODY.value, at.BODY_BYTES_MAX.value);
    this.decoded = new Uint8Array(buffer, at.DECODED.value, at.DECODED_BYTES_MAX.value);
    this.decodedView = new DataView(buffer, at.DECODED.value, at.DECODED_BYTES_MAX.value);
    this.state = new Int32Array(buffer, at.STATE.value, STATE_WORDS);
    this.timestampsMs = new Float64Array(buffer, at.TIMESTAMPS.value, rowsMax);
    this.values = new Float64Array(buffer, at.VALUES.value, rowsMax);
    this.seriesIds = new Int32Array(buffer, at.SERIES_IDS.value, rowsMax);
    this.kinds = new Uint8Array(buffer, at.KINDS.value, rowsMax);
  }
}

export class Kernel {
  readonly #memory: WebAssembly.Memory;
  readonly #exports: KernelExports;
  /** Where the decoded bytes begin: positions are counted from there outside, and from the memory's beginning inside. */
  readonly #decodedAt: number;
  #views: Views;
  /** The table whose forms are linked. */
  #table: SeriesTable | null;

  /** A kernel that links up to `formsMax` forms, or null where the machine has no 128-bit SIMD. */
  static load(formsMax: number = FORMS_MAX): Kernel | null {
    const bytes = Buffer.from(KERNEL_MODULE, 'base64');
    return WebAssembly.validate(bytes) ? new Kernel(new WebAssembly.Module(bytes), formsMax) : null;
  }

  private constructor(module: WebAssembly.Module, formsMax: number) {
    // The system backs a page when it is first written to: what is not used costs address space only.
    this.#memory = new WebAssembly.Memory({ initial: 1, maximum: MEMORY_BYTES_MAX / PAGE_BYTES });
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    this.#exports = exports as unknown as KernelExports;
    const used = this.#exports.begin(Math.min(formsMax, FORMS_MAX));
    this.#decodedAt = this.#exports.DECODED.value;
    this.#memory.grow(Math.ceil(used / PAGE_BYTES));
    this.#views = new Views(this.#memory.buffer, this.#exports);
    this.#table = null;
  }

  /** The bytes that were decoded last. */
  get decoded(): Uint8Array {
    return this.#views.decoded;
  }

  get decodedView(): DataView {
    return this.#views.decodedView;
  }

  /** Decompresses a body and returns its decoded length, or -1 when it is malformed, or too large for here. */
  decode(body: Uint8Array, decodedBytesMax: number): number {
    if (body.length > this.#views.body.length) return -1;
    this.#views.body.set(body);
    const length = this.#exports.decode(body.length, decodedBytesMax);
    if (length > 0) this.#reserveLinks(length);
    return length;
  }

  /** The label bytes that a request adds to the links are at most what it has; growing while it is read would detach it. */
  #reserveLinks(decodedBytes: number): void {
    // A link has room for up to twice the bytes it holds.
    const needed = this.#exports.used() + 2 * decodedBytes + PAGE_BYTES;
    const { byteLength } = this.#memory.buffer;
    if (needed <= byteLength || byteLength === MEMORY_BYTES_MAX) return;
    const wanted = Math.min(Math.max(needed, byteLength + byteLength / 8), MEMORY_BYTES_MAX);
    this.#memory.grow(Math.ceil((wanted - byteLength) / PAGE_BYTES));
    this.#views = new Views(this.#memory.buffer, this.#exports);
  }

  /** Has the batch keep its rows in the kernel's memory, as long as they fit. */
  lend(batch: SampleBatch): void {
    const { seriesIds, timestampsMs, values, kinds } = this.#views;
    batch.adopt(seriesIds, timestampsMs, values, kinds);
  }

  /** Begins a walk over what was decoded, of series that are known by their forms in `table`. */
  begin(table: SeriesTable): void {
    // The engine may have been replaced since.
    if (this.#table !== table) this.#exports.clear(this.#table?.formCount ?? 0);
    this.#table = table;
    const { state } = this.#views;
    state.fill(0);
    state[AT] = this.#decodedAt;
    state[PREVIOUS] = -1;
  }

  /** Reads series up to `end`, or to the first one that TypeScript has to read: see `position`. */
  walk(end: number, seriesMax: number, rowsMax: number): void {
    this.#exports.walk(this.#decodedAt + end, seriesMax, rowsMax);
  }

  /** Where the series begins that is read next. */
  get position(): number {
    return this.#views.state[AT]! - this.#decodedAt;
  }

  get rows(): number {
    return this.#views.state[ROW]!;
  }

  get series(): number {
    return this.#views.state[SERIES]!;
  }

  /** The form that was read last; -1 when the series was not known, or is the first. */
  get previousForm(): number {
    return this.#views.state[PREVIOUS]!;
  }

  /** Goes on behind a series that TypeScript has read. */
  resume(position: number, rows: number, series: number): void {
    const { state } = this.#views;
    state[AT] = this.#decodedAt + position;
    state[ROW] = rows;
    state[SERIES] = series;
  }

  /** TypeScript has read a series whose label bytes `decoded[start, end)` are those of a form; it follows the one before it. */
  follow(form: number, start: number, end: number): void {
    const { state } = this.#views;
    const { seriesOf, formSender } = this.#table!;
    const at = this.#decodedAt + start;
    const length = end - start;
    const sender = formSender[form]!;
    if (state[PREVIOUS] !== -1) {
      const previous = state[PREVIOUS]!;
      this.#exports.link(
        previous,
        state[PREVIOUS_AT]!,
        state[PREVIOUS_LENGTH]!,
        form,
        at,
        length,
        seriesOf[form]!,
        sender,
      );
    }
    state[PREVIOUS] = form;
    state[PREVIOUS_AT] = at;
    state[PREVIOUS_LENGTH] = length;
    state[SENDER] = sender;
  }

  /** TypeScript has read a series that nothing is known to follow. */
  forget(): void {
    this.#views.state[PREVIOUS] = -1;
  }
}
