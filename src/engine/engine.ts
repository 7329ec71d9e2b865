import { Accounts, type LedgerEntry } from './accounts.ts';
import type { ActiveAlert, SavedAlert } from './alert.ts';
import type { SampleBatch } from './batch.ts';
import { FUTURE_MAX_MS, SAMPLE_STALE, SAMPLE_VALUE } from './batch.ts';
import type { Subject } from './check.ts';
import { MINUTE_MS } from './duration.ts';
import { sliFingerprint } from './fingerprint.ts';
import { groupText } from './history-minutes.ts';
import { decodeSeries, type LabelSet, labelValue, readings, withOriginals } from './label-set.ts';
import type { Group } from './ledger.ts';
import { IngestOutcome } from './outcome.ts';
import { type PushedEvents, Pushes, type PushOutcome } from './pushes.ts';
import { Replicas } from './replicas.ts';
import { type Reception, Scope, scopeOf } from './scope.ts';
import { COUNTER, EXISTED_BEFORE, IDLE, OTHER, SeriesColumns, UNMATCHED } from './series-columns.ts';
import { SeriesTable } from './series-table.ts';
import { isSliced } from './slices.ts';
import type { Slo } from './slo.ts';
import { wanted } from './slo-index.ts';
import { type LeftOut, SelectorWalk, type TargetExample } from './slo-sources.ts';
import { type EngineSave, readSnapshot, type SeriesSave, writeSnapshot } from './snapshot.ts';
import {
  CONFLICT,
  DUPLICATE,
  INVALID_VALUE,
  OUT_OF_ORDER,
  SourceCounts,
  TOO_NEW,
  TOO_OLD,
  WRITER_CONFLICT,
} from './source-counts.ts';
import { type PushSourceState, pushSource, type SourceFilter, SourceWalk, timeText } from './sources.ts';
import type { AlertTransition, SloState } from './state.ts';
import { Targets } from './targets.ts';
import { UnusualSamples } from './unusual-samples.ts';
import { longestPeriodMs } from './windows.ts';
import { Wiring } from './wiring.ts';

export interface EngineOptions {
  /** Arrival time a report has to complete before windows may end at it. */
  readonly settleMs: number;
  /** A watermark that stands still for longer, or lags by more, is no data. */
  readonly staleAfterMs: number;
  /** Silence of the elected replica of an HA pair after which another one is elected. */
  readonly failoverMs: number;
  readonly seriesMax: number;
  readonly aliasesMax: number;
  /** Of the hash of label bytes; random in a server, so that nobody can choose colliding labels. */
  readonly seed: number;
}

export const ENGINE_DEFAULTS: EngineOptions = {
  settleMs: 5_000,
  staleAfterMs: 5 * MINUTE_MS,
  failoverMs: 30_000,
  seriesMax: 2_000_000,
  aliasesMax: 4_000_000,
  seed: 0,
};

/**
 * Samples in, budgets out. Pure: time is an argument, and the same calls in the same order give the same bits.
 */
export class Engine {
  readonly slos: readonly Slo[];
  /** Label bytes to SeriesId; ingest looks known series up here by itself. */
  readonly table: SeriesTable;
  /** Which replica of each HA pair is listened to. */
  readonly replicas: Replicas;
  readonly #options: EngineOptions;
  readonly #scopes: Scope[] = [];
  readonly #scopeOf = new Map<string, Scope>();
  /** Those that only targets of one job belong to, and the others, by their place in `#scopes`. */
  readonly #scopesByJob = new Map<string, number[]>();
  readonly #scopesOfAnyJob: number[] = [];
  /** Those of SLOs that are judged slice by slice. */
  readonly #slicedScopes: Scope[];
  readonly #accounts: Accounts;
  readonly #sloOf = new Map<string, number>();
  readonly #byService = new Map<string, Slo[]>();
  readonly #targets = new Targets();
  readonly #series = new SeriesColumns();
  readonly #wiring: Wiring;
  readonly #pushes: Pushes;
  readonly #counts = new SourceCounts();
  readonly #unusual: UnusualSamples;
  readonly #outcome = new IngestOutcome();
  /** Series that no SLO wants; a flood of them leaves half of the table to those that one does. */
  #unwanted = 0;
  readonly #unwantedMax: number;
  /** By target, the unwanted series that stands for any more of them: all they tell is that the target was heard. */
  readonly #standIns = new Map<number, number>();
  readonly #longestWindowMs: number;

