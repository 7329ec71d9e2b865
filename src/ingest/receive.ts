import { SampleBatch } from '../engine/batch.ts';
import type { RemoteWriteProtocol } from './content-type.ts';
import { IngestError } from './errors.ts';
import type { Kernel } from './kernel.ts';
import { INGEST_LIMITS, type IngestLimits } from './limits.ts';
import type { HaLabels, SeriesResolver } from './new-series.ts';
import { Rejections } from './rejections.ts';
import { RemoteWrite1 } from './remote-write-1.ts';
import { type ItemCounts, RemoteWrite2 } from './remote-write-2.ts';
import { SnappyDecoder } from './snappy.ts';

/** What a request held. It is used again: valid until the next request is read. */
export interface ReadResult {
  /** The samples of accepted series, in the order of the request. */
  batch: SampleBatch;
  /** Series in the request, and native histograms in it that no SLO wants. */
  seriesCount: number;
  histogramCount: number;
  /** What was received and not rejected here; null for remote write 1.0, whose senders do not ask. */
  valid: ItemCounts | null;
  /** Samples that were rejected, by reason. */
  readonly rejections: Rejections;
}

/** A batch of more rows is not kept for the next request. */
const BATCH_ROWS_KEPT_MAX = 64 * 1024;
const BATCH_ROWS_INITIAL = 4096;

/** The body of a remote write request to a batch. Throws an IngestError when the request as a whole is unusable. */
export class RemoteWriteReceiver {
  readonly #limits: IngestLimits;
  readonly #kernel: Kernel | null;
  readonly #snappy: SnappyDecoder;
  readonly #reader1: RemoteWrite1;
  readonly #reader2: RemoteWrite2;
  readonly #result: ReadResult;

  /** Without `ha` there is no election between replicas: every series is one of its own. */
  constructor(
    resolver: SeriesResolver,
    limits: Partial<IngestLimits> = {},
    ha: HaLabels | null = null,
    kernel: Kernel | null = null,
  ) {
    this.#kernel = kernel;
    this.#limits = { ...INGEST_LIMITS, ...limits };
    const rejections = new Rejections();
    this.#snappy = new SnappyDecoder(this.#limits.decodedBytesMax);
    this.#reader1 = new RemoteWrite1(resolver, this.#limits, rejections, ha);
    this.#reader2 = new RemoteWrite2(resolver, this.#limits, rejections, ha);
    this.#result = {
      batch: new SampleBatch(BATCH_ROWS_INITIAL),
      seriesCount: 0,
      histogramCount: 0,
      valid: null,
      rejections,
    };
  }

  read(body: Uint8Array, protocol: RemoteWriteProtocol = 'rw1'): ReadResult {
    const { bodyBytesMax } = this.#limits;
    if (body.length > bodyBytesMax) {
      throw new IngestError('body_too_large', `the body has ${body.length} bytes, the limit is ${bodyBytesMax}`);
    }
    const kernel = this.#kernel;
    const reader = protocol === 'rw1' ? this.#reader1 : this.#reader2;
    const result = this.#result;
    if (result.batch.capacity > BATCH_ROWS_KEPT_MAX) result.batch = new SampleBatch(BATCH_ROWS_INITIAL);
    result.batch.protocol = protocol;
    result.rejections.clear();
    const length = kernel === null ? -1 : kernel.decode(body, this.#limits.decodedBytesMax);
    kernel?.lend(result.batch);
    if (kernel !== null && length !== -1) reader.read(kernel.decoded, kernel.decodedView, length, result.batch, kernel);
    else this.#decodeAndRead(body, reader);
    result.seriesCount = reader.seriesCount;
    result.histogramCount = reader.histogramCount;
    result.valid = protocol === 'rw1' ? null : this.#reader2.valid;
    return result;
  }

  #decodeAndRead(body: Uint8Array, reader: RemoteWrite1 | RemoteWrite2): void {
    const snappy = this.#snappy;
    try {
      const length = snappy.decode(body);
      reader.read(snappy.output, snappy.view, length, this.#result.batch);
    } finally {
      snappy.trim();
    }
  }
}
