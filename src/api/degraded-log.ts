import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';

/** SLOs whose numbers lack something: series beyond `limits.series`, or groups beyond `maxGroups`. */

const NAMED_MAX = 5;

export function isDegraded(engine: Engine, id: string): boolean {
  const { refusedSeries, overflowSeries } = engine.leftOut(id);
  return refusedSeries + overflowSeries > 0;
}

/** Says it once of each of them, and of all that became so together in one line. */
export class DegradedLog {
  readonly #logger: Logger;
  readonly #said = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  look(engine: Engine): void {
    const fresh = engine.slos.map(({ id }) => id).filter((id) => !this.#said.has(id) && isDegraded(engine, id));
    if (fresh.length === 0) return;
    for (const id of fresh) this.#said.add(id);
    const slos = fresh.slice(0, NAMED_MAX).map((id) => ({ slo: id, ...engine.leftOut(id) }));
    const more = fresh.length - slos.length;
    const names = slos.map(({ slo }) => slo).join(', ') + (more > 0 ? ` and ${more} more` : '');
    this.#logger.warn(
      { slos },
      `degraded: ${names}; series were left out, raise limits.series or maxGroups, or send fewer (slipstream relabel)`,
    );
  }
}
