import type { SampleBatch } from './batch.ts';
import { SAMPLE_STALE } from './batch.ts';
import { MINUTE_MS } from './duration.ts';
import { decodeLabels, type LabelSet, labelValue } from './label-set.ts';
import { Ledger } from './ledger.ts';
import { IngestOutcome } from './outcome.ts';
import { Scope, scopeOf } from './scope.ts';
import { FeedColumns, SeriesColumns, UNMATCHED } from './series-columns.ts';
import { SeriesTable } from './series-table.ts';
import type { Slo } from './slo.ts';
import { SloIndex } from './slo-index.ts';
import { type EngineSave, readSnapshot, writeSnapshot } from './snapshot.ts';
import type { AlertTransition, SloState } from './state.ts';
import { Targets } from './targets.ts';
import { nominalPeriodMs } from './windows.ts';

export interface EngineOptions {
  /** Arrival time a report has to complete before windows may end at it. */
  readonly settleMs: number;
  /** A watermark that stands still for longer, or lags by more, is no data. */
  readonly staleAfterMs: number;
  readonly seriesMax: number;
  readonly aliasesMax: number;
  /** Of the hash of label bytes; random in a server, so that nobody can choose colliding labels. */
  readonly seed: number;
}

export const ENGINE_DEFAULTS: EngineOptions = {
  settleMs: 5_000,
  staleAfterMs: 5 * MINUTE_MS,
  seriesMax: 2_000_000,
  aliasesMax: 100_000,
  seed: 0,
};

/** Samples further in the future than this are refused, as Prometheus does: accepting one would blind its series. */
const FUTURE_MAX_MS = 10 * MINUTE_MS;

/** In `lastMs`: no value of the series was ever seen, but a stale marker was. Below every time, so that any sample is newer. */
const EXISTED_BEFORE = Number.NEGATIVE_INFINITY;

/**
 * Samples in, budgets out. Pure: time is an argument, and the same calls in the same order give the same bits.
 */
export class Engine {
  readonly slos: readonly Slo[];
  /** Label bytes to SeriesId; ingest looks known series up here by itself. */
  readonly table: SeriesTable;
  readonly #options: EngineOptions;
  readonly #index: SloIndex;
  readonly #scopes: Scope[] = [];
  readonly #ledgers: Ledger[];
  readonly #ledgerOf = new Map<string, number>();
  readonly #targets = new Targets();
  readonly #series = new SeriesColumns();
  readonly #feeds = new FeedColumns();
  readonly #outcome = new IngestOutcome();
  readonly #longestWindowMs: number;
  /**
   * Per SLO, since when it has listened: a target must have reported after that for a new series to count as newborn. An SLO
   * that has been there from the beginning has always listened.
   */
  readonly #listeningSinceMs: Float64Array;
  // The open event of each ledger: increments of one event time, where the samples of one scrape meet.
  readonly #openMs: Float64Array;
  readonly #openGood: Float64Array;
  readonly #openBad: Float64Array;

