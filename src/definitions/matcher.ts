import { RE2JS } from 're2js';
import type { Matcher } from '../engine/slo.ts';

/**
 * Label matchers as Prometheus compares them. Regular expressions are RE2, anchored at both ends, and the dot matches a
 * newline; they run in time linear in the label value, so that no definition file can stall the ingest.
 */

/**
 * `(a|b{1000})*` is compiled to a thousand copies of `b`: linear time in the label value, but with a factor that 9,600 such
 * characters raise to 6 seconds a value. So what a pattern expands to is limited, and most of all what may be left out or
 * repeated in it: a thousand times `a?` takes 0.2 seconds for a value of 4,096 characters.
 */
const PATTERN_SIZE_MAX = 10_000;
const QUANTIFIERS_MAX = 1_000;
const CACHE_MAX = 10_000;

type Test = (value: string) => boolean;

/** Why a pattern is none, and at which of its characters. */
export interface PatternFault {
  readonly message: string;
  readonly at: number;
}

const compiled = new Map<string, Test>();

function compilePattern(pattern: string): Test | PatternFault {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const { size, quantifiers } = expanded(pattern);
  if (size > PATTERN_SIZE_MAX) {
    return { message: `the regular expression expands to more than ${PATTERN_SIZE_MAX} characters`, at: 0 };
  }
  if (quantifiers > QUANTIFIERS_MAX) {
    return { message: `the regular expression has more than ${QUANTIFIERS_MAX} quantifiers when expanded`, at: 0 };
  }
  try {
    const regex = RE2JS.compile(pattern, RE2JS.DOTALL);
    const test: Test = (value) => regex.testExact(value);
    if (compiled.size >= CACHE_MAX) compiled.delete(compiled.keys().next().value!);
    compiled.set(pattern, test);
    return test;
  } catch (error) {
    return patternFault(pattern, error as Error & { input?: string | null });
  }
}

const ATOM = /\\(?:[xpP]\{[^}]*\}|[\s\S]?)|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]?|\{(\d+)(?:,(\d*))?\}|[\s\S]/g;
const QUANTIFIER = /^[?*+]$/;

interface Expansion {
  readonly size: number;
  readonly quantifiers: number;
}

/** How long a pattern is once its counted repetitions are written out, and how many `?`, `*` and `+` it has then, at least. */
function expanded(pattern: string): Expansion {
  const groups = [{ size: 0, quantifiers: 0 }];
  let last = { size: 0, quantifiers: 0 };
  const add = (size: number, quantifiers: number): void => {
    const group = groups.at(-1)!;
    group.size += size;
    group.quantifiers += quantifiers;
  };
  for (const [atom, least, most] of pattern.matchAll(ATOM)) {
    if (least !== undefined) {
      const times = Math.max(Number(least), Number(most ?? 0), 1);
      const optional = most === undefined ? 0 : Math.max(times - Number(least), 1);
      const more = { size: last.size * (times - 1), quantifiers: last.quantifiers * (times - 1) + optional };
      add(more.size, more.quantifiers);
      last = { size: last.size + more.size, quantifiers: last.quantifiers + more.quantifiers };
    } else if (QUANTIFIER.test(atom)) {
      add(1, 1);
      last = { size: last.size + 1, quantifiers: last.quantifiers + 1 };
    } else if (atom === '(') {
      groups.push({ size: 0, quantifiers: 0 });
    } else {
      last = atom === ')' && groups.length > 1 ? groups.pop()! : { size: 0, quantifiers: 0 };
      last.size++;
      add(last.size, last.quantifiers);
    }
  }
  return groups.reduce((sum, { size, quantifiers }) => ({
    size: sum.size + size,
    quantifiers: sum.quantifiers + quantifiers,
  }));
}

function patternFault(pattern: string, error: Error & { input?: string | null }): PatternFault {
  const reason = error.message.replace(/^error parsing regexp: /, '').replace('`(?s)', '`');
  const fragment = error.input ?? null;
  // Without a fragment, or with the whole expression as fragment, the end is where something is missing.
  const at = fragment === null || fragment.endsWith(pattern) ? pattern.length - 1 : pattern.indexOf(fragment);
  return { message: `invalid regular expression: ${reason}`, at: Math.max(at, 0) };
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;

function bucketBound(text: string): number | null {
  if (NUMBER.test(text)) return Number(text);
  const infinity = INFINITY.exec(text);
  if (infinity === null) return null;
  return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Equality of label values; `le` compares as a number, because senders write 1 and 1.0 for the same bucket. */
function equals(name: string, wanted: string): Test {
  const bound = name === 'le' ? bucketBound(wanted) : null;
  if (bound === null) return (value) => value === wanted;
  return (value) => value === wanted || bucketBound(value) === bound;
}

/** A compiled matcher, or why its regular expression is none. */
export function compileMatcher(name: string, op: Matcher['op'], value: string): Matcher | PatternFault {
  const test = op === '=' || op === '!=' ? equals(name, value) : compilePattern(value);
  if (typeof test !== 'function') return test;
  const negated = op === '!=' || op === '!~';
  return { name, op, value, matches: negated ? (label) => !test(label) : test };
}
