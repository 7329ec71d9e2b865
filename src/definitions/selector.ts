import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import type { Matcher, Selector } from '../engine/slo.ts';
import { compileMatcher } from './matcher.ts';
import { shown } from './problem.ts';

/**
 * Reads a PromQL vector selector. A function, a range or a sum belongs to a query that is run again and again; a stream
 * needs to know only which series are meant, so all else is refused at its character, saying what to write.
 */

/** What is wrong with a text, and at which of its characters. */
export interface Fault {
  readonly message: string;
  readonly at?: number;
}

/** Thrown inside this file only; `at` counts from the start of the selector. */
class SelectorError extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** The selector, or the first thing wrong with it. */
export function readSelector(text: string): Selector | Fault {
  try {
    const matchers = new Reader(text).matchers();
    if (matchers.every((matcher) => matcher.matches(''))) {
      throw new SelectorError(
        0,
        'the selector matches every series: it needs a metric name or a matcher that excludes the empty string',
      );
    }
    return { text, matchers };
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    return { message: error.message, at: error.at };
  }
}

/** Of a selector; as much nesting takes a quarter of a second to parse. */
const LENGTH_MAX = 32_768;

export function isFault(read: object): read is Fault {
  return 'message' in read;
}

class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  matchers(): Matcher[] {
    if (this.#text.trim() === '') throw new SelectorError(0, 'the selector is empty');
    if (this.#text.length > LENGTH_MAX) {
      throw new SelectorError(LENGTH_MAX, `the selector is longer than ${LENGTH_MAX} characters`);
    }
    const top = parser.parse(this.#text).topNode;
    this.#refuseOtherExpressions(top);
    this.#refuseSyntaxErrors(top);
    const selector = top.getChild('VectorSelector')!;
    const identifier = selector.getChild('Identifier');
    const matchers: Matcher[] = [];
    if (identifier !== null) matchers.push(this.#compiled('__name__', '=', this.#slice(identifier), identifier));
    let named = identifier !== null;
    for (const node of children(selector.getChild('LabelMatchers'))) {
      const matcher = this.#labelMatcher(node);
      const isName = matcher.name === '__name__';
      if (isName && named) throw new SelectorError(node.from, 'the metric name is given twice');
      // As in Prometheus several matchers on __name__ are fine as long as none of them is the name itself.
      named ||= node.name === 'QuotedLabelName';
      matchers.push(matcher);
    }
    return matchers;
  }

  /** What parsed well but is no selector. */
  #refuseOtherExpressions(top: SyntaxNode): void {
    const expressions = children(top);
    const expression = expressions[0];
    if (expression === undefined || expression.type.isError || expressions.length > 1 || hasError(expression)) {
      if (expression?.name !== 'FunctionCall' && expression?.name !== 'AggregateExpr') return;
    }
    const instead = this.#innerSelector(top);
    const at = expression!.from;
    switch (expression!.name) {
      case 'VectorSelector':
        return;
      case 'FunctionCall':
        throw new SelectorError(at, `a function is not a selector: rates are computed here${instead}`);
      case 'AggregateExpr':
        throw new SelectorError(
          at,
          `an aggregation is not a selector: all series that match are added up here${instead}`,
        );
      case 'MatrixSelector':
      case 'SubqueryExpr':
        throw new SelectorError(
          expression!.firstChild!.to,
          `a range is not part of a selector: the SLO has its windows${instead}`,
        );
      case 'OffsetExpr':
        throw new SelectorError(expression!.getChild('Offset')!.from, `offset cannot be used on a stream${instead}`);
      case 'StepInvariantExpr':
        throw new SelectorError(expression!.getChild('At')!.from, `@ cannot be used on a stream${instead}`);
      case 'BinaryExpr':
        throw new SelectorError(
          expression!.firstChild!.nextSibling!.from,
          'an expression of several terms is not a selector: give the good or bad events and the total, each as a selector',
        );
      case 'StringLiteral':
        throw new SelectorError(at, `a quoted metric name stands in braces; write {${this.#slice(expression!)}}`);
      default:
        throw new SelectorError(at, `this is not a selector; write it like http_requests_total{job="api"}${instead}`);
    }
  }

  /** `; write x{a="b"}`, from the one selector inside an expression. */
  #innerSelector(top: SyntaxNode): string {
    const found: string[] = [];
    top.cursor().iterate((node) => {
      if (node.name === 'VectorSelector') found.push(this.#text.slice(node.from, node.to));
    });
    return found.length === 1 ? `; write ${found[0]}` : '';
  }

  /** The parser repairs what it cannot read, so that every repair has to be looked for. */
  #refuseSyntaxErrors(top: SyntaxNode): void {
    let at = -1;
    top.cursor().iterate((node) => {
      if (node.type.isError && at === -1) at = node.from;
    });
    if (at === -1) return;
    const rest = this.#text.slice(at).trim();
    const start = this.#text.length - this.#text.slice(at).trimStart().length;
    if (rest === '') throw new SelectorError(this.#text.length, 'the selector ends too early');
    throw new SelectorError(start, `unexpected ${shown(/^\w+|^./su.exec(rest)![0])} in the selector`);
  }

  #labelMatcher(node: SyntaxNode): Matcher {
    if (node.name === 'QuotedLabelName') return this.#compiled('__name__', '=', this.#name(node), node);
    const name = node.getChild('LabelName') ?? node.getChild('QuotedLabelName')!;
    const op = this.#slice(node.getChild('MatchOp')!) as Matcher['op'];
    const literal = node.getChild('StringLiteral')!;
    const labelName = name.name === 'LabelName' ? this.#slice(name) : this.#name(name);
    return this.#compiled(labelName, op, this.#string(literal), literal);
  }

