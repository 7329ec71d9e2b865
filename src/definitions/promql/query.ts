import type { SyntaxNode } from '@lezer/common';
import { parseDuration } from '../../engine/duration.ts';
import type { Selector } from '../../engine/slo.ts';
import { anyOf, shown } from '../problem.ts';
import { readSelector } from '../selector.ts';
import { groupingLabels } from './grouping.ts';
import { added, COUNTING, groupingText, isGroupedAlike, isSame, type Sum, scaled, termSum } from './sum.ts';
import { children, isFault, PromqlError, parsePromql, syntaxFault, unwrapped } from './syntax.ts';

/**
 * A PromQL query read by the algebra of what it adds up. Each operation either keeps the result a constant, a sum of selectors or
 * a ratio of two such sums, or it is refused at its character: what cannot be counted as samples arrive is never guessed at.
 */

/**
 * `sloth`: ranges are `{{.window}}`, and every selector has one. `openslo`: ranges are `{{.window}}` or a duration, the same in
 * the whole query, and a selector without one stands for its counter.
 */
export type Dialect = 'sloth' | 'openslo';

interface Constant {
  readonly kind: 'constant';
  readonly value: number;
  /** `vector(0)`, not `0`. */
  readonly isVector: boolean;
  readonly at: number;
}

export interface Ratio {
  readonly kind: 'ratio';
  readonly numerator: Sum;
  readonly divisor: Sum;
  /** What `or vector(…)` makes of no events at all. */
  readonly empty: { readonly value: number; readonly at: number } | null;
  readonly at: number;
}

type Value = Constant | Sum | Ratio;

/** Parentheses and operators within each other. A reader that calls itself must not be led to the end of the stack. */
const DEPTH_MAX = 200;

const TEMPLATE = /\{\{ *\.window *\}\}/g;

/** The sum or ratio that a query is. Throws a PromqlError where it is neither. */
export function readQuery(text: string, dialect: Dialect): Sum | Ratio {
  // Of the same length, so that every character keeps its place.
  const filled = text.replaceAll(TEMPLATE, (template) => '1m'.padEnd(template.length));
  const top = parsePromql(filled);
  const fault = syntaxFault(top, text, 'the query');
  if (fault !== null) throw new PromqlError(fault.at, fault.message);
  const reader = new QueryReader(text, dialect);
  const value = reader.read(children(top)[0]!);
  const stray = [...text.matchAll(TEMPLATE)].find(({ index }) => !reader.templates.has(index));
  if (stray !== undefined) throw new PromqlError(stray.index, `${stray[0]} is understood between [ and ] only`);
  if (value.kind === 'constant') throw new PromqlError(value.at, 'a constant counts no events; write a rate');
  return value;
}

class QueryReader {
  /** Where a template was read as a range. */
  readonly templates = new Set<number>();
  readonly #text: string;
  readonly #dialect: Dialect;
  /** The first range of the query. */
  #range: string | null = null;
  #depth = 0;

  constructor(text: string, dialect: Dialect) {
    this.#text = text;
    this.#dialect = dialect;
  }

