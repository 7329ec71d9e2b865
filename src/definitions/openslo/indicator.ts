import type { Part } from '../part.ts';
import { readQuery } from '../promql/query.ts';
import { readEventsQueries, readRatioQuery, type StreamedSli } from '../promql/streamed-sli.ts';
import { isFault, orFault } from '../promql/syntax.ts';
import type { Catalogue } from './catalogue.ts';
import { type GaugeQuery, readGaugeQuery } from './gauge-query.ts';
import type { Spec } from './schema.ts';

/** What an SLI measures: events, or a gauge that each objective holds against a value of its own. */
export type Indicator = StreamedSli | GaugeQuery;

type Sli = Spec<'SLI'>;
type Ratio = NonNullable<Sli['ratioMetric']>;
type Metric = NonNullable<Sli['thresholdMetric']>;

const PROMETHEUS = /prometheus/i;

export function isThreshold(indicator: Indicator): indicator is GaugeQuery {
  return 'gauge' in indicator;
}

export function readIndicator(sli: Part<Sli>, catalogue: Catalogue): Indicator | null {
  if (!sli.sound()) return null;
  const threshold = sli.at('thresholdMetric');
  return threshold === null ? readRatio(sli.at('ratioMetric')!, catalogue) : readThreshold(threshold, catalogue);
}

function readThreshold(metric: Part<Metric>, catalogue: Catalogue): GaugeQuery | null {
  const query = readMetric(metric, catalogue);
  if (query === null) return null;
  const read = readGaugeQuery(query.value);
  return isFault(read) ? query.error(read.message, read.at) : read;
}

function readRatio(ratio: Part<Ratio>, catalogue: Catalogue): StreamedSli | null {
  const raw = ratio.at('raw');
  return raw === null ? readEvents(ratio, catalogue) : readRaw(ratio, raw, catalogue);
}

function readRaw(ratio: Part<Ratio>, raw: Part<Metric>, catalogue: Catalogue): StreamedSli | null {
  const query = readMetric(raw, catalogue);
  const { rawType } = ratio.value;
  if (rawType === undefined) return ratio.missing('rawType', 'is required with raw');
  if (query === null) return null;
  const read = readRatioQuery(rawType === 'success' ? 'good' : 'bad', query.value, 'openslo');
  return isFault(read) ? query.error(read.message, read.at) : read;
}

function readEvents(ratio: Part<Ratio>, catalogue: Catalogue): StreamedSli | null {
  const given = ratio.value.good === undefined ? 'bad' : 'good';
  const events = readMetric(ratio.at(given)!, catalogue);
  const totalMetric = ratio.at('total') ?? ratio.missing('total', `is required with ${given}`);
  const total = totalMetric && readMetric(totalMetric, catalogue);
  if (events === null || total === null) return null;
  const read = readEventsQueries({ given, events: events.value, total: total.value }, 'openslo');
  if (isFault(read)) return (read.query === 'events' ? events : total).error(read.message, read.at);
  const counted = ratio.value.counter !== false || [events, total].map(refuseGauge).every((refused) => !refused);
  return counted ? read : null;
}

/** `counter: false` says that a query may go up and down: only a rate in it says that its series do not. */
function refuseGauge(query: Part<string>): boolean {
  const sum = orFault(() => readQuery(query.value, 'openslo'));
  if (isFault(sum) || sum.kind !== 'sum') return false;
  const bare = [...sum.terms.values()].find(({ counted }) => counted === 'counter');
  if (bare === undefined) return false;
  query.error(
    `counter: false says that it goes up and down, which counts no events; write sum(rate(${bare.selector.text}[5m])) of a counter`,
    bare.at,
  );
  return true;
}

/** The PromQL query of a metric; null when its source is another one. */
function readMetric(metric: Part<Metric>, catalogue: Catalogue): Part<string> | null {
  const source = metric.at('metricSource')!;
  if (!isPrometheus(source, catalogue)) return null;
  const spec = source.at('spec')!;
  return spec.at('query') ?? spec.missing('query', 'is required: the PromQL query');
}

/** By the type that the metric has itself, or else by that of its data source; without either it is taken for Prometheus. */
function isPrometheus(source: Part<Metric['metricSource']>, catalogue: Catalogue): boolean {
  const type = source.at('type');
  const reference = source.at('metricSourceRef');
  if (type !== null) {
    if (reference !== null) catalogue.note('DataSource', reference);
    if (PROMETHEUS.test(type.value)) return true;
    type.error(`only metrics of type Prometheus can be streamed, got ${type.value}`);
    return false;
  }
  if (reference === null) return true;
  const ofSource = catalogue.resolve('DataSource', reference)?.at('spec')?.get('type') ?? null;
  if (ofSource === null || PROMETHEUS.test(ofSource)) return ofSource !== null;
  reference.error(`only metrics of type Prometheus can be streamed, and ${reference.value} is of type ${ofSource}`);
  return false;
}
