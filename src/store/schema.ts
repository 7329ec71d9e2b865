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
