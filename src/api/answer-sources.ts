import type { Engine } from '../engine/engine.ts';
import type { Deployments } from '../store/deployments.ts';
import type { History } from '../store/history.ts';
import type { Overrides } from '../store/overrides.ts';

/** What gates, impacts and reports are made from; asked for at each request. */
export interface AnswerSources {
  readonly engine: Engine;
  readonly history: History;
  readonly deployments: Deployments;
  readonly overrides: Overrides;
  /** The wall clock, Unix milliseconds. */
  readonly clock: () => number;
}
