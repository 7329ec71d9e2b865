import type { MaintenanceWindow } from '../engine/alerting.ts';
import { groupText } from '../engine/history-minutes.ts';
import { isPaging } from '../engine/windows.ts';
import type { AlertRecord } from '../store/alert-log.ts';
import { NO_DATA } from './notice.ts';
import { matchesAll } from './routing.ts';
import type { SilenceBook } from './silence-book.ts';

/** Why an alert that fires is not told. Alertmanagers, which silence and inhibit themselves, are told of it all the same. */

export interface Muting {
  readonly kind: 'silence' | 'maintenance' | 'inhibited';
  /** Id of the silence, name of the window, or name of the page. */
  readonly by: string;
}

/** The reasons as of one moment, given all alerts that fire. */
export class Mutings {
  readonly #silences: SilenceBook;
  readonly #maintenance: readonly MaintenanceWindow[];
  readonly #nowMs: number;
  /** A page that fires, by SLO and group. */
  readonly #pages = new Map<string, string>();

  constructor(
    silences: SilenceBook,
    maintenance: readonly MaintenanceWindow[],
    firing: readonly AlertRecord[],
    nowMs: number,
  ) {
    this.#silences = silences;
    this.#nowMs = nowMs;
    this.#maintenance = maintenance.filter((window) => window.isOpen(nowMs));
    for (const record of firing) {
      if (isPaging(record.severity) && record.name !== NO_DATA) this.#pages.set(ledgerKey(record), record.name);
    }
  }

  /** Null when it is told. */
  of(record: AlertRecord): Muting | null {
    const silence = this.#silences.matching(record.labels, this.#nowMs);
    if (silence !== null) return { kind: 'silence', by: silence.id };
    const window = this.#maintenance.find(({ matchers }) => matchesAll(matchers, record.labels));
    if (window !== undefined) return { kind: 'maintenance', by: window.name };
    if (isPaging(record.severity) || record.name === NO_DATA) return null;
    const page = this.#pages.get(ledgerKey(record));
    return page === undefined ? null : { kind: 'inhibited', by: page };
  }
}

function ledgerKey({ sloId, group }: AlertRecord): string {
  return `${sloId}\n${groupText(group)}`;
}