  constructor(slos: readonly Slo[], options: Partial<EngineOptions> = {}) {
    this.#options = { ...ENGINE_DEFAULTS, ...options };
    const { seriesMax, aliasesMax, seed } = this.#options;
    this.slos = slos;
    this.table = new SeriesTable({ seriesMax, aliasesMax, seed });
    this.#index = new SloIndex(slos);
    this.#ledgers = slos.map((slo) => new Ledger(slo, this.#scopeFor(slo)));
    this.#ledgers.forEach((ledger, i) => {
      this.#ledgerOf.set(ledger.slo.id, i);
    });
    this.#longestWindowMs = Math.max(0, ...slos.map((slo) => nominalPeriodMs(slo.window)));
    this.#listeningSinceMs = new Float64Array(slos.length).fill(Number.NEGATIVE_INFINITY);
    this.#openMs = new Float64Array(slos.length).fill(Number.NaN);
    this.#openGood = new Float64Array(slos.length);
    this.#openBad = new Float64Array(slos.length);
  }

  #scopeFor(slo: Slo): Scope {
    const { key, alternatives } = scopeOf(slo);
    const present = this.#scopes.find((scope) => scope.key === key);
    if (present !== undefined) return present;
    const scope = new Scope(key, alternatives, this.#options.settleMs, this.#options.staleAfterMs);
    this.#scopes.push(scope);
    return scope;
  }

  get seriesCount(): number {
    return this.table.size;
  }

  get targetCount(): number {
    return this.#targets.size;
  }

  /** Bytes of ring per SLO, for the bench and its guard. */
  get ringBytes(): number {
    return this.#ledgers.reduce((sum, ledger) => sum + ledger.ringBytes, 0);
  }

  /**
   * Meets a series for the first time: matches it against every SLO and gives it an id, or -1 when the table is full.
   * `canonical` are its label bytes as `encodeLabels` writes them.
   */
  register(labels: LabelSet, canonical: Uint8Array): number {
    const known = this.table.find(canonical, 0, canonical.length);
    if (known !== -1) return known;
    const id = this.table.insert(canonical, 0, canonical.length);
    if (id === -1) return -1;
    this.#series.reserve(id + 1);
    this.#series.target[id] = this.#targetFor(labelValue(labels, 'job'), labelValue(labels, 'instance'));
    const feeds = this.#index.feeds(labels);
    if (feeds.length > 0) {
      this.#series.feedStart[id] = this.#feeds.size;
      this.#series.feedCount[id] = feeds.length;
      for (const feed of feeds) this.#feeds.push(feed.slo, feed.good, feed.bad);
    }
    return id;
  }

  /** As `register`, of label bytes that were written by `encodeLabels`: what the journal and snapshots hold. */
  registerCanonical(canonical: Uint8Array): number {
    return this.register(decodeLabels(canonical, 0, canonical.length), canonical);
  }

  #targetFor(job: string, instance: string): number {
    const known = this.#targets.find(job, instance);
    if (known !== -1) return known;
    const scopes = this.#scopes.flatMap((scope, i) => (scope.includes(job, instance) ? [i] : []));
    return this.#targets.add(job, instance, scopes);
  }

  /**
   * Applies a batch whose series are all registered. Never throws on data: what cannot be used is counted in the outcome,
   * which is valid until the next call.
   */
  ingest(batch: SampleBatch, nowMs: number): IngestOutcome {
    const outcome = this.#outcome;
    const { length, seriesIds, timestampsMs, values, kinds } = batch;
    outcome.begin(length);
    const { changedRows } = outcome;
    const { lastMs, lastValue, target: targetOf, feedStart, feedCount, movesClock } = this.#series;
    const { ledger: feedLedger, good: feedGood, bad: feedBad } = this.#feeds;
    const { newestMs } = this.#targets;
    const openMs = this.#openMs;
    const openGood = this.#openGood;
    const openBad = this.#openBad;
    const latestMs = nowMs + FUTURE_MAX_MS;
    const oldestMs = nowMs - this.#longestWindowMs;
    let changed = 0;
    let accepted = 0;
    let unmatched = 0;
    for (let row = 0; row < length; row++) {
      const id = seriesIds[row]!;
      const tMs = timestampsMs[row]!;
      if (!(tMs <= latestMs)) {
        outcome.tooNew++;
        continue;
      }
      let changes = false;
      const target = targetOf[id]!;
      if (tMs > newestMs[target]!) {
        this.#report(target, tMs, nowMs);
        changes = true;
      }
      const firstFeed = feedStart[id]!;
      if (firstFeed === UNMATCHED) {
        unmatched++;
        if (changes) {
          movesClock[id] = 1;
          changedRows[changed++] = row;
        }
        continue;
      }
      const value = values[row]!;
      const previousMs = lastMs[id]!;
      if (kinds[row] === SAMPLE_STALE) {
        outcome.stale++;
        if (Number.isNaN(previousMs)) {
          // It existed before we met it, so its next value is no news.
          lastMs[id] = EXISTED_BEFORE;
          changes = true;
        }
      } else if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
        outcome.invalidValue++;
      } else if (tMs <= previousMs) {
        if (tMs < previousMs) outcome.outOfOrder++;
        else if (value === lastValue[id]) outcome.duplicate++;
        else outcome.conflict++;
      } else {
        accepted++;
        let increase = value - lastValue[id]!;
        lastMs[id] = tMs;
        lastValue[id] = value;
        if (tMs <= oldestMs) {
          outcome.tooOld++;
          changes = true;
        } else if (!(previousMs > EXISTED_BEFORE)) {
          changes = true;
          this.#firstSample(id, tMs, value, previousMs === EXISTED_BEFORE);
        } else if (increase !== 0) {
          changes = true;
          if (increase < 0) {
            outcome.resets++;
            increase = value;
          }
          const endFeed = firstFeed + feedCount[id]!;
          for (let feed = firstFeed; feed < endFeed; feed++) {
            const ledger = feedLedger[feed]!;
            if (openMs[ledger] !== tMs) this.#open(ledger, tMs);
            openGood[ledger]! += feedGood[feed]! * increase;
            openBad[ledger]! += feedBad[feed]! * increase;
          }
        }
      }
      if (changes) changedRows[changed++] = row;
    }
    outcome.changedCount = changed;
    outcome.accepted = accepted;
    outcome.unmatched = unmatched;
    return outcome;
  }

  /** A target was heard at a newer event time. Once a scrape, not once a sample. */
  #report(target: number, tMs: number, nowMs: number): void {
    const upSinceMs = this.#targets.advance(target, tMs);
    for (const scope of this.#targets.scopes[target]!) this.#scopes[scope]!.observe(upSinceMs, tMs, nowMs);
  }

  /** The first sample counts in full for every SLO that can know the series to be newborn, and nothing for the others. */
  #firstSample(id: number, tMs: number, value: number, existedBefore: boolean): void {
    const target = this.#series.target[id]!;
    const start = this.#series.feedStart[id]!;
    const end = start + this.#series.feedCount[id]!;
    let newborn = false;
    for (let feed = start; feed < end; feed++) {
      const ledger = this.#feeds.ledger[feed]!;
      if (existedBefore || !this.#targets.wasReceivedBefore(target, tMs, this.#listeningSinceMs[ledger]!)) continue;
      newborn = true;
      if (this.#openMs[ledger] !== tMs) this.#open(ledger, tMs);
      this.#openGood[ledger]! += this.#feeds.good[feed]! * value;
      this.#openBad[ledger]! += this.#feeds.bad[feed]! * value;
    }
    if (newborn) this.#outcome.newborn++;
    else this.#outcome.openingBalance++;
  }

  /** Closes a ledger's open event and begins one at `tMs`. */
  #open(ledger: number, tMs: number): void {
    const openMs = this.#openMs[ledger]!;
    if (!Number.isNaN(openMs)) this.#ledgers[ledger]!.post(openMs, this.#openGood[ledger]!, this.#openBad[ledger]!);
    this.#openMs[ledger] = tMs;
    this.#openGood[ledger] = 0;
    this.#openBad[ledger] = 0;
  }

  /** Brings a ledger up to its watermark. */
  #settle(ledger: number, nowMs: number): void {
    this.#open(ledger, Number.NaN);
    const { scope } = this.#ledgers[ledger]!;
    this.#ledgers[ledger]!.settle(scope.watermarkMs(nowMs));
  }

  /** One tick: judges every alert as of its watermark and returns what changed. */
  evaluate(nowMs: number): AlertTransition[] {
    const transitions: AlertTransition[] = [];
    for (let i = 0; i < this.#ledgers.length; i++) {
      this.#settle(i, nowMs);
      this.#ledgers[i]!.evaluate(nowMs, transitions);
    }
    return transitions;
  }

  /** The state of one SLO as of its watermark, or null when there is no such SLO. */
  state(id: string, nowMs: number): SloState | null {
    const ledger = this.#ledgerOf.get(id);
    if (ledger === undefined) return null;
    this.#settle(ledger, nowMs);
    return this.#ledgers[ledger]!.state(nowMs);
  }

  /** The states of all SLOs, or of those that `wanted` admits, in the order of the definitions. */
  states(nowMs: number, wanted: (slo: Slo) => boolean = () => true): SloState[] {
    return this.#ledgers.flatMap((ledger, i) => {
      if (!wanted(ledger.slo)) return [];
      this.#settle(i, nowMs);
      return [ledger.state(nowMs)];
    });
  }

  /** Everything that restore needs, self-contained. */
  snapshot(): Uint8Array {
    for (let i = 0; i < this.#ledgers.length; i++) this.#open(i, Number.NaN);
    return writeSnapshot(this.#save());
  }

  #save(): EngineSave {
    const { lastMs, lastValue, feedStart, movesClock } = this.#series;
    const series: EngineSave['series'] = [];
    for (let id = 0; id < this.table.size; id++) {
      if (feedStart[id] === UNMATCHED && movesClock[id] === 0) continue;
      series.push({ id, labels: this.table.labelBytes(id), lastMs: lastMs[id]!, lastValue: lastValue[id]! });
    }
    return {
      series,
      targets: this.#targets.save(),
      scopes: this.#scopes.map((scope) => scope.save()),
      ledgers: this.#ledgers.map((ledger) => ledger.save()),
      slos: this.slos.map((slo, i) => ({
        id: slo.id,
        fingerprint: sliFingerprint(slo),
        listeningSinceMs: this.#listeningSinceMs[i]!,
      })),
    };
  }

  /**
   * Takes a snapshot over into a new engine, whose SLOs may differ from those that were saved: one with the same SLI keeps its
   * events, whatever became of its objective, window or alerts; a new one listens from `nowMs` on.
   * Returns the new ids of the snapshot's series by their old ids, -1 where there was none.
   */
  restore(bytes: Uint8Array, nowMs: number): Int32Array {
    if (this.table.size > 0) throw new Error('BUG: only an empty engine can be restored');
    const save = readSnapshot(bytes);
    for (const target of save.targets) {
      const id = this.#targetFor(target.job, target.instance);
      this.#targets.load(id, target);
    }
    const newIds = new Int32Array((save.series.at(-1)?.id ?? -1) + 1).fill(-1);
    for (const { id, labels, lastMs, lastValue } of save.series) {
      const newId = this.registerCanonical(labels);
      newIds[id] = newId;
      if (newId === -1) continue;
      this.#series.lastMs[newId] = lastMs;
      this.#series.lastValue[newId] = lastValue;
      this.#series.movesClock[newId] = 1;
    }
    this.#restoreScopes(save);
    const ledgers = new Map(save.ledgers.map((ledger) => [ledger.sloId, ledger]));
    const slos = new Map(save.slos.map((slo) => [slo.id, slo]));
    this.slos.forEach((slo, i) => {
      const saved = slos.get(slo.id);
      if (saved === undefined || saved.fingerprint !== sliFingerprint(slo)) {
        this.#listeningSinceMs[i] = nowMs;
        return;
      }
      this.#listeningSinceMs[i] = saved.listeningSinceMs;
      this.#ledgers[i]!.load(ledgers.get(slo.id)!);
    });
    return newIds;
  }

  #restoreScopes(save: EngineSave): void {
    const saved = new Map(save.scopes.map((scope) => [scope.key, scope]));
    this.#scopes.forEach((scope, i) => {
      const mine = saved.get(scope.key);
      if (mine !== undefined) {
        scope.load(mine);
        return;
      }
      // A scope nobody asked for before: it begins with what its targets reported last.
      for (let target = 0; target < this.#targets.size; target++) {
        const newestMs = this.#targets.newestMs[target]!;
        if (this.#targets.scopes[target]!.includes(i) && Number.isFinite(newestMs))
          scope.observe(newestMs, newestMs, newestMs);
      }
    });
  }
}

/** What an SLO counts. When it changes, the events counted so far mean something else. */
function sliFingerprint(slo: Slo): string {
  return JSON.stringify([slo.sli, slo.groupBy, slo.slice?.ms ?? null, slo.budgeting, slo.sliceTarget], (key, value) =>
    key === 'matchers' ? undefined : value,
  );
}
