import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp } from './api/app.ts';
import { HttpCounters, ServiceCounters, WriteCounters } from './api/counters.ts';
import { DegradedLog } from './api/degraded-log.ts';
import { Gunzips } from './api/gunzip.ts';
import { Intake } from './api/intake.ts';
import type { Generation } from './api/live.ts';
import { OtlpIntake } from './api/otlp.ts';
import { OtlpHttpEndpoint } from './api/otlp-http.ts';
import { OtlpServers } from './api/otlp-servers.ts';
import { LoopDelay, Pressure, REQUEST_BYTES } from './api/pressure.ts';
import { Reloader, type Reread } from './api/reloader.ts';
import { SlowSenders } from './api/slow-sender.ts';
import { inSpan } from './api/tracing.ts';
import { WriteEndpoint } from './api/write.ts';
import type { Config } from './config.ts';
import { readLabelMatcher } from './definitions/label-matcher.ts';
import { NO_ALERTING } from './engine/alerting.ts';
import { Engine, type EngineOptions } from './engine/engine.ts';
import type { Matcher, Slo } from './engine/slo.ts';
import { Kernel } from './ingest/kernel.ts';
import { OtlpReceiver } from './ingest/otlp-receive.ts';
import { EventReader } from './ingest/pushed-events.ts';
import { RemoteWriteReceiver } from './ingest/receive.ts';
import { Notifier } from './notify/notifier.ts';
import { Journal, recover } from './store/recovery.ts';
import { Store } from './store/store.ts';

/** The composition: store, engine, ingest and HTTP in one running service. `serve`, `demo` and the tests use it. */

/** Requests that have begun get so long to end; the rest of ten seconds is for the snapshot. */
const DRAIN_MS = 8_000;
/** Of history, in memory until the next snapshot; a back-fill reaches it sooner than the interval. About 100 bytes each. */
const UNWRITTEN_MINUTES_MAX = 500_000;

export interface ServiceOptions {
  readonly config: Config;
  readonly slos: readonly Slo[];
  /** Reads server file and definitions again. */
  readonly reread: () => Reread;
  readonly logger: Logger;
  /** The wall clock, Unix milliseconds. */
  readonly clock: () => number;
  readonly version: string;
  /** How long requests wait for their turn; measured when left out. */
  readonly loopDelayMs?: () => number;
}

export interface Service {
  /** Of the server, without a path; a wildcard address is given as the loopback one. */
  readonly url: string;
  /** The ports of OTLP, for whoever let the system choose them. */
  readonly otlp: Pick<OtlpServers, 'httpPort' | 'grpcPort'>;
  /** The one that serves at present. */
  readonly engine: Engine;
  /** Reads all files again. Resolves with what changed; rejects with an `ApiError` when nothing did, because something is wrong. */
  reload(): Promise<string>;
  /** Saves the state now; a failure is logged and counted. */
  snapshot(): Promise<void>;
  /** Finishes what has begun, saves a snapshot, and ends. */
  close(): Promise<void>;
}

