import type { FastifyInstance } from 'fastify';
import { EXPOSITION_CONTENT_TYPE, Exposition } from './exposition.ts';
import { addSelfMetrics, EventLoopLag, type SelfMetricsSources } from './self-metrics.ts';
import { addSloSeries, RECENT_MS } from './slo-metrics.ts';

export interface MetricsSources extends SelfMetricsSources {
  readonly clock: () => number;
}

/** `GET /metrics`: the server itself, and every SLO under the names that dashboards read. */
export function metricsRoute(app: FastifyInstance, sources: MetricsSources): void {
  const lag = new EventLoopLag();
  app.addHook('onClose', () => lag.stop());

  app.get('/metrics', (_request, reply) => {
    const { engine } = sources.live.current;
    const nowMs = sources.clock();
    const states = engine.states(nowMs);
    const out = new Exposition();
    addSelfMetrics(out, sources, states, nowMs, lag);
    const recentEvents = (id: string) => engine.recentEvents(id, RECENT_MS, nowMs);
    addSloSeries(out, { slos: engine.slos, states, recentEvents, version: sources.version });
    reply.type(EXPOSITION_CONTENT_TYPE);
    return out.render();
  });
}
