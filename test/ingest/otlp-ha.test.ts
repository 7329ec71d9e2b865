import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { decodeSeries, formatSeries } from '../../src/engine/label-set.ts';
import type { HaLabels } from '../../src/ingest/new-series.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { type Attributes, bodyOf, counter as counterMetric, DELTA, point, RESOURCE, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** HA pairs whose replicas send OTLP: the labels that tell them apart are attributes, of the resource or of the points. */

const LABELS: HaLabels = { clusterLabel: 'cluster', replicaLabel: '__replica__' };
const SLO = anSlo({
  sli: {
    kind: 'events',
    total: [counter('requests_total')],
    given: 'bad',
    selectors: [counter('requests_total', { code: /5../ })],
  },
});
const T = MIDNIGHT_MS;

function server(ha: HaLabels | null = LABELS, promoted: readonly string[] = []) {
  const engine = new Engine([SLO]);
  const receiver = new OtlpReceiver({ resolver: engine, ha, promoted });
  const read = (message: object) => receiver.read(bodyOf(message, 'protobuf'), 'protobuf');
  return {
    engine,
    read,
    write: (nowMs: number, message: object) => engine.ingest(read(message).batch, nowMs),
    /** Who sent each row. */
    senders: (message: object): [series: string, sender: number][] => {
      const { batch } = read(message);
      return Array.from({ length: batch.length }, (_, row) => {
        const labels = engine.table.labelBytes(batch.seriesIds[row]!);
        return [formatSeries(decodeSeries(labels).labels), batch.hasSenders ? batch.senders[row]! : 0];
      });
    },
    events: (nowMs: number) => engine.state(SLO.id, nowMs)!.events,
  };
}

const pair = (replica: string, cluster = 'eu'): Attributes => ({ cluster, __replica__: replica });

/** The counters of one scrape by code. */
function scrape(tMs: number, counts: Record<string, number>, resource: Attributes, ofPoint: Attributes = {}): object {
  const points = Object.entries(counts).map(([code, value]) => point(tMs, value, { code, ...ofPoint }));
  return request([counterMetric('requests', points)], { ...RESOURCE, ...resource });
}

test('a replica is no label of its series, wherever its attributes stand', () => {
  const name = 'requests_total{cluster="eu", code="200", instance="a", job="api"}';
  const f = (resource: Attributes, ofPoint: Attributes, promoted: readonly string[] = []) => {
    const { senders, engine } = server(LABELS, promoted);
    for (let i = 0; i < 3; i++) {
      expect(senders(scrape(T, { 200: 1 }, { ...resource, ...resource }, ofPoint))).toEqual([[name, 1]]);
    }
    expect(engine.table.size).toBe(1);
    const { originals } = decodeSeries(engine.table.labelBytes(0));
    expect(originals?.names.includes('__replica__')).toBe(false);
  };
  f(pair('a'), {});
  f({}, pair('a'));
  f({ cluster: 'eu' }, { __replica__: 'a' });
  f({ __replica__: 'a' }, { cluster: 'eu' });
  f(pair('a'), {}, ['cluster', '__replica__']);
  f(pair('a'), {}, ['cluster']);
});

test('without both attributes, or with the election off, nothing is different', () => {
  const f = (resource: Attributes, ofPoint: Attributes, ha: HaLabels | null, labels: string) => {
    const { senders, write } = server(ha);
    expect(senders(scrape(T, { 200: 1 }, resource, ofPoint))).toEqual([[`requests_total{${labels}}`, 0]]);
    expect(write(T, scrape(T, { 200: 1 }, resource, ofPoint)).haReplica).toBe(0);
  };
  const rest = 'code="200", instance="a", job="api"';
  f({ cluster: 'eu' }, {}, LABELS, rest);
  f({ __replica__: 'a' }, {}, LABELS, rest);
  f({}, { cluster: 'eu' }, LABELS, `cluster="eu", ${rest}`);
  f({}, { __replica__: 'a' }, LABELS, `__replica__="a", ${rest}`);
  f(pair('a'), {}, null, rest);
  f({ cluster: '', __replica__: 'a' }, {}, LABELS, rest);
});

test('the labels are those that the server file names, after translation', () => {
  const { senders } = server({ clusterLabel: 'k8s_cluster_name', replicaLabel: 'prometheus_replica' });
  const resource = { 'k8s.cluster.name': 'eu', 'prometheus.replica': 'b' };
  expect(senders(scrape(T, { 200: 1 }, resource))).toEqual([
    ['requests_total{code="200", instance="a", job="api", k8s_cluster_name="eu"}', 1],
  ]);
});

test('one replica of each cluster counts, and the next one after its silence; two clocks are no reset', () => {
  const { write, events } = server();
  let total = 0;
  for (let i = 0; i < 10; i++) {
    const tMs = T + i * 15_000;
    total = 100 + 10 * i;
    if (i < 5) expect(write(tMs, scrape(tMs, { 200: total }, pair('a'))).haReplica).toBe(0);
    // The other one sees a little less, at another instant, and is elected once the first has been silent for 30 s.
    const { haReplica, resets } = write(tMs, scrape(tMs + 7_000, { 200: total - 3 }, pair('b')));
    expect([haReplica, resets]).toEqual([i < 7 ? 1 : 0, 0]);
  }
  expect(events(T + 10 * 15_000 + 5_000)).toEqual({ good: 87, bad: 0, total: 87 });
});

test('deltas of two replicas count once', () => {
  const { write, events } = server();
  for (let i = 1; i <= 5; i++) {
    for (const replica of ['a', 'b']) {
      const tMs = T + i * 10_000;
      const points = [point(tMs, 7, { code: '500' }, tMs - 10_000)];
      write(tMs, request([counterMetric('requests', points, DELTA)], { ...RESOURCE, ...pair(replica) }));
    }
  }
  expect(events(T + 60_000)).toEqual({ good: 0, bad: 35, total: 35 });
});

test('a pair is the same by remote write and by OTLP', () => {
  const { engine, write, events } = server();
  const remoteWrite = new RemoteWriteReceiver(engine, {}, LABELS);
  const labels: [string, string][] = Object.entries({
    __name__: 'requests_total',
    __replica__: 'a',
    cluster: 'eu',
    code: '200',
    instance: 'a',
    job: 'api',
  });
  for (let i = 0; i < 4; i++) {
    const tMs = T + i * 15_000;
    const body = compress(encodeWriteRequest([{ labels, samples: [{ timestampMs: tMs, value: 10 * i }] }]));
    engine.ingest(remoteWrite.read(body, 'rw1').batch, tMs);
    expect(write(tMs, scrape(tMs + 1, { 200: 10 * i }, pair('b'))).haReplica).toBe(1);
  }
  expect(engine.table.size).toBe(1);
  expect(events(T + 60_000).total).toBe(30);
});

test('points of more clusters than are told apart are rejected, and the others are not', () => {
  const { write, read } = server();
  for (let i = 0; i < 100; i++) write(T, scrape(T, { 200: 1 }, pair('a', `c${i}`)));
  const { rejections, pointCount } = read(scrape(T, { 200: 1, 500: 1 }, pair('a', 'c100')));
  expect([rejections.samples.ha_limit, pointCount]).toEqual([2, 0]);
  expect(rejections.examples[0]).toBe('more clusters than are told apart: requests');
  expect(read(scrape(T, { 200: 1 }, pair('a', 'c99'))).pointCount).toBe(1);
});
