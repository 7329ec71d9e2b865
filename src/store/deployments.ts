import type { Database, Statement } from 'better-sqlite3';
import { RESOLUTIONS } from '../engine/history.ts';

/** Deploys on disk, for as long as there is history to tell what they burnt. */

export interface Deployment {
  readonly id: number;
  readonly service: string;
  readonly version: string;
  readonly tMs: number;
  /** Of whatever tells more of it. */
  readonly url: string | null;
  /** When the next one of the service followed; null when none did. */
  readonly nextMs: number | null;
}

const KEPT_MS = RESOLUTIONS.at(-1)!.keptMs;
/** Of one service; the oldest make room. */
const DEPLOYMENTS_MAX = 10_000;

const SELECT =
  'SELECT id, service, version, t AS tMs, url, ' +
  '(SELECT min(t) FROM deployment AS other WHERE other.service = deployment.service AND other.t > deployment.t) AS nextMs ' +
  'FROM deployment';

export class Deployments {
  readonly #insert: Statement<[string, string, number, string | null]>;
  readonly #one: Statement<[string, string, number], Deployment>;
  readonly #newest: Statement<[string | null, string | null, number], Deployment>;
  readonly #expire: Statement<[number]>;
  readonly #crowdOut: Statement<[string, number]>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      'INSERT INTO deployment (service, version, t, url) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET url = excluded.url',
    );
    this.#one = db.prepare(`${SELECT} WHERE service = ? AND version = ? AND t = ?`);
    this.#newest = db.prepare(`${SELECT} WHERE (? IS NULL OR service = ?) ORDER BY t DESC, id DESC LIMIT ?`);
    this.#expire = db.prepare('DELETE FROM deployment WHERE t < ?');
    this.#crowdOut = db.prepare(
      'DELETE FROM deployment WHERE id IN (SELECT id FROM deployment WHERE service = ? ORDER BY t DESC LIMIT -1 OFFSET ?)',
    );
  }

  /** The same version at the same time is the same deploy, so that a retry is harmless. */
  add({ service, version, tMs, url }: Omit<Deployment, 'id' | 'nextMs'>, nowMs: number): Deployment {
    this.#insert.run(service, version, tMs, url);
    const added = this.#one.get(service, version, tMs)!;
    this.#expire.run(nowMs - KEPT_MS);
    this.#crowdOut.run(service, DEPLOYMENTS_MAX);
    return added;
  }

  /** Newest first, of one service or of all. */
  newest(service: string | null, limit: number): Deployment[] {
    return this.#newest.all(service, service, limit);
  }
}
