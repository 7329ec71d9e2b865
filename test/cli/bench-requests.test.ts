import fc from 'fast-check';
import { uncompress } from 'snappyjs';
import { expect, test } from 'vitest';
import { ROUND_MS, START_MS } from '../../bench/corpus.ts';
import { TableResolver } from '../../bench/table-resolver.ts';
import { BUCKETS, FIRST_HISTOGRAM, Fleet, HISTOGRAM_SERIES, SERIES_PER_TARGET } from '../../src/cli/bench/fleet.ts';
import { Latency } from '../../src/cli/bench/latency.ts';
import { PROTOCOLS, type Protocol } from '../../src/cli/bench/protocols.ts';
import { ORDERS, type Order, type Shard, shardsOf } from '../../src/cli/bench/shard.ts';
import { compressSymbols, FIRST_UNKNOWN, INSIDE } from '../../src/cli/bench/symbol-snappy.ts';
import type { SampleBatch } from '../../src/engine/batch.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';

/** The requests of `slipstream bench`, before they are sent. */

test('bytes that are written into a compressed body are read where they belong', () => {
  const plain = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 });
  const part = fc.oneof(
    plain.map((bytes) => ({ bytes, group: null })),
    fc.integer({ min: 0, max: 5 }).map((group) => ({ bytes: [], group })),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 200 }), fc.integer({ min: 1, max: 9 }), (parts, groupLength) => {
      const symbols: number[] = [];
      const expected: number[] = [];
      for (const { bytes, group } of parts) {
        symbols.push(...bytes);
        expected.push(...bytes);
        for (let i = 0; group !== null && i < groupLength; i++) {
          symbols.push((FIRST_UNKNOWN + group * groupLength + i + (i > 0 ? INSIDE : 0)) >>> 0);
          expected.push((group * 37 + i * 11) & 0xff);
        }
      }
      const { bytes, positions } = compressSymbols(Uint32Array.from(symbols));
      positions.forEach((position, i) => {
        if (position !== -1) bytes[position] = expected[i]!;
        // A group is there as a whole or not at all.
        if (symbols[i]! >= INSIDE) expect(positions[i]).toBe(positions[i - 1] === -1 ? -1 : positions[i - 1]! + 1);
      });
      expect([...uncompress(bytes)]).toEqual(expected);
    }),
  );
});

/** The rows of one round, as the server reads them, by series. */
function roundOf(shards: readonly Shard[], fleet: Fleet, protocol: Protocol, resolver: TableResolver, round: number) {
  const remoteWrite = new RemoteWriteReceiver(resolver);
  const otlp = new OtlpReceiver({ resolver });
  const rows: { id: number; value: number; timeMs: number }[] = [];
  const sizes: number[] = [];
  for (const shard of shards) {
    for (let i = 0; i < shard.requests(round); i++) {
      const template = shard.template(round, i, START_MS + round * ROUND_MS);
      const body = template.fill(fleet).slice();
      const { batch } = protocol === 'otlp' ? otlp.read(body, 'protobuf') : remoteWrite.read(body, protocol);
      expect(batch.length).toBe(template.samples);
      sizes.push(batch.length);
      rows.push(...rowsOf(batch));
    }
  }
  return { rows, sizes };
}

function rowsOf({ seriesIds, values, timestampsMs, length }: SampleBatch) {
  return Array.from({ length }, (_, row) => ({ id: seriesIds[row]!, value: values[row]!, timeMs: timestampsMs[row]! }));
}

test('every protocol and order tells of every series once a round, with its value and its time', () => {
  const f = (protocol: Protocol, order: Order) => {
    const fleet = new Fleet({ series: 10 * SERIES_PER_TARGET, seed: 7 });
    const shards = shardsOf(fleet, 3, { protocol, order, samplesPerRequest: 500, seed: 7 });
    const resolver = new TableResolver();
    for (let round = 0; round < 3; round++) {
      const { rows, sizes } = roundOf(shards, fleet, protocol, resolver, round);
      expect(new Set(rows.map(({ id }) => id)).size).toBe(fleet.seriesCount);
      expect(rows.length).toBe(fleet.seriesCount);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
      const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b);
      expect(sorted(rows.map(({ value }) => value))).toEqual(sorted(fleet.values));
      expect(new Set(rows.map(({ timeMs }) => timeMs))).toEqual(new Set(fleet.timesMs));
    }
    expect(resolver.table.size).toBe(fleet.seriesCount);
  };
  for (const protocol of PROTOCOLS) for (const order of ORDERS) f(protocol, order);
});

test('a fleet with the same seed sends the same bytes, and one with another seed others', () => {
  const bodies = (seed: number): string[] => {
    const fleet = new Fleet({ series: 1, seed });
    const shards = shardsOf(fleet, 1, { protocol: 'rw1', order: 'friendly', samplesPerRequest: 2_000, seed });
    return [0, 1].map((round) =>
      Buffer.from(shards[0]!.template(round, 0, START_MS + round).fill(fleet)).toString('hex'),
    );
  };
  expect(bodies(1)).toEqual(bodies(1));
  expect(bodies(1)).not.toEqual(bodies(2));
});

test('a replaced target comes back under another name, from zero', () => {
  const fleet = new Fleet({ series: 1, seed: 3, churn: 1 });
  const shards = shardsOf(fleet, 1, { protocol: 'rw1', order: 'friendly', samplesPerRequest: 100, seed: 3 });
  const resolver = new TableResolver();
  roundOf(shards, fleet, 'rw1', resolver, 0);
  const before = fleet.targetLabels(0);
  const { rows } = roundOf(shards, fleet, 'rw1', resolver, 1);
  expect(fleet.targetLabels(0).instance).not.toBe(before.instance);
  expect(resolver.table.size).toBe(2 * SERIES_PER_TARGET);
  expect(rows.filter(({ value }) => value !== 0).length).toBe(14);
});

test('the buckets of a histogram rise to its count', () => {
  const fleet = new Fleet({ series: 1, seed: 1 });
  for (let round = 0; round < 50; round++) fleet.scrape(0, round, START_MS + round * ROUND_MS);
  for (let first = FIRST_HISTOGRAM; first < FIRST_HISTOGRAM + 12 * HISTOGRAM_SERIES; first += HISTOGRAM_SERIES) {
    const buckets = [...fleet.values.subarray(first, first + BUCKETS.length)];
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b));
    expect(buckets.at(-1)).toBe(fleet.values[first + BUCKETS.length]);
    expect(buckets.at(-1)).toBeGreaterThan(0);
  }
});

test('percentiles of latencies are right to two percent', () => {
  const latency = new Latency();
  expect(latency.percentiles()).toEqual({ p50: 0, p90: 0, p99: 0, p999: 0, max: 0 });
  for (let i = 1; i <= 10_000; i++) latency.observe(i / 10);
  const { p50, p90, p99, p999, max } = latency.percentiles();
  const near = (actual: number, expected: number) => expect(Math.abs(actual / expected - 1)).toBeLessThan(0.02);
  near(p50, 500);
  near(p90, 900);
  near(p99, 990);
  near(p999, 999);
  expect(max).toBe(1_000);
});
