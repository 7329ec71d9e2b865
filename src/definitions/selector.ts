import type { SyntaxNode } from '@lezer/common';
import type { Matcher, Selector } from '../engine/slo.ts';
import { compileMatcher } from './matcher.ts';
import { unquote } from './promql/string-literal.ts';
import {
  children,
  errorAt,
  type Fault,
  isFault,
  orFault,
  PromqlError,
  parsePromql,
  syntaxFault,
} from './promql/syntax.ts';

export { type Fault, isFault };

/**
 * Reads a PromQL vector selector. A function, a range or a sum belongs to a query that is run again and again; a stream
 * needs to know only which series are meant, so all else is refused at its character, saying what to write.
 */

/** The selector, or the first thing wrong with it. */
export function readSelector(text: string): Selector | Fault {
  return orFault(() => {
    const matchers = new Reader(text).matchers();
    if (matchers.every((matcher) => matcher.matches(''))) {
      throw new PromqlError(
        0,
        'the selector matches every series: it needs a metric name or a matcher that excludes the empty string',
      );
    }
    return { text, matchers };
  });
}

class Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  matchers(): Matcher[] {
    if (this.#text.trim() === '') throw new PromqlError(0, 'the selector is empty');
    const top = parsePromql(this.#text, 'the selector');
    this.#refuseOtherExpressions(top);
    const fault = syntaxFault(top, this.#text, 'the selector');
    if (fault !== null) throw new PromqlError(fault.at, fault.message);
    const selector = top.getChild('VectorSelector')!;
    const identifier = selector.getChild('Identifier');
    const matchers: Matcher[] = [];
    if (identifier !== null) matchers.push(this.#compiled('__name__', '=', this.#slice(identifier), identifier));
    let named = identifier !== null;
    for (const node of children(selector.getChild('LabelMatchers'))) {
      const matcher = this.#labelMatcher(node);
      const isName = matcher.name === '__name__';
      if (isName && named) throw new PromqlError(node.from, 'the metric name is given twice');
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
    if (expression === undefined || expression.type.isError || expressions.length > 1 || errorAt(expression) !== -1) {
      if (expression?.name !== 'FunctionCall' && expression?.name !== 'AggregateExpr') return;
    }
    const instead = this.#innerSelector(top);
    const at = expression!.from;
    switch (expression!.name) {
      case 'VectorSelector':
        return;
      case 'FunctionCall':
        throw new PromqlError(at, `a function is not a selector: rates are computed here${instead}`);
      case 'AggregateExpr':
        throw new PromqlError(
          at,
          `an aggregation is not a selector: all series that match are added up here${instead}`,
        );
      case 'MatrixSelector':
      case 'SubqueryExpr':
        throw new PromqlError(
          expression!.firstChild!.to,
          `a range is not part of a selector: the SLO has its windows${instead}`,
        );
      case 'OffsetExpr':
        throw new PromqlError(expression!.getChild('Offset')!.from, `offset cannot be used on a stream${instead}`);
      case 'StepInvariantExpr':
        throw new PromqlError(expression!.getChild('At')!.from, `@ cannot be used on a stream${instead}`);
      case 'BinaryExpr':
        throw new PromqlError(
          expression!.firstChild!.nextSibling!.from,
          'an expression of several terms is not a selector: give the good or bad events and the total, each as a selector',
        );
      case 'StringLiteral':
        throw new PromqlError(at, `a quoted metric name stands in braces; write {${this.#slice(expression!)}}`);
      default:
        throw new PromqlError(at, `this is not a selector; write it like http_requests_total{job="api"}${instead}`);
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
    if (name === '') throw new PromqlError(node.from, 'a name must not be empty');
    return name;
  }

  #compiled(name: string, op: Matcher['op'], value: string, node: SyntaxNode): Matcher {
    const matcher = compileMatcher(name, op, value);
    if (!('message' in matcher)) return matcher;
    // With an escape in the literal its characters are not those of the pattern: then the literal itself is pointed at.
    const verbatim = this.#text.slice(node.from + 1, node.to - 1) === value;
    throw new PromqlError(verbatim ? node.from + 1 + matcher.at : node.from, matcher.message);
  }

  #string(node: SyntaxNode): string {
    return unquote(this.#text, node.from, node.to);
  }

  #slice(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }
}
