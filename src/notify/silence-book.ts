import { DAY_MS } from '../engine/duration.ts';
import type { Matcher } from '../engine/slo.ts';
import type { Labels } from '../store/alert-log.ts';
import type { SilenceRecord, Silences } from '../store/silences.ts';
import { matchesAll } from './routing.ts';

/** Silences are kept for so long after their end, for whoever asks why nobody was told. */
const KEPT_MS = 5 * DAY_MS;

/** Those that are there, compiled. */
export class SilenceBook {
  readonly #store: Silences;
  readonly #compile: (text: string) => Matcher;
  readonly #silences = new Map<string, { record: SilenceRecord; matchers: readonly Matcher[] }>();

  /** `compile` takes a matcher that was found good before. */
  constructor(store: Silences, compile: (text: string) => Matcher) {
    this.#store = store;
    this.#compile = compile;
    for (const record of store.all()) this.#keep(record);
  }

  #keep(record: SilenceRecord): void {
    this.#silences.set(record.id, { record, matchers: record.matchers.map(this.#compile) });
  }

  get size(): number {
    return this.#silences.size;
  }

  all(): SilenceRecord[] {
    return [...this.#silences.values()].map(({ record }) => record);
  }

  get(id: string): SilenceRecord | null {
    return this.#silences.get(id)?.record ?? null;
  }

  add(record: SilenceRecord): void {
    this.#store.removeEndedBefore(record.createdMs - KEPT_MS);
    for (const { id, endsMs } of this.all()) if (endsMs < record.createdMs - KEPT_MS) this.#silences.delete(id);
    this.#store.save(record);
    this.#keep(record);
  }

  /** Ends a silence at once; one that is over stays as it was. */
  expire(id: string, nowMs: number): SilenceRecord | null {
    const present = this.get(id);
    if (present === null || present.endsMs <= nowMs) return present;
    const record = { ...present, startsMs: Math.min(present.startsMs, nowMs), endsMs: nowMs };
    this.#store.save(record);
    this.#keep(record);
    return record;
  }

  /** A silence that is in force and matches all labels; null when there is none. */
  matching(labels: Labels, nowMs: number): SilenceRecord | null {
    for (const { record, matchers } of this.#silences.values()) {
      if (record.startsMs <= nowMs && nowMs < record.endsMs && matchesAll(matchers, labels)) return record;
    }
    return null;
  }
}
