import { compareUtf8, encodeLabels, formatSeries, type LabelSet, labelSet } from '../engine/label-set.ts';
import type { IngestLimits } from './limits.ts';
import { type HaLabels, type SeriesResolver, strictText } from './new-series.ts';
import { type Pair, type Refusal, readAttributes } from './otlp-attributes.ts';
import { boundText, labelName, metricName, type NameKind } from './otlp-names.ts';
import type { Rejections } from './rejections.ts';
import { WireCursor } from './wire.ts';

/**
 * What OTLP calls a stream (a resource, a scope, a metric, the attributes of a point) to the series it means. Slow path: each
 * is met once.
 *
 * A series carries Prometheus's names, and can be selected by OTLP's as well. `job` and `instance` stand for the resource, which
 * is told apart by nothing else unless attributes of it are promoted. The scope is part of the identity, because two scopes
 * may have a metric of the same name, whose counters must never be taken for one.
 */

export const GAUGE = 0;
export const COUNTER = 1;
export const COUNTER_DELTA = 2;
export const HISTOGRAM = 3;
export const HISTOGRAM_DELTA = 4;
export const EXPONENTIAL = 5;
export const EXPONENTIAL_DELTA = 6;
export const SUMMARY = 7;
/** A data field with a temporality that cannot be used. */
export const UNSPECIFIED = 8;
export const GAUGE_DELTA = 9;

/** What is known of a resource, a scope or a metric; `id` is -1 when there was no room to remember it. */
export interface OtlpResource {
  id: number;
  readonly labels: readonly Pair[];
  readonly originals: readonly Pair[];
  /** Which replica of which cluster it is, as labels that it has only then. */
  readonly pair: readonly Pair[];
  readonly refusal: Refusal | null;
}

export interface OtlpScope {
  id: number;
  readonly resource: OtlpResource;
  readonly labels: readonly Pair[];
  readonly refusal: Refusal | null;
}

export interface OtlpMetric {
  id: number;
  readonly scope: OtlpScope;
  readonly kind: number;
  /** As Prometheus writes it, without `_bucket`, `_count` and `_sum`. */
  readonly name: string;
  readonly originalName: string;
  readonly refusal: Refusal | null;
}

/** The series of a stream, and who sends it: a replica of an HA pair, or 0. */
export interface OtlpStream {
  readonly ids: Int32Array;
  readonly sender: number;
}

/** Few of a resource's attributes become labels, and those are checked as labels: a command line may be as long as it is. */
const RESOURCE_LIMITS = { labelsMax: 1024, labelValueBytesMax: Number.POSITIVE_INFINITY };

const SERVICE_NAME = 'service.name';
const SERVICE_NAMESPACE = 'service.namespace';
const SERVICE_INSTANCE = 'service.instance.id';
const RESOURCE_ATTRIBUTES = 0x0a;
const SCOPE_NAME = 0x0a;
const SCOPE_VERSION = 0x12;
const SCOPE_ATTRIBUTES = 0x1a;

const TOO_MANY_CLUSTERS: Refusal = { reason: 'ha_limit', what: 'more clusters than are told apart' };
const REFUSALS: Partial<Record<number, Refusal>> = {
  [UNSPECIFIED]: { reason: 'unspecified_temporality', what: 'neither delta nor cumulative' },
  [GAUGE_DELTA]: { reason: 'delta_of_gauge', what: 'a delta of a sum that may fall' },
};

export interface OtlpSeriesOptions {
  readonly resolver: SeriesResolver;
  readonly limits: IngestLimits;
  readonly rejections: Rejections;
  /** Keys of resource attributes that every series of the resource carries. */
  readonly promoted: readonly string[];
  /** Null when no replica is elected. */
  readonly ha: HaLabels | null;
}

export class OtlpSeries {
  readonly #options: OtlpSeriesOptions;

  constructor(options: OtlpSeriesOptions) {
    this.#options = options;
  }

