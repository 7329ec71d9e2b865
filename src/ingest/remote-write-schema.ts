import protobuf from 'protobufjs/light.js';
import { compress as compressSnappy } from 'snappyjs';

/**
 * Remote write 1.0 as a sender writes it, for the demo, the bench and the tests: readable and slow. What arrives is
 * read by remote-write-1.ts.
 */

export interface WireSample {
  readonly value: number;
  readonly timestampMs: number;
  /** A stale marker in place of the value. */
  readonly stale?: boolean;
}

export interface WireSeries {
  readonly labels: readonly (readonly [name: string, value: string])[];
  readonly samples: readonly WireSample[];
}

const root = protobuf.Root.fromJSON({
  nested: {
    prometheus: {
      nested: {
        WriteRequest: { fields: { timeseries: { rule: 'repeated', type: 'TimeSeries', id: 1 } } },
        TimeSeries: {
          fields: {
            labels: { rule: 'repeated', type: 'Label', id: 1 },
            samples: { rule: 'repeated', type: 'Sample', id: 2 },
          },
        },
        Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
        // The value is a double, which is the same eight bytes: as fixed64 its bits reach the wire untouched, whereas
        // JavaScript may change the payload of a NaN, and the payload is what makes a stale marker.
        Sample: { fields: { value: { type: 'fixed64', id: 1 }, timestamp: { type: 'int64', id: 2 } } },
      },
    },
  },
});
const writeRequest = root.lookupType('prometheus.WriteRequest');

const STALE_BITS = { low: 2, high: 0x7ff00000, unsigned: true };
const bits = new DataView(new ArrayBuffer(8));

function valueBits(value: number): { low: number; high: number; unsigned: boolean } {
  bits.setFloat64(0, value, true);
  return { low: bits.getInt32(0, true), high: bits.getInt32(4, true), unsigned: true };
}

/** A prometheus.WriteRequest. Zeros and empty strings are left out, as proto3 does. */
export function encodeWriteRequest(series: readonly WireSeries[]): Uint8Array {
  const timeseries = series.map(({ labels, samples }) => ({
    labels: labels.map(([name, value]) => ({ ...(name !== '' && { name }), ...(value !== '' && { value }) })),
    samples: samples.map(({ value, timestampMs, stale }) => ({
      ...((stale || !Object.is(value, 0)) && { value: stale ? STALE_BITS : valueBits(value) }),
      ...(timestampMs !== 0 && { timestamp: timestampMs }),
    })),
  }));
  return writeRequest.encode({ timeseries }).finish();
}

/** A body in snappy's block format. */
export function compress(bytes: Uint8Array): Uint8Array {
  // A copy, because snappyjs answers a Buffer with a Buffer.
  return compressSnappy(new Uint8Array(bytes));
}
