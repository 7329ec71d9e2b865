import { createHash } from 'node:crypto';
import type { SampleBatch } from '../engine/batch.ts';
import type { PushedEvents } from '../engine/pushes.ts';
import type { Slo } from '../engine/slo.ts';
import { StoreError } from './errors.ts';
import type { HistorySource } from './history.ts';
import { RecordDecoder, RecordEncoder, type ReplayTarget, type SeriesLabels } from './journal-record.ts';
import type { Store } from './store.ts';

/** Recovery and journal: where the store meets the engine. */

export interface Restorable extends ReplayTarget {
  readonly slos: readonly Slo[];
  /** Takes the state of a snapshot over and returns, for each series id of the snapshot, the present one (negative: none). */
  restore(snapshot: Uint8Array, nowMs: number): Int32Array;
}

export interface Snapshotable extends HistorySource {
  readonly slos: readonly Slo[];
  /** The state at this very moment, in bytes of its own. */
  snapshot(): Uint8Array;
}

/** An engine that holds the state of the one before, and has been given no sample yet. */
export interface Successor extends Snapshotable {
  readonly table: SeriesLabels;
}

/** The rows of a batch that changed something, in the order in which they were applied. */
export interface ChangedRows {
  readonly changedRows: Uint32Array;
  readonly changedCount: number;
}

export interface RecoveryResult {
  /** The last record that the snapshot contained, 0 without a snapshot. */
  readonly snapshotSeq: number;
  readonly snapshotBytes: number;
  readonly records: number;
  readonly samples: number;
  /** Samples of series that the engine refused to register again, because its limits were lowered. */
  readonly refusedSamples: number;
  /** The snapshot alone is the state, and was taken with the very definitions that run now. */
  readonly snapshotIsCurrent: boolean;
}

/** Brings an empty engine to the state that was acknowledged: the snapshot, then every later record in order. */
export function recover(store: Store, engine: Restorable, nowMs: number): RecoveryResult {
  let decoder = new RecordDecoder();
  let snapshotSeq = 0;
  let snapshotBytes = 0;
  let records = 0;
  let samples = 0;
  let refusedSamples = 0;
  const restored = (bytes: Uint8Array): Int32Array => {
    try {
      return engine.restore(bytes, nowMs);
    } catch (error) {
      throw new StoreError(
        'damaged',
        `the snapshot in data directory ${store.dir} cannot be restored (${error instanceof Error ? error.message : error}); ` +
          'run the version of slipstream that wrote it, or restore a backup',
        error,
      );
    }
  };
  store.load({
    onSnapshot: (bytes, throughSeq) => {
      decoder = new RecordDecoder(restored(bytes));
      snapshotSeq = throughSeq;
      snapshotBytes = bytes.length;
    },
    onRecord: (record, seq) => {
      const { applied, refused } = decoder.decode(record, seq, engine);
      records++;
      samples += applied;
      refusedSamples += refused;
    },
  });
  const snapshotIsCurrent = records === 0 && store.snapshotSlos === fingerprint(engine.slos);
  return { snapshotSeq, snapshotBytes, records, samples, refusedSamples, snapshotIsCurrent };
}

/** Stands for a set of definitions: it changes when any of them does. */
function fingerprint(slos: readonly Slo[]): string {
  return createHash('sha256').update(JSON.stringify(slos)).digest('base64');
}

/** Writes down what batches changed. Made once an engine, after recovery or reload: it begins a new epoch of series ids. */
export class Journal {
  readonly #store: Store;
  readonly #encoder: RecordEncoder;

  constructor(store: Store, labels: SeriesLabels) {
    this.#store = store;
    this.#encoder = new RecordEncoder(labels);
  }

  /**
   * The journal of an engine that takes over from another one. Its state is saved before it is given any sample, in one go, so
   * that whoever replays the journal knows since when each SLO has listened. Throws when that fails, and then nothing has
   * changed.
   */
  static succeed(store: Store, before: HistorySource, after: Successor): Journal {
    const historyThrough = store.history.take(before);
    store.saveSnapshotNow(after.snapshot(), { slos: fingerprint(after.slos), historyThrough });
    return new Journal(store, after.table);
  }

  /** Queues what a batch changed, if anything; `store.committed()` tells when it is safe. */
  record(batch: SampleBatch, { changedRows, changedCount }: ChangedRows, nowMs: number): void {
    if (changedCount === 0) return;
    this.#store.append(this.#encoder.encode(batch, changedRows, changedCount, nowMs));
  }

  /** Queues the pushed events that were applied, if any. */
  recordPushes(events: readonly PushedEvents[], nowMs: number): void {
    if (events.length > 0) this.#store.append(this.#encoder.encodePushes(events, nowMs));
  }

  /** Takes the engine's state now and resolves when it is saved and the records it contains are deleted. */
  snapshot(engine: Snapshotable): Promise<void> {
    const throughSeq = this.#store.appendedSeq;
    const bytes = engine.snapshot();
    // After the snapshot, which settles what was open: both hold the same events.
    const historyThrough = this.#store.history.take(engine);
    // Also when saving fails: the flag in the next record holds for whoever reads on from an older snapshot, too.
    this.#encoder.restartValues();
    return this.#store.saveSnapshot(bytes, throughSeq, { slos: fingerprint(engine.slos), historyThrough });
  }
}
