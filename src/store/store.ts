import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Database, { type Statement } from 'better-sqlite3';
import { Actions } from './actions.ts';
import { AlertLog } from './alert-log.ts';
import { Deployments } from './deployments.ts';
import { CommitError, damaged, readable } from './errors.ts';
import { History } from './history.ts';
import { Outbox } from './outbox.ts';
import { Overrides } from './overrides.ts';
import { migrate } from './schema.ts';
import { Silences } from './silences.ts';

/**
 * The data directory: a journal of records, one snapshot, history, and who is told of alerts, in SQLite.
 *
 * Records are numbered from 1 without a gap, and everything is said in these numbers: `appendedSeq` is the last record that
 * was queued, `committedSeq` the last that will be there after a crash, `snapshotSeq` the last that the snapshot contains.
 *
 * With `synchronous: 'normal'` a commit survives the death of the process at any moment, but the last commits may be lost
 * when the machine itself dies (the database stays consistent). `'full'` waits for the disk at each commit.
 */

const FILE = 'slipstream.db';
/** SQLite copies a BLOB as a whole, and refuses one above a gigabyte. */
const SNAPSHOT_CHUNK_BYTES = 16 * 1024 * 1024;
/** The write-ahead log is cut back to this after it was larger, as it is after a snapshot. */
const WAL_BYTES_KEPT = 64 * 1024 * 1024;

/**
 * Senders that push at the same time share a commit: one costs 40 us, however much it holds. Each turn reads at least one
 * request, so that nobody waits for more than some milliseconds.
 */
const TURNS_MAX = 16;

export interface StoreOptions {
  /** What a commit waits for. Default `normal`. */
  readonly synchronous?: 'normal' | 'full';
  /** How long opening waits for another process to leave the directory. Default 1000. */
  readonly busyTimeoutMs?: number;
  /** When a failed commit is tried again, if no request tries it sooner. Default 1000. */
  readonly retryMs?: number;
}

export interface Loader {
  readonly onSnapshot: (bytes: Uint8Array, throughSeq: number) => void;
  readonly onRecord: (record: Uint8Array, seq: number) => void;
}

/** What is saved with a snapshot. */
export interface SavedWith {
  /** Stands for the definitions that the state was taken with. */
  readonly slos: string;
  /** From `history.take`. */
  readonly historyThrough: number;
}

const NOTHING: SavedWith = { slos: '', historyThrough: 0 };

/** Everybody who waits for one commit. */
interface Group {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: CommitError) => void;
}

export class Store {
  readonly dir: string;
  readonly history: History;
  readonly deployments: Deployments;
  readonly overrides: Overrides;
  readonly alerts: AlertLog;
  readonly outbox: Outbox;
  readonly silences: Silences;
  readonly actions: Actions;
  readonly #db: Database.Database;
  readonly #insert: Statement<[number, Uint8Array]>;
  readonly #insertAll: (records: readonly Uint8Array[]) => void;
  readonly #retryMs: number;
  #queue: Uint8Array[];
  #queuedBytes: number;
  #committedSeq: number;
  #snapshotSeq: number;
  #group: Group | null;
  #commitSoon: NodeJS.Immediate | null;
  /** Turns of the event loop that the queue has waited, and how long it was in the last one. */
  #turns: number;
  #turnLength: number;
  #retry: NodeJS.Timeout | null;
  /** Transactions of records that were committed, and that failed. */
  commits: number;
  commitFailures: number;

