import type { FastifyRequest } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import type { Group } from '../engine/ledger.ts';
import type { Slo } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import { apiError } from './errors.ts';
import { groupFilters, hasAll } from './group.ts';
import { type QueryParameters, repeated } from './query.ts';

/** An SLO, or one group of it, whose history is asked for. */
export interface AskedLedger {
  readonly slo: Slo;
  readonly group: Group | null;
  /** NaN while nothing was ever observed. */
  readonly asOfMs: number;
}

/** What the path `{service}/{name}` and the parameter `group` name. Throws an ApiError when there is no such. */
export function askedLedger(engine: Engine, request: FastifyRequest, nowMs: number): AskedLedger {
  const { service, name } = request.params as { service: string; name: string };
  const id = `${service}/${name}`;
  const slo = engine.slo(id);
  if (slo === null) throw apiError('slo_not_found', { id });
  const texts = repeated(request.query as QueryParameters, 'group');
  const { asOf, group = null } = oneGroup(slo, engine.statesOf(id, nowMs)!, texts);
  return { slo, group, asOfMs: asOf === null ? Number.NaN : Date.parse(asOf) };
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
