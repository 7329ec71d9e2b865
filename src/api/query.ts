import { apiError } from './errors.ts';

/** What `node:querystring` makes of a query: a parameter that is repeated is a list. */
export type QueryParameters = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Refuses parameters that the resource does not have: a misspelt filter must not answer as if it were none. */
export function onlyParameters(query: QueryParameters, names: readonly string[]): void {
  for (const name of Object.keys(query)) {
    if (!names.includes(name)) throw apiError('unknown_parameter', { name, known: names.join(', ') || 'none' });
  }
}

/** A parameter that may be given once; an empty one is as good as none. */
export function single(query: QueryParameters, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value === '' ? undefined : value;
  throw apiError('repeated_parameter', { name });
}

/** A parameter that may be repeated. */
export function repeated(query: QueryParameters, name: string): readonly string[] {
  const value = query[name];
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** How many entries to answer with. */
export function limitParameter(query: QueryParameters, otherwise: number, max: number): number {
  const text = single(query, 'limit');
  if (text === undefined) return otherwise;
  const limit = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (limit >= 1 && limit <= max) return limit;
  throw apiError('bad_parameter', { name: 'limit', expected: `a number from 1 to ${max}`, got: text });
}
