import { type LabelSet, labelValue } from './label-set.ts';
import { type Group, Ledger, track } from './ledger.ts';
import { RingBlocks } from './ring.ts';
import type { Scope } from './scope.ts';
import type { Slo } from './slo.ts';
import { Timekeeper } from './timekeeper.ts';
import { Watch } from './watch.ts';

/**
 * Where increments are added up: an account a ledger, and a second one for the lower and upper counts of a latency SLO.
 *
 * Each account has an *open event* in flat columns: the increments of one event time, where the samples of one scrape meet. It
 * is posted to the ledger when an increment of another time comes or somebody looks, so that a sample costs two additions.
 */
export class Accounts {
  /** Event time of the open event; NaN when there is none. */
  openMs = new Float64Array(64).fill(Number.NaN);
  openGood = new Float64Array(64);
  openBad = new Float64Array(64);
  /** The SLO of each account, by index. */
  readonly sloOf: number[] = [];
  readonly entries: LedgerEntry[] = [];
  readonly rings = new RingBlocks();
  /** Knows the ledgers by their place among the entries. */
  readonly watch = new Watch();
  readonly #slos: readonly Slo[];
  readonly #times: readonly Timekeeper[];
  readonly #byAccount: { ledger: Ledger; bounds: boolean }[] = [];
  readonly #bySlo: LedgerEntry[][];
  readonly #byGroup: Map<string, LedgerEntry>[];
  /** Series that were left out because their SLO has as many groups as it may. */
  readonly overflow: Float64Array;

  /** `scopes` are those of the SLOs, in their order. */
  constructor(slos: readonly Slo[], scopes: readonly Scope[]) {
    this.#slos = slos;
    this.#times = scopes.map((scope) => new Timekeeper(scope));
    this.#bySlo = slos.map(() => []);
    this.#byGroup = slos.map(() => new Map());
    this.overflow = new Float64Array(slos.length);
    slos.forEach((slo, i) => {
      track(slo, scopes[i]!);
      if (slo.groupBy.length === 0) this.#open(i, null);
    });
  }

  /** The targets that an SLO could match. */
  scopeOf(slo: number): Scope {
    return this.#times[slo]!.targets;
  }

  timeOf(slo: number): Timekeeper {
    return this.#times[slo]!;
  }

  /** The ledgers of an SLO: one, or one a group in order of appearance. */
  of(slo: number): readonly LedgerEntry[] {
    return this.#bySlo[slo]!;
  }

  /** The ledger that a series of these labels feeds; null when it would be a group too many. */
  forLabels(slo: number, labels: LabelSet): LedgerEntry | null {
    const { groupBy } = this.#slos[slo]!;
    if (groupBy.length === 0) return this.#bySlo[slo]![0]!;
    return this.forGroup(slo, Object.fromEntries(groupBy.map((name) => [name, labelValue(labels, name)])));
  }

  hasGroup(slo: number, group: Group): boolean {
    return this.#byGroup[slo]!.has(this.#groupKey(slo, group));
  }

  #groupKey(slo: number, group: Group): string {
    return JSON.stringify(this.#slos[slo]!.groupBy.map((name) => group[name] ?? ''));
  }

  forGroup(slo: number, group: Group): LedgerEntry | null {
    const key = this.#groupKey(slo, group);
    const known = this.#byGroup[slo]!.get(key);
    if (known !== undefined) return known;
    if (this.#byGroup[slo]!.size >= this.#slos[slo]!.groupsMax) {
      this.overflow[slo]!++;
      return null;
    }
    const entry = this.#open(slo, group);
    this.#byGroup[slo]!.set(key, entry);
    return entry;
  }

  #open(slo: number, group: Group | null): LedgerEntry {
    const ledger = new Ledger(this.#slos[slo]!, group, this.#times[slo]!, this.rings);
    const latency = this.#slos[slo]!.sli.kind === 'latency';
    const events = this.#account(slo, ledger, false);
    const entry = { slo, ledger, events, bounds: latency ? this.#account(slo, ledger, true) : -1 };
    this.watch.add(this.entries.length, ledger.watched);
    this.entries.push(entry);
    this.#bySlo[slo]!.push(entry);
    return entry;
  }

  #account(slo: number, ledger: Ledger, bounds: boolean): number {
    const account = this.#byAccount.length;
    if (account === this.openMs.length) this.#grow();
    this.#byAccount.push({ ledger, bounds });
    this.sloOf.push(slo);
    return account;
  }

  #grow(): void {
    const size = 2 * this.openMs.length;
    const openMs = new Float64Array(size).fill(Number.NaN);
    const openGood = new Float64Array(size);
    const openBad = new Float64Array(size);
    openMs.set(this.openMs);
    openGood.set(this.openGood);
    openBad.set(this.openBad);
    this.openMs = openMs;
    this.openGood = openGood;
    this.openBad = openBad;
  }

  /** A series that feeds this account has its first sample at `tMs`. */
  appear(account: number, tMs: number): void {
    this.#byAccount[account]!.ledger.appear(tMs);
  }

  /** Posts an account's open event and begins one at `tMs`. */
  open(account: number, tMs: number): void {
    const openMs = this.openMs[account]!;
    if (!Number.isNaN(openMs)) {
      const { ledger, bounds } = this.#byAccount[account]!;
      if (bounds) ledger.postBounds(openMs, this.openGood[account]!, this.openBad[account]!);
      else ledger.post(openMs, this.openGood[account]!, this.openBad[account]!);
    }
    this.openMs[account] = tMs;
    this.openGood[account] = 0;
    this.openBad[account] = 0;
  }

  /** Posts everything that is open. */
  close({ events, bounds }: LedgerEntry): void {
    this.open(events, Number.NaN);
    if (bounds !== -1) this.open(bounds, Number.NaN);
  }

  closeAll(): void {
    for (const entry of this.entries) this.close(entry);
  }

  /** Adds to an account outside the ingest loop. */
  add(account: number, tMs: number, good: number, bad: number): void {
    if (this.openMs[account] !== tMs) this.open(account, tMs);
    this.openGood[account]! += good;
    this.openBad[account]! += bad;
  }

  /** Brings a ledger up to its watermark. */
  settle(entry: LedgerEntry, nowMs: number): void {
    this.close(entry);
    entry.ledger.settle(entry.ledger.scope.watermarkMs(nowMs));
  }
}

export interface LedgerEntry {
  readonly slo: number;
  readonly ledger: Ledger;
  /** Account of good and bad events. */
  readonly events: number;
  /** Account of the lower and upper counts of a latency SLO, or -1. */
  readonly bounds: number;
}
