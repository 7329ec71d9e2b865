import type { FastifyInstance } from 'fastify';
import { DAY_MS, HOUR_MS, MINUTE_MS, parseDuration } from '../engine/duration.ts';
import { type Grid, type HistoryPoint, historyPoints, pointsOf, windowStarts } from '../engine/history.ts';
import type { Slo } from '../engine/slo.ts';
import { longestPeriodMs } from '../engine/windows.ts';
import type { History } from '../store/history.ts';
import { askedLedger } from './asked-ledger.ts';
import { apiError } from './errors.ts';
import type { Live } from './live.ts';
import { intervalOf, onlyParameters, type QueryParameters, single } from './query.ts';

/** As many as Prometheus answers. */
const POINTS_MAX = 11_000;
const STEP_MIN_MS = MINUTE_MS;
/** With the shortest of these steps that needs no more points than this, every usual SLO window has about 300. */
const DEFAULT_POINTS_MAX = 400;
const DEFAULT_STEPS_MS: readonly number[] = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE_MS),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR_MS),
];

const SECONDS = /^-?\d+(?:\.\d+)?$/;

/** `GET /api/v1/slos/{service}/{name}/history?from&to&step&group`: event time, so back-filled samples appear where they belong. */
export function historyRoute(app: FastifyInstance, live: Live, history: History, clock: () => number): void {
  app.get('/api/v1/slos/:service/:name/history', (request): { points: HistoryPoint[] } => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['from', 'to', 'step', 'group']);
    const { engine } = live.current;
    const nowMs = clock();
    const { slo, group, asOfMs } = askedLedger(engine, request, nowMs);
    const grid = gridOf(slo, query, Number.isNaN(asOfMs) ? nowMs : asOfMs);
    const { slots, sinceMs } = history.read(engine, slo.id, group, grid.fromMs - reachMs(slo), grid.toMs);
    return { points: historyPoints(slo, slots, grid, { sinceMs, asOfMs }) };
  });
}

/** How far before a point the longest of its windows begins. */
function reachMs({ window, alerts }: Slo): number {
  return Math.max(longestPeriodMs(window), 3 * DAY_MS, ...alerts.burnRateAlerts.map(({ long }) => long.ms));
}

function gridOf(slo: Slo, query: QueryParameters, asOfMs: number): Grid {
  const { fromMs: givenMs, toMs } = intervalOf(query, asOfMs);
  const startMs = givenMs ?? windowStarts(slo)(toMs);
  const stepMs = stepParameter(query) ?? defaultStepMs(toMs - startMs);
  // Whole steps, so that the last point is at `to`.
  const fromMs = givenMs ?? toMs - Math.ceil((toMs - startMs) / stepMs) * stepMs;
  const grid = { fromMs, toMs, stepMs };
  const points = pointsOf(grid);
  if (points > POINTS_MAX) throw apiError('too_many_points', { points, limit: POINTS_MAX });
  return grid;
}

function defaultStepMs(rangeMs: number): number {
  const stepMs = DEFAULT_STEPS_MS.find((ms) => rangeMs / ms <= DEFAULT_POINTS_MAX);
  return stepMs ?? Math.ceil(rangeMs / DAY_MS / DEFAULT_POINTS_MAX) * DAY_MS;
}

/** A duration or seconds, as milliseconds; undefined when it is not given. */
function stepParameter(query: QueryParameters): number | undefined {
  const text = single(query, 'step');
  if (text === undefined) return undefined;
  const ms = SECONDS.test(text) ? Math.round(Number(text) * 1000) : (parseDuration(text)?.ms ?? Number.NaN);
  if (Number.isNaN(ms)) throw apiError('bad_parameter', { name: 'step', expected: 'a duration or seconds', got: text });
  if (ms >= STEP_MIN_MS) return ms;
  throw apiError('bad_parameter', {
    name: 'step',
    expected: 'at least 1m, as history is kept by the minute',
    got: text,
  });
}
