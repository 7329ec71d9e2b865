import fc from 'fast-check';
import { expect, test } from 'vitest';
import { corpus } from '../../bench/corpus.ts';
import { TableResolver } from '../../bench/table-resolver.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import type { IngestLimits } from '../../src/ingest/limits.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';

const T = 1_767_225_600_000;

function up(job: string, value: number, timestampMs = T): WireSeries {
  return { labels: [['__name__', 'up'], ['job', job]], samples: [{ value, timestampMs }] }; // biome-ignore format: a row
}

const body = (...series: WireSeries[]) => compress(encodeWriteRequest(series));

test('a body becomes a batch', () => {
  const receiver = new RemoteWriteReceiver(new TableResolver());
  const { batch, seriesCount, histogramCount, rejections } = receiver.read(
    body(up('a', 1), up('b', 0), up('a', 2, T + 1)),
  );
  expect([...batch.seriesIds.subarray(0, batch.length)]).toEqual([0, 1, 0]);
  expect([...batch.values.subarray(0, batch.length)]).toEqual([1, 0, 2]);
  expect([...batch.timestampsMs.subarray(0, batch.length)]).toEqual([T, T, T + 1]);
  expect([seriesCount, histogramCount, rejections.total]).toEqual([3, 0, 0]);
});

test('the empty message, with which a sender asks whether anybody is there, is an empty batch', () => {
  const { batch, seriesCount } = new RemoteWriteReceiver(new TableResolver()).read(new Uint8Array([0]));
  expect([batch.length, seriesCount]).toEqual([0, 0]);
});

test('rejected samples are counted, and the counts begin anew with each request', () => {
  const receiver = new RemoteWriteReceiver(new TableResolver());
  const nameless: WireSeries = { labels: [['job', 'a']], samples: [{ value: 1, timestampMs: T }] };
  const first = receiver.read(body(nameless, up('a', 1)));
  expect([first.batch.length, first.rejections.samples.missing_metric_name]).toEqual([1, 1]);
  expect(first.rejections.examples).toEqual(['no metric name: {job="a"}']);
  const second = receiver.read(body(up('a', 1)));
  expect([second.batch.length, second.rejections.total, second.rejections.examples]).toEqual([1, 0, []]);
});

test('a request that cannot be read is refused with a code', () => {
  const f = (bytes: Uint8Array, limits: Partial<IngestLimits>, code: string, message: string) => {
    const resolver = new TableResolver();
    const receiver = new RemoteWriteReceiver(resolver, limits);
    let error: unknown;
    try {
      receiver.read(bytes);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(IngestError);
    expect(error).toMatchObject({ code, message });
    expect(resolver.table.size).toBe(0);
  };
  const good = body(up('a', 1), up('b', 2));
  const { length } = encodeWriteRequest([up('a', 1), up('b', 2)]);
  f(good, { bodyBytesMax: 9 }, 'body_too_large', `the body has ${good.length} bytes, the limit is 9`);
  f(
    good,
    { decodedBytesMax: 9 },
    'decoded_too_large',
    `the decompressed body would have ${length} bytes, the limit is 9`,
  );
  f(good, { seriesPerRequestMax: 1 }, 'too_many_series', 'the request has more than 1 series');
  f(good, { samplesPerRequestMax: 1 }, 'too_many_samples', 'the request has more than 1 samples');
  f(new Uint8Array(0), {}, 'malformed_snappy', 'malformed snappy at byte 0: the body is empty');
  f(
    compress(new Uint8Array([0x0a, 1])),
    {},
    'malformed_protobuf',
    'malformed protobuf at byte 1: a length of 1, 0 bytes are left',
  );
});

test('a body of a million empty series is refused by their number', () => {
  const bytes = new Uint8Array(2_000_000);
  for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x0a;
  const receiver = new RemoteWriteReceiver(new TableResolver());
  expect(() => receiver.read(compress(bytes))).toThrow('the request has more than 100000 series');
});

test('the columns of a giant batch are not kept', () => {
  const receiver = new RemoteWriteReceiver(new TableResolver());
  const samples = Array.from({ length: 100_000 }, (_, i) => ({ value: i, timestampMs: T + i }));
  const giant = receiver.read(body({ labels: [['__name__', 'up']], samples }));
  expect([giant.batch.length, giant.batch.values[99_999]]).toEqual([100_000, 99_999]);
  const { batch } = receiver.read(body(up('a', 1)));
  expect([batch.length, batch.capacity]).toEqual([1, 4096]);
});

test('whatever the bytes of a body are, it is read or refused, and the next one is read', () => {
  const valid = body(up('a', 1), up('b', 0), up('c', 1e308));
  const mutation = fc.tuple(fc.nat(), fc.nat(255));
  const mutated = fc.array(mutation, { minLength: 1, maxLength: 4 }).map((mutations) => {
    const bytes = valid.slice();
    for (const [at, byte] of mutations) bytes[at % bytes.length] = byte;
    return bytes;
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(mutated, fc.uint8Array({ maxLength: 50 })), { maxLength: 10 }), (bodies) => {
      const resolver = new TableResolver();
      const receiver = new RemoteWriteReceiver(resolver);
      for (const bytes of bodies) {
        try {
          receiver.read(bytes);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(IngestError);
        }
        const { batch } = receiver.read(valid);
        expect([...batch.values.subarray(0, batch.length)]).toEqual([1, 0, 1e308]);
        expect(new Set(batch.seriesIds.subarray(0, 3)).size).toBe(3);
      }
    }),
    { numRuns: 500 },
  );
});

test('the corpus of the bench is read the same in every round and from its own bytes', () => {
  const { rounds, seriesCount } = corpus({ series: 1_000, rounds: 3, samplesPerRequest: 300 });
  const resolver = new TableResolver();
  const receiver = new RemoteWriteReceiver(resolver);
  for (const bodies of rounds) {
    const ids = new Set<number>();
    for (const bytes of bodies) {
      const { batch } = receiver.read(bytes);
      for (let row = 0; row < batch.length; row++) ids.add(batch.seriesIds[row]!);
    }
    expect(ids.size).toBe(seriesCount);
  }
  // Prometheus's bytes are canonical as they stand.
  expect([resolver.table.size, resolver.table.aliasCount]).toEqual([seriesCount, 0]);
});
