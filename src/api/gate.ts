import type { FastifyInstance } from 'fastify';
import { readGatePolicyFile } from '../definitions/gate-policy.ts';
import type { Engine } from '../engine/engine.ts';
import { builtInVerdict } from '../engine/gate.ts';
import { policyVerdict } from '../engine/gate-policy.ts';
import type { Verdict } from '../engine/state.ts';
import { unknownVerdict } from '../engine/verdict.ts';
import { documentRoutes, refuseDocument, textOf } from './document-body.ts';
import { apiError } from './errors.ts';
import { type QueryParameters, single } from './query.ts';

const PATH = '/api/v1/gate';

/**
 * `GET /api/v1/gate?service=&slo=` and `POST /api/v1/gate` with a policy: always 200 with a verdict, so that a client can tell a
 * "no" from a failure.
 */
export function gateRoutes(app: FastifyInstance, engine: Engine, clock: () => number): void {
  app.get(PATH, (request): Verdict => {
    const query = request.query as QueryParameters;
    const service = single(query, 'service');
    const name = single(query, 'slo');
    if (service === undefined) throw apiError('missing_parameter', { name: 'service' });
    return gateVerdict(engine, service, name, clock());
  });

  documentRoutes(app, (scope) => {
    scope.post(PATH, (request): Verdict => {
      const { policy, problems } = readGatePolicyFile({ file: 'policy', text: textOf(request) });
      return policy === null ? refuseDocument(problems) : policyVerdict(policy, engine, clock());
    });
  });
}

/** By the built-in policy. */
export function gateVerdict(engine: Engine, service: string, name: string | undefined, nowMs: number): Verdict {
  const ofService = engine.slosOf(service);
  if (ofService.length === 0) return unknownVerdict(service, `there is no service "${service}"`);
  const asked = ofService.filter((slo) => name === undefined || slo.name === name);
  if (asked.length === 0) return unknownVerdict(service, `service "${service}" has no SLO "${name}"`);
  const states = asked.map(({ id }) => engine.statesOf(id, nowMs)!);
  const groupless = asked.flatMap(({ id }, i) => (states[i]!.length === 0 ? [id] : []));
  return builtInVerdict(service, states.flat(), groupless);
}
