import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import { type Interval, LedgerHistory, type Report, type ServiceReport, serviceReport } from '../engine/report.ts';
import type { History } from '../store/history.ts';
import type { AnswerSources } from './answer-sources.ts';
import { apiError } from './errors.ts';
import { intervalOf, onlyParameters, type QueryParameters, single } from './query.ts';
import { REPORT_FORMATS, type ReportFormat, renderReport } from './report-formats.ts';

const MONTH = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** `GET /api/v1/report?service&month|from&to&format`: of the last full month when nothing is said. */
export function reportRoute(app: FastifyInstance, sources: AnswerSources): void {
  app.get('/api/v1/report', async (request, reply): Promise<string> => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['service', 'month', 'from', 'to', 'format']);
    const { engine, history, clock } = sources;
    const nowMs = clock();
    const { interval, previous } = askedIntervals(query, nowMs);
    const format = formatOf(query);
    const services: ServiceReport[] = [];
    for (const service of askedServices(engine, query)) {
      const histories: LedgerHistory[] = [];
      for (const { id } of engine.slosOf(service)) {
        // Each takes some milliseconds of reading, between which others have their turn.
        await nextTurn();
        histories.push(...historiesOf(engine, history, id, previous.fromMs, interval.toMs, nowMs));
      }
      services.push(serviceReport(service, histories, interval, previous));
    }
    reply.type(REPORT_FORMATS[format]);
    return renderReport({ ...timesOf(interval), previous: timesOf(previous), services }, format);
  });
}

function historiesOf(
  engine: Engine,
  history: History,
  id: string,
  fromMs: number,
  toMs: number,
  nowMs: number,
): LedgerHistory[] {
  const slo = engine.slo(id)!;
  return engine.statesOf(id, nowMs)!.map(({ group, asOf }) => {
    const { slots } = history.read(engine, id, group ?? null, fromMs, toMs);
    return new LedgerHistory(slo, group, slots, asOf === null ? Number.NaN : Date.parse(asOf));
  });
}

function askedServices(engine: Engine, query: QueryParameters): string[] {
  const service = single(query, 'service');
  if (service === undefined) return [...new Set(engine.slos.map((slo) => slo.service))];
  if (engine.slosOf(service).length === 0) throw apiError('service_not_found', { service });
  return [service];
}

function formatOf(query: QueryParameters): ReportFormat {
  const format = single(query, 'format') ?? 'json';
  if (Object.hasOwn(REPORT_FORMATS, format)) return format as ReportFormat;
  const expected = `one of ${Object.keys(REPORT_FORMATS).join(', ')}`;
  throw apiError('bad_parameter', { name: 'format', expected, got: format });
}

/** The interval, and the one that it is compared with: the month before a month, the same length before all else. */
function askedIntervals(query: QueryParameters, nowMs: number): { interval: Interval; previous: Interval } {
  const month = single(query, 'month');
  const { fromMs, toMs } = intervalOf(query, nowMs);
  if (fromMs !== undefined && month === undefined) {
    return { interval: { fromMs, toMs }, previous: { fromMs: 2 * fromMs - toMs, toMs: fromMs } };
  }
  if (month !== undefined && (fromMs !== undefined || single(query, 'to') !== undefined)) {
    throw apiError('bad_parameter', { name: 'month', expected: 'given without from and to', got: month });
  }
  if (single(query, 'to') !== undefined) throw apiError('missing_parameter', { name: 'from' });
  const [year, index] = month === undefined ? lastMonth(nowMs) : monthOf(month);
  return { interval: monthInterval(year, index), previous: monthInterval(year, index - 1) };
}

/** Months of UTC, counted from 0; those of other years are below 0 or above 11. */
function lastMonth(nowMs: number): [year: number, index: number] {
  const now = new Date(nowMs);
  return [now.getUTCFullYear(), now.getUTCMonth() - 1];
}

function monthOf(text: string): [year: number, index: number] {
  const match = MONTH.exec(text);
  if (match === null)
    throw apiError('bad_parameter', { name: 'month', expected: 'a month such as 2026-10', got: text });
  return [Number(match[1]), Number(match[2]) - 1];
}

function monthInterval(year: number, index: number): Interval {
  return { fromMs: Date.UTC(year, index), toMs: Date.UTC(year, index + 1) };
}

function timesOf({ fromMs, toMs }: Interval): Pick<Report, 'from' | 'to'> {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
}
