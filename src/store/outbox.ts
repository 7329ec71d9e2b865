import type { Database, Statement } from 'better-sqlite3';
import type { Labels } from './alert-log.ts';

/** What waits to be delivered, and what each group of alerts was told last: both change in one transaction. */

export interface Message {
  /** Of two messages with the same key only the first is kept. */
  readonly key: string;
  /** To whom: the messages of one integration wait for no other. */
  readonly integration: string;
  /** Messages of one lane are delivered in order. */
  readonly lane: string;
  readonly payload: string;
}

export interface QueuedMessage extends Message {
  readonly id: number;
  readonly attempts: number;
  /** Not before this time, Unix milliseconds. */
  readonly dueMs: number;
  readonly createdMs: number;
}

/** Alerts that are told together, as they were told last. */
export interface ToldGroup {
  readonly key: string;
  readonly receiver: string;
  readonly labels: Labels;
  /** Ids of the alerts that were told to fire. */
  readonly told: readonly number[];
  readonly notifiedMs: number;
  /** Nothing that changes is told before. */
  readonly quietUntilMs: number;
}

const MESSAGE = 'id, key, integration, lane, payload, attempts, due AS dueMs, created AS createdMs';

export class Outbox {
  readonly #db: Database;
  readonly #insert: Statement<unknown[]>;
  readonly #heads: Statement<[string, number], QueuedMessage>;
  readonly #nextDue: Statement<[string], number | null>;
  readonly #retry: Statement<[number, number]>;
  readonly #delete: Statement<[number]>;
  readonly #count: Statement<[string], number>;
  readonly #oldest: Statement<[string, number], QueuedMessage>;
  readonly #saveGroup: Statement<unknown[]>;

  constructor(db: Database) {
    this.#db = db;
    this.#insert = db.prepare(
      'INSERT OR IGNORE INTO outbox (key, integration, lane, payload, attempts, due, created) VALUES (?, ?, ?, ?, 0, ?, ?)',
    );
    const firstOfLane =
      'NOT EXISTS (SELECT 1 FROM outbox b WHERE b.integration = a.integration AND b.lane = a.lane AND b.id < a.id)';
    this.#heads = db.prepare(
      `SELECT ${MESSAGE} FROM outbox a WHERE integration = ? AND due <= ? AND ${firstOfLane} ORDER BY due, id LIMIT 1`,
    );
    this.#nextDue = db
      .prepare<[string], number | null>(`SELECT min(due) FROM outbox a WHERE integration = ? AND ${firstOfLane}`)
      .pluck();
    this.#retry = db.prepare('UPDATE outbox SET attempts = attempts + 1, due = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM outbox WHERE id = ?');
    this.#count = db.prepare<[string], number>('SELECT count(*) FROM outbox WHERE integration = ?').pluck();
    this.#oldest = db.prepare(`SELECT ${MESSAGE} FROM outbox WHERE integration = ? ORDER BY id LIMIT ?`);
    this.#saveGroup = db.prepare(
      'INSERT OR REPLACE INTO alert_group (key, receiver, labels, told, notified, quiet_until) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  add({ key, integration, lane, payload }: Message, nowMs: number): void {
    this.#insert.run(key, integration, lane, payload, nowMs, nowMs);
  }

  /** The message that may be delivered now; null when none may. */
  next(integration: string, nowMs: number): QueuedMessage | null {
    return this.#heads.get(integration, nowMs) ?? null;
  }

  /** When there is something to do next; null when nothing waits. */
  nextDueMs(integration: string): number | null {
    return this.#nextDue.get(integration) ?? null;
  }

  postpone(id: number, dueMs: number): void {
    this.#retry.run(dueMs, id);
  }

  remove(id: number): void {
    this.#delete.run(id);
  }

  count(integration: string): number {
    return this.#count.get(integration)!;
  }

  oldest(integration: string, count: number): QueuedMessage[] {
    return this.#oldest.all(integration, count);
  }

  /** Those that have messages waiting. */
  integrations(): string[] {
    return this.#db.prepare<[], string>('SELECT DISTINCT integration FROM outbox').pluck().all();
  }

  groups(): ToldGroup[] {
    const rows = this.#db.prepare('SELECT * FROM alert_group ORDER BY key').all() as {
      key: string;
      receiver: string;
      labels: string;
      told: string;
      notified: number;
      quiet_until: number;
    }[];
    return rows.map(({ key, receiver, labels, told, notified, quiet_until }) => ({
      key,
      receiver,
      labels: JSON.parse(labels),
      told: JSON.parse(told),
      notifiedMs: notified,
      quietUntilMs: quiet_until,
    }));
  }

  saveGroup({ key, receiver, labels, told, notifiedMs, quietUntilMs }: ToldGroup): void {
    this.#saveGroup.run(key, receiver, JSON.stringify(labels), JSON.stringify(told), notifiedMs, quietUntilMs);
  }

  removeGroup(key: string): void {
    this.#db.prepare('DELETE FROM alert_group WHERE key = ?').run(key);
  }
}
