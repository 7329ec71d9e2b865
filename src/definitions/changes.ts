import { sliFingerprint } from '../engine/fingerprint.ts';
import type { Slo } from '../engine/slo.ts';

/** What became of a set of SLOs when its files were read again. */
export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly Change[];
  readonly kept: number;
  /** Whether the same SLOs stand in another order. */
  readonly reordered: boolean;
}

export interface Change {
  readonly id: string;
  /** The keys that differ, as the native format names them. */
  readonly keys: readonly string[];
  /** What it counts is another thing, so that its events are no more. */
  readonly countsAnew: boolean;
}

export function changesBetween(before: readonly Slo[], after: readonly Slo[]): Changes {
  const old = new Map(before.map((slo) => [slo.id, slo]));
  const present = new Set(after.map(({ id }) => id));
  const both = after.filter(({ id }) => old.has(id));
  const changed = both.flatMap((slo) => changeOf(old.get(slo.id)!, slo) ?? []);
  const order = before.filter(({ id }) => present.has(id));
  return {
    added: after.flatMap(({ id }) => (old.has(id) ? [] : [id])),
    removed: before.flatMap(({ id }) => (present.has(id) ? [] : [id])),
    changed,
    kept: both.length - changed.length,
    reordered: order.some(({ id }, i) => both[i]!.id !== id),
  };
}

export function isUnchanged({ added, removed, changed, reordered }: Changes): boolean {
  return added.length + removed.length + changed.length === 0 && !reordered;
}

/** `3 SLOs: 1 added, 0 removed, 1 changed, 1 kept`. */
export function summary({ added, removed, changed, kept }: Changes): string {
  const count = added.length + changed.length + kept;
  return `${count} SLO${count === 1 ? '' : 's'}: ${added.length} added, ${removed.length} removed, ${changed.length} changed, ${kept} kept`;
}

/** `api/availability: objective, alerts`. */
export function formatChange({ id, keys, countsAnew }: Change): string {
  return `${id}: ${keys.join(', ')}${countsAnew ? '; it begins anew' : ''}`;
}

/** Of the fields of an SLO that have another name in a file, or none. */
const KEYS: Readonly<Record<string, string>> = { groupsMax: 'maxGroups', errorBudget: 'objective' };

function changeOf(before: Slo, after: Slo): Change | null {
  const fields = Object.keys(after) as (keyof Slo)[];
  const differing = fields.filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]));
  if (differing.length === 0) return null;
  const keys = [...new Set(differing.map((field) => KEYS[field] ?? field))];
  return { id: after.id, keys, countsAnew: sliFingerprint(before) !== sliFingerprint(after) };
}
