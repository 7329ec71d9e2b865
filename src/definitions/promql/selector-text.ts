import type { Matcher } from '../../engine/slo.ts';

/** A vector selector as text: `http_requests_total{job="api"}`, or `{"http.requests", "service.name"="api"}`. */
export function selectorText(matchers: readonly Matcher[]): string {
  const name = matchers.find((matcher) => matcher.name === '__name__' && matcher.op === '=');
  const others = matchers.filter((matcher) => matcher !== name).map(matcherText);
  if (name === undefined) return `{${others.join(',')}}`;
  if (!METRIC.test(name.value)) return `{${[quoted(name.value), ...others].join(',')}}`;
  return others.length === 0 ? name.value : `${name.value}{${others.join(',')}}`;
}

/** The same for selectors that say the same in another order. */
export function selectorKey(matchers: readonly Matcher[]): string {
  return JSON.stringify(matchers.map(({ name, op, value }) => JSON.stringify([name, op, value])).sort());
}

const METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

function matcherText({ name, op, value }: Matcher): string {
  return `${LABEL.test(name) ? name : quoted(name)}${op}${quoted(value)}`;
}

/** The escapes of JSON are also those of Go, which is what PromQL reads. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
