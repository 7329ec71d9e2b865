import type { FastifyInstance } from 'fastify';
import type { SloHealth, SloState } from '../engine/state.ts';
import { apiError } from './errors.ts';
import { type Filter, groupFilters, hasAll } from './group.ts';
import type { Live } from './live.ts';
import { onlyParameters, type QueryParameters, repeated, single } from './query.ts';

const HEALTH: readonly SloHealth[] = ['healthy', 'at_risk', 'exhausted', 'no_data'];

/** `key=value` pairs, each of which must hold. */
function labelFilters(texts: readonly string[]): Filter[] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw apiError('bad_parameter', { name: 'label', expected: 'key=value', got: text });
    return [text.slice(0, at), text.slice(at + 1)];
  });
}

/** The groups of an SLO, and how many series it has left out because it has as many groups as it may. */
interface GroupedStates {
  readonly groups: SloState[];
  readonly overflow: number;
}

/** `GET /api/v1/slos` and `GET /api/v1/slos/{service}/{name}`. */
export function sloRoutes(app: FastifyInstance, live: Live, clock: () => number): void {
  app.get('/api/v1/slos', (request): { slos: SloState[] } => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['service', 'label', 'state']);
    const service = single(query, 'service');
    const state = single(query, 'state');
    if (state !== undefined && !HEALTH.includes(state as SloHealth)) {
      throw apiError('bad_parameter', { name: 'state', expected: `one of ${HEALTH.join(', ')}`, got: state });
    }
    const labels = labelFilters(repeated(query, 'label'));
    const states = live.current.engine.states(clock(), (slo) => service === undefined || slo.service === service);
    const wanted = (candidate: SloState): boolean =>
      (state === undefined || candidate.state === state) && hasAll({ ...candidate.labels, ...candidate.group }, labels);
    return { slos: states.filter(wanted) };
  });

  app.get('/api/v1/slos/:service/:name', (request): SloState | GroupedStates => {
    const { service, name } = request.params as { service: string; name: string };
    const query = request.query as QueryParameters;
    onlyParameters(query, ['group']);
    const id = `${service}/${name}`;
    const { engine } = live.current;
    const slo = engine.slo(id);
    if (slo === null) throw apiError('slo_not_found', { id });
    const wanted = groupFilters(slo, repeated(query, 'group'));
    const states = engine.states(clock(), (candidate) => candidate === slo);
    if (slo.groupBy.length === 0) return states[0]!;
    const groups = states.filter((state) => hasAll(state.group, wanted));
    if (wanted.length > 0 && groups.length === 0) {
      throw apiError('group_not_found', { id, group: repeated(query, 'group').join(', ') });
    }
    const named = new Set(wanted.map(([label]) => label));
    return named.size === slo.groupBy.length ? groups[0]! : { groups, overflow: engine.leftOut(id).overflowSeries };
  });
}
