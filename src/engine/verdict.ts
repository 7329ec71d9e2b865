import type { Group } from './ledger.ts';
import { NO_OVERRIDES, type OverrideOf } from './override.ts';
import type { GateCheck, SloState, Verdict, VerdictName } from './state.ts';

/** Judgements of SLOs to one verdict. */

export interface Judgement {
  readonly service: string;
  readonly verdict: VerdictName;
  readonly reason: string | null;
  readonly checks: readonly GateCheck[];
  /** As of when the SLO was judged; null when nothing of it is known, absent when no SLO was. */
  readonly asOf?: string | null;
}

const SEVEREST_FIRST: readonly VerdictName[] = ['block', 'unknown', 'warn', 'allow'];

/** The severest judgement decides, and the verdict is as old as the oldest. What blocks a service may be overridden. */
export function verdictOf(service: string, found: readonly Judgement[], overrideOf = NO_OVERRIDES): Verdict {
  const judgements = found.map((judgement) => overridden(judgement, overrideOf));
  const asOf = judgements.flatMap((judgement) => (judgement.asOf === undefined ? [] : [judgement.asOf]));
  return {
    ...named(SEVEREST_FIRST.find((name) => judgements.some(({ verdict }) => verdict === name)) ?? 'allow'),
    asOf: asOf.includes(null) ? null : (asOf.toSorted()[0] ?? null),
    service,
    reasons: [...new Set(judgements.flatMap(({ reason }) => reason ?? []))],
    checks: judgements.flatMap(({ checks }) => checks),
  };
}

function overridden(judgement: Judgement, overrideOf: OverrideOf): Judgement {
  const override = judgement.verdict === 'block' ? overrideOf(judgement.service) : null;
  if (override === null) return judgement;
  const { name, reason, expiresMs } = override;
  const until = new Date(expiresMs).toISOString();
  return {
    ...judgement,
    verdict: 'allow',
    reason: `${judgement.reason}; overridden by ${name} until ${until}: ${reason}`,
  };
}

/** A verdict's name, and whether one may go on. */
export function named(verdict: VerdictName): Pick<Verdict, 'verdict' | 'ok'> {
  return { verdict, ok: verdict === 'allow' || verdict === 'warn' };
}

/** Nothing can be said: never a silent allow. */
export function unknownVerdict(service: string, reason: string): Verdict {
  return verdictOf(service, [{ service, verdict: 'unknown', reason, checks: [], asOf: null }]);
}

export function hasNoData({ state, errorBudget }: SloState): boolean {
  return state === 'no_data' || errorBudget.remaining === null;
}

export function noDataReason(slo: string, asOf: string | null): string {
  return `${slo}: ${asOf === null ? 'nothing was ever received for it' : `no data since ${asOf}`}`;
}

/** `api/availability`, `api/availability{region="eu"}`. */
export function sloText({ id, group }: { id: string; group?: Group | undefined }): string {
  const labels = Object.entries(group ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return labels.length === 0 ? id : `${id}{${labels.join(',')}}`;
}

/** Short, for a reason. */
export function numberText(value: number): string {
  return String(Number(value.toPrecision(6)));
}