  read(node: SyntaxNode): Value {
    if (++this.#depth > DEPTH_MAX) throw new PromqlError(node.from, `nested deeper than ${DEPTH_MAX} levels`);
    const value = this.#value(node);
    this.#depth--;
    return { ...value, at: node.from };
  }

  #value(node: SyntaxNode): Value {
    switch (node.name) {
      case 'ParenExpr':
        return this.read(children(node)[0]!);
      case 'NumberDurationLiteral':
        return { kind: 'constant', value: this.#number(node), isVector: false, at: node.from };
      case 'UnaryExpr': {
        const [operator, operand] = children(node);
        const value = this.read(operand!);
        return this.#slice(operator!) === '-' ? product(value, -1) : value;
      }
      case 'BinaryExpr':
        return this.#binary(node);
      case 'AggregateExpr':
        return this.#aggregation(node);
      case 'FunctionCall':
        return this.#call(node);
      case 'VectorSelector':
        return this.#counter(node);
      case 'MatrixSelector':
        throw new PromqlError(
          node.from,
          `a range stands in rate(…) or increase(…); write ${this.#rate(node.firstChild!)}`,
        );
      case 'SubqueryExpr':
        throw new PromqlError(
          node.firstChild!.to,
          'a subquery asks again at steps of its own, which a stream does not have; write a rate of the series themselves, ' +
            'or sum(sum_over_time(…)) / sum(count_over_time(…)) of a gauge between 0 and 1',
        );
      case 'OffsetExpr':
        throw new PromqlError(node.getChild('Offset')!.from, 'offset looks back at the past of a stream; leave it out');
      case 'StepInvariantExpr':
        throw new PromqlError(node.getChild('At')!.from, '@ looks back at the past of a stream; leave it out');
      default:
        throw new PromqlError(node.from, `${shown(this.#slice(node))} counts no events; write a rate`);
    }
  }

  /** A selector without a function. */
  #counter(node: SyntaxNode): Sum {
    if (this.#dialect === 'sloth') {
      throw new PromqlError(node.from, `a selector alone counts no events; write ${this.#rate(node)}`);
    }
    return termSum('counter', this.#selector(node), node.from);
  }

  #call(node: SyntaxNode): Value {
    const [identifier, body] = children(node);
    const name = this.#slice(identifier!);
    const args = children(body!);
    const counted = COUNTING.find((known) => known === name);
    if (counted === undefined && name !== 'vector') throw new PromqlError(node.from, notCounting(name));
    if (args.length !== 1) throw new PromqlError(node.from, `${name} takes one argument`);
    const arg = unwrapped(args[0]!);
    if (counted === undefined) {
      const value = this.read(arg);
      if (value.kind !== 'constant') throw new PromqlError(arg.from, 'vector takes a number here');
      return { ...value, isVector: true };
    }
    if (arg.name === 'VectorSelector') {
      throw new PromqlError(arg.to, `${name} takes a range; write ${name}(${this.#slice(arg)}[${this.#window()}])`);
    }
    if (arg.name !== 'MatrixSelector') {
      this.read(arg);
      throw new PromqlError(arg.from, `${name} takes a selector with a range`);
    }
    const [selector, range] = children(arg);
    if (selector!.name !== 'VectorSelector') this.read(selector!);
    this.#checkRange(arg, range!);
    return termSum(counted, this.#selector(selector!), selector!.from);
  }

  #checkRange(matrix: SyntaxNode, range: SyntaxNode): void {
    const from = this.#text.indexOf('[', matrix.firstChild!.to) + 1;
    const text = this.#text.slice(from, matrix.to - 1).trim();
    const at = this.#text.indexOf(text, from);
    TEMPLATE.lastIndex = 0;
    const template = TEMPLATE.exec(text);
    if (template?.[0] === text) this.templates.add(at);
    else if (this.#dialect === 'sloth') {
      throw new PromqlError(at, `the range must be {{.window}}: the SLO has its windows, got ${shown(text)}`);
    } else if (parseDuration(text) === null) {
      throw new PromqlError(range.from, `the range must be a duration such as 5m, got ${shown(text)}`);
    }
    this.#range ??= text;
    if (template === null && parseDuration(this.#range)?.ms !== parseDuration(text)!.ms) {
      throw new PromqlError(at, `the ranges differ: ${text} here and ${this.#range} before; write the same everywhere`);
    }
  }

  #aggregation(node: SyntaxNode): Value {
    const operator = this.#slice(node.getChild('AggregateOp')!).toLowerCase();
    const args = children(node.getChild('FunctionCallBody'));
    if (operator !== 'sum') {
      throw new PromqlError(node.from, `${operator} does not add up events; write sum(…) of a rate`);
    }
    if (args.length !== 1) throw new PromqlError(node.from, 'sum takes one argument');
    const value = this.read(args[0]!);
    if (value.kind !== 'sum') throw new PromqlError(node.from, notSummed(value));
    const modifier = node.getChild('AggregateModifier');
    if (modifier?.getChild('Without')) {
      throw new PromqlError(
        modifier.from,
        'without leaves open which labels there are; write sum by (…) with those to keep',
      );
    }
    const labels = groupingLabels(modifier?.getChild('GroupingLabels') ?? null, this.#text);
    // What an inner sum has taken away is not there to group by.
    return { ...value, by: value.by === null ? labels : labels.filter((label) => value.by!.includes(label)) };
  }

  #binary(node: SyntaxNode): Value {
    const parts = children(node);
    const operator = parts[1]!;
    const left = this.read(parts[0]!);
    const right = this.read(parts.at(-1)!);
    if (operator.name === 'Or') return withDefault(left, right, operator.from);
    const bool = node.getChild('BoolModifier');
    if (bool !== null)
      throw new PromqlError(bool.from, 'bool makes 0 and 1 of a rate, which counts no events; leave it out');
    this.#checkMatching(node.getChild('MatchingModifierClause'), left);
    switch (operator.name) {
      case 'Add':
        return total(left, right, 1, operator.from);
      case 'Sub':
        return total(left, right, -1, operator.from);
      case 'Mul':
        if (left.kind === 'constant') return product(right, left.value);
        if (right.kind === 'constant') return product(left, right.value);
        throw new PromqlError(operator.from, 'one rate times another counts no events; multiply by numbers only');
      case 'Div':
        return quotient(left, right, operator.from);
      case 'Gtr':
      case 'Neq':
        return filtered(left, right, operator.from);
      default:
        throw new PromqlError(
          operator.from,
          `${this.#slice(operator)} cannot be streamed; of operators +, -, *, /, or vector(0), and > 0 after a divisor are understood`,
        );
    }
  }

