import { gzipSync } from 'node:zlib';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { SloState } from '../../src/engine/state.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { bodyOf, counter as counterMetric, DELTA, nanos, point, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const EXPORT = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
const SLO = anSlo({
  sli: {
    kind: 'events',
    total: [counter('requests_total', { job: 'api' })],
    given: 'bad',
    selectors: [counter('requests_total', { code: /5../ })],
  },
});

let server: TestServer;
let client: Client;

beforeEach(async () => {
  const grpc = { host: '127.0.0.1', port: 0 };
  server = await TestServer.start(
    NOON_MS,
    [SLO],
    { journalQueueBytesMax: 10_000_000 },
    { http: null, grpc, promoteResourceAttributes: [] },
  );
  client = new Client(`127.0.0.1:${server.service.otlp.grpcPort}`, credentials.createInsecure());
});

afterEach(async () => {
  client.close();
  await server.stop();
});

const same = (bytes: Buffer): Buffer => bytes;

function call(body: Uint8Array, path = EXPORT, metadata = new Metadata()): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, same, same, Buffer.from(body), metadata, (error, answer) => {
      if (error === null) resolve(answer!);
      else reject(error);
    });
  });
}

async function refusal(body: Uint8Array): Promise<ServiceError> {
  return call(body).then(
    () => Promise.reject(new Error('it was accepted')),
    (error: ServiceError) => error,
  );
}

function cumulative(good: number, bad: number, tMs: number): object {
  const points = [point(tMs, good, { code: '200' }), point(tMs, bad, { code: '500' })];
  return request([counterMetric('requests', points)]);
}

test('what gRPC brings has the same effect as over HTTP, to the last bit', async () => {
  const engine = new Engine([SLO], { settleMs: 5_000, staleAfterMs: 300_000 });
  const receiver = new OtlpReceiver({ resolver: engine });
  for (let step = 0; step < 10; step++) {
    server.nowMs = NOON_MS + step * 15_000;
    const message = cumulative(step === 5 ? 3 : 7 * step, step >> 1, server.nowMs);
    expect((await call(bodyOf(message, 'protobuf'))).length).toBe(0);
    engine.ingest(receiver.read(bodyOf(message, 'json'), 'json').batch, server.nowMs);
  }
  server.nowMs += 5_000;
  const { slos } = await server.json<{ slos: SloState[] }>('/api/v1/slos');
  expect(JSON.stringify(slos)).toBe(JSON.stringify(engine.states(server.nowMs)));
  expect(slos[0]!.events.total).toBeGreaterThan(0);
});

test('compressed calls and empty ones are read', async () => {
  const metadata = new Metadata();
  metadata.set('grpc-internal-encoding-request', 'gzip');
  const compressing = new Client(`127.0.0.1:${server.service.otlp.grpcPort}`, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': 2,
  });
  const plain = client;
  client = compressing;
  expect((await call(bodyOf(cumulative(1, 1, NOON_MS), 'protobuf'))).length).toBe(0);
  expect((await call(new Uint8Array())).length).toBe(0);
  compressing.close();
  client = plain;
  const text = await (await server.get('/metrics')).text();
  expect(text).toContain('slipstream_samples_received_total{protocol="otlp"} 2\n');
  expect(text).toContain(`slipstream_http_requests_total{route="${EXPORT}",code="200"} 2\n`);
});

test('a partial success says how much was rejected', async () => {
  const message = request([counterMetric('requests', [{ timeUnixNano: nanos(NOON_MS) }, point(NOON_MS, 1)], DELTA)]);
  const answer = await call(bodyOf(message, 'protobuf'));
  expect(answer.subarray(2, 4)).toEqual(Buffer.from([0x08, 1]));
  expect(answer.toString()).toContain('1 of 2 data points rejected: 1 missing_value');
});

test('what can never succeed is INVALID_ARGUMENT or RESOURCE_EXHAUSTED, without a hint to retry', async () => {
  const malformed = await refusal(Uint8Array.of(0x0a, 0x05));
  expect([malformed.code, malformed.details]).toEqual([
    3,
    'malformed_protobuf: malformed protobuf at byte 1: a length of 5, 0 bytes are left',
  ]);
  expect(malformed.metadata.get('grpc-status-details-bin')).toEqual([]);
  const large = await refusal(new Uint8Array(4_000_001));
  expect(large.code).toBe(8);
  const many = Array.from({ length: 10_001 }, () => ({}));
  const tooMany = await refusal(bodyOf(request([counterMetric('m', many)]), 'protobuf'));
  expect([tooMany.code, tooMany.details]).toEqual([
    8,
    'too_many_samples: the request has more than 10000 data points and buckets',
  ]);
  const unknown = await call(new Uint8Array(), '/opentelemetry.proto.collector.trace.v1.TraceService/Export').catch(
    (error: ServiceError) => error.code,
  );
  expect(unknown).toBe(12);
});

test('a compressed bomb is RESOURCE_EXHAUSTED', async () => {
  const compressing = new Client(`127.0.0.1:${server.service.otlp.grpcPort}`, credentials.createInsecure(), {
    'grpc.default_compression_algorithm': 2,
  });
  const plain = client;
  client = compressing;
  expect(gzipSync(Buffer.alloc(50_000_000)).length).toBeLessThan(4_000_000);
  expect((await refusal(Buffer.alloc(50_000_000))).code).toBe(8);
  compressing.close();
  client = plain;
  expect((await call(new Uint8Array())).length).toBe(0);
});

test('when too much waits for the disk, a sender is told when to come again', async () => {
  await server.stop();
  server = await TestServer.start(
    NOON_MS,
    [SLO],
    { journalQueueBytesMax: -1 },
    { http: null, grpc: { host: '127.0.0.1', port: 0 }, promoteResourceAttributes: [] },
  );
  client.close();
  client = new Client(`127.0.0.1:${server.service.otlp.grpcPort}`, credentials.createInsecure());
  const error = await refusal(bodyOf(cumulative(1, 1, NOON_MS), 'protobuf'));
  expect(error.code).toBe(14);
  const [details] = error.metadata.get('grpc-status-details-bin') as Buffer[];
  // RetryInfo{retry_delay: {seconds: 5}} in an Any.
  expect(details!.subarray(-6)).toEqual(Buffer.from([0x12, 0x04, 0x0a, 0x02, 0x08, 0x05]));
  expect(details!.toString('latin1')).toContain('type.googleapis.com/google.rpc.RetryInfo');
  const http = await fetch(`${server.service.url}/v1/metrics`, {
    method: 'POST',
    body: bodyOf(cumulative(1, 1, NOON_MS), 'protobuf'),
    headers: { 'content-type': 'application/x-protobuf' },
  });
  expect([http.status, http.headers.get('retry-after')]).toEqual([503, '5']);
});
