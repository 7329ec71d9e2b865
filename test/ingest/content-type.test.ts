import { expect, test } from 'vitest';
import { isSnappyEncoding, remoteWriteProtocol } from '../../src/ingest/content-type.ts';

test('the content type decides which protocol a body is read by', () => {
  const f = (header: string | undefined, expected: string | null) => expect(remoteWriteProtocol(header)).toBe(expected);
  f(undefined, 'rw1');
  f('', 'rw1');
  f('application/x-protobuf', 'rw1');
  f('Application/X-Protobuf', 'rw1');
  f(' application/x-protobuf ', 'rw1');
  f('application/x-protobuf;', 'rw1');
  f('application/x-protobuf; charset=utf-8', 'rw1');
  f('application/x-protobuf;proto=prometheus.WriteRequest', 'rw1');
  f('application/x-protobuf;proto=io.prometheus.write.v2.Request', 'rw2');
  f('application/x-protobuf; proto=io.prometheus.write.v2.Request', 'rw2');
  f('application/x-protobuf \t;\t PROTO="io.prometheus.write.v2.Request"', 'rw2');
  f('application/x-protobuf; proto="io.prometheus.write.v2\\.Request"; q=1', 'rw2');
});

test('any other content type is not read', () => {
  const f = (header: string) => expect(remoteWriteProtocol(header)).toBe(null);
  f('application/json');
  f('application/x-protobufs');
  f('application/x-protobuf;proto=io.prometheus.write.v3.Request');
  f('application/x-protobuf;proto=');
  f('application/x-protobuf;proto=prometheus.WriteRequest;proto=io.prometheus.write.v2.Request');
  f('application/x-protobuf;proto = prometheus.WriteRequest');
  f('application/x-protobuf, application/json');
  f('application/x-protobuf;proto="prometheus.WriteRequest');
  f('x-protobuf');
});

test('only snappy is read, which is also what a missing encoding means', () => {
  const f = (header: string | undefined, expected: boolean) => expect(isSnappyEncoding(header)).toBe(expected);
  f(undefined, true);
  f('', true);
  f('snappy', true);
  f(' Snappy ', true);
  f('gzip', false);
  f('zstd', false);
  f('identity', false);
  f('snappy, gzip', false);
});
