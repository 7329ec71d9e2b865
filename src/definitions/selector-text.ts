import type { Matcher } from '../engine/slo.ts';

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': String.raw`\\`, '"': String.raw`\"`, '\n': String.raw`\n` };

/** Matchers as a PromQL selector: `requests{job="api"}`, or `{"http.requests","service.name"="api"}`. */
export function selectorText(matchers: readonly Matcher[]): string {
  const named = matchers.find(({ name, op }) => name === '__name__' && op === '=');
  const metric = named?.value ?? '';
  const plain = METRIC_NAME.test(metric);
  const inside = matchers
    .filter((matcher) => matcher !== named)
    .map(({ name, op, value }) => `${LABEL_NAME.test(name) ? name : quoted(name)}${op}${quoted(value)}`);
  if (metric !== '' && !plain) inside.unshift(quoted(metric));
  const braces = inside.length === 0 ? '' : `{${inside.join(',')}}`;
  return plain ? `${metric}${braces}` : braces;
}

function quoted(text: string): string {
  return `"${text.replaceAll(/[\\"\n]/g, (character) => ESCAPES[character]!)}"`;
}
