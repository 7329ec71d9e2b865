/** What one request, and one series in it, may be. Everything has a limit from configuration. */
export interface IngestLimits {
  readonly bodyBytesMax: number;
  readonly decodedBytesMax: number;
  /** Of a JSON body, which takes ten times as long to read. */
  readonly jsonBytesMax: number;
  readonly seriesPerRequestMax: number;
  readonly samplesPerRequestMax: number;
  readonly symbolsPerRequestMax: number;
  readonly labelsMax: number;
  readonly labelNameBytesMax: number;
  readonly labelValueBytesMax: number;
  readonly histogramBucketsMax: number;
}

export const INGEST_LIMITS: IngestLimits = {
  bodyBytesMax: 32 * 1024 * 1024,
  decodedBytesMax: 64 * 1024 * 1024,
  jsonBytesMax: 16 * 1024 * 1024,
  seriesPerRequestMax: 100_000,
  // A sample can be two bytes, so that 64 MiB could be 32 million rows.
  samplesPerRequestMax: 1_000_000,
  // As of samples: the empty one is two bytes.
  symbolsPerRequestMax: 1_000_000,
  labelsMax: 64,
  labelNameBytesMax: 1_024,
  labelValueBytesMax: 4_096,
  // SDKs keep to 160.
  histogramBucketsMax: 4_096,
};
