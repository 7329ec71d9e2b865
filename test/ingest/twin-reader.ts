import { compress } from 'snappyjs';
import { expect } from 'vitest';
import type { TableResolver } from '../../bench/table-resolver.ts';
import { SampleBatch } from '../../src/engine/batch.ts';
import { Kernel } from '../../src/ingest/kernel.ts';
import type { IngestLimits } from '../../src/ingest/limits.ts';
import type { HaLabels } from '../../src/ingest/new-series.ts';
import { Rejections } from '../../src/ingest/rejections.ts';
import { RemoteWrite1 } from '../../src/ingest/remote-write-1.ts';

/** One for all tests of a file: it forgets a table as soon as it is asked about another one. */
export const kernel = Kernel.load()!;

/**
 * Reads every request of remote write 1.0 twice, in TypeScript and in the kernel: rows, rejections and errors must be the same
 * to the bit.
 */
export class TwinReader {
  readonly #reader: RemoteWrite1;
  readonly #twin: RemoteWrite1;
  readonly #rejections: Rejections;
  readonly #twinRejections = new Rejections();
  readonly #twinBatch = new SampleBatch(1);

  constructor(resolver: TableResolver, limits: IngestLimits, rejections: Rejections, ha: HaLabels | null = null) {
    this.#reader = new RemoteWrite1(resolver, limits, rejections, ha);
    this.#twin = new RemoteWrite1(resolver.twin(), limits, this.#twinRejections, ha);
    this.#rejections = rejections;
  }

  get seriesCount(): number {
    return this.#reader.seriesCount;
  }

  get histogramCount(): number {
    return this.#reader.histogramCount;
  }

  read(bytes: Uint8Array, batch: SampleBatch): void {
    this.#rejections.clear();
    const error = thrownBy(() => {
      this.#reader.read(bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.length), bytes.length, batch);
    });
    this.#twinRejections.clear();
    const twinError = thrownBy(() => this.#readInKernel(bytes));
    expect(twinError).toEqual(error);
    if (error !== null) throw error;
    expect(rowsOf(this.#twinBatch)).toEqual(rowsOf(batch));
    expect(this.#twinBatch.histograms).toEqual(batch.histograms);
    expect(this.#twinRejections).toEqual(this.#rejections);
    expect([this.#twin.seriesCount, this.#twin.histogramCount]).toEqual([this.seriesCount, this.histogramCount]);
  }

  #readInKernel(bytes: Uint8Array): void {
    const length = kernel.decode(compress(bytes), bytes.length);
    expect(length).toBe(bytes.length);
    kernel.lend(this.#twinBatch);
    this.#twin.read(kernel.decoded, kernel.decodedView, length, this.#twinBatch, kernel);
  }
}

function thrownBy(run: () => void): unknown {
  try {
    run();
    return null;
  } catch (error) {
    return error;
  }
}

/** As words, because a NaN must be the same NaN. */
function rowsOf(batch: SampleBatch): unknown[] {
  const { length, hasSenders } = batch;
  const words = (column: Float64Array | Int32Array | Uint8Array) =>
    Buffer.from(column.buffer, column.byteOffset, length * column.BYTES_PER_ELEMENT).toString('hex');
  const senders = hasSenders ? words(batch.senders) : null;
  return [words(batch.seriesIds), words(batch.timestampsMs), words(batch.values), words(batch.kinds), senders];
}
