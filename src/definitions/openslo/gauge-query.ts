import type { SyntaxNode } from '@lezer/common';
import type { Aggregate, Selector } from '../../engine/slo.ts';
import { groupingLabels } from '../promql/grouping.ts';
import {
  children,
  type Fault,
  isFault,
  orFault,
  PromqlError,
  parsePromql,
  syntaxFault,
  unwrapped,
} from '../promql/syntax.ts';
import { readSelector } from '../selector.ts';

/** The query of a `thresholdMetric`: a gauge, or one value made of all its series. */
export interface GaugeQuery {
  readonly gauge: Selector;
  readonly aggregate: Aggregate | null;
  readonly groupBy: readonly string[];
}

const AGGREGATES: readonly string[] = ['max', 'min', 'avg', 'sum'] satisfies Aggregate[];

export function readGaugeQuery(text: string): GaugeQuery | Required<Fault> {
  return orFault(() => {
    if (text.trim() === '') throw new PromqlError(0, 'the query is empty');
    const top = parsePromql(text);
    const fault = syntaxFault(top, text, 'the query');
    if (fault !== null) throw new PromqlError(fault.at, fault.message);
    return new GaugeReader(text).read(unwrapped(children(top)[0]!));
  });
}

class GaugeReader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  read(node: SyntaxNode): GaugeQuery {
    if (node.name !== 'AggregateExpr') return { gauge: this.#gauge(node), aggregate: null, groupBy: [] };
    const operator = this.#slice(node.getChild('AggregateOp')!).toLowerCase();
    const args = children(node.getChild('FunctionCallBody'));
    if (!AGGREGATES.includes(operator) || args.length !== 1) {
      throw new PromqlError(node.from, `${operator} is not understood here; write min, max, avg or sum of a selector`);
    }
    const modifier = node.getChild('AggregateModifier');
    if (modifier?.getChild('Without')) {
      throw new PromqlError(
        modifier.from,
        'without leaves open which labels there are; write by (…) with those to keep',
      );
    }
    const groupBy = groupingLabels(modifier?.getChild('GroupingLabels') ?? null, this.#text);
    return { gauge: this.#gauge(unwrapped(args[0]!)), aggregate: operator as Aggregate, groupBy };
  }

  #gauge(node: SyntaxNode): Selector {
    if (node.name !== 'VectorSelector') throw new PromqlError(node.from, this.#refusal(node));
    const read = readSelector(this.#slice(node));
    if (isFault(read)) throw new PromqlError(node.from + (read.at ?? 0), read.message);
    return read;
  }

  #refusal(node: SyntaxNode): string {
    const what = node.name === 'FunctionCall' ? this.#slice(node.firstChild!) : 'this';
    return `${what} is not computed here: a slice is judged by the mean of its samples; write ${this.#instead(node)}`;
  }

  /** The one selector inside it, aggregated as it is now. */
  #instead(node: SyntaxNode): string {
    const found: string[] = [];
    node.cursor().iterate((inner) => {
      if (inner.name === 'VectorSelector') found.push(this.#text.slice(inner.from, inner.to));
    });
    const around = /^\s*(min|max|avg|sum)\s*\(/i.exec(this.#text)?.[1]?.toLowerCase();
    if (found.length !== 1) return 'a selector, or min, max, avg or sum of one';
    return around === undefined ? found[0]! : `${around}(${found[0]})`;
  }

  #slice(node: SyntaxNode): string {
    return this.#text.slice(node.from, node.to);
  }
}
