import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import type { Slo } from '../engine/slo.ts';
import type { SloSources } from '../engine/slo-sources.ts';
import type { PushSourceState, SourceState } from '../engine/sources.ts';
import { isDegraded } from './degraded-log.ts';
import { apiError } from './errors.ts';
import type { Live } from './live.ts';
import { count, onlyParameters, type QueryParameters, single } from './query.ts';

const SOURCES_DEFAULT = 1000;
const SOURCES_MAX = 10_000;
const TARGET_EXAMPLES_MAX = 20;
/** Series or targets: to look at them takes some 10 ms; then whoever else waits has a turn. */
const LOOKS_A_TURN = 4_000;

interface Sources {
  readonly sources: readonly SourceState[];
  /** Sources that pass the filter, of which at most `limit` are shown. */
  readonly total: number;
  readonly pushes: readonly PushSourceState[];
}

/** `GET /api/v1/sources?job&instance&slo&limit` and `GET /api/v1/slos/{service}/{name}/sources`. */
export function sourceRoutes(app: FastifyInstance, live: Live, clock: () => number): void {
  const walks = new Queue();

  app.get('/api/v1/sources', async (request): Promise<Sources> => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['job', 'instance', 'slo', 'limit']);
    const { engine } = live.current;
    const slo = single(query, 'slo') ?? null;
    if (slo !== null && engine.slo(slo) === null) throw apiError('slo_not_found', { id: slo });
    const filter = { job: single(query, 'job') ?? null, instance: single(query, 'instance') ?? null, slo };
    const walk = engine.sourceWalk(filter, count(query, 'limit', SOURCES_MAX) ?? SOURCES_DEFAULT);
    const { sources, total } = await walks.run(async () => {
      await inTurns(
        () => engine.seriesCount,
        (from, to) => walk.walkSeries(from, to),
      );
      await inTurns(
        () => engine.targetCount,
        (from, to) => walk.walkTargets(from, to),
      );
      return walk.result(clock());
    });
    const ofTargets = filter.job !== null || filter.instance !== null;
    const pushes = ofTargets ? [] : engine.pushSources().filter((push) => slo === null || push.slo === slo);
    return { sources, total, pushes: pushes.slice(0, SOURCES_MAX) };
  });

  app.get('/api/v1/slos/:service/:name/sources', (request): Promise<SloSources> => {
    const { service, name } = request.params as { service: string; name: string };
    onlyParameters(request.query as QueryParameters, []);
    const id = `${service}/${name}`;
    const { engine } = live.current;
    const slo = engine.slo(id);
    if (slo === null) throw apiError('slo_not_found', { id });
    return walks.run(() => sourcesOf(engine, slo));
  });
}

async function sourcesOf(engine: Engine, slo: Slo): Promise<SloSources> {
  const walk = engine.selectorWalk(slo);
  await inTurns(
    () => engine.seriesCount,
    (from, to) => walk.walk(from, to),
  );
  return {
    slo: slo.id,
    sliKind: slo.sli.kind,
    targets: engine.targetsOf(slo.id, TARGET_EXAMPLES_MAX),
    selectors: walk.selectors,
    degraded: isDegraded(engine, slo.id) ? engine.leftOut(slo.id) : null,
    pushes: engine.pushSources().find((push) => push.slo === slo.id) ?? null,
  };
}

/** Looks at all there are, as many as there are by then, a few thousand in each turn of the event loop. */
async function inTurns(count: () => number, look: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < count(); from += LOOKS_A_TURN) {
    look(from, Math.min(from + LOOKS_A_TURN, count()));
    await nextTurn();
  }
}

/** One after the other: what takes long must not take all there is. */
class Queue {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
