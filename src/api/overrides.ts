import type { FastifyInstance } from 'fastify';
import { mapping, text } from '../definitions/schema.ts';
import { DAY_MS, parseDuration } from '../engine/duration.ts';
import { timeOfText } from '../engine/instant.ts';
import { isActive, type Override } from '../engine/override.ts';
import type { AnswerSources } from './answer-sources.ts';
import { documentRoutes, readBody } from './document-body.ts';
import { apiError } from './errors.ts';
import { onlyParameters, type QueryParameters, single } from './query.ts';

const PATH = '/api/v1/gate/overrides';
const LISTED_MAX = 1000;
/** What nobody remembers must not keep a gate open. */
const LONGEST_MS = 30 * DAY_MS;

const OverrideSchema = mapping({
  service: text('id'),
  name: text('line'),
  reason: text('line'),
  expires: text('expiry'),
});

/** As the API tells it; times are RFC 3339. */
interface OverrideState {
  readonly id: number;
  readonly service: string;
  readonly name: string;
  readonly reason: string;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | null;
  readonly active: boolean;
}

/** `/api/v1/gate/overrides`: who has let a service pass its gate, why, and until when. Nothing of it is ever deleted. */
export function overrideRoutes(app: FastifyInstance, sources: AnswerSources): void {
  app.get(PATH, (request): { overrides: OverrideState[] } => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['service']);
    const { overrides, clock } = sources;
    const nowMs = clock();
    const newest = overrides.newest(single(query, 'service') ?? null, LISTED_MAX);
    return { overrides: newest.map((override) => stateOf(override, nowMs)) };
  });

  documentRoutes(app, (scope) => {
    scope.post(PATH, (request, reply): OverrideState => {
      const { engine, overrides, clock } = sources;
      const nowMs = clock();
      const { service, name, reason, expires } = readBody(OverrideSchema, request, ({ document, value }) => {
        if (engine.slosOf(value.service).length === 0)
          document.error(['service'], `there is no service ${value.service}`);
        const expiresMs = expiryMs(value.expires, nowMs);
        if (expiresMs <= nowMs) document.error(['expires'], 'must be in the future');
        else if (expiresMs > nowMs + LONGEST_MS) document.error(['expires'], 'must be at most 30d from now');
      });
      const override = overrides.add({ service, name, reason, createdMs: nowMs, expiresMs: expiryMs(expires, nowMs) });
      const state = stateOf(override, nowMs);
      request.log.warn({ override: state }, `${name} overrides the gate of ${service}: ${reason}`);
      reply.code(201);
      return state;
    });

    scope.delete(`${PATH}/:id`, (request): OverrideState => {
      const { id } = request.params as { id: string };
      const { overrides, clock } = sources;
      const nowMs = clock();
      const override = /^\d{1,15}$/.test(id) ? overrides.revoke(Number(id), nowMs) : null;
      if (override === null) throw apiError('override_not_found', { id });
      const state = stateOf(override, nowMs);
      request.log.warn({ override: state }, `the override ${id} of ${override.service} is revoked`);
      return state;
    });
  });
}

/** A time, or so long from now. */
function expiryMs(expires: string, nowMs: number): number {
  const lasting = parseDuration(expires);
  return lasting === null ? timeOfText(expires) : nowMs + lasting.ms;
}

function stateOf(override: Override, nowMs: number): OverrideState {
  const { id, service, name, reason, createdMs, expiresMs, revokedMs } = override;
  return {
    id,
    service,
    name,
    reason,
    createdAt: new Date(createdMs).toISOString(),
    expiresAt: new Date(expiresMs).toISOString(),
    revokedAt: revokedMs === null ? null : new Date(revokedMs).toISOString(),
    active: isActive(override, nowMs),
  };
}
