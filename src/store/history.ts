import type { Database, Statement } from 'better-sqlite3';
import { MINUTE_MS, SECOND_MS } from '../engine/duration.ts';
import { mergeSlots, RESOLUTIONS, type Slot, slotEndMs, stretchesOf } from '../engine/history.ts';
import { groupText, HistoryMinutes, type LedgerMinutes } from '../engine/history-minutes.ts';
import type { Group } from '../engine/ledger.ts';

/**
 * History on disk: good and bad events of each ledger by the minute, by ten minutes and by the hour.
 *
 * What the engine has counted since the last snapshot is kept in memory, because replaying the journal counts it again. It is
 * written in the transaction that replaces the snapshot and trims the journal, so an event is in history exactly once, whenever
 * the process dies. When that transaction fails nothing is taken back: the minutes wait, in order, for a snapshot that
 * contains them.
 */

/** Expired slots are deleted in the same transaction, a few ledgers at a time in turn, so that no snapshot takes long. */
const EXPIRED_LEDGERS_MAX = 250;
const EXPIRED_SLOTS_MAX = 20_000;

export interface HistorySource {
  /** Hands over the events by minute that were settled since history was last taken. */
  takeHistory(each: (sloId: string, group: Group | null, minuteMs: number, good: number, bad: number) => void): void;
}

export interface HistoryOfLedger {
  /** In order of time. */
  readonly slots: readonly Slot[];
  /** Where the first slot begins; NaN when there is none. */
  readonly sinceMs: number;
}

/** What one snapshot contains that the one before did not; written with the first of them that is saved, or that follows. */
interface Taken {
  readonly number: number;
  readonly minutes: HistoryMinutes;
}

export class History {
  readonly #insertLedger: Statement<[string, string]>;
  readonly #ledgerId: Statement<[string, string], number>;
  readonly #add: Statement<[number, number, number, number, number]>;
  readonly #read: Statement<[number, number, number, number], [t: number, good: number, bad: number]>;
  readonly #first: Statement<[number, number, number], number | null>;
  readonly #nextLedgers: Statement<[number], number>;
  readonly #expire: Statement<[number, number, number]>;
  readonly #forgetLedger: Statement<[number]>;
  /** Drawn from the engine, and of no snapshot yet. */
  #drawn = new HistoryMinutes();
  #taken: Taken[] = [];
  #takenCount = 0;
  /** The newest minute ever written; what is kept is counted from it. -Infinity before the first. */
  #newestMs: number;
  /** The ledger whose slots were looked through last. */
  #expiredThrough = 0;