  constructor(slos: readonly Slo[], options: Partial<EngineOptions> = {}) {
    this.#options = { ...ENGINE_DEFAULTS, ...options };
    const { seriesMax, aliasesMax, seed } = this.#options;
    this.slos = slos;
    this.#unwantedMax = seriesMax / 2;
    this.replicas = new Replicas(this.#options.failoverMs);
    this.table = new SeriesTable({ seriesMax, aliasesMax, seed });
    this.#accounts = new Accounts(
      slos,
      slos.map((slo) => this.#scopeFor(slo)),
    );
    this.#slicedScopes = [...new Set(slos.filter(isSliced).map((slo) => this.#scopeFor(slo)))];
    this.#wiring = new Wiring(slos, this.#accounts, this.#series);
    this.#pushes = new Pushes(slos, this.#accounts, this.#options, (scope) => {
      this.#scopes.push(scope);
      if (scope.nextSliceEndMs !== Number.POSITIVE_INFINITY) this.#slicedScopes.push(scope);
    });
    slos.forEach((slo, i) => {
      this.#sloOf.set(slo.id, i);
      const ofService = this.#byService.get(slo.service);
      if (ofService === undefined) this.#byService.set(slo.service, [slo]);
      else ofService.push(slo);
    });
    this.#longestWindowMs = Math.max(0, ...slos.map((slo) => longestPeriodMs(slo.window)));
    this.#unusual = new UnusualSamples({
      slos: slos.length,
      series: this.#series,
      targets: this.#targets,
      wiring: this.#wiring,
      accounts: this.#accounts,
      replicas: this.replicas,
      counts: this.#counts,
      outcome: this.#outcome,
    });
  }

  #scopeFor(slo: Slo): Scope {
    const { key, alternatives } = scopeOf(slo);
    const present = this.#scopeOf.get(key);
    if (present !== undefined) return present;
    const scope = new Scope(key, alternatives, this.#options.settleMs, this.#options.staleAfterMs);
    this.#scopeOf.set(key, scope);
    const jobs = scope.jobs;
    if (jobs === null) this.#scopesOfAnyJob.push(this.#scopes.length);
    for (const job of jobs ?? []) {
      const ofJob = this.#scopesByJob.get(job);
      if (ofJob === undefined) this.#scopesByJob.set(job, [this.#scopes.length]);
      else ofJob.push(this.#scopes.length);
    }
    this.#scopes.push(scope);
    return scope;
  }

  /** Null when there is none of this id. */
  slo(id: string): Slo | null {
    const slo = this.#sloOf.get(id);
    return slo === undefined ? null : this.slos[slo]!;
  }

  /** In the order of the definitions; none when there is no such service. */
  slosOf(service: string): readonly Slo[] {
    return this.#byService.get(service) ?? [];
  }

  get seriesCount(): number {
    return this.table.size;
  }

  /** Series that two writers share, of which only the higher one is followed. */
  get quarantinedCount(): number {
    return this.#unusual.duplicates.quarantined;
  }

  get targetCount(): number {
    return this.#targets.size;
  }

  /** Bytes of ring over all ledgers, for the bench and its guard. */
  get ringBytes(): number {
    return this.#accounts.entries.reduce((sum, { ledger }) => sum + ledger.ringBytes, 0);
  }

  /** What an SLO does without, since the process began: it is degraded when that is anything. */
  leftOut(id: string): LeftOut {
    const slo = this.#sloOf.get(id);
    if (slo === undefined) return { refusedSeries: 0, overflowSeries: 0 };
    return { refusedSeries: this.#wiring.refused[slo]!, overflowSeries: this.#accounts.overflow[slo]! };
  }

  /**
   * Meets a series for the first time: matches it against every SLO and gives it an id, or -1 when the table is full. When too
   * many are known that no SLO wants, the id is that of another one of the same target, and these labels stay unknown.
   * `canonical` are its label bytes as `encodeLabels` writes them: they alone say which series it is. By its `originals`,
   * the names that its labels had before they were translated, it can be selected as well.
   */
  register(labels: LabelSet, canonical: Uint8Array, originals: LabelSet | null = null): number {
    const known = this.table.find(canonical, 0, canonical.length);
    return known !== -1 ? known : this.#meet(labels, canonical, originals);
  }

  #meet(labels: LabelSet, canonical: Uint8Array, originals: LabelSet | null): number {
    const job = labelValue(labels, 'job');
    const instance = labelValue(labels, 'instance');
    const read = readings(labels, originals);
    const standIn = this.#standIns.get(this.#targets.find(job, instance));
    if (standIn !== undefined && this.#unwanted >= this.#unwantedMax && !this.#wiring.wants(read)) return standIn;
    // The table keeps the originals behind the labels, so that the journal and snapshots know them, too.
    const kept = originals === null ? canonical : withOriginals(canonical, originals);
    const id = this.table.insert(kept, 0, kept.length);
    if (id === -1) {
      this.#wiring.refuse(read);
      return -1;
    }
    if (originals !== null) this.table.alias(canonical, 0, canonical.length, id);
    this.#series.reserve(id + 1);
    const target = this.#targetFor(job, instance);
    this.#series.target[id] = target;
    this.#wiring.connect(id, read);
    if (this.#series.role[id] === UNMATCHED) {
      this.#unwanted++;
      if (standIn === undefined) this.#standIns.set(target, id);
    }
    return id;
  }

  /** As `register`, of bytes that the table keeps of a series: what the journal and snapshots hold. */
  registerCanonical(kept: Uint8Array): number {
    const known = this.table.find(kept, 0, kept.length);
    if (known !== -1) return known;
    const { labels, originals, labelsEnd } = decodeSeries(kept);
    // Without originals these are the bytes that were just looked for.
    return originals === null
      ? this.#meet(labels, kept, null)
      : this.register(labels, kept.subarray(0, labelsEnd), originals);
  }

  /** Whether an SLO reads the native histograms of a series. */
  wantsHistograms(id: number): boolean {
    return this.#series.role[id] === OTHER && this.#wiring.othersOf(id).some(({ kind }) => kind === 'native');
  }

  #targetFor(job: string, instance: string): number {
    const known = this.#targets.find(job, instance);
    if (known !== -1) return known;
    this.#counts.reserve(this.#targets.size + 1);
    const candidates = [...(this.#scopesByJob.get(job) ?? []), ...this.#scopesOfAnyJob];
    const scopes = candidates.filter((i) => this.#scopes[i]!.includes(job, instance));
    return this.#targets.add(job, instance, scopes);
  }

  /**
   * Applies a batch whose series are all registered. Never throws on data: what cannot be used is counted in the outcome,
   * which is valid until the next call.
   */
  ingest(batch: SampleBatch, nowMs: number): IngestOutcome {
    const outcome = this.#outcome;
    outcome.begin(batch.length);
    if (batch.hasSenders) outcome.haReplica = this.replicas.admit(batch, nowMs, outcome.gaps);
    this.#closeSlices(nowMs);
    const { length, seriesIds, timestampsMs, values, kinds } = batch;
    const { changedRows } = outcome;
    const { lastMs, lastValue, target: targetOf, role, feedStart, feedCount, movesClock } = this.#series;
    const { account: feedAccount, good: feedGood, bad: feedBad } = this.#wiring.feeds;
    const { newestMs } = this.#targets;
    const { openMs, openGood, openBad } = this.#accounts;
    const latestMs = nowMs + FUTURE_MAX_MS;
    const oldestMs = nowMs - this.#longestWindowMs;
    let changed = 0;
    let accepted = 0;
    let unmatched = 0;
    const counts = this.#counts;
    counts.begin(nowMs);
    // Samples come in runs of one target.
    let runTarget = -1;
    let runStart = 0;
    let runUnmatched = 0;
    for (let row = 0; row < length; row++) {
      const id = seriesIds[row]!;
      const tMs = timestampsMs[row]!;
      const target = targetOf[id]!;
      if (target !== runTarget) {
        if (row > 0) counts.countRun(runTarget, row - runStart, unmatched - runUnmatched, batch.protocol, nowMs);
        runTarget = target;
        runStart = row;
        runUnmatched = unmatched;
      }
      if (!(tMs <= latestMs)) {
        outcome.tooNew++;
        counts.note(target, TOO_NEW);
        outcome.lose(row, 'too_new');
        continue;
      }
      let changes = false;
      if (tMs > newestMs[target]!) {
        this.#report(target, tMs, nowMs);
        changes = true;
      }
      const seriesRole = role[id]!;
      if (seriesRole <= IDLE) {
        if (seriesRole === IDLE) accepted++;
        else unmatched++;
        if (changes) {
          movesClock[id] = 1;
          changedRows[changed++] = row;
        }
        continue;
      }
      const value = values[row]!;
      const previousMs = lastMs[id]!;
      if (seriesRole !== COUNTER || kinds[row] !== SAMPLE_VALUE || !(previousMs > EXISTED_BEFORE)) {
        if (this.#unusual.apply(batch, row, oldestMs)) changes = true;
      } else if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
        outcome.invalidValue++;
        counts.note(target, INVALID_VALUE);
      } else if (tMs <= previousMs) {
        if (tMs < previousMs) {
          outcome.outOfOrder++;
          counts.note(target, OUT_OF_ORDER);
        } else if (value === lastValue[id]) {
          outcome.duplicate++;
          counts.note(target, DUPLICATE);
        } else {
          outcome.conflict++;
          counts.note(target, CONFLICT);
          outcome.lose(row, 'conflict');
        }
      } else {
        let increase = value - lastValue[id]!;
        if (increase < 0 && batch.hasSenders && this.#unusual.isHandOver(batch, row)) {
          outcome.writerConflict++;
          counts.note(target, WRITER_CONFLICT);
          // In the journal the row is a sign of life and no more: without its sender the value would look like a reset.
          kinds[row] = SAMPLE_STALE;
          if (changes) changedRows[changed++] = row;
          continue;
        }
        accepted++;
        lastMs[id] = tMs;
        lastValue[id] = value;
        if (tMs <= oldestMs) {
          outcome.tooOld++;
          counts.note(target, TOO_OLD);
          changes = true;
        } else if (increase !== 0) {
          changes = true;
          if (increase < 0) {
            outcome.resets++;
            this.#unusual.watch(id, value - increase);
            increase = value;
          }
          const start = feedStart[id]!;
          const end = start + feedCount[id]!;
          for (let feed = start; feed < end; feed++) {
            const account = feedAccount[feed]!;
            if (openMs[account] !== tMs) this.#accounts.open(account, tMs);
            openGood[account]! += feedGood[feed]! * increase;
            openBad[account]! += feedBad[feed]! * increase;
          }
        }
      }
      if (changes) changedRows[changed++] = row;
    }
    if (length > 0) counts.countRun(runTarget, length - runStart, unmatched - runUnmatched, batch.protocol, nowMs);
    outcome.changedCount = changed;
    outcome.accepted += accepted;
    outcome.unmatched = unmatched;
    return outcome;
  }

  /**
   * Closes the slices whose end the watermark has reached. What arrives later is too late for them, and whether somebody looked
   * in between must not decide that.
   */
  #closeSlices(nowMs: number): void {
    for (const scope of this.#slicedScopes) {
      if (!(scope.watermarkMs(nowMs) >= scope.nextSliceEndMs)) continue;
      let nextEndMs = Number.POSITIVE_INFINITY;
      for (const entry of this.#accounts.entries) {
        if (entry.ledger.scope !== scope) continue;
        this.#accounts.settle(entry, nowMs);
        nextEndMs = Math.min(nextEndMs, entry.ledger.nextSliceEndMs);
      }
      scope.nextSliceEndMs = nextEndMs;
    }
  }

  /** A target was heard at a newer event time. Once a scrape, not once a sample. */
  #report(target: number, tMs: number, nowMs: number): void {
    const upSinceMs = this.#targets.advance(target, tMs);
    this.#counts.heard(target, tMs, nowMs);
    // Coverage does not begin with what no window reaches, such as a timestamp of 1970.
    if (tMs <= nowMs - this.#longestWindowMs) return;
    for (const i of this.#targets.scopes[target]!) {
      const scope = this.#scopes[i]!;
      if (!scope.hasReported) this.#pushes.settleAll(scope, nowMs);
      scope.observe(upSinceMs, tMs, nowMs);
    }
  }

  /**
   * Applies events that come as such, all of which were found good before: the journal of an earlier run is taken as it is.
   * What had settled of their SLOs is settled first.
   */
  push(events: readonly PushedEvents[], nowMs: number): PushOutcome {
    return this.#pushes.apply(events, nowMs);
  }

  /** To find who sends, and the first `limit` of those that pass the filter, see SourceWalk. */
  sourceWalk(filter: SourceFilter, limit: number): SourceWalk {
    const parts = {
      slos: this.slos,
      accounts: this.#accounts,
      targets: this.#targets,
      series: this.#series,
      wiring: this.#wiring,
      counts: this.#counts,
    };
    return new SourceWalk(parts, filter, limit);
  }

  /** What was pushed since the process began, to each SLO that anything was pushed to. */
  pushSources(): PushSourceState[] {
    return this.slos.flatMap(({ id }, i) => {
      const counts = this.#pushes.counts(i);
      return counts === null ? [] : [pushSource(id, counts)];
    });
  }

  /** From now on sources are counted anew: what was applied so far came from a journal. */
  restartCounts(): void {
    this.#counts.restart();
    this.#pushes.restartCounts();
  }

  /** To find what the selectors of an SLO match, see SelectorWalk. */
  selectorWalk(slo: Slo): SelectorWalk {
    return new SelectorWalk(wanted(slo), this.table, this.#series);
  }

  /** The targets that the selectors of an SLO could match, those heard last first. */
  targetsOf(id: string, limit: number): { total: number; examples: TargetExample[] } {
    const slo = this.#sloOf.get(id);
    const scope = slo === undefined ? -1 : this.#scopes.indexOf(this.#accounts.scopeOf(slo));
    const { size, scopes, newestMs, jobs, instances } = this.#targets;
    const mine = Array.from({ length: size }, (_, i) => i).filter((target) => scopes[target]!.includes(scope));
    mine.sort((a, b) => newestMs[b]! - newestMs[a]!);
    const examples = mine.slice(0, limit).map((target) => ({
      job: jobs[target]!,
      instance: instances[target]!,
      lastSample: timeText(newestMs[target]!),
    }));
    return { total: mine.length, examples };
  }

  /** Whether an SLO has this group already. */
  hasGroup(id: string, group: Group): boolean {
    const slo = this.#sloOf.get(id);
    return slo !== undefined && this.#accounts.hasGroup(slo, group);
  }

  /** How many more groups an SLO may have. */
  groupsLeft(id: string): number {
    const slo = this.#sloOf.get(id);
    return slo === undefined ? 0 : this.slos[slo]!.groupsMax - this.#accounts.of(slo).length;
  }

  /** One tick: judges every alert as of its watermark and returns what changed. */
  evaluate(nowMs: number): AlertTransition[] {
    const { entries, watch } = this.#accounts;
    for (const entry of entries) this.#accounts.settle(entry, nowMs);
    watch.look();
    const transitions: AlertTransition[] = [];
    for (let i = 0; i < entries.length; i++) {
      if (!watch.isDue(i)) continue;
      const { ledger } = entries[i]!;
      ledger.evaluate(nowMs, transitions);
      watch.setRestless(i, ledger.isRestless);
    }
    return transitions;
  }

  /** The alerts that are pending or firing since the last tick. */
  activeAlerts(): ActiveAlert[] {
    const active: ActiveAlert[] = [];
    for (const { ledger } of this.#accounts.entries) ledger.listActive(active);
    return active;
  }

  /**
   * Takes over how all alerts stood when the process before this one ended, once its events are recovered: the snapshot knows
   * the alerts of a while before, and the journal knows none.
   */
  restoreAlerts(saved: readonly SavedAlert[]): void {
    const bySlo = new Map<string, SavedAlert[]>();
    for (const alert of saved) bySlo.set(alert.sloId, [...(bySlo.get(alert.sloId) ?? []), alert]);
    for (const { ledger } of this.#accounts.entries) {
      const ofSlo = bySlo.get(ledger.slo.id) ?? [];
      ledger.restoreAlerts(ofSlo.filter(({ group }) => groupText(group) === groupText(ledger.group)));
    }
  }

  /** What is heard of an SLO. */
  reception(slo: Slo, nowMs: number): Reception {
    return this.#accounts.timeOf(this.#sloOf.get(slo.id)!).scope.reception(nowMs);
  }

  /** The states of one SLO as of its watermark: one, or one a group in order of appearance. Null when there is no such SLO. */
  statesOf(id: string, nowMs: number): SloState[] | null {
    const slo = this.#sloOf.get(id);
    return slo === undefined ? null : this.#accounts.of(slo).map((entry) => this.#state(entry, nowMs));
  }

  /** What a gate judges of an SLO: it, or each of its groups in order of appearance. */
  subjects(id: string, nowMs: number): Subject[] {
    const slo = this.#sloOf.get(id);
    if (slo === undefined) return [];
    return this.#accounts.of(slo).map((entry) => ({
      state: this.#state(entry, nowMs),
      burnRateOver: (windowMs) => entry.ledger.burnRateOver(windowMs, nowMs),
    }));
  }

  /** The state of an SLO, or of one group of it; null when there is none such. */
  state(id: string, nowMs: number, group: Group | null = null): SloState | null {
    const slo = this.#sloOf.get(id);
    const entry =
      slo === undefined ? undefined : this.#accounts.of(slo).find(({ ledger }) => isGroup(ledger.group, group));
    return entry === undefined ? null : this.#state(entry, nowMs);
  }

  /** The states of all SLOs and groups, or of those SLOs that `wanted` admits, in the order of the definitions. */
  states(nowMs: number, wanted: (slo: Slo) => boolean = () => true): SloState[] {
    return this.slos.flatMap((slo, i) =>
      wanted(slo) ? this.#accounts.of(i).map((entry) => this.#state(entry, nowMs)) : [],
    );
  }

  /** The events that each of the states of `statesOf` has in one of its windows; null while nothing was observed. */
  recentEvents(id: string, windowMs: number, nowMs: number): ({ good: number; bad: number } | null)[] {
    const slo = this.#sloOf.get(id);
    if (slo === undefined) return [];
    return this.#accounts.of(slo).map((entry) => {
      this.#accounts.settle(entry, nowMs);
      return entry.ledger.recentEvents(windowMs, nowMs);
    });
  }

  #state(entry: LedgerEntry, nowMs: number): SloState {
    this.#accounts.settle(entry, nowMs);
    return entry.ledger.state(nowMs);
  }

  /** Hands over the events by minute that were settled since history was last taken. */
  takeHistory(each: (sloId: string, group: Group | null, minuteMs: number, good: number, bad: number) => void): void {
    for (const { ledger } of this.#accounts.entries) {
      ledger.unrecorded.take((minuteMs, good, bad) => each(ledger.slo.id, ledger.group, minuteMs, good, bad));
    }
  }

  /** Everything that restore needs, self-contained. */
  snapshot(): Uint8Array {
    this.#accounts.closeAll();
    return writeSnapshot(this.#save());
  }

  *#saveSeries(): Iterable<SeriesSave> {
    const { lastMs, lastValue, lastLow, lastStartMs, role, movesClock } = this.#series;
    for (let id = 0; id < this.table.size; id++) {
      if (role[id]! <= IDLE && movesClock[id] === 0) continue;
      yield {
        id,
        labels: this.table.labelBytes(id),
        lastMs: lastMs[id]!,
        lastValue: lastValue[id]!,
        lastLow: lastLow[id]!,
        lastStartMs: lastStartMs[id]!,
        histogram: this.#unusual.histograms.get(id) ?? null,
        suspect: this.#unusual.duplicates.get(id) ?? null,
      };
    }
  }

  #save(): EngineSave {
    return {
      replicas: this.replicas.elected(),
      targets: this.#targets.save(),
      scopes: this.#scopes.map((scope) => scope.save()),
      ledgers: this.#accounts.entries.map(({ ledger }) => ledger.save()),
      slos: this.slos.map((slo, i) => ({
        id: slo.id,
        fingerprint: sliFingerprint(slo),
        listeningSinceMs: this.#unusual.listeningSinceMs[i]!,
      })),
      pushes: this.#pushes.save(),
      seriesIdEnd: this.table.size,
      series: this.#saveSeries(),
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
    this.replicas.load(save.replicas);
    for (const target of save.targets) {
      this.#targets.load(this.#targetFor(target.job, target.instance), target);
    }
    this.#restoreScopes(save);
    const fingerprints = new Map(save.slos.map((slo) => [slo.id, slo]));
    this.slos.forEach((slo, i) => {
      const saved = fingerprints.get(slo.id);
      const kept = saved !== undefined && saved.fingerprint === sliFingerprint(slo);
      if (!kept) {
        this.#listenAfterRestore(i, nowMs);
        return;
      }
      this.#unusual.listeningSinceMs[i] = saved.listeningSinceMs;
      for (const ledger of save.ledgers.filter(({ sloId }) => sloId === slo.id)) {
        const entry = ledger.group === null ? this.#accounts.of(i)[0] : this.#accounts.forGroup(i, ledger.group);
        entry?.ledger.load(ledger);
      }
      this.#pushes.load(i, save);
    });
    return this.#restoreSeries(save);
  }

  /** An SLO that the snapshot does not know: it has heard nothing of what its targets reported before, by whatever clock. */
  #listenAfterRestore(slo: number, nowMs: number): void {
    const sinceMs = Math.max(nowMs, this.#accounts.scopeOf(slo).newestMs + 1);
    this.#unusual.listeningSinceMs[slo] = sinceMs;
    // What is pushed is never an opening balance.
    if (this.slos[slo]!.sli.kind === 'push') return;
    for (const { ledger } of this.#accounts.of(slo)) ledger.listenSince(sinceMs);
  }

  #restoreSeries(save: EngineSave): Int32Array {
    const newIds = new Int32Array(save.seriesIdEnd).fill(-1);
    let idEnd = 0;
    for (const { id, labels, lastMs, lastValue, lastLow, lastStartMs, histogram, suspect } of save.series) {
      const newId = this.registerCanonical(labels);
      newIds[id] = newId;
      idEnd = id + 1;
      if (newId === -1) continue;
      this.#series.lastMs[newId] = lastMs;
      this.#series.lastValue[newId] = lastValue;
      this.#series.lastLow[newId] = lastLow;
      this.#series.lastStartMs[newId] = lastStartMs;
      this.#series.movesClock[newId] = 1;
      if (histogram !== null) this.#unusual.histograms.set(newId, histogram);
      if (this.#series.role[newId]! <= IDLE) continue;
      if (suspect !== null) this.#unusual.duplicates.load({ ...suspect, id: newId });
      if (suspect !== null || lastLow !== 0) this.#series.role[newId] = OTHER;
    }
    // What comes after the last is not known to be none: the journal must define it.
    return newIds.subarray(0, idEnd);
  }

  /** A new engine that goes on from here with other SLOs, as after a restart. */
  successor(slos: readonly Slo[], nowMs: number, options: Partial<EngineOptions> = {}): Engine {
    const engine = new Engine(slos, { ...this.#options, ...options });
    engine.restore(this.snapshot(), nowMs);
    return engine;
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
        if (!this.#targets.scopes[target]!.includes(i) || !Number.isFinite(newestMs)) continue;
        scope.observe(newestMs, newestMs, newestMs);
      }
    });
  }
}

function isGroup(mine: Group | null, asked: Group | null): boolean {
  if (mine === null || asked === null) return mine === asked;
  const names = new Set([...Object.keys(mine), ...Object.keys(asked)]);
  return [...names].every((name) => (mine[name] ?? '') === (asked[name] ?? ''));
}
