import { expect } from 'vitest';
import { SAMPLE_DELTA, SAMPLE_STALE, SAMPLE_STARTED } from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { decodeSeries, formatSeries } from '../../src/engine/label-set.ts';
import { type OtlpEncoding, OtlpReceiver, type OtlpResult } from '../../src/ingest/otlp-receive.ts';
import { encodeMetricsRequest } from '../../src/ingest/otlp-schema.ts';

/** Requests of OTLP metrics as JSON would have them, and what becomes of them. */

export type Attributes = Readonly<Record<string, unknown>>;

export function attributes(values: Attributes): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: anyValue(value) }));
}

export function anyValue(value: unknown): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'bigint') return { intValue: String(value) };
  if (typeof value === 'number') return { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return value === null ? {} : { kvlistValue: { values: attributes(value as Attributes) } };
}

export const RESOURCE: Attributes = { 'service.name': 'api', 'service.instance.id': 'a' };

/** A request of one resource with one scope. */
export function request(metrics: readonly object[], resource: Attributes = RESOURCE, scope: object = {}): object {
  return {
    resourceMetrics: [{ resource: { attributes: attributes(resource) }, scopeMetrics: [{ scope, metrics }] }],
  };
}

/** Milliseconds as nanoseconds, `ns` more. */
export function nanos(ms: number, ns = 0): string {
  return String(BigInt(ms) * 1_000_000n + BigInt(ns));
}

export const CUMULATIVE = 2;
export const DELTA = 1;

/** A number point; `undefined` leaves a field out. */
export function point(
  ms: number,
  value: number,
  of: Attributes = {},
  startMs: number | undefined = undefined,
): Record<string, unknown> {
  return {
    timeUnixNano: nanos(ms),
    ...(startMs !== undefined && { startTimeUnixNano: nanos(startMs) }),
    ...(Number.isInteger(value) ? { asInt: String(value) } : { asDouble: value }),
    attributes: attributes(of),
  };
}

export function counter(name: string, dataPoints: readonly object[], aggregationTemporality = CUMULATIVE): object {
  return { name, sum: { isMonotonic: true, aggregationTemporality, dataPoints } };
}

export const ENCODINGS: readonly OtlpEncoding[] = ['protobuf', 'json'];

export function bodyOf(message: object, encoding: OtlpEncoding): Uint8Array<ArrayBuffer> {
  return encoding === 'json'
    ? new Uint8Array(new TextEncoder().encode(JSON.stringify(message)))
    : encodeMetricsRequest(message);
}

/** What both encodings make of a request, which must be the same, with the counts of what was rejected. */
export function received(
  message: object,
  options: Partial<ConstructorParameters<typeof OtlpReceiver>[0]> = {},
): { rows: string[]; rejected: Record<string, number>; examples: readonly string[]; points: number } {
  const [first, second] = ENCODINGS.map((encoding) => {
    const engine = new Engine([]);
    const result = new OtlpReceiver({ resolver: engine, ...options }).read(bodyOf(message, encoding), encoding);
    return told(result, engine);
  });
  expect(second).toEqual(first);
  return first!;
}

export function told(result: OtlpResult, engine: Engine): ReturnType<typeof received> {
  const { batch, rejections, pointCount } = result;
  const rows = Array.from({ length: batch.length }, (_, row) => {
    const { labels } = decodeSeries(engine.table.labelBytes(batch.seriesIds[row]!));
    return `${formatSeries(labels)} ${batch.timestampsMs[row]} ${valueText(result, row)}`;
  });
  const rejected = Object.fromEntries(Object.entries(rejections.samples).filter(([, count]) => count > 0));
  return { rows, rejected, examples: [...rejections.examples], points: pointCount };
}

function valueText({ batch }: OtlpResult, row: number): string {
  const kind = batch.kinds[row]!;
  const value = batch.values[row]!;
  if (kind === SAMPLE_STALE) return 'stale';
  if (kind === SAMPLE_STARTED) return `${value} since ${batch.startsMs[row]}`;
  if (kind === SAMPLE_DELTA) return `+${value} since ${batch.startsMs[row]}`;
  if (kind === 0) return String(value);
  const { schema, count, zeroCount, positive, negative } = batch.histograms[value]!;
  const buckets = JSON.stringify({ schema, count, zeroCount, positive, negative });
  return `${kind === 5 ? '+' : ''}${buckets} since ${batch.startsMs[row]}`;
}
