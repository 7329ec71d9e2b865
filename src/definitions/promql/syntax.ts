import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { shown } from '../problem.ts';

/** PromQL as a syntax tree. */

/** What is wrong with a text, and at which of its characters. */
export interface Fault {
  readonly message: string;
  readonly at?: number;
}

export function isFault(read: object): read is Fault {
  return 'message' in read;
}

/** Thrown by the readers of PromQL, and caught by `orFault`; `at` counts from the start of the text. */
export class PromqlError extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

export function orFault<T>(read: () => T): T | Required<Fault> {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PromqlError)) throw error;
    return { message: error.message, at: error.at };
  }
}

/** As much nesting takes a quarter of a second to parse. */
const LENGTH_MAX = 32_768;

/** Throws a PromqlError when the text, `what` in words, is too long. */
export function parsePromql(text: string, what = 'the query'): SyntaxNode {
  if (text.length > LENGTH_MAX) throw new PromqlError(LENGTH_MAX, `${what} is longer than ${LENGTH_MAX} characters`);
  return parser.parse(text).topNode;
}

/** The children that mean something. */
export function children(node: SyntaxNode | null): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child);
  }
  return found;
}

/** Where the first error of a tree is, or -1. The parser repairs what it cannot read, so that every repair has to be looked for. */
export function errorAt(node: SyntaxNode): number {
  let at = -1;
  node.cursor().iterate((inner) => {
    if (inner.type.isError && at === -1) at = inner.from;
  });
  return at;
}

/** The first syntax error of a text that should be `what`, such as `the selector`. */
export function syntaxFault(top: SyntaxNode, text: string, what: string): Required<Fault> | null {
  const error = errorAt(top);
  if (error === -1) return null;
  const rest = text.slice(error).trim();
  if (rest === '') return { at: text.length, message: `${what} ends too early` };
  const at = text.length - text.slice(error).trimStart().length;
  const called = rest.startsWith('(') ? /[a-zA-Z_]\w*\s*$/.exec(text.slice(0, at)) : null;
  if (called !== null) return { at: called.index, message: `${called[0].trim()} is not a function of PromQL` };
  return { at, message: `unexpected ${shown(/^\w+|^./su.exec(rest)![0])} in ${what}` };
}

/** What stands inside parentheses. */
export function unwrapped(node: SyntaxNode): SyntaxNode {
  let inner = node;
  while (inner.name === 'ParenExpr') inner = children(inner)[0]!;
  return inner;
}
