import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { CommitError, StoreError } from '../../src/store/errors.ts';
import { Store, type StoreOptions } from '../../src/store/store.ts';
import { temporaryFolder } from './folder.ts';

const FILE = 'slipstream.db';

function open(dir: string, options: StoreOptions = {}): Store {
  const store = Store.open(dir, options);
  onTestFinished(() => store.close());
  return store;
}

/** A store and its database, whose growth can be stopped: what a full disk looks like. */
function openWithDisk(options: StoreOptions = {}, dir = temporaryFolder()) {
  const pragma = vi.spyOn(Database.prototype, 'pragma');
  const store = Store.open(dir, options);
  const db = pragma.mock.contexts[0] as unknown as Database.Database;
  pragma.mockRestore();
  const free = () => db.pragma('max_page_count = 1000000');
  onTestFinished(() => {
    if (db.open) free();
    store.close();
  });
  return { store, fill: () => db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`), free };
}

/** Too big for what may be left of the last page. */
function big(text: string): Uint8Array {
  return Buffer.from(text.padEnd(50_000));
}

function contents(store: Store) {
  let snapshot: { text: string; throughSeq: number } | null = null;
  const records: string[] = [];
  store.load({
    onSnapshot: (bytes, throughSeq) => {
      snapshot = { text: Buffer.from(bytes).toString(), throughSeq };
    },
    onRecord: (record, seq) => records.push(`${seq} ${Buffer.from(record).toString().trimEnd()}`),
  });
  return { snapshot, records };
}

function append(store: Store, ...texts: string[]): void {
  for (const text of texts) store.append(Buffer.from(text));
}

/** Changes the database behind the store's back. */
function tamper(dir: string, sql: string): void {
  const db = new Database(join(dir, FILE));
  db.exec(sql);
  db.close();
}

function refusal(dir: string, action: (store: Store) => void = () => {}): StoreError {
  let store: Store | undefined;
  try {
    store = Store.open(dir, { busyTimeoutMs: 0 });
    action(store);
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return error as StoreError;
  } finally {
    store?.close();
  }
  throw new Error('nothing was refused');
}

describe('group commit', () => {
  it('commits everything of a turn in one transaction', async () => {
    const store = open(temporaryFolder());
    append(store, 'a', 'bc');
    const first = store.committed();
    append(store, 'd');
    const second = store.committed();
    expect(second).toBe(first);
    expect([store.appendedSeq, store.committedSeq, store.queuedBytes, store.commits]).toEqual([3, 0, 4, 0]);
    await first;
    expect([store.appendedSeq, store.committedSeq, store.queuedBytes, store.commits]).toEqual([3, 3, 0, 1]);
    expect(contents(store).records).toEqual(['1 a', '2 bc', '3 d']);
  });

  it('happens without anybody waiting', async () => {
    const store = open(temporaryFolder());
    append(store, 'a');
    await vi.waitFor(() => expect(store.committedSeq).toBe(1));
  });

  it('lets nobody wait when nothing is queued', async () => {
    const store = open(temporaryFolder());
    await store.committed();
    expect(store.commits).toBe(0);
  });

  it('makes a request that changed nothing wait for the records before it', async () => {
    const store = open(temporaryFolder());
    append(store, 'a');
    await store.committed();
    append(store, 'b');
    let drained = false;
    const waiting = store.committed().then(() => {
      drained = true;
    });
    await Promise.resolve();
    expect(drained).toBe(false);
    await waiting;
    expect(store.committedSeq).toBe(2);
  });
});

describe('a commit that fails', () => {
  it('rejects every waiter, loses nothing and keeps the order', async () => {
    const { store, fill, free } = openWithDisk({ retryMs: 60_000 });
    append(store, 'a');
    await store.committed();
    fill();
    store.append(big('b'));
    const waiters = [store.committed(), store.committed()];
    for (const { status, reason } of (await Promise.allSettled(waiters)) as PromiseRejectedResult[]) {
      expect(status).toBe('rejected');
      expect(reason).toBeInstanceOf(CommitError);
      expect(reason.message).toBe('the journal could not be written: database or disk is full');
    }
    store.append(big('c'));
    await expect(store.committed()).rejects.toThrow(CommitError);
    expect([store.committedSeq, store.appendedSeq, store.queuedBytes]).toEqual([1, 3, 100_000]);
    expect([store.commits, store.commitFailures]).toEqual([1, 2]);
    expect(contents(store).records).toEqual(['1 a']);

    free();
    append(store, 'd');
    await store.committed();
    expect(store.queuedBytes).toBe(0);
    expect(contents(store).records).toEqual(['1 a', '2 b', '3 c', '4 d']);
  });

  it('is tried again for a request that brings no record of its own', async () => {
    const { store, fill, free } = openWithDisk({ retryMs: 60_000 });
    fill();
    store.append(big('a'));
    await expect(store.committed()).rejects.toThrow(CommitError);
    await expect(store.committed()).rejects.toThrow(CommitError);
    free();
    await store.committed();
    expect(contents(store).records).toEqual(['1 a']);
  });

  it('is tried again without any request, even when the one who waited has gone', async () => {
    const { store, fill, free } = openWithDisk({ retryMs: 5 });
    fill();
    store.append(big('a'));
    void store.committed();
    await vi.waitFor(() => expect(store.commitFailures).toBeGreaterThan(1));
    free();
    await vi.waitFor(() => expect(store.committedSeq).toBe(1));
    expect(contents(store).records).toEqual(['1 a']);
  });

  it('while closing is told once the directory is free again', () => {
    const dir = temporaryFolder();
    const { store, fill } = openWithDisk({}, dir);
    fill();
    store.append(big('a'));
    expect(() => store.close()).toThrow(CommitError);
    expect(contents(open(dir)).records).toEqual([]);
  });
});

describe('a snapshot', () => {
  it('replaces the records up to it, and those after it stay', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    append(store, 'a', 'b');
    const throughSeq = store.appendedSeq;
    append(store, 'c');
    // Not even the records it stands for are committed yet.
    await store.saveSnapshot(Buffer.from('a and b'), throughSeq);
    expect([store.snapshotSeq, store.committedSeq]).toEqual([2, 3]);
    store.close();

    const again = open(dir);
    expect(contents(again)).toEqual({ snapshot: { text: 'a and b', throughSeq: 2 }, records: ['3 c'] });
    await again.saveSnapshot(Buffer.from('all'), 3);
    expect(contents(again)).toEqual({ snapshot: { text: 'all', throughSeq: 3 }, records: [] });
    again.close();
    const db = new Database(join(dir, FILE));
    expect(db.prepare('SELECT count(*) FROM journal').pluck().get()).toBe(0);
    db.close();
  });

  it('does not make numbers start again when it has trimmed all records', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    append(store, 'a', 'b');
    await store.saveSnapshot(Buffer.from('both'), 2);
    store.close();
    const again = open(dir);
    append(again, 'c');
    await again.committed();
    expect(contents(again)).toEqual({ snapshot: { text: 'both', throughSeq: 2 }, records: ['3 c'] });
  });

  it('may be empty, and may be bigger than SQLite takes at once', async () => {
    const store = open(temporaryFolder());
    append(store, 'a');
    await store.saveSnapshot(new Uint8Array(0), 1);
    expect(contents(store).snapshot).toEqual({ text: '', throughSeq: 1 });

    const bytes = new Uint8Array(40 * 1024 * 1024);
    for (let i = 0; i < bytes.length; i += 1021) bytes[i] = i % 251;
    await store.saveSnapshot(bytes, 1);
    let same = false;
    store.load({
      onSnapshot: (loaded) => {
        same = Buffer.compare(loaded, bytes) === 0;
      },
      onRecord: () => {},
    });
    expect(same).toBe(true);
    expect(store.sizeBytes).toBeGreaterThan(bytes.length);
  });

  it('that cannot be saved leaves the old one and all records', async () => {
    const { store, fill, free } = openWithDisk();
    append(store, 'a');
    await store.saveSnapshot(Buffer.from('old'), 1);
    append(store, 'b');
    await store.committed();
    fill();
    await expect(store.saveSnapshot(big('new'), 2)).rejects.toThrow('cannot be used: database or disk is full');
    expect(store.snapshotSeq).toBe(1);
    expect(contents(store)).toEqual({ snapshot: { text: 'old', throughSeq: 1 }, records: ['2 b'] });
    free();
    await store.saveSnapshot(Buffer.from('new'), 2);
    expect(contents(store)).toEqual({ snapshot: { text: 'new', throughSeq: 2 }, records: [] });
  });

  it('is not saved while its records cannot be committed', async () => {
    const { store, fill, free } = openWithDisk({ retryMs: 60_000 });
    fill();
    store.append(big('a'));
    await expect(store.saveSnapshot(Buffer.from('a'), 1)).rejects.toThrow(CommitError);
    free();
    await store.committed();
    expect(contents(store)).toEqual({ snapshot: null, records: ['1 a'] });
  });

  it('of records that do not exist or were trimmed is refused', async () => {
    const store = open(temporaryFolder());
    append(store, 'a', 'b');
    await store.saveSnapshot(Buffer.from(''), 2);
    const refuses = (throughSeq: number) =>
      expect(store.saveSnapshot(Buffer.from(''), throughSeq)).rejects.toThrow(
        `a snapshot through record ${throughSeq}, but the last is 2 and the present snapshot has 2`,
      );
    await refuses(1);
    await refuses(3);
  });
});

describe('a data directory', () => {
  it('is created where it is missing, and read again', async () => {
    const dir = join(temporaryFolder(), 'some/where');
    const store = Store.open(dir);
    expect([store.appendedSeq, store.snapshotSeq]).toEqual([0, 0]);
    expect(contents(store)).toEqual({ snapshot: null, records: [] });
    expect(store.meta('cluster')).toBeUndefined();
    store.setMeta('cluster', 'blue');
    store.setMeta('cluster', 'green');
    append(store, 'a', 'b');
    store.close();

    const again = open(dir);
    expect(again.meta('cluster')).toBe('green');
    expect(again.appendedSeq).toBe(2);
    append(again, 'c');
    await again.committed();
    expect(contents(again).records).toEqual(['1 a', '2 b', '3 c']);
  });

  it('has one writer', () => {
    const dir = temporaryFolder();
    const store = open(dir);
    const error = refusal(dir);
    expect(error.code).toBe('in_use');
    expect(error.message).toBe(
      `data directory ${dir} is in use by another slipstream process; stop it, or choose another directory with --data`,
    );
    store.close();
    open(dir);
  });

  it('takes nothing more once it is closed', () => {
    const store = Store.open(temporaryFolder());
    store.close();
    store.close();
    expect(() => append(store, 'a')).toThrow('the store is closed');
  });

  it('of a newer version is refused', () => {
    const dir = temporaryFolder();
    Store.open(dir).close();
    tamper(dir, 'PRAGMA user_version = 99');
    const error = refusal(dir);
    expect(error.code).toBe('newer_schema');
    expect(error.message).toBe(
      `data directory ${dir} was written by a newer slipstream (schema 99, this one knows 4); ` +
        'run the newer version, or restore a backup from before the upgrade',
    );
  });

  it('that cannot be written says so', () => {
    const dir = temporaryFolder();
    writeFileSync(join(dir, 'file'), '');
    mkdirSync(join(dir, FILE));
    for (const path of [dir, join(dir, 'file'), join(dir, 'file/below')]) {
      const { code, message } = refusal(path);
      expect(code).toBe('not_writable');
      expect(message).toMatch(
        /^data directory \S+ cannot be written \(.+\); make it a directory that this user may write to, or choose another/,
      );
    }
  });

  it('that is damaged says what to do', async () => {
    const remedy = '; restore a backup, or move the directory away to start without its history';
    const damagedBy = async (damage: (dir: string) => void, what: string) => {
      const dir = temporaryFolder();
      const store = Store.open(dir);
      append(store, 'a');
      await store.saveSnapshot(Buffer.from('a'), 1);
      for (let i = 0; i < 20; i++) store.append(big(`record ${i}`));
      store.close();
      damage(dir);
      const { code, message } = refusal(dir, (opened) => void contents(opened));
      expect(code).toBe('damaged');
      expect(message).toBe(`data directory ${dir} is damaged (${what})${remedy}`);
    };
    const overwrite = (start: number) => (dir: string) =>
      writeFileSync(join(dir, FILE), readFileSync(join(dir, FILE)).fill(0xaa, start));
    await damagedBy(overwrite(0), 'file is not a database');
    await damagedBy(overwrite(4096), 'database disk image is malformed');
    await damagedBy((dir) => tamper(dir, 'DELETE FROM journal WHERE seq = 3'), 'journal record 3 is missing');
    await damagedBy(
      (dir) => tamper(dir, "UPDATE snapshot_chunk SET bytes = x'62'"),
      "the snapshot's checksum is wrong",
    );
    await damagedBy((dir) => tamper(dir, "UPDATE snapshot_chunk SET bytes = x'6262'"), 'the snapshot is too long');
    await damagedBy((dir) => tamper(dir, 'DELETE FROM snapshot_chunk'), 'a part of the snapshot is missing');
  });

  it('passes on what a reader of records throws', async () => {
    const store = open(temporaryFolder());
    append(store, 'a');
    await store.committed();
    const onRecord = () => {
      throw new TypeError('not mine');
    };
    expect(() => store.load({ onSnapshot: () => {}, onRecord })).toThrow(new TypeError('not mine'));
    expect(contents(store).records).toEqual(['1 a']);
  });
});
