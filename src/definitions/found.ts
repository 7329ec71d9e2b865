import type { Slo } from '../engine/slo.ts';
import type { DefinitionDocument } from './document.ts';
import type { Path } from './problem.ts';

/** An SLO and where its definition stands. */
export interface Found {
  readonly slo: Slo;
  readonly document: DefinitionDocument;
  readonly path: Path;
  /** Whether the definition begins with its key (a service list) and not with its value (an item of a list). */
  readonly keyed: boolean;
}
