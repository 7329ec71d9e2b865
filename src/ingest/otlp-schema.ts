import protobuf from 'protobufjs/light.js';
import { type Field, METRICS_REQUEST, OTLP_MESSAGES, type Scalar } from './otlp-fields.ts';

/**
 * OTLP metrics as a sender writes them, for the bench and the tests: readable and slow. What arrives is read by otlp-metrics.ts.
 */

function typeOf({ message, scalar }: Field): string {
  if (message !== null) return message.name;
  const names: Partial<Record<Scalar, string>> = { nanos: 'fixed64', temporality: 'int32' };
  return names[scalar!] ?? scalar!;
}

const nested = Object.fromEntries(
  [...OTLP_MESSAGES.values()].map(({ name, fields }) => [
    name,
    {
      fields: Object.fromEntries(
        fields.map((field) => [
          field.name,
          { id: field.number, type: typeOf(field), ...(field.repeated && { rule: 'repeated' }) },
        ]),
      ),
      oneofs: {
        ...(name === 'NumberDataPoint' && { value: { oneof: ['asDouble', 'asInt'] } }),
        ...(name === 'AnyValue' && { value: { oneof: fields.map((field) => field.name) } }),
        ...(name.endsWith('istogramDataPoint') && { sumGiven: { oneof: ['sum'] } }),
      },
    },
  ]),
);
const requestType = protobuf.Root.fromJSON({ nested }).lookupType(METRICS_REQUEST.name);

/** The protobuf of a request that is written as its JSON would be; 64 bits as decimal strings or numbers. */
export function encodeMetricsRequest(request: object): Uint8Array<ArrayBuffer> {
  return new Uint8Array(requestType.encode(requestType.fromObject(request)).finish());
}
