import type { SampleBatch } from '../engine/batch.ts';
import { OtlpKey } from './otlp-key.ts';
import { OtlpPoints } from './otlp-points.ts';
import {
  COUNTER,
  COUNTER_DELTA,
  EXPONENTIAL,
  EXPONENTIAL_DELTA,
  GAUGE,
  GAUGE_DELTA,
  HISTOGRAM,
  HISTOGRAM_DELTA,
  type OtlpMetric,
  type OtlpResource,
  type OtlpScope,
  OtlpSeries,
  type OtlpSeriesOptions,
  SUMMARY,
  UNSPECIFIED,
} from './otlp-series.ts';
import { Remembered } from './remembered.ts';
import { contentStart, WireCursor } from './wire.ts';

/**
 * The walk over an ExportMetricsServiceRequest that was checked before (otlp-check.ts), down to its data points (otlp-points.ts).
 *
 * A stream is found by the bytes of its resource, scope, metric and attributes; only one that is met for the first time is
 * decoded, translated and registered (otlp-series.ts).
 */

const RESOURCE_METRICS = 0x0a;
const RESOURCE = 0x0a;
const SCOPE_METRICS = 0x12;
const SCOPE = 0x0a;
const METRICS = 0x12;
const SCHEMA_URL = 0x1a;
const NAME = 0x0a;
const UNIT = 0x1a;
const GAUGE_DATA = 0x2a;
const SUM_DATA = 0x3a;
const HISTOGRAM_DATA = 0x4a;
const EXPONENTIAL_DATA = 0x52;
const SUMMARY_DATA = 0x5a;
const DATA_POINTS = 0x0a;
const TEMPORALITY = 0x10;
const IS_MONOTONIC = 0x18;

const DELTA = 1;
const CUMULATIVE = 2;

export interface OtlpMetricsOptions extends OtlpSeriesOptions {
  /** How many streams are remembered, and the key of their hashes. */
  readonly streamsMax: number;
  readonly seed: number;
}

export class OtlpMetrics {
  readonly #series: OtlpSeries;
  readonly #points: OtlpPoints;
  readonly #resources: Remembered<OtlpResource>;
  readonly #scopes: Remembered<OtlpScope>;
  readonly #metrics: Remembered<OtlpMetric>;
  readonly #cursor = new WireCursor();
  readonly #key = new OtlpKey();
  #bytes = new Uint8Array(0);

  constructor(options: OtlpMetricsOptions) {
    const { streamsMax, seed } = options;
    this.#series = new OtlpSeries(options);
    this.#points = new OtlpPoints(this.#series, options.limits, new Remembered(streamsMax, seed));
    this.#resources = new Remembered(streamsMax, seed);
    this.#scopes = new Remembered(streamsMax, seed);
    this.#metrics = new Remembered(streamsMax, seed);
  }

  /** Data points of the last request that have rows. */
  get pointCount(): number {
    return this.#points.count;
  }

  /** By point its first row. */
  get pointRows(): Int32Array {
    return this.#points.rows;
  }

  read(bytes: Uint8Array<ArrayBuffer>, batch: SampleBatch): void {
    batch.clear();
    this.#bytes = bytes;
    this.#points.begin(bytes, batch);
    const cursor = new WireCursor();
    cursor.reset(bytes, 0, bytes.length);
    while (cursor.position < bytes.length) {
      const tag = cursor.tag();
      const start = contentStart(cursor, tag);
      if (tag === RESOURCE_METRICS) this.#resourceMetrics(start, cursor.position);
    }
    this.#points.end();
    this.#key.trim();
    this.#bytes = new Uint8Array(0);
  }

