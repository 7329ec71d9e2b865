import type { Database } from 'better-sqlite3';
import { groupText } from '../engine/history-minutes.ts';
import type { Group } from '../engine/ledger.ts';

/** The audit record of remediations: what was set off, by what, and what became of it. */

export type ActionOutcome = 'dry_run' | 'cooldown' | 'waiting' | 'delivered' | 'rejected' | 'dropped';

export interface ActionRecord {
  readonly id: number;
  readonly remediation: string;
  readonly sloId: string;
  readonly group: Group | null;
  /** The values that set it off, in words. */
  readonly reason: string;
  readonly isDryRun: boolean;
  /** When the threshold was crossed; wall clock, Unix milliseconds. */
  readonly startedMs: number;
  /** When it was crossed back; null while it has not been. */
  readonly endedMs: number | null;
  readonly outcome: ActionOutcome;
  /** When the outcome was known; null while it is waiting. */
  readonly finishedMs: number | null;
}

interface Row {
  readonly id: number;
  readonly remediation: string;
  readonly slo: string;
  readonly grp: string;
  readonly reason: string;
  readonly dry_run: number;
  readonly started: number;
  readonly ended: number | null;
  readonly outcome: ActionOutcome;
  readonly finished: number | null;
}

export class Actions {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Those whose threshold has not been crossed back. */
  active(): ActionRecord[] {
    return this.#db.prepare<[], Row>('SELECT * FROM action WHERE ended IS NULL ORDER BY id').all().map(recordOf);
  }

  /** The last time that it was called, or would have been. */
  lastCalledMs(remediation: string, sloId: string, group: Group | null): number | null {
    const sql =
      "SELECT max(started) FROM action WHERE remediation = ? AND slo = ? AND grp = ? AND outcome <> 'cooldown'";
    return this.#db.prepare<string[], number | null>(sql).pluck().get(remediation, sloId, groupText(group)) ?? null;
  }

  add(record: Omit<ActionRecord, 'id'>): number {
    const { remediation, sloId, group, reason, isDryRun, startedMs, endedMs, outcome, finishedMs } = record;
    return Number(
      this.#db
        .prepare(
          'INSERT INTO action (remediation, slo, grp, reason, dry_run, started, ended, outcome, finished) ' +
            'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
        )
        .run(remediation, sloId, groupText(group), reason, isDryRun ? 1 : 0, startedMs, endedMs, outcome, finishedMs)
        .lastInsertRowid,
    );
  }

  end(id: number, endedMs: number): void {
    this.#db.prepare('UPDATE action SET ended = ? WHERE id = ?').run(endedMs, id);
  }

  finish(id: number, outcome: ActionOutcome, finishedMs: number): void {
    this.#db.prepare('UPDATE action SET outcome = ?, finished = ? WHERE id = ?').run(outcome, finishedMs, id);
  }

  /** Newest first. */
  recent(limit: number): ActionRecord[] {
    return this.#db.prepare<[number], Row>('SELECT * FROM action ORDER BY id DESC LIMIT ?').all(limit).map(recordOf);
  }

  /** Forgets the oldest of those that are over. */
  trim(keptMax: number): void {
    this.#db
      .prepare('DELETE FROM action WHERE ended IS NOT NULL AND id <= (SELECT max(id) FROM action) - ?')
      .run(keptMax);
  }
}

function recordOf(row: Row): ActionRecord {
  return {
    id: row.id,
    remediation: row.remediation,
    sloId: row.slo,
    group: row.grp === '' ? null : Object.fromEntries(JSON.parse(row.grp)),
    reason: row.reason,
    isDryRun: row.dry_run === 1,
    startedMs: row.started,
    endedMs: row.ended,
    outcome: row.outcome,
    finishedMs: row.finished,
  };
}
