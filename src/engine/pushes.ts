import type { Accounts, LedgerEntry } from './accounts.ts';
import { type Group, track } from './ledger.ts';
import { PushedIds, type PushedIdsSave } from './pushed-ids.ts';
import { Scope, type ScopeSave } from './scope.ts';
import type { Slo } from './slo.ts';
import { longestPeriodMs } from './windows.ts';

/**
 * Events that are pushed, beside those that are derived from samples: what a job that has no metrics says of itself.
 */

/** Good and bad events of one instant. */
export interface PushedEvents {
  readonly sloId: string;
  readonly group: Group | null;
  readonly tMs: number;
  readonly good: number;
  readonly bad: number;
  /** What is pushed again under the same id counts nothing; null when every push counts. */
  readonly id: string | null;
}

export interface PushOutcome {
  /** Those that changed something and therefore belong in the journal. */
  readonly applied: readonly PushedEvents[];
  /** Their id had been pushed before. */
  readonly duplicates: number;
  /** Older than the SLO window: nothing is left to be counted. */
  readonly tooOld: number;
}

/** What was pushed to an SLO since the process began. */
export interface PushCounts {
  readonly applied: number;
  readonly duplicates: number;
  readonly tooOld: number;
  /** Event time of the newest, and arrival of the last; NaN before the first. */
  readonly newestMs: number;
  readonly arrivedMs: number;
}

interface Fed {
  readonly slo: number;
  readonly windowMs: number;
  readonly ids: PushedIds;
  applied: number;
  duplicates: number;
  tooOld: number;
  newestMs: number;
  arrivedMs: number;
}

/** All ids of all SLOs; beyond it the SLO that has most of them forgets its older ones. About 100 bytes each. */
const IDS_MAX = 500_000;

/** Whether events can be pushed to an SLO: to one that counts events, not what it observes. */
export function takesPushes({ sli }: Slo): boolean {
  return sli.kind === 'events' || sli.kind === 'push';
}

export interface PushClocks {
  readonly settleMs: number;
  readonly staleAfterMs: number;
}

export class Pushes {
  readonly #slos: readonly Slo[];
  readonly #accounts: Accounts;
  readonly #clocks: PushClocks;
  readonly #opened: (scope: Scope) => void;
  readonly #sloOf = new Map<string, number>();
  /** By SLO, those that something was pushed to. */
  readonly #fed = new Map<number, Fed>();
  #idCount = 0;

  /** `opened` gets each scope that comes into being with the first push to an SLO. */
  constructor(slos: readonly Slo[], accounts: Accounts, clocks: PushClocks, opened: (scope: Scope) => void) {
    this.#slos = slos;
    this.#accounts = accounts;
    this.#clocks = clocks;
    this.#opened = opened;
    slos.forEach((slo, i) => {
      if (takesPushes(slo)) this.#sloOf.set(slo.id, i);
    });
  }

