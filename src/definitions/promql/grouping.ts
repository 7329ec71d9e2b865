import type { SyntaxNode } from '@lezer/common';
import { unquote } from './string-literal.ts';
import { children } from './syntax.ts';

/** The labels in `by (a, "b.c")`, each once; none where nothing is grouped. */
export function groupingLabels(grouping: SyntaxNode | null, text: string): string[] {
  const names = children(grouping).map((label) => {
    const literal = label.getChild('StringLiteral');
    return literal === null ? text.slice(label.from, label.to) : unquote(text, literal.from, literal.to);
  });
  return [...new Set(names)];
}