  #name(node: SyntaxNode): string {
    const name = this.#string(node.getChild('StringLiteral')!);
    if (name === '') throw new SelectorError(node.from, 'a name must not be empty');
    return name;
  }

  #compiled(name: string, op: Matcher['op'], value: string, node: SyntaxNode): Matcher {
    const matcher = compileMatcher(name, op, value);
    if (!('message' in matcher)) return matcher;
    // With an escape in the literal its characters are not those of the pattern: then the literal itself is pointed at.
    const verbatim = this.#text.slice(node.from + 1, node.to - 1) === value;
    throw new SelectorError(verbatim ? node.from + 1 + matcher.at : node.from, matcher.message);
  }

  #string(node: SyntaxNode): string {
    return unquote(this.#text, node.from, node.to);
  }

  #slice(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }
}

function children(node: SyntaxNode | null): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child !== null; child = child.nextSibling) {
    if (child.name !== 'LineComment') found.push(child);
  }
  return found;
}

function hasError(node: SyntaxNode): boolean {
  let found = false;
  node.cursor().iterate((inner) => {
    found ||= inner.type.isError;
  });
  return found;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
const NUMERIC_ESCAPE = /(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a Go string literal: `"…"`, `'…'` with escapes, or between back-quotes as it stands. */
function unquote(text: string, from: number, to: number): string {
  const quote = text[from]!;
  const end = to - 1;
  if (end <= from || text[end] !== quote) throw new SelectorError(from, 'the string is not closed');
  const body = text.slice(from + 1, end);
  if (quote === '`' || !/[\\\n]/.test(body)) return body;
  const bytes: number[] = [];
  let i = from + 1;
  while (i < end) {
    if (text[i] === '\n') throw new SelectorError(i, 'a line break in a string is written \\n');
    if (text[i] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(i)!);
      bytes.push(...encoder.encode(character));
      i += character.length;
      continue;
    }
    const [encoded, length] = escapeAt(text, i, quote);
    bytes.push(...encoded);
    i += length;
  }
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    throw new SelectorError(from, 'the string is not UTF-8');
  }
}

/** The bytes of an escape, and its length in the text. `\x` and octal escapes are bytes, not characters, as in Go. */
function escapeAt(text: string, at: number, quote: string): [bytes: Iterable<number>, length: number] {
  const letter = text[at + 1]!;
  const simple = letter === quote ? quote : SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return [encoder.encode(simple), 2];
  NUMERIC_ESCAPE.lastIndex = at + 1;
  const match = NUMERIC_ESCAPE.exec(text);
  if (match !== null) {
    const [all, octal, hex, short, long] = match;
    const code = Number.parseInt(octal ?? hex ?? short ?? long!, octal === undefined ? 16 : 8);
    if (octal !== undefined || hex !== undefined) {
      if (code <= 0xff) return [[code], all.length + 1];
    } else if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) {
      return [encoder.encode(String.fromCodePoint(code)), all.length + 1];
    }
  }
  throw new SelectorError(at, `unknown escape ${shown(text.slice(at, at + 2))} in a string`);
}