export async function startService({
  config,
  slos,
  reread,
  logger,
  clock,
  version,
  loopDelayMs,
}: ServiceOptions): Promise<Service> {
  const { limits } = config;
  const startedMs = clock();
  const store = Store.open(config.dataDir);
  const seed = randomBytes(4).readUInt32LE();
  const { promoteResourceAttributes: promoted } = config.otlp;
  const kernel = Kernel.load();
  if (kernel === null) logger.warn('this machine has no 128-bit SIMD: remote write is read several times slower');
  const { ha } = config;
  const generation = (engine: Engine): Generation => ({
    engine,
    remoteWrite: new RemoteWriteReceiver(engine, limits, ha, kernel),
    otlp: new OtlpReceiver({ resolver: engine, limits, promoted, ha, streamsMax: limits.seriesMax, seed }),
    events: new EventReader(engine),
  });
  const live = { current: generation(new Engine(slos, { ...engineOptions(config), seed })) };
  const http = new HttpCounters();
  const write1 = new WriteCounters();
  const write2 = new WriteCounters({ rejectsConflicts: true });
  const otlpWrites = new WriteCounters({ rejectsConflicts: true });
  const pushes = new WriteCounters();
  const writes = { remote_write_1: write1, remote_write_2: write2, otlp: otlpWrites, push: pushes };
  const counters = { write: writes, http, service: new ServiceCounters(startedMs) };
  const { bodyBytesMax, journalQueueBytesMax } = limits;
  const loopDelay = new LoopDelay();
  const pressure = new Pressure({
    // A request that is alone always fits, compressed and decompressed, or its sender would try for ever.
    inflightBytesMax: Math.max(
      limits.inflightBytesMax,
      2 * Math.max(bodyBytesMax, limits.decodedBytesMax) + REQUEST_BYTES,
    ),
    loopDelayMaxMs: limits.eventLoopDelayMaxMs,
    loopDelayMs: loopDelayMs ?? (() => loopDelay.ms),
  });
  const intake = new Intake({ live, store, journalQueueBytesMax, pressure, logger, clock });
  const writeCounters = { rw1: write1, rw2: write2 };
  const write = new WriteEndpoint({ intake, bodyBytesMax, counters: writeCounters, http, logger, clock });
  const otlp = new OtlpIntake({ intake, counters: otlpWrites });
  const { decodedBytesMax, jsonBytesMax } = limits;
  const gunzips = new Gunzips(limits.gunzipsMax);
  const bytesMax = { protobuf: decodedBytesMax, json: jsonBytesMax };
  const otlpHttp = new OtlpHttpEndpoint({ otlp, intake, gunzips, bytesMax, http, logger, clock });
  const slowSenders = new SlowSenders({
    bytesPerSecondMin: limits.sendingBytesPerSecondMin,
    periodMs: limits.sendingPeriodMs,
  });
  const { connectionsMax, headTimeoutMs, idleTimeoutMs } = limits;
  const connections = { connectionsMax, headTimeoutMs, idleTimeoutMs, slowSenders };
  const otlpServers = new OtlpServers();
  const serverUrl = (): string => urlOf(app.server.address() as AddressInfo);
  const notifier = new Notifier({
    alerting: config.alerting ?? NO_ALERTING,
    store,
    serverUrl,
    staleAfterMs: config.staleAfterMs,
    limits,
    compileMatcher: (text) => readLabelMatcher(text) as Matcher,
    log: logger,
    clock,
  });
  const metrics = { version, startedMs, live, store, clock, pressure, slowSenders, notifier, ...counters };
  const app = createApp({
    live,
    history: store.history,
    deployments: store.deployments,
    overrides: store.overrides,
    intake,
    endpoints: [write, otlpHttp],
    events: { intake, bodyBytesMax: Math.min(bodyBytesMax, jsonBytesMax), counters: pushes },
    alerts: { notifier, log: store.alerts, actions: store.actions, silencesMax: limits.silencesMax },
    metrics,
    reload: () => reload(),
    connections,
    logger,
    clock,
  });

  let journal: Journal;
  let saving: Promise<void> | null = null;
  const save = async (): Promise<void> => {
    const started = performance.now();
    try {
      await journal.snapshot(live.current.engine);
      counters.service.snapshot.observe((performance.now() - started) / 1000);
      counters.service.lastSnapshotMs = clock();
    } catch (error) {
      counters.service.snapshotFailures++;
      logger.error({ err: error }, 'the snapshot could not be saved; the journal is kept');
    }
  };
  /** One at a time. */
  const snapshot = (): Promise<void> => {
    saving ??= save().finally(() => {
      saving = null;
    });
    return saving;
  };

  const replace = (read: Config, next: readonly Slo[]): void => {
    const before = live.current.engine;
    const engine = before.successor(next, clock(), engineOptions(read));
    journal = Journal.succeed(store, before, engine);
    live.current = generation(engine);
    intake.serve(journal);
    counters.service.lastSnapshotMs = clock();
    void notifier.configure(read.alerting ?? NO_ALERTING, read.staleAfterMs);
  };
  const running = () => live.current.engine.slos;
  const reloader = new Reloader({ config, reread, slos: running, replace, counters: counters.service, logger, clock });
  const reload = async (): Promise<string> => {
    // One that is saved after the reload's own would take newer state away. From here on nothing comes in between.
    while (saving !== null) await saving;
    intake.checkPhase();
    return reloader.reload();
  };

  try {
    // Before recovery, so that a probe can tell a server that is recovering from one that is not there.
    await app.listen({ ...config.listen, listenTextResolver: (address) => `listening on ${address}` });
    await otlpServers.start({
      ...config.otlp,
      endpoint: otlpHttp,
      grpcOptions: { otlp, bytesMax: decodedBytesMax, gunzips, http, logger, clock },
      connections,
    });
    const started = performance.now();
    const { engine } = live.current;
    const recovered = recover(store, engine, clock());
    engine.restoreAlerts(notifier.savedAlerts);
    engine.restartCounts();
    counters.service.recoverySeconds = (performance.now() - started) / 1000;
    logger.info({ ...recovered, seconds: counters.service.recoverySeconds }, 'state recovered');
    journal = new Journal(store, engine.table);
    // Before any sample, so that the set of SLOs is on record: whoever replays the journal must know since when each listens.
    if (!recovered.snapshotIsCurrent) await snapshot();
    intake.serve(journal);
  } catch (error) {
    await Promise.all([app.close(), otlpServers.drain()]);
    loopDelay.stop();
    slowSenders.stop();
    store.close();
    throw error;
  }

  const degradedLog = new DegradedLog(logger);
  const tick = (): void => {
    const { engine } = live.current;
    const started = performance.now();
    const transitions = inSpan('evaluate', () => engine.evaluate(clock()));
    counters.service.evaluation.observe((performance.now() - started) / 1000);
    for (const { sloId, group, alert, severity, from, to, atMs } of transitions) {
      const fields = { slo: sloId, group, alert, severity, from, to, at: new Date(atMs).toISOString() };
      logger.info(fields, `alert ${alert} of ${sloId} is ${to}`);
    }
    notifier.tick(engine);
    degradedLog.look(engine);
    if (store.history.draw(engine) > UNWRITTEN_MINUTES_MAX) void snapshot();
  };

  tick();
  const timers = [
    setInterval(tick, config.evaluationIntervalMs),
    setInterval(() => void snapshot(), config.snapshotIntervalMs),
  ];

  const close = async (): Promise<void> => {
    for (const timer of timers) clearInterval(timer);
    loopDelay.stop();
    slowSenders.stop();
    intake.drain();
    const told = notifier.stop();
    const drained = Promise.all([app.close(), otlpServers.drain()]);
    const late = new AbortController();
    const timeout = sleep(DRAIN_MS, 'late', { signal: late.signal, ref: false }).catch(() => 'drained');
    if ((await Promise.race([drained, timeout])) === 'late') {
      logger.warn(`requests were still open after ${DRAIN_MS / 1000} s and are cut off`);
      app.server.closeAllConnections();
      otlpServers.cut();
      await drained;
    }
    late.abort();
    await told;
    if (saving !== null) await saving;
    await snapshot();
    try {
      store.close();
    } catch (error) {
      logger.error({ err: error }, 'the last records could not be written; their senders were told to send them again');
    }
  };

  let closed: Promise<void> | null = null;
  return {
    url: serverUrl(),
    otlp: otlpServers,
    get engine() {
      return live.current.engine;
    },
    reload,
    snapshot,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

function engineOptions({ settleMs, staleAfterMs, ha, limits }: Config): Partial<EngineOptions> {
  const { seriesMax } = limits;
  return { settleMs, staleAfterMs, seriesMax, ...(ha !== null && { failoverMs: ha.failoverMs }) };
}

function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://127.0.0.1:${port}`;
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`;
}
