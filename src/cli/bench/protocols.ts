import { encodeMetricsRequest } from '../../ingest/otlp-schema.ts';
import { encodeRequest2 } from '../../ingest/remote-write-2-schema.ts';
import { encodeWriteRequest } from '../../ingest/remote-write-schema.ts';
import {
  BUCKETS,
  FIRST_GAUGE,
  FIRST_HISTOGRAM,
  type Fleet,
  HISTOGRAM_SERIES,
  JOB_NAMESPACE,
  SERIES_PER_TARGET,
  SHAPES,
} from './fleet.ts';
import { type Hole, type HoleKind, MARK_DOUBLE, MARK_INT64, MARK_MS, MARK_UINT64, Template } from './template.ts';

/** A request about a fleet in each of the protocols: remote write 1.0 and 2.0 with snappy, OTLP as plain protobuf. */

export const PROTOCOLS = ['rw1', 'rw2', 'otlp'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export interface ProtocolInfo {
  readonly title: string;
  /** Where the server takes it, below its URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Value of the label `protocol` of Slipstream's own metrics. */
  readonly metricLabel: string;
}

const SNAPPY = { 'content-encoding': 'snappy', 'user-agent': 'slipstream-bench' };

export const PROTOCOL_INFO: Readonly<Record<Protocol, ProtocolInfo>> = {
  rw1: {
    title: 'remote write 1.0',
    path: '/api/v1/write',
    headers: { ...SNAPPY, 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
    metricLabel: 'remote_write_1',
  },
  rw2: {
    title: 'remote write 2.0',
    path: '/api/v1/write',
    headers: {
      ...SNAPPY,
      'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
      'x-prometheus-remote-write-version': '2.0.0',
    },
    metricLabel: 'remote_write_2',
  },
  otlp: {
    title: 'OTLP',
    path: '/v1/metrics',
    headers: { 'content-type': 'application/x-protobuf', 'user-agent': 'slipstream-bench' },
    metricLabel: 'otlp',
  },
};

/** A request with these series, in this order; OTLP takes whole targets. */
export function templateOf(fleet: Fleet, protocol: Protocol, series: Uint32Array): Template {
  const targets = [...new Set(Array.from(series, (each) => Math.floor(each / SERIES_PER_TARGET)))];
  const { raw, holes } = protocol === 'otlp' ? otlp(fleet, targets) : remoteWrite(fleet, protocol, series);
  return new Template(raw, holes, { samples: series.length, targets, isCompressed: protocol !== 'otlp' });
}

interface Encoded {
  readonly raw: Uint8Array;
  readonly holes: Hole[];
}

const hole = (kind: HoleKind, of: number, minus = -1): Hole => ({ kind, of, minus });

/** Types of metadata in remote write 2.0. */
const COUNTER = 1;
const GAUGE = 2;

function remoteWrite(fleet: Fleet, protocol: 'rw1' | 'rw2', series: Uint32Array): Encoded {
  const holes: Hole[] = [];
  const message = Array.from(series, (each) => {
    const target = Math.floor(each / SERIES_PER_TARGET);
    const isIdle = fleet.isIdle(each);
    if (!isIdle) holes.push(hole('double', each));
    holes.push(hole('millis', target));
    return {
      labels: labelsOf(fleet, each),
      // A zero is left out of a sample, as proto3 does.
      samples: [{ value: isIdle ? 0 : MARK_DOUBLE, timestampMs: MARK_MS }],
      metadata: { type: each % SERIES_PER_TARGET < FIRST_GAUGE ? COUNTER : GAUGE },
    };
  });
  return { raw: protocol === 'rw1' ? encodeWriteRequest(message) : encodeRequest2(message), holes };
}

/** Sorted by name, as remote write wants them. */
function labelsOf(fleet: Fleet, series: number): [name: string, value: string][] {
  const { cluster, instance, namespace, pod, service } = fleet.targetLabels(Math.floor(series / SERIES_PER_TARGET));
  const { name, code, handler, method, le } = SHAPES[series % SERIES_PER_TARGET]!;
  const labels: [name: string, value: string | undefined][] = [
    ['__name__', name],
    ['cluster', cluster],
    ['code', code],
    ['handler', handler],
    ['instance', instance],
    ['job', `${JOB_NAMESPACE}/${service}`],
    ['le', le],
    ['method', method],
    ['namespace', namespace],
    ['pod', pod],
    ['service', service],
  ];
  return labels.filter((label): label is [string, string] => label[1] !== undefined);
}

const CUMULATIVE = 2;
const BOUNDS = BUCKETS.slice(0, -1).map(Number);

/** What an OpenTelemetry SDK would say of the same processes: a classic histogram is one data point of many numbers. */
function otlp(fleet: Fleet, targets: readonly number[]): Encoded {
  const holes: Hole[] = [];
  const resourceMetrics = targets.map((target) => {
    const first = target * SERIES_PER_TARGET;
    const { cluster, instance, namespace, pod, service } = fleet.targetLabels(target);
    const times = (): object => {
      holes.push(hole('start', target), hole('nanos', target));
      return { startTimeUnixNano: MARK_UINT64, timeUnixNano: MARK_UINT64 };
    };
    const requests = range(0, FIRST_HISTOGRAM).map((shape) => {
      const { code, handler, method } = SHAPES[shape]!;
      const point = { ...times(), asInt: MARK_INT64, attributes: attributes({ code, handler, method }) };
      holes.push(hole('count', first + shape));
      return point;
    });
    const durations = range(FIRST_HISTOGRAM, FIRST_GAUGE, HISTOGRAM_SERIES).map((shape) => {
      const { handler, method } = SHAPES[shape]!;
      const count = first + shape + BUCKETS.length;
      const point = {
        ...times(),
        count: MARK_UINT64,
        sum: MARK_DOUBLE,
        bucketCounts: BUCKETS.map(() => MARK_UINT64),
        explicitBounds: BOUNDS,
        attributes: attributes({ handler, method }),
      };
      holes.push(hole('count', count), hole('double', count + 1));
      // Each bucket on its own, where Prometheus has all up to the bound.
      BUCKETS.forEach((_, i) => {
        holes.push(hole('count', first + shape + i, i === 0 ? -1 : first + shape + i - 1));
      });
      return point;
    });
    const gauges = range(FIRST_GAUGE, SERIES_PER_TARGET).map((shape) => {
      const dataPoints = [{ ...times(), asDouble: MARK_DOUBLE }];
      holes.push(hole('double', first + shape));
      return { name: SHAPES[shape]!.name, gauge: { dataPoints } };
    });
    const metrics = [
      {
        name: 'http_requests',
        sum: { dataPoints: requests, aggregationTemporality: CUMULATIVE, isMonotonic: true },
      },
      {
        name: 'http_request_duration_seconds',
        histogram: { dataPoints: durations, aggregationTemporality: CUMULATIVE },
      },
      ...gauges,
    ];
    const resource = {
      'service.namespace': JOB_NAMESPACE,
      'service.name': service,
      'service.instance.id': instance,
      'k8s.cluster.name': cluster,
      'k8s.namespace.name': namespace,
      'k8s.pod.name': pod,
    };
    return { resource: { attributes: attributes(resource) }, scopeMetrics: [{ metrics }] };
  });
  return { raw: encodeMetricsRequest({ resourceMetrics }), holes };
}

function range(from: number, to: number, step = 1): number[] {
  return Array.from({ length: (to - from) / step }, (_, i) => from + i * step);
}

function attributes(values: Readonly<Record<string, string | undefined>>): object[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: { stringValue: value } }));
}
