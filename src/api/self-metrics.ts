import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Engine } from '../engine/engine.ts';
import type { SloState } from '../engine/state.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { Store } from '../store/store.ts';
import type { HttpCounters, ProtocolCounters, ServiceCounters } from './counters.ts';
import { type Exposition, groupedLabelText, labelText, Summary } from './exposition.ts';
import type { Live } from './live.ts';
import type { Pressure } from './pressure.ts';
import type { SlowSenders } from './slow-sender.ts';

/** The server's metrics about itself; docs/self-metrics.md explains each. */

export interface SelfMetricsSources {
  readonly version: string;
  /** Unix milliseconds. */
  readonly startedMs: number;
  readonly live: Live;
  readonly store: Store;
  readonly write: ProtocolCounters;
  readonly http: HttpCounters;
  readonly service: ServiceCounters;
  readonly pressure: Pressure;
  readonly slowSenders: SlowSenders;
  readonly notifier: Notifier;
}

const NANOSECONDS = 1e9;

const TIMER_MS = 20;

/** What is measured are the intervals of a timer, in nanoseconds; NaN is the mean of none. */
function seconds(intervalNs: number): number {
  return Math.max(intervalNs / NANOSECONDS - TIMER_MS / 1000, 0) || 0;
}

/** How late timers ran since the last scrape. */
export class EventLoopLag {
  readonly #histogram: IntervalHistogram;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: TIMER_MS });
    this.#histogram.enable();
  }

  read(): { mean: number; p99: number; max: number } {
    const { mean, max } = this.#histogram;
    const p99 = this.#histogram.percentile(99);
    this.#histogram.reset();
    return { mean: seconds(mean), p99: seconds(p99), max: seconds(max) };
  }

  stop(): void {
    this.#histogram.disable();
  }
}

export function addSelfMetrics(
  out: Exposition,
  sources: SelfMetricsSources,
  states: readonly SloState[],
  nowMs: number,
  lag: EventLoopLag,
): void {
  const build = labelText({ version: sources.version, node_version: process.version });
  out.gauge('slipstream_build_info', 'Version of Slipstream and of Node.js; always 1.').add(1, build);
  addIngest(out, sources.write);
  addEngine(out, sources.live.current.engine, states, nowMs);
  addStore(out, sources.store, sources.write);
  addService(out, sources.service);
  addConfig(out, sources.service);
  addNotify(out, sources.notifier);
  addHttp(out, sources.http);
  addPressure(out, sources.pressure, sources.slowSenders);
  addProcess(out, sources.startedMs, lag);
}

function addIngest(out: Exposition, write: ProtocolCounters): void {
  const received = out.counter('slipstream_samples_received_total', 'Samples in requests that could be read.');
  const accepted = out.counter('slipstream_samples_accepted_total', 'Samples that an SLO wants and that were applied.');
  const ignored = out.counter('slipstream_samples_ignored_total', 'Samples that needed nothing done, by reason.');
  const rejected = out.counter('slipstream_samples_rejected_total', 'Samples that were refused, by reason.');
  const histograms = out.counter('slipstream_histograms_ignored_total', 'Native histograms that no SLO wants.');
  for (const [protocol, counters] of Object.entries(write)) {
    received.add(counters.received, labelText({ protocol }));
    accepted.add(counters.accepted, labelText({ protocol }));
    for (const [reason, count] of Object.entries(counters.ignored)) ignored.add(count, labelText({ protocol, reason }));
    for (const [reason, count] of Object.entries(counters.rejected))
      rejected.add(count, labelText({ protocol, reason }));
    histograms.add(counters.histograms, labelText({ protocol }));
  }
  const total = (of: 'resets' | 'newborn' | 'openingBalance') =>
    Object.values(write).reduce((sum, counters) => sum + counters[of], 0);
  out.counter('slipstream_counter_resets_total', 'Decreases taken for a counter reset.').add(total('resets'));
  const first = out.counter('slipstream_first_samples_total', 'First samples of a series, by what they counted.');
  first.add(total('newborn'), labelText({ counted: 'full' }));
  first.add(total('openingBalance'), labelText({ counted: 'nothing' }));
}

function addEngine(out: Exposition, engine: Engine, states: readonly SloState[], nowMs: number): void {
  out.gauge('slipstream_slos', 'SLOs that are evaluated.').add(engine.slos.length);
  out.gauge('slipstream_series', 'Series that are known, wanted by an SLO or not.').add(engine.seriesCount);
  out
    .gauge('slipstream_series_quarantined', 'Series that two writers share, of which only the higher one is followed.')
    .add(engine.quarantinedCount);
  out.gauge('slipstream_targets', 'Targets (job and instance) that are known.').add(engine.targetCount);
  const lag = out.gauge('slipstream_slo_watermark_lag_seconds', "How far an SLO's watermark is behind the wall clock.");
  for (const { id, group, asOf } of states) {
    if (asOf !== null) lag.add((nowMs - Date.parse(asOf)) / 1000, groupedLabelText({ slo: id }, group));
  }
  const overflow = out.counter(
    'slipstream_slo_group_overflow_total',
    'Series left out of an SLO with too many groups.',
  );
  const refused = out.counter(
    'slipstream_slo_series_refused_total',
    'Series that an SLO wants, refused because too many are known, each time that they came.',
  );
  for (const { id, groupBy } of engine.slos) {
    const { overflowSeries, refusedSeries } = engine.leftOut(id);
    if (groupBy.length > 0) overflow.add(overflowSeries, labelText({ slo: id }));
    refused.add(refusedSeries, labelText({ slo: id }));
  }
}

