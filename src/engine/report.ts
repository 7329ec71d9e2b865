import { burnRate, errorRatio, goodRatio } from './burn-rate.ts';
import { MINUTE_MS } from './duration.ts';
import { HistorySums, type Slot } from './history.ts';
import type { Group } from './ledger.ts';
import type { Slo } from './slo.ts';

/**
 * How reliable a service was in an interval, judged by the budget of the interval itself: its bad events over those that its
 * objective allows.
 */

export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** One SLO, or one group of it; without events `sli` and `met` are null. */
export interface SloReport {
  id: string;
  group?: Group;
  objective: number;
  sli: number | null;
  events: { good: number; bad: number; total: number };
  errorBudget: { consumed: number; remaining: number };
  met: boolean | null;
}

/** A stretch in which an SLO burnt faster than sustainable, and a share of its budget that counts; times are RFC 3339. */
export interface Incident {
  slo: string;
  group?: Group;
  from: string;
  to: string;
  bad: number;
  /** Share of the budget of the interval. */
  budgetSpent: number;
}

/** The one number of a service: the SLI of the SLO that spent most of its budget. */
export interface Attainment {
  attainment: number | null;
  /** Its id. */
  slo: string | null;
  /** Whether all SLOs with events kept within their budgets. */
  met: boolean | null;
}

export interface ServiceReport extends Attainment {
  service: string;
  /** Of the interval before. */
  previous: Attainment;
  slos: SloReport[];
  /** Worst first. */
  incidents: Incident[];
}

/** `GET /api/v1/report`, field by field. */
export interface Report {
  from: string;
  to: string;
  previous: { from: string; to: string };
  services: ServiceReport[];
}

/** Incidents with less calm than this between them are one. */
const CALM_MS = 10 * MINUTE_MS;
/** What spent less of the interval's budget is no incident: at night a single bad event burns. */
const BUDGET_SPENT_MIN = 0.01;
const INCIDENTS_MAX = 10;

/** The history of one SLO, or of one group of it, which may reach beyond the interval that is asked for. */
export class LedgerHistory {
  readonly #slo: Slo;
  readonly #named: { readonly group?: Group };
  readonly #slots: readonly Slot[];
  readonly #sums: HistorySums;

  constructor(slo: Slo, group: Group | undefined, slots: readonly Slot[], asOfMs: number) {
    this.#slo = slo;
    this.#named = group === undefined ? {} : { group };
    this.#slots = slots;
    this.#sums = new HistorySums(slots, asOfMs);
  }

  report({ fromMs, toMs }: Interval): SloReport {
    const { id, objective, errorBudget } = this.#slo;
    this.#sums.read(fromMs, toMs);
    const { good, bad } = this.#sums;
    const consumed = burnRate(good, bad, errorBudget);
    const sli = goodRatio(good, bad);
    return {
      id,
      ...this.#named,
      objective,
      sli,
      events: { good, bad, total: good + bad },
      errorBudget: { consumed, remaining: 1 - consumed },
      met: sli === null ? null : consumed <= 1,
    };
  }

  incidents(interval: Interval): Incident[] {
    const { id, errorBudget } = this.#slo;
    this.#sums.read(interval.fromMs, interval.toMs);
    const allowedBad = errorBudget * (this.#sums.good + this.#sums.bad);
    return this.#burning(interval).flatMap(({ fromMs, toMs }) => {
      this.#sums.read(fromMs, toMs);
      const { bad } = this.#sums;
      if (bad < BUDGET_SPENT_MIN * allowedBad) return [];
      const [from, to] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
      return { slo: id, ...this.#named, from, to, bad, budgetSpent: bad / allowedBad };
    });
  }

  /** Where slots burn faster than sustainable, with the calm of less than ten minutes between them. */
  #burning({ fromMs, toMs }: Interval): Interval[] {
    const stretches: { fromMs: number; toMs: number }[] = [];
    for (const { endMs, lengthMs, good, bad } of this.#slots) {
      const startMs = Math.max(endMs - lengthMs, fromMs);
      const untilMs = Math.min(endMs, toMs);
      if (startMs >= untilMs || errorRatio(good, bad) <= this.#slo.errorBudget) continue;
      const last = stretches.at(-1);
      if (last !== undefined && startMs - last.toMs < CALM_MS) last.toMs = untilMs;
      else stretches.push({ fromMs: startMs, toMs: untilMs });
    }
    return stretches;
  }
}

export function serviceReport(
  service: string,
  histories: readonly LedgerHistory[],
  interval: Interval,
  previous: Interval,
): ServiceReport {
  const slos = histories.map((history) => history.report(interval));
  const incidents = histories.flatMap((history) => history.incidents(interval));
  return {
    service,
    ...attainmentOf(slos),
    previous: attainmentOf(histories.map((history) => history.report(previous))),
    slos,
    incidents: incidents.sort((a, b) => b.budgetSpent - a.budgetSpent).slice(0, INCIDENTS_MAX),
  };
}

function attainmentOf(slos: readonly SloReport[]): Attainment {
  const counted = slos.filter(({ sli }) => sli !== null);
  const [first, ...others] = counted;
  if (first === undefined) return { attainment: null, slo: null, met: null };
  const worst = others.reduce((a, b) => (b.errorBudget.consumed > a.errorBudget.consumed ? b : a), first);
  return { attainment: worst.sli, slo: worst.id, met: counted.every(({ met }) => met === true) };
}
