import type { Database } from 'better-sqlite3';
import { StoreError } from './errors.ts';

/** Each entry leads from the version that is its index to the next. Entries are only ever appended. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE journal (seq INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
   CREATE TABLE snapshot (
     id INTEGER PRIMARY KEY CHECK (id = 1),
     through_seq INTEGER NOT NULL,
     size INTEGER NOT NULL,
     crc32 INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE snapshot_chunk (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;`,
  // `slos` tells which definitions a snapshot was taken with. Times are ends of slots, times and resolutions in seconds.
  `ALTER TABLE snapshot ADD COLUMN slos TEXT NOT NULL DEFAULT '';
   CREATE TABLE history_ledger (
     id INTEGER PRIMARY KEY,
     slo TEXT NOT NULL,
     grp TEXT NOT NULL,
     UNIQUE (slo, grp)
   ) STRICT;
   CREATE TABLE history (
     ledger INTEGER NOT NULL,
     resolution INTEGER NOT NULL,
     t INTEGER NOT NULL,
     good REAL NOT NULL,
     bad REAL NOT NULL,
     PRIMARY KEY (ledger, resolution, t)
   ) STRICT, WITHOUT ROWID;`,
  // Times are in milliseconds.
  `CREATE TABLE deployment (
     id INTEGER PRIMARY KEY,
     service TEXT NOT NULL,
     version TEXT NOT NULL,
     t INTEGER NOT NULL,
     url TEXT,
     UNIQUE (service, t, version)
   ) STRICT;
   CREATE INDEX deployment_t ON deployment (t);
   CREATE TABLE gate_override (
     id INTEGER PRIMARY KEY,
     service TEXT NOT NULL,
     name TEXT NOT NULL,
     reason TEXT NOT NULL,
     created INTEGER NOT NULL,
     expires INTEGER NOT NULL,
     revoked INTEGER
   ) STRICT;
   CREATE INDEX gate_override_service ON gate_override (service, expires);`,
  // Times are Unix milliseconds; what is told of alerts in store/alert-log.ts, outbox.ts, silences.ts and actions.ts.
  `CREATE TABLE alert (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     slo TEXT NOT NULL,
     grp TEXT NOT NULL,
     name TEXT NOT NULL,
     severity TEXT NOT NULL,
     state TEXT NOT NULL,
     since REAL NOT NULL,
     fired REAL,
     ended REAL,
     labels TEXT NOT NULL,
     annotations TEXT NOT NULL,
     link TEXT NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX alert_active ON alert (slo, grp, name) WHERE ended IS NULL;
   CREATE INDEX alert_ended ON alert (ended);
   CREATE TABLE alert_told (
     alert INTEGER NOT NULL,
     receiver TEXT NOT NULL,
     status TEXT NOT NULL,
     outcome TEXT NOT NULL,
     first REAL NOT NULL,
     last REAL NOT NULL,
     times INTEGER NOT NULL,
     PRIMARY KEY (alert, receiver, status, outcome)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE alert_group (
     key TEXT PRIMARY KEY,
     receiver TEXT NOT NULL,
     labels TEXT NOT NULL,
     told TEXT NOT NULL,
     notified REAL NOT NULL,
     quiet_until REAL NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE outbox (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     key TEXT NOT NULL UNIQUE,
     integration TEXT NOT NULL,
     lane TEXT NOT NULL,
     payload TEXT NOT NULL,
     attempts INTEGER NOT NULL,
     due REAL NOT NULL,
     created REAL NOT NULL
   ) STRICT;
   CREATE INDEX outbox_lane ON outbox (integration, lane, id);
   CREATE TABLE silence (
     id TEXT PRIMARY KEY,
     matchers TEXT NOT NULL,
     reason TEXT NOT NULL,
     created_by TEXT NOT NULL,
     created REAL NOT NULL,
     starts REAL NOT NULL,
     ends REAL NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE action (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     remediation TEXT NOT NULL,
     slo TEXT NOT NULL,
     grp TEXT NOT NULL,
     reason TEXT NOT NULL,
     dry_run INTEGER NOT NULL,
     started REAL NOT NULL,
     ended REAL,
     outcome TEXT NOT NULL,
     finished REAL
   ) STRICT;
   CREATE INDEX action_last ON action (remediation, slo, grp, id);`,
];

/** Brings the database to the present schema, or refuses one that is newer. */
export function migrate(db: Database, dir: string): void {
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      'newer_schema',
      `data directory ${dir} was written by a newer slipstream (schema ${version}, this one knows ${MIGRATIONS.length}); ` +
        'run the newer version, or restore a backup from before the upgrade',
    );
  }
  db.transaction(() => {
    for (const sql of MIGRATIONS.slice(version)) db.exec(sql);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).exclusive();
}
