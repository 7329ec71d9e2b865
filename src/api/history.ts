import type { FastifyInstance } from 'fastify';
import { DAY_MS, HOUR_MS, MINUTE_MS, parseDuration } from '../engine/duration.ts';
import { type Grid, type HistoryPoint, historyPoints, pointsOf } from '../engine/history.ts';
import { timeOfText } from '../engine/instant.ts';
import type { Slo } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import { longestPeriodMs } from '../engine/windows.ts';
import type { History } from '../store/history.ts';
import { apiError } from './errors.ts';
import { groupFilters, hasAll } from './group.ts';
import type { Live } from './live.ts';
import { onlyParameters, type QueryParameters, repeated, single } from './query.ts';

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
    const { service, name } = request.params as { service: string; name: string };
    const query = request.query as QueryParameters;
    onlyParameters(query, ['from', 'to', 'step', 'group']);
    const id = `${service}/${name}`;
    const { engine } = live.current;
    const slo = engine.slo(id);
    if (slo === null) throw apiError('slo_not_found', { id });
    const nowMs = clock();
    const states = engine.states(nowMs, (candidate) => candidate === slo);
    const { asOf, group = null } = oneGroup(slo, states, repeated(query, 'group'));
    const asOfMs = asOf === null ? Number.NaN : Date.parse(asOf);
    const grid = gridOf(slo, query, asOf === null ? nowMs : asOfMs);
    const { slots, sinceMs } = history.read(engine, id, group, grid.fromMs - reachMs(slo), grid.toMs);
    return { points: historyPoints(slo, slots, grid, { sinceMs, asOfMs }) };
  });
}

/** How far before a point the longest of its windows begins. */
function reachMs({ window, alerts }: Slo): number {
  return Math.max(longestPeriodMs(window), 3 * DAY_MS, ...alerts.burnRateAlerts.map(({ long }) => long.ms));
}

/** The state of the SLO or of the group that is asked for; groups are asked for as in `GET /api/v1/slos/{service}/{name}`. */
function oneGroup(slo: Slo, states: readonly SloState[], texts: readonly string[]): SloState {
  const { id, groupBy } = slo;
  if (groupBy.length === 0) {
    if (texts.length > 0) throw apiError('not_grouped', { id });
    return states[0]!;
  }
  if (texts.length === 0) throw apiError('missing_parameter', { name: 'group' });
  const wanted = groupFilters(slo, texts);
  const named = new Set(wanted.map(([label]) => label));
  if (named.size < groupBy.length) {
    const expected = `given for each of ${groupBy.join(', ')} as label=value`;
    throw apiError('bad_parameter', { name: 'group', expected, got: texts.join(', ') });
  }
  const state = states.find(({ group }) => hasAll(group, wanted));
  if (state === undefined) throw apiError('group_not_found', { id, group: texts.join(', ') });
  return state;
}

function gridOf(slo: Slo, query: QueryParameters, asOfMs: number): Grid {
  const toMs = timeParameter(query, 'to') ?? asOfMs;
  const givenMs = timeParameter(query, 'from');
  const startMs = givenMs ?? windowStartMs(slo, toMs);
  if (startMs >= toMs) {
    const expected = `before to, ${new Date(toMs).toISOString()}`;
    throw apiError('bad_parameter', { name: 'from', expected, got: single(query, 'from') ?? '' });
  }
  const stepMs = stepParameter(query) ?? defaultStepMs(toMs - startMs);
  // Whole steps, so that the last point is at `to`.
  const fromMs = givenMs ?? toMs - Math.ceil((toMs - startMs) / stepMs) * stepMs;
  const grid = { fromMs, toMs, stepMs };
  const points = pointsOf(grid);
  if (points > POINTS_MAX) throw apiError('too_many_points', { points, limit: POINTS_MAX });
  return grid;
}

function windowStartMs({ window }: Slo, toMs: number): number {
  return window.kind === 'rolling' ? toMs - window.duration.ms : window.periodOf(toMs).startMs;
}

function defaultStepMs(rangeMs: number): number {
  const stepMs = DEFAULT_STEPS_MS.find((ms) => rangeMs / ms <= DEFAULT_POINTS_MAX);
  return stepMs ?? Math.ceil(rangeMs / DAY_MS / DEFAULT_POINTS_MAX) * DAY_MS;
}

/** RFC 3339 or Unix seconds, as Unix milliseconds; undefined when it is not given. */
export function timeParameter(query: QueryParameters, name: string): number | undefined {
  const text = single(query, name);
  if (text === undefined) return undefined;
  // In a query a plus that is not escaped arrives as a space.
  const ms = timeOfText(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  if (Number.isNaN(ms)) {
    throw apiError('bad_parameter', { name, expected: 'a time in RFC 3339 or Unix seconds', got: text });
  }
  return ms;
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
