import { SampleBatch } from '../engine/batch.ts';
import { IngestError } from './errors.ts';
import { INGEST_LIMITS, type IngestLimits } from './limits.ts';
import type { HaLabels, SeriesResolver } from './new-series.ts';
import { Rejections } from './rejections.ts';
import { RemoteWrite1 } from './remote-write-1.ts';
import { SnappyDecoder } from './snappy.ts';

/** What a request held. It is used again: valid until the next request is read. */
export interface ReadResult {
  /** The samples of accepted series, in the order of the request. */
  batch: SampleBatch;
  /** Series in the request, and native histograms in it that no SLO wants. */
  seriesCount: number;
  histogramCount: number;
  /** Samples that were rejected, by reason. */
  readonly rejections: Rejections;
}

/** A batch of more rows is not kept for the next request. */
const BATCH_ROWS_KEPT_MAX = 64 * 1024;
const BATCH_ROWS_INITIAL = 4096;

/** The body of a remote write 1.0 request to a batch. Throws an IngestError when the request as a whole is unusable. */
export class RemoteWriteReceiver {
  readonly #limits: IngestLimits;
  readonly #snappy: SnappyDecoder;
  readonly #reader: RemoteWrite1;
  readonly #result: ReadResult;

  /** Without `ha` there is no election between replicas: every series is one of its own. */
  constructor(resolver: SeriesResolver, limits: Partial<IngestLimits> = {}, ha: HaLabels | null = null) {
    this.#limits = { ...INGEST_LIMITS, ...limits };
    const rejections = new Rejections();
    this.#snappy = new SnappyDecoder(this.#limits.decodedBytesMax);
    this.#reader = new RemoteWrite1(resolver, this.#limits, rejections, ha);
    this.#result = { batch: new SampleBatch(BATCH_ROWS_INITIAL), seriesCount: 0, histogramCount: 0, rejections };
  }

  read(body: Uint8Array): ReadResult {
    const { bodyBytesMax } = this.#limits;
    if (body.length > bodyBytesMax) {
      throw new IngestError('body_too_large', `the body has ${body.length} bytes, the limit is ${bodyBytesMax}`);
    }
    const snappy = this.#snappy;
    const reader = this.#reader;
    const result = this.#result;
    if (result.batch.capacity > BATCH_ROWS_KEPT_MAX) result.batch = new SampleBatch(BATCH_ROWS_INITIAL);
    result.rejections.clear();
    try {
      const length = snappy.decode(body);
      reader.read(snappy.output, snappy.view, length, result.batch);
    } finally {
      snappy.trim();
    }
    result.seriesCount = reader.seriesCount;
    result.histogramCount = reader.histogramCount;
    return result;
  }
}