  #resourceMetrics(start: number, end: number): void {
    const cursor = new WireCursor();
    let resourceStart = start;
    let resourceEnd = start;
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag !== RESOURCE) continue;
      resourceStart = at;
      resourceEnd = cursor.position;
    }
    const resource = this.#resource(resourceStart, resourceEnd);
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag === SCOPE_METRICS) this.#scopeMetrics(resource, at, cursor.position);
    }
  }

  #resource(start: number, end: number): OtlpResource {
    this.#key.length = 0;
    this.#key.add(this.#bytes, start, end);
    const known = this.#resources.find(this.#key);
    if (known !== undefined) return known;
    const resource = this.#series.resource(this.#bytes, start, end);
    resource.id = this.#resources.add(this.#key, resource);
    return resource;
  }

  #scopeMetrics(resource: OtlpResource, start: number, end: number): void {
    const cursor = new WireCursor();
    let scopeStart = start;
    let scopeEnd = start;
    let urlStart = start;
    let urlEnd = start;
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag === SCOPE) {
        scopeStart = at;
        scopeEnd = cursor.position;
      } else if (tag === SCHEMA_URL) {
        urlStart = at;
        urlEnd = cursor.position;
      }
    }
    const scope = this.#scope(resource, scopeStart, scopeEnd, urlStart, urlEnd);
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag === METRICS) this.#metricData(scope, at, cursor.position);
    }
  }

  #scope(resource: OtlpResource, start: number, end: number, urlStart: number, urlEnd: number): OtlpScope {
    this.#key.begin(resource.id);
    this.#key.addNumber(end - start);
    this.#key.add(this.#bytes, start, end);
    this.#key.add(this.#bytes, urlStart, urlEnd);
    const known = resource.id === -1 ? undefined : this.#scopes.find(this.#key);
    if (known !== undefined) return known;
    const scope = this.#series.scope(resource, this.#bytes, start, end, this.#bytes.subarray(urlStart, urlEnd));
    if (resource.id !== -1) scope.id = this.#scopes.add(this.#key, scope);
    return scope;
  }

  #metricData(scope: OtlpScope, start: number, end: number): void {
    const cursor = this.#cursor;
    let nameStart = start;
    let nameEnd = start;
    let unitStart = start;
    let unitEnd = start;
    let data = 0;
    let dataStart = start;
    let dataEnd = start;
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag === NAME) {
        nameStart = at;
        nameEnd = cursor.position;
      } else if (tag === UNIT) {
        unitStart = at;
        unitEnd = cursor.position;
      } else if (
        tag === GAUGE_DATA ||
        tag === SUM_DATA ||
        tag === HISTOGRAM_DATA ||
        tag === EXPONENTIAL_DATA ||
        tag === SUMMARY_DATA
      ) {
        data = tag;
        dataStart = at;
        dataEnd = cursor.position;
      }
    }
    if (data === 0) return;
    const kind = this.#kind(data, dataStart, dataEnd);
    const metric = this.#metric(scope, kind, nameStart, nameEnd, unitStart, unitEnd);
    this.#dataPoints(metric, dataStart, dataEnd);
  }

  #kind(data: number, start: number, end: number): number {
    if (data === GAUGE_DATA) return GAUGE;
    if (data === SUMMARY_DATA) return SUMMARY;
    const cursor = this.#cursor;
    let temporality = 0;
    let monotonic = data !== SUM_DATA;
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      cursor.skip(tag);
      if (tag === TEMPORALITY) temporality = cursor.hi === 0 ? cursor.lo : 0;
      else if (tag === IS_MONOTONIC && data === SUM_DATA) monotonic = cursor.lo !== 0 || cursor.hi !== 0;
    }
    if (temporality !== DELTA && temporality !== CUMULATIVE) return UNSPECIFIED;
    const isDelta = temporality === DELTA;
    if (!monotonic) return isDelta ? GAUGE_DELTA : GAUGE;
    if (data === SUM_DATA) return isDelta ? COUNTER_DELTA : COUNTER;
    if (data === HISTOGRAM_DATA) return isDelta ? HISTOGRAM_DELTA : HISTOGRAM;
    return isDelta ? EXPONENTIAL_DELTA : EXPONENTIAL;
  }

  #metric(
    scope: OtlpScope,
    kind: number,
    nameStart: number,
    nameEnd: number,
    unitStart: number,
    unitEnd: number,
  ): OtlpMetric {
    this.#key.begin(scope.id);
    this.#key.addNumber(kind);
    this.#key.addNumber(nameEnd - nameStart);
    this.#key.add(this.#bytes, nameStart, nameEnd);
    this.#key.add(this.#bytes, unitStart, unitEnd);
    const known = scope.id === -1 ? undefined : this.#metrics.find(this.#key);
    if (known !== undefined) return known;
    const name = this.#bytes.subarray(nameStart, nameEnd);
    const metric = this.#series.metric(scope, kind, name, this.#bytes.subarray(unitStart, unitEnd));
    if (scope.id !== -1) metric.id = this.#metrics.add(this.#key, metric);
    return metric;
  }

  #dataPoints(metric: OtlpMetric, start: number, end: number): void {
    const cursor = new WireCursor();
    cursor.reset(this.#bytes, start, end);
    while (cursor.position < end) {
      const tag = cursor.tag();
      const at = contentStart(cursor, tag);
      if (tag !== DATA_POINTS) continue;
      if (metric.refusal !== null) this.#series.reject(metric.refusal, metric);
      else this.#points.read(metric, at, cursor.position);
    }
  }
}
