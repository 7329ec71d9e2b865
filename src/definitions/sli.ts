import { type Static, type TSchema, Type } from 'typebox';
import { formatDuration, parseDuration, SECOND_MS } from '../engine/duration.ts';
import type { Aggregate, Duration, Selector, Sli, Slo } from '../engine/slo.ts';
import { parseRate } from './forms.ts';
import { described, either, mapping, oneOf, text } from './schema.ts';
import { isFault, readSelector } from './selector.ts';

/** The SLIs of the native format: what a file may say of each, and what that means. */

const selector = text('selector');
const selectors = either(
  'array',
  Type.Array(selector, { minItems: 1 }),
  text('selector', { expects: 'a selector or a list of them' }),
);
const aggregate = described('How series are taken together.', Type.Optional(oneOf('max', 'min', 'avg', 'sum')));
const threshold = described('A duration.', text('duration'));

/** The metrics of an SLI, of selectors as its file writes them. */
const eventsOf = <S extends TSchema>(selectors: S) => ({
  total: described('All events: a counter, or a list of counters.', selectors),
  good: described('The good ones among them.', Type.Optional(selectors)),
  bad: described('The bad ones among them.', Type.Optional(selectors)),
});
const histogramOf = <S extends TSchema>(selector: S) => ({
  histogram: described('A classic or native histogram, without _bucket.', selector),
});
const probeOf = <S extends TSchema>(selector: S) => ({ gauge: described('1 is good, 0 is bad.', selector) });
const ageOf = <S extends TSchema>(selector: S) => ({
  timestamp: described('A gauge of a Unix time in seconds.', Type.Optional(selector)),
  age: described('A gauge of an age in seconds.', Type.Optional(selector)),
  aggregate,
});
const GOOD_OR_BAD = { exactlyOneOf: ['good', 'bad'] };
const TIMESTAMP_OR_AGE = { exactlyOneOf: ['timestamp', 'age'] };

const KINDS = {
  events: described('Counters of good, bad and all events.', mapping(eventsOf(selectors), GOOD_OR_BAD)),
  latency: described(
    'Good are the observations at or under the threshold.',
    mapping({ ...histogramOf(selector), threshold }),
  ),
  probe: described('Each sample of a gauge is one event.', mapping(probeOf(selector))),
  freshness: described(
    'A slice is good when the age at its end is at most the threshold.',
    mapping({ ...ageOf(selector), threshold }, TIMESTAMP_OR_AGE),
  ),
  throughput: described(
    'A slice is good when a counter grows at least, or at most, so fast.',
    mapping(
      {
        counter: described('What has to grow.', selector),
        min: described('A rate: 10/s, 600/m.', Type.Optional(text('rate'))),
        max: described('A rate: 10/s, 600/m.', Type.Optional(text('rate'))),
        aggregate,
      },
      { exactlyOneOf: ['min', 'max'] },
    ),
  ),
  threshold: described(
    'A slice is good when the mean of a gauge compares so with the value.',
    mapping({
      gauge: described('What is compared.', selector),
      op: oneOf('lt', 'lte', 'gt', 'gte'),
      value: described('What it is compared with.', Type.Number()),
      aggregate,
    }),
  ),
  push: described('Fed by POST /api/v1/events alone.', mapping({})),
};
export const SLI_KINDS = Object.keys(KINDS) as readonly (keyof typeof KINDS)[];

export const SliSchema = Type.Partial(mapping(KINDS), { additionalProperties: false, exactlyOneOf: SLI_KINDS });
export type SliDefinition = Static<typeof SliSchema>;

const template = text('selectorTemplate');
const templates = either('array', Type.Array(template, { minItems: 1 }), template);

/** The same SLIs without their thresholds, `{{service}}` standing for the service: `metrics:` of a service list. */
export const MetricSchemas = {
  events: mapping(eventsOf(templates), GOOD_OR_BAD),
  latency: mapping(histogramOf(template)),
  probe: mapping(probeOf(template)),
  freshness: mapping(ageOf(template), TIMESTAMP_OR_AGE),
};

/** SLIs of which each complete time slice is one event. */
export function isSliced(kind: string): boolean {
  return kind === 'freshness' || kind === 'throughput' || kind === 'threshold';
}

