import type { Group } from './ledger.ts';

/** Good and bad events by minute and ledger: what history has been given and has not written down yet. */

/** The events of one SLO, or of one group of it, by the end of the minute. */
export interface LedgerMinutes {
  readonly sloId: string;
  readonly group: string;
  readonly minutes: Map<number, [good: number, bad: number]>;
}

/** A group as text, whatever the order of its labels; empty for an SLO without groups. */
export function groupText(group: Group | null): string {
  if (group === null) return '';
  return JSON.stringify(Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export class HistoryMinutes {
  readonly #ledgers = new Map<string, LedgerMinutes>();
  #size = 0;
  #newestMs = Number.NEGATIVE_INFINITY;
  /** Minutes come ledger by ledger. */
  #last: { sloId: string; group: Group | null; ledger: LedgerMinutes } | null = null;

  /** Minutes of all ledgers. */
  get size(): number {
    return this.#size;
  }

  /** -Infinity while there is none. */
  get newestMs(): number {
    return this.#newestMs;
  }

  get ledgers(): Iterable<LedgerMinutes> {
    return this.#ledgers.values();
  }

  of(sloId: string, group: Group | null): LedgerMinutes | undefined {
    return this.#ledgers.get(keyOf(sloId, groupText(group)));
  }

  add(sloId: string, group: Group | null, minuteMs: number, good: number, bad: number): void {
    if (this.#last === null || this.#last.sloId !== sloId || this.#last.group !== group) {
      this.#last = { sloId, group, ledger: this.#ledger(sloId, groupText(group)) };
    }
    const { minutes } = this.#last.ledger;
    const minute = minutes.get(minuteMs);
    if (minute === undefined) {
      minutes.set(minuteMs, [good, bad]);
      this.#size++;
      if (minuteMs > this.#newestMs) this.#newestMs = minuteMs;
    } else {
      minute[0] += good;
      minute[1] += bad;
    }
  }

  #ledger(sloId: string, group: string): LedgerMinutes {
    const key = keyOf(sloId, group);
    let ledger = this.#ledgers.get(key);
    if (ledger === undefined) {
      ledger = { sloId, group, minutes: new Map() };
      this.#ledgers.set(key, ledger);
    }
    return ledger;
  }
}

/** Ids hold no control character. */
function keyOf(sloId: string, group: string): string {
  return `${sloId}\n${group}`;
}