  /**
   * Applies events, whose SLOs and groups were checked; of a journal whose SLO is no more, or takes none any more, they are
   * left out. What had settled by now is settled first, so that sums do not depend on whether somebody looked before.
   */
  apply(events: readonly PushedEvents[], nowMs: number): PushOutcome {
    const applied: PushedEvents[] = [];
    const entries: LedgerEntry[] = [];
    let duplicates = 0;
    let tooOld = 0;
    for (const event of events) {
      const slo = this.#sloOf.get(event.sloId);
      if (slo === undefined) continue;
      const fed = this.#fedBy(slo);
      fed.arrivedMs = nowMs;
      if (event.id !== null && fed.ids.has(event.id)) {
        fed.duplicates++;
        duplicates++;
        continue;
      }
      if (event.tMs <= nowMs - fed.windowMs) {
        fed.tooOld++;
        tooOld++;
        continue;
      }
      const entry = this.#entryOf(slo, event.group);
      if (entry === null) continue;
      fed.applied++;
      if (!(event.tMs <= fed.newestMs)) fed.newestMs = event.tMs;
      if (event.id !== null) this.#remember(fed, event.id, nowMs);
      applied.push(event);
      entries.push(entry);
    }
    for (const entry of new Set(entries)) this.#accounts.settle(entry, nowMs);
    for (let i = 0; i < applied.length; i++) {
      const { tMs, good, bad } = applied[i]!;
      entries[i]!.ledger.post(tMs, good, bad);
    }
    for (let i = 0; i < applied.length; i++) {
      const { slo } = entries[i]!;
      const { tMs } = applied[i]!;
      if (!this.#accounts.timeOf(slo).targets.hasReported) this.#scopeOf(slo).observe(tMs, tMs, nowMs);
    }
    return { applied, duplicates, tooOld };
  }

  #scopeOf(slo: number): Scope {
    const time = this.#accounts.timeOf(slo);
    if (time.pushes !== null) return time.pushes;
    const { settleMs, staleAfterMs } = this.#clocks;
    const scope = new Scope(scopeKey(this.#slos[slo]!.id), [], settleMs, staleAfterMs);
    track(this.#slos[slo]!, scope);
    time.pushes = scope;
    this.#opened(scope);
    return scope;
  }

  /** The ledger of the SLO or of the group; null when it is none of its groups, or one too many. */
  #entryOf(slo: number, group: Group | null): LedgerEntry | null {
    if (this.#slos[slo]!.groupBy.length === 0) return this.#accounts.of(slo)[0]!;
    return group === null ? null : this.#accounts.forGroup(slo, group);
  }

  #fedBy(slo: number): Fed {
    const known = this.#fed.get(slo);
    if (known !== undefined) return known;
    const windowMs = longestPeriodMs(this.#slos[slo]!.window);
    const counts = { applied: 0, duplicates: 0, tooOld: 0, newestMs: Number.NaN, arrivedMs: Number.NaN };
    const fed: Fed = { slo, windowMs, ids: new PushedIds(windowMs), ...counts };
    this.#fed.set(slo, fed);
    return fed;
  }

  #remember({ ids }: Fed, id: string, nowMs: number): void {
    const before = ids.size;
    ids.add(id, nowMs);
    this.#idCount += ids.size - before;
    while (this.#idCount > IDS_MAX) {
      let most = ids;
      for (const fed of this.#fed.values()) if (fed.ids.size > most.size) most = fed.ids;
      this.#idCount -= most.size;
      most.rotate();
      this.#idCount += most.size;
    }
  }

  /** Before a target of this scope is heard for the first time: from then on pushes move no watermark. */
  settleAll(scope: Scope, nowMs: number): void {
    for (const slo of this.#fed.keys()) {
      if (this.#accounts.timeOf(slo).targets !== scope) continue;
      for (const entry of this.#accounts.of(slo)) this.#accounts.settle(entry, nowMs);
    }
  }

  /** What was pushed to an SLO; null when nothing was. */
  counts(slo: number): PushCounts | null {
    const fed = this.#fed.get(slo);
    // Of what a snapshot restores, only the ids are known.
    return fed === undefined || Number.isNaN(fed.arrivedMs) ? null : fed;
  }

  restartCounts(): void {
    for (const fed of this.#fed.values()) {
      fed.applied = 0;
      fed.duplicates = 0;
      fed.tooOld = 0;
    }
  }

  save(): PushesSave[] {
    return [...this.#fed.values()]
      .filter(({ ids }) => ids.size > 0)
      .map(({ slo, ids }) => ({ sloId: this.#slos[slo]!.id, ...ids.save() }));
  }

  /** Takes over what was saved of an SLO that still counts the same. */
  load(slo: number, { pushes, scopes }: { pushes: readonly PushesSave[]; scopes: readonly ScopeSave[] }): void {
    const { id } = this.#slos[slo]!;
    const scope = scopes.find(({ key }) => key === scopeKey(id));
    if (scope !== undefined) this.#scopeOf(slo).load(scope);
    const saved = pushes.find(({ sloId }) => sloId === id);
    if (saved === undefined) return;
    const { ids } = this.#fedBy(slo);
    ids.load(saved);
    this.#idCount += ids.size;
  }
}

export interface PushesSave extends PushedIdsSave {
  sloId: string;
}

/** As no scope of targets is called. */
function scopeKey(sloId: string): string {
  return `pushed to ${sloId}`;
}