  /** `on` and `ignoring` must not change what is matched: sums are matched by the labels they are grouped by. */
  #checkMatching(clause: SyntaxNode | null, left: Value): void {
    if (clause === null) return;
    const many = clause.getChild('GroupLeft') ?? clause.getChild('GroupRight');
    if (many !== null) {
      throw new PromqlError(
        many.from,
        `${this.#slice(many)} joins sums that are grouped differently; group both by the same labels`,
      );
    }
    const labels = groupingLabels(clause.getChild('GroupingLabels'), this.#text);
    const sum = left.kind === 'ratio' ? left.numerator : left;
    const by = sum.kind === 'sum' ? (sum.by ?? []) : [];
    const same =
      clause.getChild('On') === null
        ? labels.every((label) => !by.includes(label))
        : by.length === labels.length && by.every((label) => labels.includes(label));
    if (!same) {
      throw new PromqlError(
        clause.from,
        `the sums are grouped ${groupingText(by)} and matched otherwise; leave on and ignoring out`,
      );
    }
  }

  #selector(node: SyntaxNode): Selector {
    const read = readSelector(this.#slice(node));
    if (isFault(read)) throw new PromqlError(node.from + (read.at ?? 0), read.message);
    return read;
  }

  #number(node: SyntaxNode): number {
    const text = this.#slice(node);
    const value = Number(text.replaceAll('_', ''));
    if (Number.isFinite(value)) return value;
    throw new PromqlError(node.from, `must be a plain number, got ${shown(text)}`);
  }

  /** What to write instead of a selector alone. */
  #rate(selector: SyntaxNode): string {
    return `sum(rate(${this.#slice(selector)}[${this.#window()}]))`;
  }

  #window(): string {
    return this.#dialect === 'sloth' ? '{{.window}}' : '5m';
  }

  #slice(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }
}

const INSTEAD: Readonly<Record<string, string>> = {
  irate: 'irate looks at the last two samples only; write rate',
  avg_over_time:
    'avg_over_time weighs every series the same, however many samples it has; write sum(sum_over_time(…)) / sum(count_over_time(…))',
  histogram_quantile:
    'a quantile counts no events; write the share under the threshold, the bucket of its le over the count',
};

function notCounting(name: string): string {
  return INSTEAD[name] ?? `${name} cannot be streamed; of functions ${anyOf(COUNTING)} of a selector are understood`;
}

function notSummed(value: Constant | Ratio): string {
  return value.kind === 'ratio'
    ? 'a sum of ratios weighs every group the same; write the ratio of two sums'
    : 'a constant counts no events; write a rate';
}

