import type { Slo } from '../engine/slo.ts';
import type { Path } from './problem.ts';

/**
 * What a definition may say and the engine does not keep yet. A feature is taken into use by deleting its line; the table
 * is empty when the engine keeps everything.
 */

interface Feature {
  /** In the plural, for "… are not supported by this version". */
  readonly name: (slo: Slo) => string;
  readonly used: (slo: Slo) => boolean;
  /** Where the native format says so, from the SLO. */
  readonly path: (slo: Slo) => Path;
}

const NOT_KEPT: readonly Feature[] = [
  {
    name: ({ sli }) => `${sli.kind} SLIs`,
    used: ({ sli }) => sli.kind !== 'events',
    path: ({ sli }) => ['sli', sli.kind],
  },
  { name: () => 'calendar windows', used: ({ window }) => window.kind === 'calendar', path: () => ['window'] },
  { name: () => 'groups', used: ({ groupBy }) => groupBy.length > 0, path: () => ['groupBy'] },
  {
    name: ({ budgeting }) => `${budgeting} budgets`,
    used: ({ budgeting }) => budgeting !== 'occurrences',
    path: () => ['budgeting'],
  },
];

/** SLIs that the engine has no type for. */
export const SLI_KINDS_NOT_KEPT: readonly string[] = ['push'];

export interface Unsupported {
  readonly name: string;
  readonly path: Path;
}

/** Everything about an SLO that this version does not keep. */
export function unsupportedFeatures(slo: Slo): Unsupported[] {
  return NOT_KEPT.filter(({ used }) => used(slo)).map(({ name, path }) => ({ name: name(slo), path: path(slo) }));
}

export function unsupportedMessage(name: string): string {
  return `${name} are not supported by this version`;
}

/** Why this version cannot keep an SLO; null when it can. */
export function unsupported(slo: Slo): string | null {
  const first = unsupportedFeatures(slo)[0];
  return first === undefined ? null : unsupportedMessage(first.name);
}
