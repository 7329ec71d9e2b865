import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { encodeRequest2, type WireSeries2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

/** Remote write 2.0 over HTTP: what a sender is told, which it believes and does not send again. */

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const TYPE = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

let server: TestServer;

beforeEach(async () => {
  server = await TestServer.start(NOON_MS);
});

afterEach(() => server.stop());

async function events(): Promise<SloState['events']> {
  server.nowMs += 5_000;
  return (await server.json<SloState>('/api/v1/slos/api/availability')).events;
}

/** Samples, histograms and exemplars of the headers; null where one is missing. */
function written({ headers }: Response): (number | null)[] {
  return ['Samples', 'Histograms', 'Exemplars'].map((what) => {
    const value = headers.get(`X-Prometheus-Remote-Write-${what}-Written`);
    return value === null ? null : Number(value);
  });
}

function post(series: readonly WireSeries2[], type = TYPE): Promise<Response> {
  return server.post(compress(encodeRequest2(series)), { 'content-type': type });
}

/** A request that is answered with a status, a text, and what was written. */
async function f(series: readonly WireSeries2[], status: number, counts: readonly number[], text = ''): Promise<void> {
  const response = await post(series);
  const got = await response.text();
  expect([response.status, written(response), got]).toEqual([status, counts, text]);
}

const up = (value: number, timestampMs: number, startMs = 0): WireSeries2 => ({
  labels: [['__name__', 'up'], ['instance', 'a'], ['job', 'api']], // biome-ignore format: a row
  samples: [{ value, timestampMs, startMs }],
});
const exemplar = { labels: [['trace_id', 'abc'] as const], value: 1, timestampMs: NOON_MS };

test('what is written can be read, and a sender of 2.0 is told how much it was', async () => {
  await f(scrape(NOON_MS, { 200: 100, 500: 0 }), 204, [2, 0, 0]);
  server.nowMs += 15_000;
  await f([...scrape(NOON_MS + 15_000, { 200: 150, 500: 2 }), up(1, NOON_MS + 15_000)], 204, [3, 0, 0]);
  expect(await events()).toEqual({ good: 50, bad: 2, total: 52 });
});

test('the content type decides: with a space or quotes it is still 2.0, without a name it is 1.0', async () => {
  const series = scrape(NOON_MS, { 200: 1 });
  for (const type of [
    'application/x-protobuf; proto=io.prometheus.write.v2.Request',
    'Application/X-Protobuf ; proto="io.prometheus.write.v2.Request"',
  ]) {
    const response = await post(series, type);
    expect([response.status, written(response)]).toEqual([204, [1, 0, 0]]);
  }
  for (const type of ['application/x-protobuf', 'application/x-protobuf;proto=prometheus.WriteRequest']) {
    const response = await server.post(compress(encodeWriteRequest(series)), { 'content-type': type });
    expect([response.status, written(response)]).toEqual([204, [null, null, null]]);
    // Read by the other protocol it is an empty message: it is never guessed what a body may be.
    const crossed = await post(series, type);
    expect([crossed.status, written(crossed)]).toEqual([204, [null, null, null]]);
  }
  const crossed = await server.post(compress(encodeWriteRequest(series)), { 'content-type': TYPE });
  expect([crossed.status, written(crossed)]).toEqual([204, [0, 0, 0]]);
});

test('a first value with a start inside the coverage counts in full', async () => {
  await f([up(1, NOON_MS)], 204, [1, 0, 0]);
  server.nowMs += 600_000;
  const tMs = server.nowMs;
  const started = scrape(tMs, { 500: 7 }).map(({ labels, samples }) => ({
    labels,
    samples: samples.map((sample) => ({ ...sample, startMs: tMs - 60_000 })),
  }));
  await f(started, 204, [1, 0, 0]);
  expect(await events()).toEqual({ good: 0, bad: 7, total: 7 });
});

test('unwanted, repeated, late, stale and NaN samples count as written, and so does what nobody reads', async () => {
  const labels = [['__name__', 'other']] as const;
  const histogram = {
    ...{ schema: 0, count: 3, zeroThreshold: 0, zeroCount: 3, positive: [], negative: [], customBounds: [] },
    resetHint: 'unknown',
  } as const;
  await f(scrape(NOON_MS, { 200: 100 }), 204, [1, 0, 0]);
  await f(scrape(NOON_MS, { 200: 100 }), 204, [1, 0, 0]);
  await f(scrape(NOON_MS - 15_000, { 200: 90 }), 204, [1, 0, 0]);
  await f(scrape(NOON_MS - 400 * 86_400_000, { 200: 90, 404: 1 }), 204, [2, 0, 0]);
  await f([{ labels, samples: [{ value: Number.NaN, timestampMs: NOON_MS }] }], 204, [1, 0, 0]);
  await f(scrape(NOON_MS + 1, { 200: Number.NaN }), 204, [1, 0, 0]);
  await f([{ ...up(0, NOON_MS), samples: [{ value: 0, timestampMs: NOON_MS, stale: true }] }], 204, [1, 0, 0]);
  await f([{ labels, samples: [], histograms: [{ histogram, timestampMs: NOON_MS }] }], 204, [0, 1, 0]);
  await f([{ labels, samples: [], exemplars: [exemplar, exemplar] }], 204, [0, 0, 2]);
  await f([{ ...up(1, NOON_MS), exemplars: [exemplar], metadata: { type: 1, help: 'Help.' } }], 204, [1, 0, 1]);
  await f([], 204, [0, 0, 0]);
});

test('samples of a replica that is not elected count as written', async () => {
  const of = (replica: string, value: number): WireSeries2[] => [
    {
      labels: [['__name__', 'requests'], ['__replica__', replica], ['cluster', 'eu'], ['code', '200'], ['job', 'api']], // biome-ignore format: a row
      samples: [{ value, timestampMs: server.nowMs }],
    },
  ];
  await f(of('a', 10), 204, [1, 0, 0]);
  await f(of('b', 11), 204, [1, 0, 0]);
  server.nowMs += 15_000;
  await f(of('a', 15), 204, [1, 0, 0]);
  await f(of('b', 12), 204, [1, 0, 0]);
  expect(await events()).toEqual({ good: 5, bad: 0, total: 5 });
});

test('what is refused does not count as written, and all the rest is applied', async () => {
  await f(scrape(NOON_MS, { 200: 100 }), 204, [1, 0, 0]);
  server.nowMs += 15_000;
  const tMs = server.nowMs;
  const nameless = { labels: [['job', 'api']] as const, samples: up(1, tMs).samples, exemplars: [exemplar] };
  await f(
    [
      ...scrape(NOON_MS, { 200: 99 }),
      ...scrape(tMs, { 200: 130 }),
      ...scrape(tMs + 3_600_000, { 404: 7 }, 'b'),
      nameless,
      { ...up(1, tMs), exemplars: [exemplar] },
    ],
    400,
    [2, 0, 1],
    '3 of 5 samples rejected: 1 missing_metric_name, 1 too_new, 1 conflict; all others were applied\n' +
      'too far in the future, 2026-01-01T13:00:15.000Z: requests{code="404", instance="b", job="api"}\n' +
      'no metric name: {job="api"}\n',
  );
  expect(await events()).toEqual({ good: 30, bad: 0, total: 30 });
  const metrics = (await (await server.get('/metrics')).text()).split('\n');
  const own = (line: string) => metrics.includes(line.replace('{', '{protocol="remote_write_2"'));
  expect(own('slipstream_samples_received_total{} 6')).toBe(true);
  expect(own('slipstream_samples_accepted_total{} 2')).toBe(true);
  expect(own('slipstream_samples_ignored_total{,reason="unmatched"} 1')).toBe(true);
  expect(own('slipstream_samples_ignored_total{,reason="conflict"} 0')).toBe(true);
  expect(own('slipstream_samples_rejected_total{,reason="conflict"} 1')).toBe(true);
  expect(metrics).toContain('slipstream_samples_received_total{protocol="remote_write_1"} 0');
});

test('the same conflict is no error by remote write 1.0, which has no words for it', async () => {
  await server.write(scrape(NOON_MS, { 200: 100 }));
  const response = await server.write(scrape(NOON_MS, { 200: 99 }));
  expect([response.status, written(response)]).toEqual([204, [null, null, null]]);
});

test('a request that is refused as a whole has written nothing', async () => {
  const good = compress(encodeRequest2(scrape(NOON_MS, { 200: 1 })));
  const refused = async (what: Promise<Response>, status: number, text: RegExp) => {
    const response = await what;
    const got = await response.text();
    expect([response.status, written(response)], got).toEqual([status, [0, 0, 0]]);
    expect(got).toMatch(text);
  };
  const headers = { 'content-type': TYPE };
  await refused(server.post(new Uint8Array(), headers), 400, /^empty_body: /);
  await refused(server.post('not snappy', headers), 400, /^malformed_snappy: /);
  await refused(server.post(compress(Uint8Array.of(0x2a, 9)), headers), 400, /^malformed_protobuf: /);
  await refused(
    server.post(compress(Uint8Array.of(0x22, 1, 0x61)), headers),
    400,
    /the first symbol is not the empty text/,
  );
  await refused(server.post(good, { ...headers, 'content-encoding': 'gzip' }), 415, /^unsupported_encoding: /);
  await refused(server.post(new Uint8Array(1_000_001), headers), 413, /^body_too_large: /);
  const series = Array.from({ length: 1_001 }, () => ({ labels: [], samples: [] }));
  await refused(server.post(compress(encodeRequest2(series)), headers), 413, /^too_many_series: /);
  expect((await server.json<SloState>('/api/v1/slos/api/availability')).sli).toBe(null);
  const other = await server.post(good, {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request',
  });
  expect([other.status, written(other)]).toEqual([415, [null, null, null]]);
});

test('a text has at most 1,024 bytes, however much is wrong', async () => {
  const bad = Array.from({ length: 50 }, (_, i) => ({
    labels: [['x', `${i} ${'ü'.repeat(400)}`] as const],
    samples: [{ timestampMs: NOON_MS, value: 1 }],
  }));
  const response = await post(bad);
  const text = await response.text();
  expect(text).toMatch(/^50 of 50 samples rejected: 50 missing_metric_name; /);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(1024);
  expect(written(response)).toEqual([0, 0, 0]);
});
