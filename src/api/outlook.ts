import { setImmediate as nextTurn } from 'node:timers/promises';
import { DAY_MS } from '../engine/duration.ts';
import { type Outlook, type OutlookQuestion, outlookOf, type SloOutlook, sloOutlook } from '../engine/outlook.ts';
import type { Slo } from '../engine/slo.ts';
import { longestPeriodMs } from '../engine/windows.ts';
import type { AnswerSources } from './answer-sources.ts';
import { apiError } from './errors.ts';
import { count, type QueryParameters, single, timeParameter } from './query.ts';

const DEFAULT_INCIDENTS = 5;
const INCIDENTS_MAX = 100;
/** How far back incidents are looked for. */
const INCIDENTS_MS = 90 * DAY_MS;

/** `until`, and `incidents`; null when no time is asked about. */
export function askedOutlook(query: QueryParameters, nowMs: number): OutlookQuestion | null {
  const untilMs = timeParameter(query, 'until');
  const incidentsMax = count(query, 'incidents', INCIDENTS_MAX) ?? DEFAULT_INCIDENTS;
  if (untilMs === undefined) return null;
  if (untilMs > nowMs) return { untilMs, incidentsMax };
  const expected = `after now, ${new Date(nowMs).toISOString()}`;
  throw apiError('bad_parameter', { name: 'until', expected, got: single(query, 'until')! });
}

export async function outlook(
  { engine, history }: AnswerSources,
  slos: readonly Slo[],
  question: OutlookQuestion,
  nowMs: number,
): Promise<Outlook> {
  const outlooks: SloOutlook[] = [];
  for (const slo of slos) {
    // Reading history takes some milliseconds, between which others have their turn.
    await nextTurn();
    for (const { group, asOf, state, burnRates } of engine.statesOf(slo.id, nowMs)!) {
      const asOfMs = asOf === null || state === 'no_data' ? Number.NaN : Date.parse(asOf);
      const reachMs = Math.max(longestPeriodMs(slo.window), INCIDENTS_MS);
      const { slots, sinceMs } = history.read(engine, slo.id, group ?? null, nowMs - reachMs, nowMs);
      outlooks.push(sloOutlook(slo, group, slots, { sinceMs, asOfMs }, burnRates['1h'] ?? null, question));
    }
  }
  return outlookOf(question.untilMs, outlooks);
}
