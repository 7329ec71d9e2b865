import type { Database } from 'better-sqlite3';

/** Silences, until they have been over for a while. */

export interface SilenceRecord {
  readonly id: string;
  /** As they were written. */
  readonly matchers: readonly string[];
  readonly reason: string;
  readonly createdBy: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly startsMs: number;
  readonly endsMs: number;
}

export class Silences {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  all(): SilenceRecord[] {
    const rows = this.#db
      .prepare(
        'SELECT id, matchers, reason, created_by AS createdBy, created AS createdMs, starts AS startsMs, ends AS endsMs ' +
          'FROM silence ORDER BY created, id',
      )
      .all() as (Omit<SilenceRecord, 'matchers'> & { matchers: string })[];
    return rows.map((row) => ({ ...row, matchers: JSON.parse(row.matchers) }));
  }

  save({ id, matchers, reason, createdBy, createdMs, startsMs, endsMs }: SilenceRecord): void {
    this.#db
      .prepare(
        'INSERT OR REPLACE INTO silence (id, matchers, reason, created_by, created, starts, ends) VALUES (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(id, JSON.stringify(matchers), reason, createdBy, createdMs, startsMs, endsMs);
  }

  /** Forgets those that were over at that time. */
  removeEndedBefore(timeMs: number): void {
    this.#db.prepare('DELETE FROM silence WHERE ends < ?').run(timeMs);
  }
}
