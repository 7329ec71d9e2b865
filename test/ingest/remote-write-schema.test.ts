import { uncompressSync } from 'snappy';
import { expect, test } from 'vitest';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { label, lengthDelimited, STALE_BYTES, sample, series, varintField } from './wire-writer.ts';

const T = 1_767_225_600_000;
const LABELS: [string, string][] = [['__name__', 'up'], ['job', 'é']]; // biome-ignore format: pairs
const UP = [label('__name__', 'up'), label('job', 'é')];

function encoded(...samples: { value: number; timestampMs: number; stale?: boolean }[]): number[] {
  return [...encodeWriteRequest([{ labels: LABELS, samples }])];
}

test('a write request has the fields that its protocol buffer says', () => {
  expect(encoded({ value: 1.5, timestampMs: T })).toEqual(series(...UP, sample(1.5, T)));
  expect(encoded({ value: -0, timestampMs: -T })).toEqual(series(...UP, sample(-0, -T)));
  expect([...encodeWriteRequest([])]).toEqual([]);
});

test('zeros are left out', () => {
  expect(encoded({ value: 0, timestampMs: T })).toEqual(series(...UP, lengthDelimited(2, varintField(2, T))));
  expect(encoded({ value: 0, timestampMs: 0 })).toEqual(series(...UP, lengthDelimited(2, [])));
});

test('a stale marker has exactly its bits', () => {
  const content = [0x09, ...STALE_BYTES, ...varintField(2, T)];
  expect(encoded({ value: 5, timestampMs: T, stale: true })).toEqual(series(...UP, lengthDelimited(2, content)));
});

test('a compressed request is read by the native decoder', () => {
  const bytes = encodeWriteRequest([{ labels: LABELS, samples: [{ value: 1, timestampMs: T }] }]);
  expect(uncompressSync(Buffer.from(compress(bytes)))).toEqual(Buffer.from(bytes));
  expect([...compress(new Uint8Array(0))]).toEqual([0]);
  expect(Buffer.isBuffer(compress(Buffer.from(bytes)))).toBe(false);
});