function product(value: Value, factor: number): Value {
  switch (value.kind) {
    case 'constant':
      return { ...value, value: value.value * factor };
    case 'sum':
      return scaled(value, factor);
    case 'ratio':
      return {
        ...value,
        numerator: scaled(value.numerator, factor),
        empty: value.empty && { ...value.empty, value: value.empty.value * factor },
      };
  }
}

/** `left + sign * right`. */
function total(left: Value, right: Value, sign: 1 | -1, at: number): Value {
  if (left.kind === 'constant' && right.kind === 'constant') {
    return { ...left, value: left.value + sign * right.value, isVector: left.isVector || right.isVector };
  }
  if (left.kind === 'constant' && right.kind === 'ratio') return shifted(product(right, sign) as Ratio, left.value);
  if (left.kind === 'ratio' && right.kind === 'constant') return shifted(left, sign * right.value);
  if (left.kind === 'sum' && right.kind === 'sum') {
    for (const { filteredAt } of [left, right])
      if (filteredAt !== null) throw new PromqlError(filteredAt, FILTER_MISPLACED);
    checkGroups(left, right, at);
    return added(left, right, sign);
  }
  if (left.kind === 'ratio' && right.kind === 'ratio' && isSame(left.divisor, right.divisor)) {
    checkGroups(left.divisor, right.divisor, at);
    if (left.empty === null && right.empty === null) {
      return { ...left, numerator: added(left.numerator, right.numerator, sign) };
    }
  }
  throw new PromqlError(at, 'a rate, a ratio and a number cannot be added to one another; add rates to rates');
}

/** `constant + ratio`. */
function shifted(ratio: Ratio, constant: number): Ratio {
  return {
    ...ratio,
    numerator: added(ratio.numerator, ratio.divisor, constant),
    empty: ratio.empty && { ...ratio.empty, value: ratio.empty.value + constant },
  };
}

const FILTER_MISPLACED = 'a filter is understood on what is divided by and nowhere else; leave it out';

function quotient(left: Value, right: Value, at: number): Value {
  if (right.kind === 'constant' && right.value !== 0) return product(left, 1 / right.value);
  if (left.kind === 'constant' && left.isVector) {
    throw new PromqlError(
      at,
      '/ binds tighter than or, so that the constant alone is divided; write (… or vector(0)) / …',
    );
  }
  if (left.kind !== 'sum' || right.kind !== 'sum') {
    throw new PromqlError(at, 'what is divided, and what by, must each be a sum of rates');
  }
  if (left.filteredAt !== null) throw new PromqlError(left.filteredAt, FILTER_MISPLACED);
  checkGroups(left, right, at);
  return { kind: 'ratio', numerator: left, divisor: { ...right, filteredAt: null }, empty: null, at: left.at };
}

function checkGroups(left: Sum, right: Sum, at: number): void {
  for (const side of [left, right]) {
    if (side.by === null)
      throw new PromqlError(side.at, 'every series would be matched by itself; write sum(…) around it');
  }
  if (isGroupedAlike(left, right)) return;
  throw new PromqlError(
    at,
    `grouped ${groupingText(left.by!)} on the left and ${groupingText(right.by!)} on the right; group both by the same labels`,
  );
}

/** `sum > 0`, which leaves nothing where nothing has happened. */
function filtered(left: Value, right: Value, at: number): Value {
  if (left.kind === 'sum' && right.kind === 'constant' && right.value === 0) return { ...left, filteredAt: at };
  throw new PromqlError(
    at,
    'of comparisons > 0 after a divisor is understood; leave it out, or write a rate of the series that are bad',
  );
}

/** `or vector(…)`. */
function withDefault(left: Value, right: Value, at: number): Value {
  const value = right.kind === 'constant' && right.isVector ? right.value : null;
  const isZero = value === 0 || (right.kind === 'sum' && right.terms.size === 0);
  // A series that is not there has counted nothing, which is what a stream says anyway.
  if (left.kind === 'sum' && isZero) return { ...left, filteredAt: null };
  if (left.kind === 'ratio' && value !== null) return { ...left, empty: left.empty ?? { value, at } };
  throw new PromqlError(
    at,
    'or is understood with vector(0) after a sum, or with vector(…) after a ratio; add sums with +',
  );
}
