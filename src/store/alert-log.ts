import type { Database, Statement } from 'better-sqlite3';
import type { SavedAlert } from '../engine/alert.ts';
import { groupText } from '../engine/history-minutes.ts';
import type { Group } from '../engine/ledger.ts';

/** Alerts as they stand, so that a process which is killed goes on where it was; those that are over; and who was told of each. */

export type Labels = Readonly<Record<string, string>>;

export interface AlertRecord {
  readonly id: number;
  readonly sloId: string;
  readonly group: Group | null;
  readonly name: string;
  readonly severity: string;
  readonly state: 'pending' | 'firing' | 'resolved';
  /** Event time at which the state began; of a resolved alert, at which it fired. Unix milliseconds. */
  readonly sinceMs: number;
  /** Wall clock; null while it is pending. */
  readonly firedAtMs: number | null;
  /** Wall clock; null until it is resolved. */
  readonly endedAtMs: number | null;
  readonly labels: Labels;
  readonly annotations: Labels;
  /** Where to read more. */
  readonly link: string;
}

export type ToldStatus = 'firing' | 'resolved';
export type ToldOutcome = 'delivered' | 'rejected' | 'dropped';

/** That a receiver was told of an alert, or could not be. */
export interface Told {
  readonly receiver: string;
  readonly status: ToldStatus;
  readonly outcome: ToldOutcome;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly times: number;
}

export interface AlertHistoryFilter {
  readonly slo: string | null;
  /** Alerts that were firing at some time in `[fromMs, toMs]`. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly limit: number;
}

interface Row {
  readonly id: number;
  readonly slo: string;
  readonly grp: string;
  readonly name: string;
  readonly severity: string;
  readonly state: AlertRecord['state'];
  readonly since: number;
  readonly fired: number | null;
  readonly ended: number | null;
  readonly labels: string;
  readonly annotations: string;
  readonly link: string;
}

export class AlertLog {
  readonly #db: Database;
  readonly #insert: Statement<unknown[]>;
  readonly #update: Statement<unknown[]>;
  readonly #delete: Statement<[number]>;
  readonly #get: Statement<[number], Row>;
  readonly #addTold: Statement<unknown[]>;
  readonly #told: Statement<[number], Told>;

  constructor(db: Database) {
    this.#db = db;
    this.#insert = db.prepare(
      'INSERT INTO alert (slo, grp, name, severity, state, since, fired, ended, labels, annotations, link) ' +
        'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#update = db.prepare(
      'UPDATE alert SET state = ?, since = ?, fired = ?, ended = ?, annotations = ? WHERE id = ?',
    );
    this.#delete = db.prepare('DELETE FROM alert WHERE id = ?');
    this.#get = db.prepare('SELECT * FROM alert WHERE id = ?');
    this.#addTold = db.prepare(
      'INSERT INTO alert_told (alert, receiver, status, outcome, first, last, times) VALUES (?, ?, ?, ?, ?, ?, 1) ' +
        'ON CONFLICT DO UPDATE SET last = excluded.last, times = times + 1',
    );
    this.#told = db.prepare(
      'SELECT receiver, status, outcome, first AS firstMs, last AS lastMs, times FROM alert_told WHERE alert = ? ORDER BY first',
    );
  }

  /** Pending and firing ones. */
  active(): AlertRecord[] {
    return this.#db.prepare<[], Row>('SELECT * FROM alert WHERE ended IS NULL ORDER BY id').all().map(recordOf);
  }

  endedSince(sinceMs: number): AlertRecord[] {
    return this.#db
      .prepare<[number], Row>('SELECT * FROM alert WHERE ended >= ? ORDER BY id')
      .all(sinceMs)
      .map(recordOf);
  }

  /** Null when it has been forgotten. */
  get(id: number): AlertRecord | null {
    const row = this.#get.get(id);
    return row === undefined ? null : recordOf(row);
  }

  /** Returns the id of the new record. */
  add(record: Omit<AlertRecord, 'id'>): number {
    const { sloId, group, name, severity, state, sinceMs, firedAtMs, endedAtMs, labels, annotations, link } = record;
    const texts = [JSON.stringify(labels), JSON.stringify(annotations), link];
    const times = [sinceMs, firedAtMs, endedAtMs];
    return Number(this.#insert.run(sloId, groupText(group), name, severity, state, ...times, ...texts).lastInsertRowid);
  }

  update({ id, state, sinceMs, firedAtMs, endedAtMs, annotations }: AlertRecord): void {
    this.#update.run(state, sinceMs, firedAtMs, endedAtMs, JSON.stringify(annotations), id);
  }

  remove(id: number): void {
    this.#delete.run(id);
  }

  addTold(alerts: readonly number[], told: Pick<Told, 'receiver' | 'status' | 'outcome'>, atMs: number): void {
    for (const alert of alerts) this.#addTold.run(alert, told.receiver, told.status, told.outcome, atMs, atMs);
  }

  told(alert: number): Told[] {
    return this.#told.all(alert);
  }

  /** Those that have fired, newest first. */
  history({ slo, fromMs, toMs, limit }: AlertHistoryFilter): AlertRecord[] {
    return this.#db
      .prepare<unknown[], Row>(
        'SELECT * FROM alert WHERE fired <= ? AND (ended IS NULL OR ended >= ?) AND (? IS NULL OR slo = ?) ' +
          'ORDER BY fired DESC, id DESC LIMIT ?',
      )
      .all(toMs, fromMs, slo, slo, limit)
      .map(recordOf);
  }

  /** Forgets the oldest of those that are over, so that at most about `keptMax` are left. */
  trim(keptMax: number): void {
    const old = 'SELECT id FROM alert WHERE ended IS NOT NULL AND id <= (SELECT max(id) FROM alert) - ?';
    this.#db.prepare(`DELETE FROM alert_told WHERE alert IN (${old})`).run(keptMax);
    this.#db.prepare(`DELETE FROM alert WHERE id IN (${old})`).run(keptMax);
  }
}

/** What the engine has to be told of an alert after a restart. */
export function savedAlert({ sloId, group, name, state, sinceMs }: AlertRecord): SavedAlert {
  return { sloId, group, name, state: state === 'pending' ? 'pending' : 'firing', sinceMs };
}

function recordOf(row: Row): AlertRecord {
  return {
    id: row.id,
    sloId: row.slo,
    group: row.grp === '' ? null : Object.fromEntries(JSON.parse(row.grp)),
    name: row.name,
    severity: row.severity,
    state: row.state,
    sinceMs: row.since,
    firedAtMs: row.fired,
    endedAtMs: row.ended,
    labels: JSON.parse(row.labels),
    annotations: JSON.parse(row.annotations),
    link: row.link,
  };
}
