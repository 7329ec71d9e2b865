import { parseArgs } from 'node:util';
import Fastify from 'fastify';
import protobuf from 'protobufjs/light.js';
import { uncompress } from 'snappyjs';
import { FIRST_GAUGE, HANDLERS, jobOf, SHAPES } from '../../src/cli/bench/fleet.ts';
import { type BenchSlo, benchSlos } from '../../src/cli/bench/slos.ts';

/**
 * The naive twin: the service that one would write first. Fastify takes the body, snappyjs and protobufjs make objects of it, a
 * Map finds the series by its labels as text, and each window of an SLO is a ring of sixty buckets.
 *
 *     node dist/bench/servers/naive.js --port 9490 --slos 10 --services 10
 */

const WINDOWS_MS = [5, 30, 60, 120, 360, 1_440, 4_320, 43_200].map((minutes) => minutes * 60_000);
const BUCKETS = 60;

interface Sample {
  value: number;
  timestamp: number;
}

interface TimeSeries {
  labels: { name: string; value: string }[];
  samples: Sample[];
}

const root = protobuf.Root.fromJSON({
  nested: {
    WriteRequest: { fields: { timeseries: { rule: 'repeated', type: 'TimeSeries', id: 1 } } },
    TimeSeries: {
      fields: {
        labels: { rule: 'repeated', type: 'Label', id: 1 },
        samples: { rule: 'repeated', type: 'Sample', id: 2 },
      },
    },
    Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    Sample: { fields: { value: { type: 'double', id: 1 }, timestamp: { type: 'int64', id: 2 } } },
  },
});
const writeRequest = root.lookupType('WriteRequest');

class WindowRing {
  readonly #bucketMs: number;
  readonly #starts = new Array<number>(BUCKETS).fill(0);
  readonly #good = new Array<number>(BUCKETS).fill(0);
  readonly #total = new Array<number>(BUCKETS).fill(0);

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  add(timeMs: number, good: number, total: number): void {
    const number = Math.floor(timeMs / this.#bucketMs);
    const slot = number % BUCKETS;
    if (this.#starts[slot] !== number) {
      this.#starts[slot] = number;
      this.#good[slot] = 0;
      this.#total[slot] = 0;
    }
    this.#good[slot]! += good;
    this.#total[slot]! += total;
  }

  errorRatio(nowMs: number): number | null {
    const oldest = Math.floor(nowMs / this.#bucketMs) - BUCKETS;
    let good = 0;
    let total = 0;
    for (let slot = 0; slot < BUCKETS; slot++) {
      if (this.#starts[slot]! <= oldest) continue;
      good += this.#good[slot]!;
      total += this.#total[slot]!;
    }
    return total === 0 ? null : 1 - good / total;
  }
}

interface Slo {
  readonly id: string;
  readonly rings: readonly WindowRing[];
  lastMs: number;
}

/** What an increment of a series is to an SLO. */
interface Role {
  readonly slo: Slo;
  readonly good: number;
  readonly total: number;
}

interface Series {
  readonly roles: readonly Role[];
  value: number;
  timeMs: number;
}

function rolesOf(labels: ReadonlyMap<string, string>, slos: ReadonlyMap<string, [BenchSlo, Slo][]>): Role[] {
  const roles: Role[] = [];
  const name = labels.get('__name__');
  for (const [{ kind, handler }, slo] of slos.get(labels.get('job') ?? '') ?? []) {
    if (handler !== null && labels.get('handler') !== HANDLERS[handler]) continue;
    if (kind === 'availability' && name === SHAPES[0]!.name)
      roles.push({ slo, good: labels.get('code')!.startsWith('5') ? 0 : 1, total: 1 });
    if (kind === 'latency' && name === SHAPES[FIRST_GAUGE - 2]!.name) roles.push({ slo, good: 0, total: 1 });
    if (kind === 'latency' && name?.endsWith('_bucket') && labels.get('le') === '1')
      roles.push({ slo, good: 1, total: 0 });
  }
  return roles;
}

const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '9490' },
    slos: { type: 'string', default: '0' },
    services: { type: 'string', default: '1' },
  },
});
const byJob = new Map<string, [BenchSlo, Slo][]>();
const byId = new Map<string, Slo>();
for (const slo of benchSlos(Number(flags.slos), Number(flags.services))) {
  const rings = WINDOWS_MS.map((windowMs) => new WindowRing(windowMs));
  const kept: Slo = { id: slo.id, rings, lastMs: 0 };
  const job = jobOf(slo.serviceIndex);
  byJob.set(job, [...(byJob.get(job) ?? []), [slo, kept]]);
  byId.set(slo.id, kept);
}
const seriesByKey = new Map<string, Series>();

function ingest(body: Buffer): void {
  const { timeseries } = writeRequest.toObject(writeRequest.decode(uncompress(new Uint8Array(body))), {
    longs: Number,
  }) as { timeseries: TimeSeries[] };
  for (const { labels, samples } of timeseries) {
    const key = labels.map(({ name, value }) => `${name}=${value}`).join(',');
    let series = seriesByKey.get(key);
    for (const { value = 0, timestamp } of samples) {
      if (series === undefined) {
        const roles = rolesOf(new Map(labels.map((label) => [label.name, label.value])), byJob);
        series = { roles, value, timeMs: timestamp };
        seriesByKey.set(key, series);
        continue;
      }
      if (timestamp <= series.timeMs) continue;
      const increment = value >= series.value ? value - series.value : value;
      series.value = value;
      series.timeMs = timestamp;
      for (const { slo, good, total } of series.roles) {
        slo.lastMs = Math.max(slo.lastMs, timestamp);
        for (const ring of slo.rings) ring.add(timestamp, good * increment, total * increment);
      }
    }
  }
}

const app = Fastify({ bodyLimit: 32 * 1024 * 1024 });
app.addContentTypeParser('application/x-protobuf', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.get('/-/ready', () => 'ready');
app.post('/api/v1/write', (request, reply) => {
  ingest(request.body as Buffer);
  return reply.code(204).send();
});
app.get('/api/v1/slos/:service/:name', (request, reply) => {
  const { service, name } = request.params as { service: string; name: string };
  const slo = byId.get(`${service}/${name}`);
  if (slo === undefined) return reply.code(404).send({ error: 'no such SLO' });
  return { id: slo.id, errorRatios: slo.rings.map((ring) => ring.errorRatio(slo.lastMs)) };
});
await app.listen({ host: '127.0.0.1', port: Number(flags.port) });
