import type { IngestOutcome } from '../engine/outcome.ts';
import type { PushOutcome } from '../engine/pushes.ts';
import type { ReadResult } from '../ingest/receive.ts';
import { Summary } from './exposition.ts';
import type { RejectionReason } from './rejection.ts';

/** What the server counts about itself: plain numbers, read by a scrape. */

/** Samples that were read and need nothing done: outcomes of the engine. */
export type IgnoredReason =
  | 'duplicate'
  | 'out_of_order'
  | 'conflict'
  | 'writer_conflict'
  | 'stale'
  | 'invalid_value'
  | 'too_old'
  | 'ha_replica'
  | 'unmatched';

/** What is counted of a request beside what became of its samples. */
type Counted = Pick<ReadResult, 'rejections' | 'histogramCount'>;

/** By value of the label `protocol`. */
export type ProtocolCounters = Readonly<Record<string, WriteCounters>>;

export class WriteCounters {
  readonly #rejectsConflicts: boolean;
  received = 0;
  accepted = 0;
  readonly ignored: Record<IgnoredReason, number>;
  readonly rejected: Record<RejectionReason, number>;
  /** Native histograms that no SLO wants. */
  histograms = 0;
  resets = 0;
  newborn = 0;
  openingBalance = 0;
  /** Seconds that requests waited for their commit. */
  readonly commitWait: Summary;

  /** Whether a sender is told of samples whose series has another value at the same time. */
  constructor({ rejectsConflicts = false } = {}) {
    this.#rejectsConflicts = rejectsConflicts;
    this.ignored = {
      duplicate: 0,
      out_of_order: 0,
      conflict: 0,
      writer_conflict: 0,
      stale: 0,
      invalid_value: 0,
      too_old: 0,
      ha_replica: 0,
      unmatched: 0,
    };
    this.rejected = {
      missing_metric_name: 0,
      duplicate_label: 0,
      empty_label_name: 0,
      invalid_label_refs: 0,
      invalid_utf8: 0,
      label_limit: 0,
      series_limit: 0,
      ha_limit: 0,
      invalid_histogram: 0,
      missing_time: 0,
      missing_value: 0,
      unspecified_temporality: 0,
      delta_of_gauge: 0,
      too_new: 0,
      conflict: 0,
    };
    this.commitWait = new Summary();
  }

  /** `accepted + ignored + rejected = received`, so what is too old or a conflict counts there and not as accepted. */
  count(outcome: IngestOutcome, { rejections, histogramCount }: Counted): void {
    const { ignored } = this;
    const rejectedConflicts = this.#rejectsConflicts ? outcome.conflict : 0;
    const ignoredBefore = sum(ignored);
    this.received += outcome.samples + rejections.total;
    ignored.duplicate += outcome.duplicate;
    ignored.out_of_order += outcome.outOfOrder;
    ignored.conflict += outcome.conflict - rejectedConflicts;
    ignored.writer_conflict += outcome.writerConflict;
    ignored.stale += outcome.stale;
    ignored.invalid_value += outcome.invalidValue;
    ignored.too_old += outcome.tooOld;
    ignored.ha_replica += outcome.haReplica;
    ignored.unmatched += outcome.unmatched;
    this.accepted += Math.max(outcome.samples - outcome.tooNew - rejectedConflicts - (sum(ignored) - ignoredBefore), 0);
    const rejected = { ...rejections.samples, too_new: outcome.tooNew, conflict: rejectedConflicts };
    for (const [reason, samples] of Object.entries(rejected)) {
      this.rejected[reason as RejectionReason] += samples;
    }
    this.histograms += histogramCount;
    this.resets += outcome.resets;
    this.newborn += outcome.newborn;
    this.openingBalance += outcome.openingBalance;
  }

  /** Pushed events, each of which counts like a sample. */
  countPushes(received: number, { applied, duplicates, tooOld }: PushOutcome): void {
    this.received += received;
    this.accepted += applied.length;
    this.ignored.duplicate += duplicates;
    this.ignored.too_old += tooOld;
  }
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

export class HttpCounters {
  /** Route, then status. */
  readonly requests = new Map<string, Map<number, number>>();

  count(route: string, status: number): void {
    let byStatus = this.requests.get(route);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.requests.set(route, byStatus);
    }
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
  }
}

export class ServiceCounters {
  recoverySeconds = 0;
  /** Seconds. */
  readonly evaluation: Summary;
  /** Seconds. */
  readonly snapshot: Summary;
  snapshotFailures = 0;
  /** Unix milliseconds of the last snapshot of this process; null before the first. */
  lastSnapshotMs: number | null = null;
  /** Whether the files were good when they were read last. */
  lastReloadSuccessful = true;
  /** Unix milliseconds: when what runs now was read. */
  lastReloadSuccessMs: number;
  /** Seconds, for which everything else stood still. */
  readonly reload: Summary;

  constructor(startedMs: number) {
    this.lastReloadSuccessMs = startedMs;
    this.evaluation = new Summary();
    this.snapshot = new Summary();
    this.reload = new Summary();
  }
}
