import { compileMatcher } from '../../definitions/matcher.ts';
import { areDisjoint } from '../../definitions/promql/disjoint.ts';
import { selectorKey } from '../../definitions/selector-key.ts';
import { selectorText } from '../../definitions/selector-text.ts';
import { formatPrometheusDuration, SECOND_MS } from '../../engine/duration.ts';
import type {
  Aggregate,
  EventsSli,
  LatencySli,
  Matcher,
  Selector,
  Slo,
  ThresholdSli,
  ThroughputSli,
} from '../../engine/slo.ts';

/** An SLI as PromQL: which share of the events of a window was bad. */

export interface Expressions {
  /** 0..1; nothing where there were no events. */
  errorRatio(windowMs: number): string;
  badEvents(windowMs: number): string;
}

/** Why no PromQL counts the same; null when one does. */
export function inexpressible({ sli, window, groupBy, emptySlice, slice }: Slo): string | null {
  if (sli.kind === 'push') return 'its events are pushed, and Prometheus does not have them';
  if (window.kind === 'calendar') return `no range of PromQL is a calendar ${window.unit}; give it a rolling window`;
  if (slice !== null && emptySlice !== 'ignore' && groupBy.length > 0) {
    return `which groups have an empty slice cannot be told; write emptySlice: ignore, or leave groupBy out`;
  }
  if (sli.kind === 'events' && [sli.total, sli.selectors].some((union) => !isTellable(union))) {
    return 'a series could match several of its selectors and would count twice; write matchers that exclude each other';
  }
  return null;
}

interface Counts {
  /** In events, or in events a second. */
  bad(range: string): string;
  total(range: string): string;
  readonly perSecond: boolean;
}

/** Of an SLO whose events are counted as they come. */
export function eventExpressions(slo: Slo): Expressions {
  const counts = countsOf(slo);
  return {
    errorRatio: (windowMs) => errorRatio(counts, windowMs),
    badEvents: (windowMs) => {
      const bad = counts.bad(rangeOf(windowMs));
      return counts.perSecond ? `(${bad}) * ${windowMs / SECOND_MS}` : bad;
    },
  };
}

/** What nobody asked for is not to be divided by. */
function errorRatio({ bad, total }: Counts, windowMs: number): string {
  const range = rangeOf(windowMs);
  return `(${bad(range)})\n/\n(${total(range)} > 0)`;
}

/** Of an SLO whose events are time slices, from the record of their bad shares: one sample a slice. */
export function sliceExpressions(record: string): Expressions {
  return {
    errorRatio: (windowMs) => `avg_over_time(${record}${rangeOf(windowMs)})`,
    badEvents: (windowMs) => `sum_over_time(${record}${rangeOf(windowMs)})`,
  };
}

/** The bad share of the slice that ends now, 0..1. */
export function badShare(slo: Slo): string {
  const share = judged(slo, slo.slice!.ms);
  if (slo.emptySlice === 'ignore') return share;
  return `(${share}) or on() vector(${slo.emptySlice === 'good' ? 0 : 1})`;
}

function judged(slo: Slo, sliceMs: number): string {
  const { sli, groupBy } = slo;
  switch (sli.kind) {
    case 'freshness': {
      const { text } = sli.selector;
      const age = sli.source === 'timestamp' ? `time() - ${text}` : `${text} + (time() - timestamp(${text}))`;
      return `${aggregated(sli.aggregate ?? 'max', groupBy, age)} > bool ${sli.thresholdSeconds}`;
    }
    case 'throughput':
      return throughput(sli, groupBy, rangeOf(sliceMs));
    case 'threshold':
      return threshold(sli, groupBy, rangeOf(sliceMs));
    default: {
      const ratio = errorRatio(countsOf(slo), sliceMs);
      return slo.budgeting === 'timeslices' ? `1 - (${ratio}) < bool ${slo.sliceTarget}` : ratio;
    }
  }
}

function throughput(
  { counter, bound, perSecond, aggregate }: ThroughputSli,
  by: readonly string[],
  range: string,
): string {
  const rate = aggregated(aggregate ?? 'sum', by, `rate(${counter.text}${range})`);
  return `${rate} ${bound === 'min' ? '<' : '>'} bool ${perSecond}`;
}

/** What does not hold is bad. */
const OPPOSITE = { lt: '>=', lte: '>', gt: '<=', gte: '<' } as const;

function threshold({ gauge, op, value, aggregate }: ThresholdSli, by: readonly string[], range: string): string {
  const samples = `${gauge.text}${range}`;
  const mean =
    aggregate === null
      ? `${sum(by, `sum_over_time(${samples})`)} / ${sum(by, `count_over_time(${samples})`)}`
      : aggregated(aggregate, by, `avg_over_time(${samples})`);
  return `${mean} ${OPPOSITE[op]} bool ${value}`;
}

