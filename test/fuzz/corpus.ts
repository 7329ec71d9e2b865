import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeRequest2, type WireSeries2 } from '../../src/ingest/remote-write-2-schema.ts';
import { encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { bodyOf, counter as counterMetric, DELTA, nanos, point, request } from '../support/otlp.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** Valid messages, one of each shape that a reader tells apart; the files in corpus/ are what `build` makes. */

export const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
export const FOLDER = path.resolve(import.meta.dirname, 'corpus');

export const PROTOCOLS = ['rw1', 'rw2', 'otlp-protobuf', 'otlp-json', 'otlp-gzip', 'events'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Those of `corpus/`: `<protocol>.<shape>`. */
export function corpus(protocol: Protocol): Uint8Array[] {
  const names = readdirSync(FOLDER).filter((name) => name.startsWith(`${protocol}.`));
  return names.sort().map((name) => new Uint8Array(readFileSync(path.join(FOLDER, name))));
}

const labels = (name: string, more: Record<string, string> = {}): [string, string][] =>
  Object.entries({ __name__: name, instance: 'z', job: 'evil', ...more });

const SERIES: Record<string, WireSeries2[]> = {
  counters: ['200', '404', '500', 'ünïcødé 🦥'].map((code) => ({
    labels: labels('victim', { code }),
    samples: [0, 15_000, 30_000].map((ms, i) => ({ timestampMs: NOON_MS + ms, value: 10 * i, startMs: NOON_MS - 1 })),
    metadata: { type: 1, help: 'How many.', unit: '1' },
  })),
  stale: [
    { labels: labels('victim', { __replica__: 'a', cluster: 'c' }), samples: [{ timestampMs: NOON_MS, value: 1 }] },
    { labels: labels('victim'), samples: [{ timestampMs: NOON_MS, value: 0, stale: true }] },
    { labels: labels('victim', { code: '503' }), samples: [], exemplars: [{ labels: [], value: 1, timestampMs: 1 }] },
  ],
  histograms: [0, 1].map((i) => ({
    labels: labels('seconds', { i: String(i) }),
    samples: [],
    histograms: [
      {
        timestampMs: NOON_MS,
        sum: 12.5,
        histogram: {
          schema: 3,
          count: 9,
          zeroThreshold: 1e-9,
          zeroCount: i,
          positive: [
            [-2, 3],
            [0, 4],
            [9, 2 - i],
          ],
          negative: [],
          customBounds: [],
          resetHint: 'unknown',
        },
      },
    ],
  })),
};

const points = [0, 15_000, 30_000].map((ms, i) => point(NOON_MS + ms, 10 * i, { code: '200', b: true }, NOON_MS - 1));
const RESOURCE = { 'service.name': 'evil', 'service.instance.id': 'z', list: ['a', 1, { deep: [null] }] };
const timed = { startTimeUnixNano: nanos(NOON_MS - 60_000), timeUnixNano: nanos(NOON_MS) };

const METRICS: Record<string, object[]> = {
  sums: [
    counterMetric('victim', points),
    counterMetric('victim.delta', points, DELTA),
    { name: 'temperature', unit: 's', gauge: { dataPoints: [point(NOON_MS, 1.5)] } },
  ],
  histograms: [
    {
      name: 'seconds',
      unit: 's',
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{ ...timed, count: '6', sum: 3.5, bucketCounts: ['1', '2', '3'], explicitBounds: [0.5, 1] }],
      },
    },
    {
      name: 'exponential',
      exponentialHistogram: {
        aggregationTemporality: DELTA,
        dataPoints: [
          {
            ...timed,
            count: '7',
            sum: 1,
            scale: 3,
            zeroCount: '1',
            positive: { offset: -4, bucketCounts: ['1', '5'] },
          },
        ],
      },
    },
    {
      name: 'summary',
      summary: { dataPoints: [{ ...timed, count: '2', sum: 3, quantileValues: [{ quantile: 0.5, value: 1 }] }] },
    },
  ],
};

const EVENTS: Record<string, object[]> = {
  plain: [
    { slo: 'victim/pushed', good: 10, bad: 1, timestamp: '2026-01-01T12:00:00Z', id: 'run-1' },
    { slo: 'victim/pushed', good: 0.5, bad: 0, timestamp: NOON_MS / 1000 },
    { slo: 'victim/pushed', bad: 2, id: 'ünïcødé 🦥' },
  ],
  grouped: ['eu', 'us', ''].map((region, i) => ({
    slo: 'victim/regions',
    group: { region },
    good: i,
    bad: 1,
    id: `r${i}`,
  })),
};

export function build(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [shape, series] of Object.entries(SERIES)) {
    files.set(`rw1.${shape}`, encodeWriteRequest(series));
    files.set(`rw2.${shape}`, encodeRequest2(series));
  }
  for (const [shape, metrics] of Object.entries(METRICS)) {
    const message = request(metrics, RESOURCE, { name: 'scope', version: '1' });
    files.set(`otlp-protobuf.${shape}`, bodyOf(message, 'protobuf'));
    files.set(`otlp-json.${shape}`, bodyOf(message, 'json'));
    files.set(`otlp-gzip.${shape}`, gzipSync(bodyOf(message, 'protobuf')));
  }
  for (const [shape, events] of Object.entries(EVENTS)) {
    files.set(`events.${shape}`, new TextEncoder().encode(JSON.stringify(events)));
  }
  // A body in two members, and an empty one behind.
  const parts = [files.get('otlp-protobuf.sums')!, new Uint8Array(), files.get('otlp-protobuf.histograms')!];
  files.set('otlp-gzip.members', Buffer.concat(parts.map((part) => gzipSync(part))));
  return files;
}
