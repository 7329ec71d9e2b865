import { burnRate } from './burn-rate.ts';
import { DAY_MS } from './duration.ts';
import { HistorySums, type Observed, type Slot, windowStarts } from './history.ts';
import type { Group } from './ledger.ts';
import { type Incident, LedgerHistory } from './report.ts';
import type { Slo } from './slo.ts';
import type { VerdictName } from './state.ts';

/** What becomes of the budgets until a time that is to come, if nothing changes, and if a deploy fails besides. */
export interface Outlook {
  /** RFC 3339. */
  until: string;
  /** Block when a budget runs out anyway, warn when it does if the deploy fails, unknown without data. */
  verdict: VerdictName;
  slos: SloOutlook[];
}

export interface SloOutlook {
  slo: string;
  group?: Group;
  /** Of the last hour. */
  burnRate: number | null;
  /** Budget remaining at that time when the burn rate of the last hour goes on, with the traffic of the last day. */
  ifBurnGoesOn: number | null;
  /** The worst of the last incidents; null when there was none. */
  worstIncident: Omit<Incident, 'slo' | 'group' | 'budgetSpent'> | null;
  /** The same when besides as many events are bad as were in that incident. */
  ifDeployFails: number | null;
}

export interface OutlookQuestion {
  readonly untilMs: number;
  /** How many of the last incidents are looked at. */
  readonly incidentsMax: number;
}

/** The slots reach back by the SLO window, and as far as incidents are looked for. `hourlyBurn` is the burn rate of the last hour. */
export function sloOutlook(
  slo: Slo,
  group: Group | undefined,
  slots: readonly Slot[],
  { sinceMs, asOfMs }: Observed,
  hourlyBurn: number | null,
  { untilMs, incidentsMax }: OutlookQuestion,
): SloOutlook {
  const named = { slo: slo.id, ...(group !== undefined && { group }), burnRate: hourlyBurn };
  if (hourlyBurn === null || Number.isNaN(asOfMs)) {
    return { ...named, ifBurnGoesOn: null, worstIncident: null, ifDeployFails: null };
  }
  const sums = new HistorySums(slots, asOfMs);
  const dayMs = Number.isNaN(sinceMs) ? DAY_MS : Math.min(DAY_MS, asOfMs - sinceMs);
  sums.read(asOfMs - dayMs, asOfMs);
  const eventsPerMs = (sums.good + sums.bad) / dayMs;

  const startMs = windowStarts(slo)(untilMs);
  sums.read(Math.min(startMs, asOfMs), asOfMs);
  const toCome = eventsPerMs * (untilMs - Math.max(startMs, asOfMs));
  const badToCome = toCome * hourlyBurn * slo.errorBudget;
  const total = sums.good + sums.bad + toCome;
  const bad = sums.bad + badToCome;
  const remaining = (badEvents: number): number =>
    1 - burnRate(Math.max(total - badEvents, 0), badEvents, slo.errorBudget);

  const incidents = new LedgerHistory(slo, group, slots, asOfMs).incidents({
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: asOfMs,
  });
  const [worst = null] = incidents.slice(-incidentsMax).sort((a, b) => b.bad - a.bad);
  return {
    ...named,
    ifBurnGoesOn: remaining(bad),
    worstIncident: worst === null ? null : { from: worst.from, to: worst.to, bad: worst.bad },
    ifDeployFails: remaining(bad + (worst?.bad ?? 0)),
  };
}

export function outlookOf(untilMs: number, slos: SloOutlook[]): Outlook {
  return { until: new Date(untilMs).toISOString(), verdict: outlookVerdict(slos), slos };
}

function outlookVerdict(slos: readonly SloOutlook[]): VerdictName {
  if (slos.some(({ ifBurnGoesOn }) => ifBurnGoesOn !== null && ifBurnGoesOn <= 0)) return 'block';
  if (slos.length === 0 || slos.some(({ ifBurnGoesOn }) => ifBurnGoesOn === null)) return 'unknown';
  return slos.some(({ ifDeployFails }) => ifDeployFails! <= 0) ? 'warn' : 'allow';
}
