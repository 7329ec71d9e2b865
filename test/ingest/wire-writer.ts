/** Protobuf by hand, to write what no encoder writes: fields out of order, twice, unknown, or with padded lengths. */

export type Field = number[];

export function varint(value: number | bigint, padding = 0): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  for (let i = 0; i < padding; i++) {
    bytes[bytes.length - 1]! |= 0x80;
    bytes.push(0);
  }
  return bytes;
}

export function lengthDelimited(number: number, content: readonly number[] | Uint8Array | string, padding = 0): Field {
  const bytes = typeof content === 'string' ? [...new TextEncoder().encode(content)] : [...content];
  return [...varint(number * 8 + 2), ...varint(bytes.length, padding), ...bytes];
}

export function varintField(number: number, value: number | bigint): Field {
  return [...varint(number * 8), ...varint(value)];
}

export function fixed64Field(number: number, bytes: readonly number[]): Field {
  return [...varint(number * 8 + 1), ...bytes];
}

export function doubleBytes(value: number): number[] {
  return [...new Uint8Array(new Float64Array([value]).buffer)];
}

export const STALE_BYTES = [2, 0, 0, 0, 0, 0, 0xf0, 0x7f];

export const label = (name: string, value: string): Field =>
  lengthDelimited(1, [...lengthDelimited(1, name), ...lengthDelimited(2, value)]);
export const sample = (value: number, timestampMs: number): Field =>
  lengthDelimited(2, [...fixed64Field(1, doubleBytes(value)), ...varintField(2, timestampMs)]);
export const series = (...fields: Field[]): Field => lengthDelimited(1, fields.flat());
