import type { FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import { builtInVerdict, unknownVerdict } from '../engine/gate.ts';
import type { Verdict } from '../engine/state.ts';
import { apiError } from './errors.ts';
import type { Live } from './live.ts';
import { type QueryParameters, single } from './query.ts';

/** `GET /api/v1/gate?service=&slo=`: always 200 with a verdict, so that a client can tell a "no" from a failure. */
export function gateRoute(app: FastifyInstance, live: Live, clock: () => number): void {
  app.get('/api/v1/gate', (request): Verdict => {
    const query = request.query as QueryParameters;
    const service = single(query, 'service');
    const name = single(query, 'slo');
    if (service === undefined) throw apiError('missing_parameter', { name: 'service' });
    return gateVerdict(live.current.engine, service, name, clock());
  });
}

export function gateVerdict(engine: Engine, service: string, name: string | undefined, nowMs: number): Verdict {
  if (!engine.slos.some((slo) => slo.service === service)) {
    return unknownVerdict(service, `there is no service "${service}"`);
  }
  const asked = engine.slos.filter((slo) => slo.service === service && (name === undefined || slo.name === name));
  if (asked.length === 0) return unknownVerdict(service, `service "${service}" has no SLO "${name}"`);
  const states = engine.states(nowMs, (slo) => asked.includes(slo));
  const present = new Set(states.map(({ id }) => id));
  const groupless = asked.flatMap(({ id }) => (present.has(id) ? [] : [id]));
  return builtInVerdict(service, states, groupless);
}