function countsOf({ id, sli, groupBy }: Slo): Counts {
  switch (sli.kind) {
    case 'events':
      return eventCounts(sli, groupBy);
    case 'latency':
      return latencyCounts(sli, groupBy);
    case 'probe': {
      const total = (range: string): string => sum(groupBy, `count_over_time(${sli.gauge.text}${range})`);
      const good = (range: string): string => sum(groupBy, `sum_over_time(${sli.gauge.text}${range})`);
      return { bad: (range) => `${total(range)} - ${good(range)}`, total, perSecond: false };
    }
    default:
      throw new Error(`BUG: ${id} of kind ${sli.kind} counts no events`);
  }
}

/** A series that has never been there has counted nothing. */
function eventCounts({ total, given, selectors }: EventsSli, by: readonly string[]): Counts {
  const all = (range: string): string => sum(by, rates(total, range));
  const some = (range: string): string => `${sum(by, rates(selectors, range))} or ${all(range)} * 0`;
  const bad = given === 'bad' ? some : (range: string): string => `${all(range)} - (${some(range)})`;
  return { bad, total: all, perSecond: true };
}

/** Of a classic histogram, or else of a native one. A bucket that is not there is a mistake, and no reason to call all bad. */
function latencyCounts({ histogram, thresholdSeconds }: LatencySli, by: readonly string[]): Counts {
  const counted = selectorText(suffixed(histogram, '_count'));
  const good = selectorText([...suffixed(histogram, '_bucket'), bound(thresholdSeconds)]);
  const count = (range: string): string => sum(by, `rate(${counted}${range})`);
  const bucket = (range: string): string => sum(by, `rate(${good}${range})`);
  const native = (range: string): string => sum(by, `rate(${histogram.text}${range})`);
  const nativeCount = (range: string): string => `histogram_count(${native(range)})`;
  return {
    bad: (range) =>
      `(${count(range)} - ${bucket(range)}) or ` +
      `(${nativeCount(range)} * (1 - histogram_fraction(0, ${thresholdSeconds}, ${native(range)})))`,
    total: (range) => `(${count(range)} or ${nativeCount(range)})`,
    perSecond: true,
  };
}

/** Some senders write 1 and others 1.0. */
function bound(seconds: number): Matcher {
  return Number.isInteger(seconds)
    ? matcher('le', '=~', String.raw`${seconds}(\.0)?`)
    : matcher('le', '=', String(seconds));
}

function matcher(name: string, op: Matcher['op'], value: string): Matcher {
  const compiled = compileMatcher(name, op, value);
  if ('message' in compiled) throw new Error(`BUG: not a matcher: ${name}${op}${value}`);
  return compiled;
}

/** What selects one of the series that a classic histogram consists of. */
function suffixed({ matchers }: Selector, suffix: string): Matcher[] {
  return matchers.map((one) => {
    if (one.name !== '__name__') return one;
    if (one.op === '=') return { ...one, value: `${one.value}${suffix}` };
    return one.op === '=~' ? { ...one, value: `(?:${one.value})${suffix}` } : one;
  });
}

/**
 * The rates of a union, in which a series counts once. `or` tells series apart by their labels without the name, so that those of
 * another name get a label of their own.
 */
function rates(union: readonly Selector[], range: string): string {
  const parts = byName(union).map((part) => part.map(({ text }) => `rate(${text}${range})`).join(' or '));
  if (parts.length === 1) return parts[0]!;
  return parts.map((part, i) => `label_replace(${part}, "selector", "${i}", "", "")`).join(' or ');
}

function byName(union: readonly Selector[]): Selector[][] {
  const parts = new Map<string, Selector[]>();
  for (const selector of union) {
    const name = selectorKey(selector.matchers.filter((one) => one.name === '__name__'));
    parts.set(name, [...(parts.get(name) ?? []), selector]);
  }
  return [...parts.values()];
}

/** Whether `rates` counts each series of the union once. */
function isTellable(union: readonly Selector[]): boolean {
  return byName(union).every((part, i, parts) =>
    parts.slice(0, i).every((other) => part.every((a) => other.every((b) => areDisjoint(a, b)))),
  );
}

function sum(by: readonly string[], inner: string): string {
  return aggregated('sum', by, inner);
}

const LABEL = /^[a-zA-Z_]\w*$/;

function aggregated(operator: Aggregate, by: readonly string[], inner: string): string {
  const labels = by.map((label) => (LABEL.test(label) ? label : JSON.stringify(label))).join(', ');
  return by.length === 0 ? `${operator}(${inner})` : `${operator} by (${labels}) (${inner})`;
}

function rangeOf(ms: number): string {
  return `[${formatPrometheusDuration(ms)}]`;
}
