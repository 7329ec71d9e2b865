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

interface Fed {
  known: number;
  matched: number;
  readonly slos: Set<number>;
}

export class SourceReader {
  readonly #slos: readonly Slo[];
  readonly #accounts: Accounts;
  readonly #targets: Targets;
  readonly #series: SeriesColumns;
  readonly #wiring: Wiring;
  readonly #counts: SourceCounts;

  constructor(
    slos: readonly Slo[],
    accounts: Accounts,
    targets: Targets,
    series: SeriesColumns,
    wiring: Wiring,
    counts: SourceCounts,
  ) {
    this.#slos = slos;
    this.#accounts = accounts;
    this.#targets = targets;
    this.#series = series;
    this.#wiring = wiring;
    this.#counts = counts;
  }

  /** The targets that pass the filter, by job and instance: the first `limit` of them, and how many there are. */
  read(
    seriesCount: number,
    filter: SourceFilter,
    limit: number,
    nowMs: number,
  ): { sources: SourceState[]; total: number } {
    const fed = this.#fedBy(seriesCount);
    const slo = filter.slo === null ? -1 : this.#slos.findIndex(({ id }) => id === filter.slo);
    const { jobs, instances } = this.#targets;
    const wanted = Array.from({ length: this.#targets.size }, (_, target) => target).filter(
      (target) =>
        (filter.job === null || jobs[target] === filter.job) &&
        (filter.instance === null || instances[target] === filter.instance) &&
        (filter.slo === null || fed[target]!.slos.has(slo)),
    );
    wanted.sort((a, b) => compare(jobs[a]!, jobs[b]!) || compare(instances[a]!, instances[b]!));
    const sources = wanted.slice(0, limit).map((target) => this.#state(target, fed[target]!, nowMs));
    return { sources, total: wanted.length };
  }

  /** By target. */
  #fedBy(seriesCount: number): Fed[] {
    const fed = Array.from({ length: this.#targets.size }, (): Fed => ({ known: 0, matched: 0, slos: new Set() }));
    const { target, role, feedStart, feedCount } = this.#series;
    const { account } = this.#wiring.feeds;
    for (let id = 0; id < seriesCount; id++) {
      const mine = fed[target[id]!]!;
      mine.known++;
      if (role[id] === UNMATCHED) continue;
      mine.matched++;
      const end = feedStart[id]! + feedCount[id]!;
      for (let feed = feedStart[id]!; feed < end; feed++) mine.slos.add(this.#accounts.sloOf[account[feed]!]!);
      for (const { entry } of this.#wiring.othersOf(id)) mine.slos.add(entry.slo);
    }
    return fed;
  }

  #state(target: number, { known, matched, slos }: Fed, nowMs: number): SourceState {
    const { jobs, instances, newestMs, intervalMs } = this.#targets;
    const counts = this.#counts;
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
        .map((slo) => this.#slos[slo]!.id),
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