/** The SLI of a mapping that its schema has found good. */
export function readSli(kinds: SliDefinition): Sli {
  if (kinds.events !== undefined) {
    const { total, good, bad } = kinds.events;
    const given = good === undefined ? 'bad' : 'good';
    return { kind: 'events', total: readAll(total), given, selectors: readAll(good ?? bad!) };
  }
  if (kinds.latency !== undefined) {
    const { histogram } = kinds.latency;
    return { kind: 'latency', histogram: read(histogram), thresholdSeconds: seconds(kinds.latency.threshold) };
  }
  if (kinds.probe !== undefined) return { kind: 'probe', gauge: read(kinds.probe.gauge) };
  if (kinds.freshness !== undefined) {
    const { timestamp, age } = kinds.freshness;
    return {
      kind: 'freshness',
      source: timestamp === undefined ? 'age' : 'timestamp',
      selector: read(timestamp ?? age!),
      thresholdSeconds: seconds(kinds.freshness.threshold),
      aggregate: kinds.freshness.aggregate ?? null,
    };
  }
  if (kinds.throughput !== undefined) {
    const { counter, min, max } = kinds.throughput;
    return {
      kind: 'throughput',
      counter: read(counter),
      bound: min === undefined ? 'max' : 'min',
      perSecond: parseRate(min ?? max!)!,
      aggregate: kinds.throughput.aggregate ?? null,
    };
  }
  if (kinds.threshold !== undefined) {
    const { gauge, op, value } = kinds.threshold;
    return { kind: 'threshold', gauge: read(gauge), op, value, aggregate: kinds.threshold.aggregate ?? null };
  }
  return { kind: 'push' };
}

function read(text: string): Selector {
  const selector = readSelector(text);
  if (isFault(selector)) throw new Error(`BUG: the schema let a wrong selector pass: ${text}`);
  return selector;
}

function readAll(texts: string | readonly string[]): Selector[] {
  return (typeof texts === 'string' ? [texts] : texts).map(read);
}

function seconds(text: string): number {
  return parseDuration(text)!.ms / SECOND_MS;
}

/** The SLI as a native file would say it: `{events: {total: …, bad: …}}`. */
export function nativeSli(sli: Sli): Record<string, object> {
  switch (sli.kind) {
    case 'events':
      return { events: { total: texts(sli.total), [sli.given]: texts(sli.selectors) } };
    case 'latency':
      return { latency: { histogram: sli.histogram.text, threshold: durationText(sli.thresholdSeconds) } };
    case 'probe':
      return { probe: { gauge: sli.gauge.text } };
    case 'freshness':
      return {
        freshness: {
          [sli.source]: sli.selector.text,
          threshold: durationText(sli.thresholdSeconds),
          ...aggregated(sli.aggregate),
        },
      };
    case 'throughput':
      return {
        throughput: { counter: sli.counter.text, [sli.bound]: `${sli.perSecond}/s`, ...aggregated(sli.aggregate) },
      };
    case 'threshold':
      return { threshold: { gauge: sli.gauge.text, op: sli.op, value: sli.value, ...aggregated(sli.aggregate) } };
    case 'push':
      return { push: {} };
  }
}

function texts(selectors: readonly Selector[]): string | string[] {
  return selectors.length === 1 ? selectors[0]!.text : selectors.map((selector) => selector.text);
}

function durationText(seconds: number): string {
  return formatDuration(Math.round(seconds * SECOND_MS));
}

function aggregated(aggregate: Aggregate | null): { aggregate?: Aggregate } {
  return aggregate === null ? {} : { aggregate };
}

/** What an SLO has when a file does not say. */
export const DEFAULT_WINDOW: Duration = parseDuration('30d')!;
export const DEFAULT_SLICE: Duration = parseDuration('1m')!;

export const DEFAULTS = {
  origin: 'slipstream',
  description: '',
  owner: '',
  runbook: '',
  labels: {},
  window: { kind: 'rolling', duration: DEFAULT_WINDOW },
  groupBy: [],
  groupsMax: 1000,
  slice: null,
  emptySlice: 'ignore',
  budgeting: 'occurrences',
  sliceTarget: null,
} as const satisfies Partial<Slo>;
