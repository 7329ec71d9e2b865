import type { Database, Statement } from 'better-sqlite3';
import type { Override } from '../engine/override.ts';

/** Overrides of the gate on disk. An audit log: none is ever changed but by the time at which it was taken back. */

const COLUMNS =
  'id, service, name, reason, created AS createdMs, expires AS expiresMs, revoked AS revokedMs FROM gate_override';

export class Overrides {
  readonly #insert: Statement<[string, string, string, number, number]>;
  readonly #revoke: Statement<[number, number]>;
  readonly #byId: Statement<[number], Override>;
  readonly #active: Statement<[string, number], Override>;
  readonly #newest: Statement<[string | null, string | null, number], Override>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      'INSERT INTO gate_override (service, name, reason, created, expires) VALUES (?, ?, ?, ?, ?)',
    );
    this.#revoke = db.prepare('UPDATE gate_override SET revoked = ? WHERE id = ? AND revoked IS NULL');
    this.#byId = db.prepare(`SELECT ${COLUMNS} WHERE id = ?`);
    this.#active = db.prepare(
      `SELECT ${COLUMNS} WHERE service = ? AND revoked IS NULL AND expires > ? ORDER BY expires DESC LIMIT 1`,
    );
    this.#newest = db.prepare(`SELECT ${COLUMNS} WHERE (? IS NULL OR service = ?) ORDER BY id DESC LIMIT ?`);
  }

  add({ service, name, reason, createdMs, expiresMs }: Omit<Override, 'id' | 'revokedMs'>): Override {
    const { lastInsertRowid } = this.#insert.run(service, name, reason, createdMs, expiresMs);
    return this.#byId.get(Number(lastInsertRowid))!;
  }

  /** Null when there is none of this id. One that was taken back before stays as it was. */
  revoke(id: number, nowMs: number): Override | null {
    this.#revoke.run(nowMs, id);
    return this.#byId.get(id) ?? null;
  }

  /** The one that lasts longest; null when none is active. */
  active(service: string, nowMs: number): Override | null {
    return this.#active.get(service, nowMs) ?? null;
  }

  /** Newest first, of one service or of all. */
  newest(service: string | null, limit: number): Override[] {
    return this.#newest.all(service, service, limit);
  }
}