  private constructor(dir: string, db: Database.Database, retryMs: number) {
    this.dir = dir;
    this.#db = db;
    this.history = new History(db);
    this.deployments = new Deployments(db);
    this.overrides = new Overrides(db);
    this.alerts = new AlertLog(db);
    this.outbox = new Outbox(db);
    this.silences = new Silences(db);
    this.actions = new Actions(db);
    // A record has one number for ever, so writing it twice is harmless should SQLite ever fail after having committed.
    this.#insert = db.prepare('INSERT OR REPLACE INTO journal (seq, record) VALUES (?, ?)');
    this.#insertAll = db.transaction((records: readonly Uint8Array[]) => {
      let seq = this.#committedSeq;
      for (const record of records) this.#insert.run(++seq, record);
    });
    this.#retryMs = retryMs;
    this.#queue = [];
    this.#queuedBytes = 0;
    const number = (sql: string): number => db.prepare(sql).pluck().get() as number;
    this.#snapshotSeq = number('SELECT coalesce(max(through_seq), 0) FROM snapshot');
    this.#committedSeq = Math.max(this.#snapshotSeq, number('SELECT coalesce(max(seq), 0) FROM journal'));
    this.#group = null;
    this.#commitSoon = null;
    this.#turns = 0;
    this.#turnLength = 0;
    this.#retry = null;
    this.commits = 0;
    this.commitFailures = 0;
  }

  /** Opens or creates the data directory for this process alone. What goes wrong is a `StoreError`. */
  static open(dir: string, options: StoreOptions = {}): Store {
    const { synchronous = 'normal', busyTimeoutMs = 1000, retryMs = 1000 } = options;
    let db: Database.Database | undefined;
    try {
      mkdirSync(dir, { recursive: true });
      db = new Database(join(dir, FILE), { timeout: busyTimeoutMs });
      // Exclusive: the lock is kept until the process closes or dies. The page size counts only when the file is created.
      db.pragma('locking_mode = EXCLUSIVE');
      db.pragma('page_size = 8192');
      db.pragma('journal_mode = WAL');
      db.pragma(`synchronous = ${synchronous}`);
      db.pragma(`journal_size_limit = ${WAL_BYTES_KEPT}`);
      migrate(db, dir);
      return new Store(dir, db, retryMs);
    } catch (error) {
      db?.close();
      throw readable(error, dir);
    }
  }

  get appendedSeq(): number {
    return this.#committedSeq + this.#queue.length;
  }

  get committedSeq(): number {
    return this.#committedSeq;
  }

  /** 0 while there is no snapshot. */
  get snapshotSeq(): number {
    return this.#snapshotSeq;
  }

  /** What the snapshot was said to have been taken with; undefined without a snapshot. */
  get snapshotSlos(): string | undefined {
    return this.#db.prepare('SELECT slos FROM snapshot').pluck().get() as string | undefined;
  }

  /** The records that are not committed, so that requests can be refused before the queue outgrows its limit. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** On disk, with the write-ahead log. */
  get sizeBytes(): number {
    let bytes = 0;
    for (const file of [FILE, `${FILE}-wal`]) {
      bytes += statSync(join(this.dir, file), { throwIfNoEntry: false })?.size ?? 0;
    }
    return bytes;
  }

  /** Hands over the snapshot, if there is one, and then every later record in order. */
  load(loader: Loader): void {
    try {
      const snapshot = this.#readSnapshot();
      if (snapshot !== null) loader.onSnapshot(snapshot, this.#snapshotSeq);
      const records = this.#db.prepare('SELECT seq, record FROM journal WHERE seq > ? ORDER BY seq');
      let expected = this.#snapshotSeq + 1;
      for (const row of records.iterate(this.#snapshotSeq)) {
        const { seq, record } = row as { seq: number; record: Uint8Array };
        if (seq !== expected) throw damaged(this.dir, `journal record ${expected} is missing`);
        loader.onRecord(record, seq);
        expected++;
      }
    } catch (error) {
      throw readable(error, this.dir);
    }
  }

  #readSnapshot(): Uint8Array | null {
    const head = this.#db.prepare('SELECT size, crc32 FROM snapshot').get() as
      | { size: number; crc32: number }
      | undefined;
    if (head === undefined) return null;
    const bytes = new Uint8Array(head.size);
    let at = 0;
    for (const chunk of this.#db.prepare('SELECT bytes FROM snapshot_chunk ORDER BY position').pluck().iterate()) {
      const part = chunk as Uint8Array;
      if (at + part.length > bytes.length) throw damaged(this.dir, 'the snapshot is too long');
      bytes.set(part, at);
      at += part.length;
    }
    if (at !== bytes.length) throw damaged(this.dir, 'a part of the snapshot is missing');
    if (crc32(bytes) !== head.crc32) throw damaged(this.dir, "the snapshot's checksum is wrong");
    return bytes;
  }

  /** Queues a record. It is committed at the end of the first turn that brings no other, together with all of them. */
  append(record: Uint8Array): void {
    this.#queue.push(record);
    this.#queuedBytes += record.length;
    this.#schedule();
  }

  /** Resolves when everything that is queued now is committed; rejects with a `CommitError` when the attempt failed. */
  committed(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    this.#schedule();
    this.#group ??= newGroup();
    return this.#group.promise;
  }

  #schedule(): void {
    if (!this.#db.open) throw new Error('the store is closed');
    this.#commitSoon ??= setImmediate(() => this.#endTurn());
  }

  #endTurn(): void {
    this.#commitSoon = null;
    const grows = this.#queue.length > this.#turnLength;
    this.#turnLength = this.#queue.length;
    if (grows && ++this.#turns < TURNS_MAX) this.#schedule();
    else this.#commit();
  }

  /** One attempt to commit the whole queue. Returns why it failed. */
  #commit(): CommitError | null {
    if (this.#commitSoon !== null) clearImmediate(this.#commitSoon);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#commitSoon = null;
    this.#turns = 0;
    this.#turnLength = 0;
    this.#retry = null;
    if (this.#queue.length === 0) return null;
    const group = this.#group;
    this.#group = null;
    try {
      this.#insertAll(this.#queue);
    } catch (error) {
      const failure = new CommitError(error);
      this.commitFailures++;
      this.#retry = setTimeout(() => this.#commit(), this.#retryMs).unref();
      group?.reject(failure);
      return failure;
    }
    this.commits++;
    this.#committedSeq += this.#queue.length;
    this.#queue = [];
    this.#queuedBytes = 0;
    group?.resolve();
    return null;
  }

  /**
   * Replaces the snapshot, writes the history it contains and deletes the records up to `throughSeq`, in one transaction: the
   * state was taken at the moment when `appendedSeq` was `throughSeq`. Waits until these records are committed and rejects when
   * they cannot be.
   */
  async saveSnapshot(
    bytes: Uint8Array,
    throughSeq: number,
    { slos, historyThrough }: SavedWith = NOTHING,
  ): Promise<void> {
    if (throughSeq > this.appendedSeq || throughSeq < this.#snapshotSeq) {
      throw new RangeError(
        `a snapshot through record ${throughSeq}, but the last is ${this.appendedSeq} and the present snapshot has ` +
          `${this.#snapshotSeq}`,
      );
    }
    while (this.#committedSeq < throughSeq) await this.committed();
    this.#replaceSnapshot(bytes, throughSeq, { slos, historyThrough });
  }

  /** As `saveSnapshot`, of the state at this very moment; it is saved when this returns. Throws when it cannot be. */
  saveSnapshotNow(bytes: Uint8Array, savedWith: SavedWith): void {
    const failure = this.#commit();
    if (failure !== null) throw failure;
    this.#replaceSnapshot(bytes, this.#committedSeq, savedWith);
  }

  #replaceSnapshot(bytes: Uint8Array, throughSeq: number, savedWith: SavedWith): void {
    try {
      this.#writeSnapshot(bytes, throughSeq, savedWith);
    } catch (error) {
      throw readable(error, this.dir);
    }
    this.#snapshotSeq = throughSeq;
    this.history.written(savedWith.historyThrough);
  }

  #writeSnapshot(bytes: Uint8Array, throughSeq: number, { slos, historyThrough }: SavedWith): void {
    const db = this.#db;
    db.transaction(() => {
      db.prepare('DELETE FROM snapshot_chunk').run();
      const insert = db.prepare('INSERT INTO snapshot_chunk (bytes) VALUES (?)');
      for (let at = 0; at < bytes.length; at += SNAPSHOT_CHUNK_BYTES) {
        insert.run(bytes.subarray(at, at + SNAPSHOT_CHUNK_BYTES));
      }
      db.prepare('INSERT OR REPLACE INTO snapshot (id, through_seq, size, crc32, slos) VALUES (1, ?, ?, ?, ?)').run(
        throughSeq,
        bytes.length,
        crc32(bytes),
        slos,
      );
      this.history.write(historyThrough);
      db.prepare('DELETE FROM journal WHERE seq <= ?').run(throughSeq);
    })();
  }

  /** All that is written within `write`, or none of it. */
  transaction(write: () => void): void {
    this.#db.transaction(write)();
  }

  /** A small fact beside the journal; undefined when it was never set. */
  meta(key: string): string | undefined {
    return this.#db.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key) as string | undefined;
  }

  setMeta(key: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(key, value);
  }

  /** Commits what is queued and closes. Throws the `CommitError`, after having closed, when that fails. */
  close(): void {
    if (!this.#db.open) return;
    const failure = this.#commit();
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#db.close();
    if (failure !== null) throw failure;
  }
}

function newGroup(): Group {
  let resolve!: () => void;
  let reject!: (error: CommitError) => void;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  // Whoever stopped waiting, because its client hung up, must not crash the process.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
