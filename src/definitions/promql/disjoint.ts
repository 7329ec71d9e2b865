import type { Matcher, Selector } from '../../engine/slo.ts';

/** Whether it is certain that no series matches both selectors: some label would have to have two values at once. */
export function areDisjoint(a: Selector, b: Selector): boolean {
  return a.matchers.some((one) => b.matchers.some((other) => one.name === other.name && exclude(one, other)));
}

function exclude(a: Matcher, b: Matcher): boolean {
  if (a.op === '=') return !b.matches(a.value);
  if (b.op === '=') return !a.matches(b.value);
  if (a.op === '=~' && b.op === '=~') {
    const others = alternatives(b.value);
    return alternatives(a.value).every((one) => others.every((other) => differ(one, a, other, b)));
  }
  return a.value === b.value && [a.op, b.op].sort().join() === '!~,=~';
}

/** One alternative of a regular expression: the characters it begins with, and whether they are all of it. */
interface Alternative {
  readonly head: string;
  readonly isWhole: boolean;
}

function differ(one: Alternative, a: Matcher, other: Alternative, b: Matcher): boolean {
  if (one.isWhole) return !b.matches(one.head);
  if (other.isWhole) return !a.matches(other.head);
  return !one.head.startsWith(other.head) && !other.head.startsWith(one.head);
}

const LITERALS = /^(?:[^\\.+*?()|[\]{}^$]|\\[^A-Za-z0-9])*/;
const QUANTIFIER = /^[*?{]/;

function alternatives(pattern: string): Alternative[] {
  return split(pattern).map((text) => {
    const literals = LITERALS.exec(text)![0];
    const rest = text.slice(literals.length);
    const head = literals.replaceAll(/\\(.)/gs, '$1');
    return { head: QUANTIFIER.test(rest) ? head.slice(0, -1) : head, isWhole: rest === '' };
  });
}

const TOKEN = /\\[\s\S]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|[\s\S]/g;

/** `(?:5..|429)` -> `5..`, `429`; what has alternatives further inside stays as it is. */
function split(pattern: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const [token] of pattern.matchAll(TOKEN)) {
    if (token === '(') depth++;
    if (token === ')') depth--;
    if (token === '|' && depth === 0) parts.push('');
    else parts[parts.length - 1] += token;
  }
  const group = parts.length === 1 ? /^\((?:\?:)?([\s\S]*)\)$/.exec(pattern)?.[1] : undefined;
  return group !== undefined && isBalanced(group) ? split(group) : parts;
}

/** Whether the parentheses around it belong together: not so in `(a)|(b)` without its outermost ones. */
function isBalanced(group: string): boolean {
  let depth = 0;
  for (const [token] of group.matchAll(TOKEN)) {
    if (token === '(') depth++;
    if (token === ')' && --depth < 0) return false;
  }
  return depth === 0;
}
