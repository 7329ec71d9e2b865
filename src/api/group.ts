import type { Slo } from '../engine/slo.ts';
import { apiError } from './errors.ts';

/** How a request names a group: `group=label=value`, repeatable. */

export type Filter = readonly [key: string, value: string];

/** `label=value` of the labels an SLO is grouped by; the value alone where there is but one. */
export function groupFilters({ id, groupBy }: Slo, texts: readonly string[]): Filter[] {
  return texts.map((text) => {
    if (groupBy.length === 0) throw apiError('not_grouped', { id });
    const label = text.slice(0, Math.max(text.indexOf('='), 0));
    if (groupBy.includes(label)) return [label, text.slice(label.length + 1)];
    if (groupBy.length === 1) return [groupBy[0]!, text];
    throw apiError('bad_parameter', { name: 'group', expected: `label=value of ${groupBy.join(', ')}`, got: text });
  });
}

export function hasAll(labels: Readonly<Record<string, string>> | undefined, filters: readonly Filter[]): boolean {
  return filters.every(([key, value]) => labels !== undefined && Object.hasOwn(labels, key) && labels[key] === value);
}
