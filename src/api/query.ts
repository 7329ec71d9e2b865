import { timeOfText } from '../engine/instant.ts';
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

/** RFC 3339 or Unix seconds, as Unix milliseconds; undefined when it is not given. */
export function timeParameter(query: QueryParameters, name: string): number | undefined {
  const text = single(query, name);
  if (text === undefined) return undefined;
  // In a query a plus that is not escaped arrives as a space.
  const ms = timeOfText(text.replace(/ (?=\d\d:\d\d$)/, '+'));
  if (Number.isNaN(ms)) {
    throw apiError('bad_parameter', { name, expected: 'a time in RFC 3339 or Unix seconds', got: text });
  }
  return ms;
}

/** `from` and `to`, which is `otherwiseMs` when it is not given; `from` is before it. */
export function intervalOf(query: QueryParameters, otherwiseMs: number): { fromMs: number | undefined; toMs: number } {
  const fromMs = timeParameter(query, 'from');
  const toMs = timeParameter(query, 'to') ?? otherwiseMs;
  if (fromMs === undefined || fromMs < toMs) return { fromMs, toMs };
  const expected = `before to, ${new Date(toMs).toISOString()}`;
  throw apiError('bad_parameter', { name: 'from', expected, got: single(query, 'from')! });
}

/** A whole number from 1 to `most`; undefined when it is not given. */
export function count(query: QueryParameters, name: string, most: number): number | undefined {
  const text = single(query, name);
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw apiError('bad_parameter', { name, expected: `a whole number from 1 to ${most}`, got: text });
}

/** False when it is not given. */
export function flag(query: QueryParameters, name: string): boolean {
  const text = single(query, name) ?? 'false';
  if (text === 'true' || text === 'false') return text === 'true';
  throw apiError('bad_parameter', { name, expected: 'true or false', got: text });
}
