import type { Matcher } from '../engine/slo.ts';
import { compileMatcher } from './matcher.ts';
import { shown } from './problem.ts';
import { unquote } from './promql/string-literal.ts';
import { PromqlError } from './promql/syntax.ts';
import type { Fault } from './selector.ts';

/** One matcher on the labels of alerts, as Alertmanager's routes and silences have them: `severity="page"`, `owner=~"team-.*"`. */

const MATCHER = /^\s*("(?:\\.|[^"\\])*"|[a-zA-Z_:][\w.:/-]*)\s*(=~|!~|!=|=)\s*("(?:\\.|[^"\\])*"|[^\s"{},]*)\s*$/;

/** The matcher, or why the text is none. */
export function readLabelMatcher(text: string): Matcher | Fault {
  const match = MATCHER.exec(text);
  if (match === null)
    return { message: `must be a matcher such as severity="page" or owner=~"team-.*", got ${shown(text)}` };
  const [, nameText, op, valueText] = match as unknown as [string, string, Matcher['op'], string];
  try {
    const compiled = compileMatcher(unquoted(nameText), op, unquoted(valueText));
    return 'at' in compiled ? { message: compiled.message } : compiled;
  } catch (error) {
    if (error instanceof PromqlError) return { message: error.message };
    throw error;
  }
}

function unquoted(text: string): string {
  return text.startsWith('"') ? unquote(text, 0, text.length) : text;
}
