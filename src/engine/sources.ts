import type { Accounts } from './accounts.ts';
import type { PushCounts } from './pushes.ts';
import { type SeriesColumns, UNMATCHED } from './series-columns.ts';
import type { Slo } from './slo.ts';
import { OUTCOMES, type SourceCounts } from './source-counts.ts';
import type { Targets } from './targets.ts';
import type { Wiring } from './wiring.ts';

/** Who sends what: the answer of `GET /api/v1/sources`, made when somebody asks. */

export interface SourceState {
  readonly job: string;
  readonly instance: string;
  /** By what the last of its samples came; null before the first of this process. */
  readonly protocol: string | null;
  /** Event time of the newest sample; null when it is not known any more. */
  readonly lastSample: string | null;
  /** When the last one arrived; null before the first of this process. */
  readonly lastArrival: string | null;
  readonly intervalSeconds: number | null;
  /** Of the last one to two minutes. */
  readonly samplesPerSecond: number;
  /**
   * The least time from timestamp to arrival of the last one to two minutes. What is always late has a slow way or a clock that
   * is behind ours; below 0 its clock is ahead.
   */
  readonly clockSkewSeconds: number | null;
  /** Since the process began. */
  readonly samples: {
    readonly received: number;
    readonly accepted: number;
    readonly ignored: Record<string, number>;
    readonly rejected: Record<string, number>;
  };
  readonly series: { readonly known: number; readonly matched: number };
  /** The first of the SLOs that its series feed, and how many they are. */
  readonly slos: readonly string[];
  readonly sloCount: number;
}

export interface PushSourceState {
  readonly slo: string;
  /** Event time of the newest, and arrival of the last. */
  readonly lastEvent: string | null;
  readonly lastArrival: string;
  readonly accepted: number;
  readonly ignored: Record<string, number>;
}

export interface SourceFilter {
  readonly job: string | null;
  readonly instance: string | null;
  /** Only targets that feed this SLO. */
  readonly slo: string | null;
}

const SLOS_MAX = 50;
/** Its samples are refused, where the others are left aside. */
const REFUSED = 'too_new';

export interface SourceParts {
  readonly slos: readonly Slo[];
  readonly accounts: Accounts;
  readonly targets: Targets;
  readonly series: SeriesColumns;
  readonly wiring: Wiring;
  readonly counts: SourceCounts;
}

interface Fed {
  known: number;
  matched: number;
  readonly slos: Set<number>;
}

/** Who sends, out of all targets and what their series feed; looked at some thousands at a time, as a SelectorWalk does. */
export class SourceWalk {
  readonly #parts: SourceParts;
  readonly #filter: SourceFilter;
  readonly #slo: number;
  readonly #limit: number;
  readonly #fed = new Map<number, Fed>();
  /** The first of the targets that pass the filter, and now and then up to as many more. */
  #wanted: number[] = [];
  #total = 0;

  constructor(parts: SourceParts, filter: SourceFilter, limit: number) {
    this.#parts = parts;
    this.#filter = filter;
    this.#slo = filter.slo === null ? -1 : parts.slos.findIndex(({ id }) => id === filter.slo);
    this.#limit = limit;
  }

  /** Looks at the series from one id to before another. All of them come before the targets. */
  walkSeries(fromId: number, toId: number): void {
    const { accounts, wiring } = this.#parts;
    const { target, role, feedStart, feedCount } = this.#parts.series;
    const { account } = wiring.feeds;
    for (let id = fromId; id < toId; id++) {
      if (!this.#isAskedFor(target[id]!)) continue;
      const mine = this.#fedBy(target[id]!);
      mine.known++;
      if (role[id] === UNMATCHED) continue;
      mine.matched++;
      const end = feedStart[id]! + feedCount[id]!;
      for (let feed = feedStart[id]!; feed < end; feed++) mine.slos.add(accounts.sloOf[account[feed]!]!);
      for (const { entry } of wiring.othersOf(id)) mine.slos.add(entry.slo);
    }
  }

  /** Looks at the targets from one to before another. */
  walkTargets(from: number, to: number): void {
    for (let target = from; target < to; target++) {
      if (!this.#isAskedFor(target)) continue;
      if (this.#filter.slo !== null && !this.#fedBy(target).slos.has(this.#slo)) continue;
      this.#total++;
      this.#wanted.push(target);
      if (this.#wanted.length >= 2 * this.#limit) this.#cut();
    }
  }

  /** The targets that pass the filter, by job and instance: the first ones, and how many there are. */
  result(nowMs: number): { sources: SourceState[]; total: number } {
    this.#cut();
    const sources = this.#wanted.map((target) => this.#state(target, this.#fedBy(target), nowMs));
    return { sources, total: this.#total };
  }

  #cut(): void {
    const { jobs, instances } = this.#parts.targets;
    this.#wanted.sort((a, b) => compare(jobs[a]!, jobs[b]!) || compare(instances[a]!, instances[b]!));
    this.#wanted.length = Math.min(this.#wanted.length, this.#limit);
  }

  #isAskedFor(target: number): boolean {
    const { job, instance } = this.#filter;
    const { jobs, instances } = this.#parts.targets;
    return (job === null || jobs[target] === job) && (instance === null || instances[target] === instance);
  }

  #fedBy(target: number): Fed {
    const known = this.#fed.get(target);
    if (known !== undefined) return known;
    const fed: Fed = { known: 0, matched: 0, slos: new Set() };
    this.#fed.set(target, fed);
    return fed;
  }

  #state(target: number, { known, matched, slos }: Fed, nowMs: number): SourceState {
    const { counts } = this.#parts;
    const { jobs, instances, newestMs, intervalMs } = this.#parts.targets;
    const skewMs = counts.skewMs(target);
    const ignored: Record<string, number> = {};
    const rejected: Record<string, number> = {};
    let others = 0;
    OUTCOMES.forEach((reason, i) => {
      const count = counts.outcomes[target * OUTCOMES.length + i]!;
      others += count;
      if (count > 0) (reason === REFUSED ? rejected : ignored)[reason] = count;
    });
    const received = counts.samples[target]!;
    return {
      job: jobs[target]!,
      instance: instances[target]!,
      protocol: counts.protocols[target] || null,
      lastSample: timeText(newestMs[target]!),
      lastArrival: timeText(counts.arrivedMs[target]!),
      intervalSeconds: intervalMs[target] === 0 ? null : intervalMs[target]! / 1000,
      samplesPerSecond: counts.rate(target, nowMs),
      clockSkewSeconds: Number.isNaN(skewMs) ? null : skewMs / 1000,
      samples: { received, accepted: Math.max(received - others, 0), ignored, rejected },
      series: { known, matched },
      slos: [...slos]
        .sort((a, b) => a - b)
        .slice(0, SLOS_MAX)
        .map((slo) => this.#parts.slos[slo]!.id),
      sloCount: slos.size,
    };
  }
}

export function pushSource(slo: string, counts: PushCounts): PushSourceState {
  const { applied, duplicates, tooOld, newestMs, arrivedMs } = counts;
  const ignored = {
    ...(duplicates > 0 && { duplicate: duplicates }),
    ...(tooOld > 0 && { too_old: tooOld }),
  };
  return { slo, lastEvent: timeText(newestMs), lastArrival: timeText(arrivedMs)!, accepted: applied, ignored };
}

/** Null for what is no time, or none a date can be. */
export function timeText(ms: number): string | null {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