function addStore(out: Exposition, store: Store, write: ProtocolCounters): void {
  const commitWait = new Summary();
  for (const { commitWait: one } of Object.values(write)) {
    commitWait.sum += one.sum;
    commitWait.count += one.count;
  }
  out
    .counter('slipstream_journal_records_total', 'Journal records committed since the data directory was created.')
    .add(store.committedSeq);
  out.counter('slipstream_journal_commits_total', 'Transactions of journal records.').add(store.commits);
  out
    .counter('slipstream_journal_commit_failures_total', 'Transactions of journal records that failed.')
    .add(store.commitFailures);
  out
    .summary('slipstream_journal_commit_wait_seconds', 'How long write requests waited for their commit.')
    .addSummary(commitWait);
  out
    .gauge('slipstream_journal_queue_records', 'Journal records that are not committed yet.')
    .add(store.appendedSeq - store.committedSeq);
  out.gauge('slipstream_journal_queue_bytes', 'Bytes that are not committed yet.').add(store.queuedBytes);
  out.gauge('slipstream_store_size_bytes', 'Size of the data directory.').add(store.sizeBytes);
}

function addService(out: Exposition, service: ServiceCounters): void {
  out
    .gauge('slipstream_recovery_seconds', 'How long the start took to recover the state.')
    .add(service.recoverySeconds);
  out
    .summary('slipstream_evaluation_duration_seconds', 'How long evaluating all SLOs took.')
    .addSummary(service.evaluation);
  out.summary('slipstream_snapshot_duration_seconds', 'How long saving a snapshot took.').addSummary(service.snapshot);
  out.counter('slipstream_snapshot_failures_total', 'Snapshots that could not be saved.').add(service.snapshotFailures);
  out
    .gauge('slipstream_snapshot_last_timestamp_seconds', 'When the last snapshot of this process was saved.')
    .add(service.lastSnapshotMs === null ? null : service.lastSnapshotMs / 1000);
}

function addConfig(out: Exposition, service: ServiceCounters): void {
  out
    .gauge('slipstream_config_last_reload_successful', 'Whether the files were good when they were read last.')
    .add(service.lastReloadSuccessful ? 1 : 0);
  out
    .gauge('slipstream_config_last_reload_success_timestamp_seconds', 'When the files that are in use were read.')
    .add(service.lastReloadSuccessMs / 1000);
  out
    .summary('slipstream_config_reload_duration_seconds', 'How long reloads took, for which requests waited.')
    .addSummary(service.reload);
}

function addNotify(out: Exposition, notifier: Notifier): void {
  const { counters } = notifier;
  const active = out.gauge('slipstream_alerts_active', 'Alerts that are pending or firing.');
  const states = notifier.tracked.map(({ record }) => record.state);
  for (const state of ['pending', 'firing'] as const) {
    active.add(states.filter((each) => each === state).length, labelText({ state }));
  }
  const delivered = out.counter('slipstream_notifications_delivered_total', 'Notifications that a receiver has taken.');
  const failures = out.counter(
    'slipstream_notification_failures_total',
    'Attempts to tell a receiver that failed, by reason.',
  );
  const lost = out.counter('slipstream_notifications_lost_total', 'Notifications that were given up.');
  const latency = out.summary(
    'slipstream_notification_latency_seconds',
    'How long after the tick that wanted it a notification was taken.',
  );
  for (const [receiver, { delivered: taken, failures: byReason, lost: gone, latency: took }] of counters.integrations) {
    const labels = labelText({ receiver });
    delivered.add(taken, labels);
    for (const [reason, count] of Object.entries(byReason)) failures.add(count, labelText({ receiver, reason }));
    lost.add(gone, labels);
    latency.addSummary(took, labels);
  }
  const waiting = out.gauge('slipstream_notifications_waiting', 'Notifications that are not delivered yet.');
  for (const [receiver, count] of notifier.waiting()) waiting.add(count, labelText({ receiver }));
  out
    .counter('slipstream_alert_write_failures_total', 'Ticks whose alerts could not be written down.')
    .add(counters.writeFailures);
  out
    .gauge('slipstream_silences', 'Silences that are kept, those that are over among them.')
    .add(notifier.silences.size);
}

function addHttp(out: Exposition, http: HttpCounters): void {
  const requests = out.counter('slipstream_http_requests_total', 'HTTP requests answered, by route and status code.');
  for (const [route, byStatus] of http.requests) {
    for (const [status, count] of byStatus) requests.add(count, labelText({ route, code: String(status) }));
  }
}

function addPressure(out: Exposition, { shed, inflightBytes }: Pressure, { cut }: SlowSenders): void {
  const requests = out.counter('slipstream_requests_shed_total', 'Requests sent away to come again later, by reason.');
  for (const [reason, count] of Object.entries(shed)) requests.add(count, labelText({ reason }));
  out.gauge('slipstream_inflight_bytes', 'Bytes held by requests that are not answered yet.').add(inflightBytes);
  out.counter('slipstream_slow_senders_cut_total', 'Requests cut off because their bodies came too slowly.').add(cut);
}

function addProcess(out: Exposition, startedMs: number, lag: EventLoopLag): void {
  const { user, system } = process.cpuUsage();
  out.counter('process_cpu_seconds_total', 'CPU time of the process, user and system.').add((user + system) / 1e6);
  out.gauge('process_resident_memory_bytes', 'Resident memory of the process.').add(process.memoryUsage.rss());
  out.gauge('process_start_time_seconds', 'When the process started, Unix time.').add(startedMs / 1000);
  const { mean, p99, max } = lag.read();
  out.gauge('nodejs_eventloop_lag_mean_seconds', 'How late timers ran since the last scrape, mean.').add(mean);
  out.gauge('nodejs_eventloop_lag_p99_seconds', '99th percentile of it.').add(p99);
  out.gauge('nodejs_eventloop_lag_max_seconds', 'The longest of it.').add(max);
}