  /** A Resource message, known to be well-formed like everything here. */
  resource(bytes: Uint8Array, start: number, end: number): OtlpResource {
    const fields = gathered(bytes, start, end, RESOURCE_ATTRIBUTES);
    const read = readAttributes(fields, 0, fields.length, RESOURCE_LIMITS);
    if ('reason' in read) return { id: -1, labels: [], originals: [], pair: [], refusal: read };
    const attributes = new Map(read);
    const name = attributes.get(SERVICE_NAME) ?? '';
    const namespace = attributes.get(SERVICE_NAMESPACE) ?? '';
    const labels: Pair[] = [
      ['job', name === '' || namespace === '' ? name : `${namespace}/${name}`],
      ['instance', attributes.get(SERVICE_INSTANCE) ?? ''],
    ];
    const promoted = read.filter(([key]) => this.#options.promoted.includes(key));
    const ofPair = read.filter(([key]) => !promoted.some(([name]) => name === key) && this.#isOfPair(labelName(key)));
    const identifying = [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE, ...promoted.map(([key]) => key)];
    return {
      id: -1,
      labels: [...labels, ...translated(promoted, new Set(['job', 'instance', '__name__']))],
      originals: identifying.map((key) => [key, attributes.get(key) ?? ''] as const),
      pair: translated(ofPair, new Set()),
      refusal: null,
    };
  }

  #isOfPair(label: string): boolean {
    const { ha } = this.#options;
    return ha !== null && (label === ha.clusterLabel || label === ha.replicaLabel);
  }

  scope(resource: OtlpResource, bytes: Uint8Array, start: number, end: number, schemaUrl: Uint8Array): OtlpScope {
    const refused = (refusal: Refusal): OtlpScope => ({ id: -1, resource, labels: [], refusal });
    const fields = gathered(bytes, start, end, SCOPE_ATTRIBUTES);
    const read = readAttributes(fields, 0, fields.length, this.#options.limits);
    if ('reason' in read) return refused(read);
    const name = lastText(bytes, start, end, SCOPE_NAME);
    const version = lastText(bytes, start, end, SCOPE_VERSION);
    const schema = strictText(schemaUrl, 0, schemaUrl.length);
    if (name === null || version === null || schema === null) {
      return refused({ reason: 'invalid_utf8', what: 'a scope is not valid UTF-8 text' });
    }
    const labels: Pair[] = [
      ['otel_scope_name', name],
      ['otel_scope_version', version],
      ['otel_scope_schema_url', schema],
    ];
    const reserved = new Set(labels.map(([label]) => label));
    const attributes = read.map(([key, value]) => [`otel_scope_${key}`, value] as const);
    return { id: -1, resource, labels: [...labels, ...translated(attributes, reserved)], refusal: resource.refusal };
  }

  metric(scope: OtlpScope, kind: number, name: Uint8Array, unit: Uint8Array): OtlpMetric {
    const nameText = strictText(name, 0, name.length);
    const unitText = strictText(unit, 0, unit.length);
    let refusal = scope.refusal ?? REFUSALS[kind] ?? null;
    if (nameText === null || unitText === null) {
      refusal = { reason: 'invalid_utf8', what: 'a metric name or unit is not valid UTF-8 text' };
    } else if (nameText === '') {
      refusal = { reason: 'missing_metric_name', what: 'a metric has no name' };
    } else if (name.length > this.#options.limits.labelValueBytesMax) {
      refusal = { reason: 'label_limit', what: `a metric name of ${name.length} bytes` };
    }
    const originalName = refusal?.reason === 'label_limit' ? '' : (nameText ?? '');
    return {
      id: -1,
      scope,
      kind,
      name: metricName(originalName, unitText ?? '', nameKind(kind)),
      originalName,
      refusal,
    };
  }

  /**
   * The series of a stream, whose attributes are the KeyValue fields `bytes[start, end)`: of a histogram the buckets in
   * the order of their bounds, the one without a bound, the count and the sum. Null when the point is rejected.
   */
  stream(
    metric: OtlpMetric,
    bytes: Uint8Array,
    start: number,
    end: number,
    bounds: readonly number[],
  ): OtlpStream | null {
    const read = readAttributes(bytes, start, end, this.#options.limits);
    if ('reason' in read) return this.reject(read, metric);
    const { scope } = metric;
    const isClassic = metric.kind === HISTOGRAM || metric.kind === HISTOGRAM_DELTA;
    const own = [...scope.resource.labels, ...scope.labels].filter(([, value]) => value !== '');
    const reserved = new Set(['__name__', ...own.map(([name]) => name), ...(isClassic ? ['le'] : [])]);
    const sent = [...own, ...translated(read, reserved)];
    const said = new Map([...scope.resource.pair, ...sent]);
    const sender = this.#senderOf(said);
    if (sender === -1) return this.reject(TOO_MANY_CLUSTERS, metric);
    const isReplica = (label: string): boolean => sender !== 0 && label === this.#options.ha!.replicaLabel;
    const labels = sender === 0 ? sent : [...said].filter(([label]) => !isReplica(label));
    const originals = [...scope.resource.originals, ...read].filter(([key]) => !isReplica(labelName(key)));
    const ids: number[] = [];
    const add = (suffix: string, le: string): boolean => {
      const id = this.#register(metric, suffix, le === '' ? labels : [...labels, ['le', le]], originals);
      ids.push(id);
      return id !== -1;
    };
    if (isClassic) {
      for (const bound of bounds) if (!add('_bucket', boundText(bound))) return null;
      if (!add('_bucket', '+Inf')) return null;
    }
    const hasCount = isClassic || metric.kind === SUMMARY;
    if (hasCount ? !add('_count', '') || !add('_sum', '') : !add('', '')) return null;
    return { ids: Int32Array.from(ids), sender };
  }

  /** 0 when the labels do not say both of which cluster and of which replica they are, -1 when there are too many of them. */
  #senderOf(labels: ReadonlyMap<string, string>): number {
    const { ha, resolver } = this.#options;
    if (ha === null) return 0;
    const cluster = labels.get(ha.clusterLabel);
    const replica = labels.get(ha.replicaLabel);
    return cluster === undefined || replica === undefined ? 0 : resolver.replicas.senderOf(cluster, replica);
  }

  #register(metric: OtlpMetric, suffix: string, pairs: readonly Pair[], others: readonly Pair[]): number {
    const { resolver, limits } = this.#options;
    const name = metric.name + suffix;
    const labels = labelSet([['__name__', name], ...pairs]);
    const excess = tooLarge(labels, limits);
    if (excess !== null) {
      this.reject({ reason: 'label_limit', what: excess }, metric);
      return -1;
    }
    const originalName = metric.originalName + suffix;
    const names = new Set(labels.names);
    const originals = labelSet([
      ...others.filter(([key]) => !names.has(key)),
      ['__name__', originalName === name ? '' : originalName],
    ]);
    const id = resolver.register(labels, encodeLabels(labels), originals.names.length === 0 ? null : originals);
    if (id === -1) this.reject({ reason: 'series_limit', what: 'the limit of series is reached' }, metric);
    return id;
  }

  /** Counts a data point as rejected. */
  reject({ reason, what }: Refusal, { originalName }: OtlpMetric): null {
    const { rejections } = this.#options;
    rejections.samples[reason]++;
    if (rejections.wantsExample) {
      const named = originalName === '' ? '' : `: ${formatSeries({ names: ['__name__'], values: [originalName] })}`;
      rejections.addExample(what + named);
    }
    return null;
  }
}

function nameKind(kind: number): NameKind {
  if (kind === COUNTER || kind === COUNTER_DELTA) return 'counter';
  return kind === GAUGE ? 'gauge' : 'other';
}

/**
 * Attributes, by rising key, as labels. Where several keys become one name their values are joined; a name that is reserved for
 * something else is exported, as Prometheus does when a target and its configuration disagree.
 */
function translated(attributes: readonly Pair[], reserved: ReadonlySet<string>): Pair[] {
  const labels = new Map<string, string>();
  for (const [key, value] of attributes) {
    if (value === '') continue;
    const escaped = labelName(key);
    const name = reserved.has(escaped) ? `exported_${escaped}` : escaped;
    const before = labels.get(name);
    labels.set(name, before === undefined ? value : `${before};${value}`);
  }
  return [...labels].sort((a, b) => compareUtf8(a[0], b[0]));
}

function tooLarge(labels: LabelSet, { labelsMax, labelNameBytesMax, labelValueBytesMax }: IngestLimits): string | null {
  if (labels.names.length > labelsMax) return `more than ${labelsMax} labels`;
  const isLong = (text: string, max: number): boolean => text.length * 3 > max && Buffer.byteLength(text) > max;
  const longName = labels.names.find((name) => isLong(name, labelNameBytesMax));
  if (longName !== undefined) return `a label name of ${Buffer.byteLength(longName)} bytes`;
  const long = labels.values.findIndex((value) => isLong(value, labelValueBytesMax));
  return long === -1 ? null : `label ${labels.names[long]} has more than ${labelValueBytesMax} bytes`;
}

/** The fields of one tag, brought together. */
function gathered(bytes: Uint8Array, start: number, end: number, wanted: number): Uint8Array {
  const cursor = new WireCursor();
  const parts: Uint8Array[] = [];
  cursor.reset(bytes, start, end);
  while (cursor.position < end) {
    const at = cursor.position;
    const tag = cursor.tag();
    cursor.skip(tag);
    if (tag === wanted) parts.push(bytes.subarray(at, cursor.position));
  }
  return Buffer.concat(parts);
}

/** The last text of a tag, '' when there is none, null when it is no text. */
function lastText(bytes: Uint8Array, start: number, end: number, wanted: number): string | null {
  const cursor = new WireCursor();
  let text: string | null = '';
  cursor.reset(bytes, start, end);
  while (cursor.position < end) {
    const tag = cursor.tag();
    if (tag !== wanted) {
      cursor.skip(tag);
      continue;
    }
    const length = cursor.length();
    cursor.position += length;
    text = strictText(bytes, cursor.position - length, cursor.position);
  }
  return text;
}
