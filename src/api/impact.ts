import type { FastifyInstance } from 'fastify';
import { type Impact, impactOf } from '../engine/impact.ts';
import { longestPeriodMs } from '../engine/windows.ts';
import type { AnswerSources } from './answer-sources.ts';
import { askedLedger } from './asked-ledger.ts';
import { apiError } from './errors.ts';
import { intervalOf, onlyParameters, type QueryParameters } from './query.ts';

/** `GET /api/v1/slos/{service}/{name}/impact?from&to&group`: what an incident cost, from history. Without `to`: until now. */
export function impactRoute(app: FastifyInstance, sources: AnswerSources): void {
  app.get('/api/v1/slos/:service/:name/impact', (request): Impact => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['from', 'to', 'group']);
    const { engine, history, clock } = sources;
    const nowMs = clock();
    const { slo, group, asOfMs } = askedLedger(engine, request, nowMs);
    const { fromMs, toMs } = intervalOf(query, Number.isNaN(asOfMs) ? nowMs : asOfMs);
    if (fromMs === undefined) throw apiError('missing_parameter', { name: 'from' });
    const { slots, sinceMs } = history.read(engine, slo.id, group, fromMs - longestPeriodMs(slo.window), toMs);
    return impactOf(slo, slots, fromMs, toMs, { sinceMs, asOfMs });
  });
}
