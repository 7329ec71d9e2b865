import { SeriesTable } from '../engine/series-table.ts';
import type { OtlpKey } from './otlp-key.ts';

/** Bytes of keys that are remembered, of each kind. */
const REMEMBERED_BYTES_MAX = 512 * 1024 * 1024;

/** What was made of bytes that come again and again. */
export class Remembered<T> {
  readonly #table: SeriesTable;
  readonly #values: T[] = [];
  /** What was found last: senders repeat themselves in the same order. */
  #last = -1;

  constructor(seriesMax: number, seed: number) {
    this.#table = new SeriesTable({ seriesMax, aliasesMax: 0, seed, labelBytesMax: REMEMBERED_BYTES_MAX });
  }

  find({ bytes, length }: OtlpKey): T | undefined {
    const table = this.#table;
    const predicted = table.predicted(this.#last);
    const isPredicted = predicted !== -1 && table.formEquals(predicted, bytes, 0, length);
    const form = isPredicted ? predicted : table.findForm(bytes, 0, length);
    if (form !== -1 && this.#last !== -1) table.successor[this.#last] = form;
    this.#last = form;
    return form === -1 ? undefined : this.#values[table.seriesOf[form]!];
  }

  /** The number of the value; -1 when there is no room. */
  add({ bytes, length }: OtlpKey, value: T): number {
    const id = this.#table.insert(bytes, 0, length);
    if (id !== -1) this.#values.push(value);
    return id;
  }
}
