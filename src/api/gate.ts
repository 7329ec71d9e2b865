import type { FastifyInstance } from 'fastify';
import { readGatePolicyFile } from '../definitions/gate-policy.ts';
import type { Engine } from '../engine/engine.ts';
import { builtInVerdict } from '../engine/gate.ts';
import { policyVerdict } from '../engine/gate-policy.ts';
import type { Slo } from '../engine/slo.ts';
import type { Verdict } from '../engine/state.ts';
import { unknownVerdict } from '../engine/verdict.ts';
import type { AnswerSources } from './answer-sources.ts';
import { documentRoutes, refuseDocument, textOf } from './document-body.ts';
import { apiError } from './errors.ts';
import { askedOutlook, outlook } from './outlook.ts';
import { flag, type QueryParameters, single } from './query.ts';

const PATH = '/api/v1/gate';

/**
 * `GET /api/v1/gate?service=&slo=` and `POST /api/v1/gate` with a policy: always 200 with a verdict, so that a client can tell a
 * "no" from a failure. With `dry_run=true` nothing is held up, and with `until=` the answer looks ahead.
 */
export function gateRoutes(app: FastifyInstance, sources: AnswerSources): void {
  app.get(PATH, async (request): Promise<Verdict> => {
    const query = request.query as QueryParameters;
    const service = single(query, 'service');
    const name = single(query, 'slo');
    if (service === undefined) throw apiError('missing_parameter', { name: 'service' });
    const nowMs = sources.clock();
    const question = askedOutlook(query, nowMs);
    const verdict = asked(query, gateVerdict(sources, service, name, nowMs));
    if (question === null) return verdict;
    return { ...verdict, outlook: await outlook(sources, asking(sources.engine, service, name), question, nowMs) };
  });

  documentRoutes(app, (scope) => {
    scope.post(PATH, (request): Verdict => {
      const query = request.query as QueryParameters;
      const { policy, problems } = readGatePolicyFile({ file: 'policy', text: textOf(request) });
      if (policy === null) refuseDocument(problems);
      const { engine, overrides, clock } = sources;
      const nowMs = clock();
      return asked(
        query,
        policyVerdict(policy, engine, nowMs, (service) => overrides.active(service, nowMs)),
      );
    });
  });
}

/** By the built-in policy. */
export function gateVerdict(
  { engine, overrides }: AnswerSources,
  service: string,
  name: string | undefined,
  nowMs: number,
): Verdict {
  if (engine.slosOf(service).length === 0) return unknownVerdict(service, `there is no service "${service}"`);
  const slos = asking(engine, service, name);
  if (slos.length === 0) return unknownVerdict(service, `service "${service}" has no SLO "${name}"`);
  const states = slos.map(({ id }) => engine.statesOf(id, nowMs)!);
  const groupless = slos.flatMap(({ id }, i) => (states[i]!.length === 0 ? [id] : []));
  return builtInVerdict(service, states.flat(), groupless, () => overrides.active(service, nowMs));
}

/** The SLOs that the question is about. */
function asking(engine: Engine, service: string, name: string | undefined): readonly Slo[] {
  const ofService = engine.slosOf(service);
  return name === undefined ? ofService : ofService.filter((slo) => slo.name === name);
}

function asked(query: QueryParameters, verdict: Verdict): Verdict {
  return flag(query, 'dry_run') ? { ...verdict, ok: true, dryRun: true } : verdict;
}
