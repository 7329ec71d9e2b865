import { FIXED64, LENGTH_DELIMITED, VARINT } from './wire.ts';

/**
 * The messages of OTLP metrics, as far as they are read here: all else of them is skipped. The one table behind what checks a
 * protobuf body, what translates a JSON body, and what a sender writes in the demo, the bench and the tests.
 */

export type Scalar =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  /** A fixed64 of Unix nanoseconds. */
  | 'nanos'
  | 'double'
  | 'uint32'
  | 'sint32'
  | 'temporality';

export interface Field {
  readonly name: string;
  readonly number: number;
  readonly repeated: boolean;
  /** Null when the field is a message. */
  readonly scalar: Scalar | null;
  readonly message: MessageType | null;
  /** Of one value; a repeated scalar may also come packed. */
  readonly wireType: number;
}

export class MessageType {
  readonly name: string;
  readonly byNumber: (Field | undefined)[] = [];
  /** By their names in JSON, and by those in the proto file. */
  readonly byName = new Map<string, Field>();

  constructor(name: string) {
    this.name = name;
  }

  get fields(): Field[] {
    return this.byNumber.filter((field) => field !== undefined);
  }
}

const REPEATED = 'repeated';
type Spec = readonly [number: number, type: string, repeated?: typeof REPEATED];

const ATTRIBUTES = 'KeyValue';
const MESSAGES: Readonly<Record<string, Readonly<Record<string, Spec>>>> = {
  ExportMetricsServiceRequest: { resourceMetrics: [1, 'ResourceMetrics', REPEATED] },
  ResourceMetrics: {
    resource: [1, 'Resource'],
    scopeMetrics: [2, 'ScopeMetrics', REPEATED],
    schemaUrl: [3, 'string'],
  },
  Resource: { attributes: [1, ATTRIBUTES, REPEATED] },
  ScopeMetrics: {
    scope: [1, 'InstrumentationScope'],
    metrics: [2, 'Metric', REPEATED],
    schemaUrl: [3, 'string'],
  },
  InstrumentationScope: {
    name: [1, 'string'],
    version: [2, 'string'],
    attributes: [3, ATTRIBUTES, REPEATED],
  },
  Metric: {
    name: [1, 'string'],
    unit: [3, 'string'],
    gauge: [5, 'Gauge'],
    sum: [7, 'Sum'],
    histogram: [9, 'Histogram'],
    exponentialHistogram: [10, 'ExponentialHistogram'],
    summary: [11, 'Summary'],
  },
  Gauge: { dataPoints: [1, 'NumberDataPoint', REPEATED] },
  Sum: {
    dataPoints: [1, 'NumberDataPoint', REPEATED],
    aggregationTemporality: [2, 'temporality'],
    isMonotonic: [3, 'bool'],
  },
  Histogram: {
    dataPoints: [1, 'HistogramDataPoint', REPEATED],
    aggregationTemporality: [2, 'temporality'],
  },
  ExponentialHistogram: {
    dataPoints: [1, 'ExponentialHistogramDataPoint', REPEATED],
    aggregationTemporality: [2, 'temporality'],
  },
  Summary: { dataPoints: [1, 'SummaryDataPoint', REPEATED] },
  NumberDataPoint: {
    startTimeUnixNano: [2, 'nanos'],
    timeUnixNano: [3, 'nanos'],
    asDouble: [4, 'double'],
    asInt: [6, 'sfixed64'],
    attributes: [7, ATTRIBUTES, REPEATED],
    flags: [8, 'uint32'],
  },
  HistogramDataPoint: {
    startTimeUnixNano: [2, 'nanos'],
    timeUnixNano: [3, 'nanos'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    bucketCounts: [6, 'fixed64', REPEATED],
    explicitBounds: [7, 'double', REPEATED],
    attributes: [9, ATTRIBUTES, REPEATED],
    flags: [10, 'uint32'],
  },
  ExponentialHistogramDataPoint: {
    attributes: [1, ATTRIBUTES, REPEATED],
    startTimeUnixNano: [2, 'nanos'],
    timeUnixNano: [3, 'nanos'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    scale: [6, 'sint32'],
    zeroCount: [7, 'fixed64'],
    positive: [8, 'Buckets'],
    negative: [9, 'Buckets'],
    flags: [10, 'uint32'],
    zeroThreshold: [14, 'double'],
  },
  Buckets: { offset: [1, 'sint32'], bucketCounts: [2, 'uint64', REPEATED] },
  SummaryDataPoint: {
    startTimeUnixNano: [2, 'nanos'],
    timeUnixNano: [3, 'nanos'],
    count: [4, 'fixed64'],
    sum: [5, 'double'],
    attributes: [7, ATTRIBUTES, REPEATED],
    flags: [8, 'uint32'],
  },
  KeyValue: { key: [1, 'string'], value: [2, 'AnyValue'] },
  AnyValue: {
    stringValue: [1, 'string'],
    boolValue: [2, 'bool'],
    intValue: [3, 'int64'],
    doubleValue: [4, 'double'],
    arrayValue: [5, 'ArrayValue'],
    kvlistValue: [6, 'KeyValueList'],
    bytesValue: [7, 'bytes'],
  },
  ArrayValue: { values: [1, 'AnyValue', REPEATED] },
  KeyValueList: { values: [1, ATTRIBUTES, REPEATED] },
};

const types = new Map(Object.keys(MESSAGES).map((name) => [name, new MessageType(name)]));
for (const [message, fields] of Object.entries(MESSAGES)) {
  const type = types.get(message)!;
  for (const [name, [number, kind, repeated]] of Object.entries(fields)) {
    const nested = types.get(kind) ?? null;
    const scalar = nested === null ? (kind as Scalar) : null;
    const field = {
      name,
      number,
      repeated: repeated !== undefined,
      scalar,
      message: nested,
      wireType: wireTypeOf(scalar),
    };
    type.byNumber[number] = field;
    type.byName.set(name, field);
    type.byName.set(
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      field,
    );
  }
}

function wireTypeOf(scalar: Scalar | null): number {
  switch (scalar) {
    case null:
    case 'string':
    case 'bytes':
      return LENGTH_DELIMITED;
    case 'fixed64':
    case 'sfixed64':
    case 'nanos':
    case 'double':
      return FIXED64;
    default:
      return VARINT;
  }
}

export const METRICS_REQUEST = types.get('ExportMetricsServiceRequest')!;
export const ANY_VALUE = types.get('AnyValue')!;
/** Every message by its name. */
export const OTLP_MESSAGES: ReadonlyMap<string, MessageType> = types;