  constructor(db: Database) {
    this.#insertLedger = db.prepare('INSERT INTO history_ledger (slo, grp) VALUES (?, ?)');
    this.#ledgerId = db
      .prepare<[string, string], number>('SELECT id FROM history_ledger WHERE slo = ? AND grp = ?')
      .pluck();
    this.#add = db.prepare(
      'INSERT INTO history (ledger, resolution, t, good, bad) VALUES (?, ?, ?, ?, ?) ON CONFLICT (ledger, resolution, t) ' +
        'DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad',
    );
    this.#read = db
      .prepare<[number, number, number, number], [number, number, number]>(
        'SELECT t, good, bad FROM history WHERE ledger = ? AND resolution = ? AND t > ? AND t < ? ORDER BY t',
      )
      .raw();
    this.#first = db
      .prepare<[number, number, number], number | null>(
        'SELECT min(t) FROM history WHERE ledger = ? AND resolution = ? AND t > ?',
      )
      .pluck();
    this.#nextLedgers = db
      .prepare<[number], number>(`SELECT id FROM history_ledger WHERE id > ? ORDER BY id LIMIT ${EXPIRED_LEDGERS_MAX}`)
      .pluck();
    this.#expire = db.prepare('DELETE FROM history WHERE ledger = ? AND resolution = ? AND t <= ?');
    this.#forgetLedger = db.prepare(
      'DELETE FROM history_ledger WHERE id = ? AND NOT EXISTS (SELECT 1 FROM history WHERE ledger = id)',
    );
    // The newest minute of all is always there: only a newer one lets it expire.
    const newest = db
      .prepare('SELECT max((SELECT max(t) FROM history WHERE ledger = id AND resolution = ?)) FROM history_ledger')
      .pluck()
      .get(MINUTE_MS / SECOND_MS) as number | null;
    this.#newestMs = newest === null ? Number.NEGATIVE_INFINITY : newest * SECOND_MS;
  }

  /** Takes over what the engine has counted, and tells how many minutes wait for a snapshot to be asked for. */
  draw(source: HistorySource): number {
    source.takeHistory((sloId, group, minuteMs, good, bad) => this.#drawn.add(sloId, group, minuteMs, good, bad));
    return this.#drawn.size;
  }

  /** Everything counted so far belongs to the snapshot that is taken at this very moment. Returns the number to write it by. */
  take(source: HistorySource): number {
    this.draw(source);
    this.#taken.push({ number: ++this.#takenCount, minutes: this.#drawn });
    this.#drawn = new HistoryMinutes();
    return this.#takenCount;
  }

  /** Writes all that was taken up to this number; to be called inside the transaction that saves the snapshot. */
  write(through: number): void {
    const taken = this.#taken.filter(({ number }) => number <= through);
    const newestMs = newestOf(this.#newestMs, taken);
    for (const { minutes } of taken) {
      for (const ledger of minutes.ledgers) this.#writeLedger(ledger, newestMs);
    }
    this.#expireSome(newestMs);
  }

  /** The transaction was committed. */
  written(through: number): void {
    this.#newestMs = newestOf(
      this.#newestMs,
      this.#taken.filter(({ number }) => number <= through),
    );
    this.#taken = this.#taken.filter(({ number }) => number > through);
  }

  #writeLedger({ sloId, group, minutes }: LedgerMinutes, newestMs: number): void {
    const id = this.#ledgerId.get(sloId, group) ?? Number(this.#insertLedger.run(sloId, group).lastInsertRowid);
    for (const { ms, keptMs } of RESOLUTIONS) {
      const slots = new Map<number, [good: number, bad: number]>();
      for (const [minuteMs, [good, bad]] of minutes) {
        const endMs = slotEndMs(minuteMs, ms);
        if (endMs <= newestMs - keptMs) continue;
        const slot = slots.get(endMs);
        if (slot === undefined) {
          slots.set(endMs, [good, bad]);
        } else {
          slot[0] += good;
          slot[1] += bad;
        }
      }
      for (const [endMs, [good, bad]] of slots) this.#add.run(id, ms / SECOND_MS, endMs / SECOND_MS, good, bad);
    }
  }

  /** One step of an endless round over all ledgers, those of SLOs that are no more among them. */
  #expireSome(newestMs: number): void {
    if (newestMs === Number.NEGATIVE_INFINITY) return;
    const ids = this.#nextLedgers.all(this.#expiredThrough);
    let deleted = 0;
    for (const id of ids) {
      if (deleted > EXPIRED_SLOTS_MAX) return;
      for (const { ms, keptMs } of RESOLUTIONS) {
        deleted += this.#expire.run(id, ms / SECOND_MS, (newestMs - keptMs) / SECOND_MS).changes;
      }
      this.#forgetLedger.run(id);
      this.#expiredThrough = id;
    }
    if (ids.length < EXPIRED_LEDGERS_MAX) this.#expiredThrough = 0;
  }

  /**
   * The slots that hold any of `(fromMs, toMs]`, each stretch of time at the finest resolution there is of it, with all that
   * `source` has counted so far.
   */
  read(source: HistorySource, sloId: string, group: Group | null, fromMs: number, toMs: number): HistoryOfLedger {
    this.draw(source);
    const stretches = stretchesOf(this.#newestMs);
    const id = this.#ledgerId.get(sloId, groupText(group));
    const written: Slot[] = [];
    let sinceMs = Number.NaN;
    for (const { lengthMs, fromMs: beginMs, untilMs } of id === undefined ? [] : stretches) {
      const resolution = lengthMs / SECOND_MS;
      const first = this.#first.get(id!, resolution, beginMs / SECOND_MS) ?? null;
      if (first !== null && first * SECOND_MS <= untilMs) sinceMs = first * SECOND_MS - lengthMs;
      const afterMs = Math.max(fromMs, beginMs);
      const beforeMs = Math.min(toMs + lengthMs, untilMs + lengthMs);
      const rows = this.#read.all(id!, resolution, afterMs / SECOND_MS, beforeMs / SECOND_MS);
      for (const [t, good, bad] of rows) written.push({ endMs: t * SECOND_MS, lengthMs, good, bad });
    }
    let slots = written;
    for (const { minutes } of [...this.#taken, { minutes: this.#drawn }]) {
      const unwritten = minutes.of(sloId, group)?.minutes;
      if (unwritten === undefined) continue;
      slots = mergeSlots(slots, unwritten, stretches);
      for (const minuteMs of unwritten.keys()) {
        if (!(minuteMs - MINUTE_MS >= sinceMs)) sinceMs = minuteMs - MINUTE_MS;
      }
    }
    return { slots: slots.sort((a, b) => a.endMs - b.endMs), sinceMs };
  }
}

function newestOf(newestMs: number, taken: readonly Taken[]): number {
  return taken.reduce((newest, { minutes }) => Math.max(newest, minutes.newestMs), newestMs);
}
