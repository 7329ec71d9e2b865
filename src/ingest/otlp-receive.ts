import { SampleBatch } from '../engine/batch.ts';
import { IngestError } from './errors.ts';
import { INGEST_LIMITS, type IngestLimits } from './limits.ts';
import type { HaLabels, SeriesResolver } from './new-series.ts';
import { merged, OtlpCheck } from './otlp-check.ts';
import { protobufOfJson } from './otlp-json.ts';
import { OtlpMetrics } from './otlp-metrics.ts';
import { Rejections } from './rejections.ts';
import { WireWriter } from './wire-writer.ts';

export type OtlpEncoding = 'protobuf' | 'json';

/** What a request held. It is used again: valid until the next request is read. */
export interface OtlpResult {
  /** The samples of accepted data points, in the order of the request. */
  batch: SampleBatch;
  /** Data points that were rejected, by reason. */
  readonly rejections: Rejections;
  /** Accepted data points, and by point the first of its rows. */
  pointCount: number;
  pointRows: Int32Array;
  /** Native histograms are read, whether an SLO wants them or not. */
  readonly histogramCount: 0;
}

export interface OtlpReceiverOptions {
  readonly resolver: SeriesResolver;
  readonly limits?: Partial<IngestLimits>;
  /** Keys of resource attributes that become labels. */
  readonly promoted?: readonly string[];
  /** Null when no replica is elected. */
  readonly ha?: HaLabels | null;
  /** How many streams are remembered. */
  readonly streamsMax?: number;
  /** Of the hash of their bytes; random in a server. */
  readonly seed?: number;
}

/** A batch of more rows is not kept for the next request. */
const BATCH_ROWS_KEPT_MAX = 64 * 1024;
const BATCH_ROWS_INITIAL = 4096;

/** The body of an OTLP metrics request to a batch. Throws an IngestError when the request as a whole is unusable. */
export class OtlpReceiver {
  readonly #limits: IngestLimits;
  readonly #check: OtlpCheck;
  readonly #metrics: OtlpMetrics;
  readonly #result: OtlpResult;

  constructor(options: OtlpReceiverOptions) {
    const { resolver, limits = {}, promoted = [], ha = null, streamsMax = 2_000_000, seed = 0 } = options;
    this.#limits = { ...INGEST_LIMITS, ...limits };
    const rejections = new Rejections();
    this.#check = new OtlpCheck(this.#limits.samplesPerRequestMax, this.#limits.seriesPerRequestMax);
    this.#metrics = new OtlpMetrics({ resolver, limits: this.#limits, rejections, promoted, ha, streamsMax, seed });
    const batch = new SampleBatch(BATCH_ROWS_INITIAL);
    this.#result = { batch, rejections, pointCount: 0, pointRows: this.#metrics.pointRows, histogramCount: 0 };
  }

  /** `body` is decompressed. */
  read(body: Uint8Array<ArrayBuffer>, encoding: OtlpEncoding): OtlpResult {
    const bytesMax = encoding === 'json' ? this.#limits.jsonBytesMax : this.#limits.decodedBytesMax;
    if (body.length > bytesMax) {
      const what = `the ${encoding === 'json' ? 'JSON ' : ''}body has ${body.length} bytes, the limit is ${bytesMax}`;
      throw new IngestError('decoded_too_large', what);
    }
    const result = this.#result;
    if (result.batch.capacity > BATCH_ROWS_KEPT_MAX) result.batch = new SampleBatch(BATCH_ROWS_INITIAL);
    result.rejections.clear();
    result.batch.protocol = 'otlp';
    this.#metrics.read(this.#checked(encoding === 'json' ? protobufOfJson(body) : body), result.batch);
    result.pointCount = this.#metrics.pointCount;
    result.pointRows = this.#metrics.pointRows;
    return result;
  }

  #checked(message: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    if (!this.#check.isSplit(message)) return message;
    const writer = new WireWriter();
    merged(message, writer);
    return writer.finish();
  }
}
