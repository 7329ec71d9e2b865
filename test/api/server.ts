import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Reread } from '../../src/api/reloader.ts';
import type { Config } from '../../src/config.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';
import { type Service, startService } from '../../src/service.ts';
import { anSlo } from '../support/slo.ts';

export const NOTHING_TO_READ: Reread = { problems: ['there are no files'] };

/** A service as `serve` runs it, on a free port, with a clock of the test's own. */
export class TestServer {
  readonly folder: string;
  slos: readonly Slo[];
  readonly limits: Partial<Config['limits']>;
  readonly otlp: Config['otlp'];
  evaluationIntervalMs = TEST_CONFIG.evaluationIntervalMs;
  alerting = TEST_CONFIG.alerting;
  /** Unix milliseconds; what the service takes for now. */
  nowMs: number;
  /** Parsed lines of the log. */
  readonly log: Record<string, unknown>[];
  service: Service;
  /** What a reload reads. */
  files: Reread;

  private constructor(
    folder: string,
    nowMs: number,
    slos: readonly Slo[],
    limits: Partial<Config['limits']>,
    otlp: Config['otlp'],
  ) {
    this.folder = folder;
    this.nowMs = nowMs;
    this.slos = slos;
    this.limits = limits;
    this.otlp = otlp;
    this.log = [];
    this.service = null!;
    this.files = NOTHING_TO_READ;
  }

  static async start(
    nowMs: number,
    slos: readonly Slo[] = [anSlo()],
    limits: Partial<Config['limits']> = {},
    otlp = TEST_CONFIG.otlp,
    evaluationIntervalMs = TEST_CONFIG.evaluationIntervalMs,
    alerting = TEST_CONFIG.alerting,
  ): Promise<TestServer> {
    const server = new TestServer(mkdtempSync(join(tmpdir(), 'slipstream-api-')), nowMs, slos, limits, otlp);
    server.evaluationIntervalMs = evaluationIntervalMs;
    server.alerting = alerting;
    server.service = await server.#start();
    return server;
  }

  #start(): Promise<Service> {
    const config: Config = {
      ...TEST_CONFIG,
      dataDir: this.folder,
      limits: { ...TEST_CONFIG.limits, ...this.limits },
      otlp: this.otlp,
      evaluationIntervalMs: this.evaluationIntervalMs,
      alerting: this.alerting,
    };
    const logger = pino({ level: 'info' }, { write: (line) => this.log.push(JSON.parse(line)) });
    this.files = { config, slos: this.slos, warnings: [] };
    const reread = () => this.files;
    return startService({ config, slos: this.slos, reread, logger, clock: () => this.nowMs, version: '1.2.3' });
  }

  /** Stops and starts again on the same data. */
  async restart(): Promise<void> {
    await this.service.close();
    this.service = await this.#start();
  }

  async stop(): Promise<void> {
    await this.service.close();
    rmSync(this.folder, { recursive: true });
  }

  get(path: string): Promise<Response> {
    return fetch(this.service.url + path);
  }

  /** The JSON of a path that answers 200. */
  async json<T>(path: string): Promise<T> {
    const response = await this.get(path);
    if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  post(body: Uint8Array | string, headers: Record<string, string> = {}, path = '/api/v1/write'): Promise<Response> {
    return fetch(this.service.url + path, { method: 'POST', body, headers: { ...REMOTE_WRITE, ...headers } });
  }

  write(series: readonly WireSeries[]): Promise<Response> {
    return this.post(compress(encodeWriteRequest(series)));
  }
}

const REMOTE_WRITE = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };

export const TEST_CONFIG: Config = {
  configFile: null,
  listen: { host: '127.0.0.1', port: 0 },
  dataDir: '',
  sloPaths: [],
  evaluationIntervalMs: 3_600_000,
  settleMs: 5_000,
  staleAfterMs: 300_000,
  snapshotIntervalMs: 3_600_000,
  slothPeriodMs: 30 * 86_400_000,
  otlp: { http: null, grpc: null, promoteResourceAttributes: [] },
  ha: { clusterLabel: 'cluster', replicaLabel: '__replica__', failoverMs: 30_000 },
  alerting: null,
  log: { level: 'info', format: 'json' },
  limits: {
    bodyBytesMax: 1_000_000,
    decodedBytesMax: 4_000_000,
    jsonBytesMax: 2_000_000,
    seriesMax: 10_000,
    seriesPerRequestMax: 1_000,
    samplesPerRequestMax: 10_000,
    symbolsPerRequestMax: 1_000_000,
    labelsMax: 64,
    labelNameBytesMax: 1_024,
    labelValueBytesMax: 4_096,
    histogramBucketsMax: 4_096,
    connectionsMax: 100,
    journalQueueBytesMax: 10_000_000,
    inflightBytesMax: 100_000_000,
    // Two cores run the tests: a turn may be late.
    eventLoopDelayMaxMs: 60_000,
    headTimeoutMs: 10_000,
    idleTimeoutMs: 150_000,
    sendingBytesPerSecondMin: 1024,
    sendingPeriodMs: 5_000,
    gunzipsMax: 4,
    outboxMax: 1_000,
    alertHistoryMax: 1_000,
    silencesMax: 10,
  },
};

/** One scrape of `requests{job,instance,code}`: the SLO of `anSlo()` wants it. */
export function scrape(timestampMs: number, counts: Record<string, number>, instance = 'a', job = 'api'): WireSeries[] {
  return Object.entries(counts).map(([code, value]) => ({
    labels: [
      ['__name__', 'requests'],
      ['code', code],
      ['instance', instance],
      ['job', job],
    ],
    samples: [{ timestampMs, value }],
  }));
}
