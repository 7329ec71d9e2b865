import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import type { Sample } from '../support/feed.ts';
import { bodyOf, counter as counterMetric, DELTA, ENCODINGS, nanos, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { type Delivery, STORY } from '../support/story.ts';

/** A budget must not depend on how its samples arrive, to the last bit. */

const SLO = anSlo({
  sli: {
    kind: 'events',
    total: [counter('requests_total', { job: 'api' })],
    given: 'bad',
    selectors: [counter('requests_total', { code: /5../ })],
  },
});

/** Every sample in a resource of its own, in the order of the delivery. */
function otlpOf(samples: readonly Sample[]): object {
  return {
    resourceMetrics: samples.flatMap(({ labels, tMs, value, startMs, delta }) => {
      const dataPoint = {
        timeUnixNano: nanos(tMs),
        ...(startMs !== undefined && { startTimeUnixNano: nanos(startMs) }),
        ...(value === 'stale' ? { flags: 1 } : { asDouble: value }),
        attributes: [{ key: 'code', value: { stringValue: labels['code']! } }],
      };
      const metric = counterMetric('requests', [dataPoint], delta ? DELTA : undefined);
      const resource = { 'service.name': labels['job']!, 'service.instance.id': labels['instance']! };
      return (request([metric], resource) as { resourceMetrics: object[] }).resourceMetrics;
    }),
  };
}

function remoteWriteOf(samples: readonly Sample[]): Uint8Array {
  const series = samples.map(({ labels, tMs, value }) => ({
    labels: Object.entries({ ...labels, __name__: 'requests_total' }).sort(([a], [b]) => (a < b ? -1 : 1)),
    samples: [{ timestampMs: tMs, value: value === 'stale' ? 0 : value, stale: value === 'stale' }],
  }));
  return compress(encodeWriteRequest(series));
}

type Way = 'remote write' | 'protobuf' | 'json';

/** The states after each delivery, as text: equal texts are equal bits. */
function told(story: readonly Delivery[], ways: readonly Way[]): string {
  const engine = new Engine([SLO]);
  const remoteWrite = new RemoteWriteReceiver(engine);
  const otlp = new OtlpReceiver({ resolver: engine });
  return story
    .map(({ arrivedMs, samples }, i) => {
      const way = ways[i % ways.length]!;
      const { batch } =
        way === 'remote write'
          ? remoteWrite.read(remoteWriteOf(samples), 'rw1')
          : otlp.read(bodyOf(otlpOf(samples), way), way);
      engine.ingest(batch, arrivedMs);
      return JSON.stringify(engine.states(arrivedMs + 5_000));
    })
    .join('\n');
}

test('the same story gives the same states by remote write, OTLP protobuf, OTLP JSON, and all in turn', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const expected = told(story, ['remote write']);
      for (const encoding of ENCODINGS) expect(told(story, [encoding])).toBe(expected);
      expect(told(story, ['remote write', 'protobuf', 'json', 'json', 'protobuf'])).toBe(expected);
    }),
    { numRuns: 40 },
  );
});

/** A story of deltas: what each interval added, and which requests are sent again, at once or after the next one. */
const DELTAS = fc.array(
  fc.record({ good: fc.nat(50), bad: fc.nat(5), again: fc.constantFrom('never', 'at once', 'later') }),
  { minLength: 1, maxLength: 30 },
);

test('deltas add up to what was sent, however often requests are sent again', () => {
  const t0 = Date.UTC(2026, 0, 1);
  fc.assert(
    fc.property(DELTAS, fc.constantFrom(...ENCODINGS), (steps, encoding) => {
      const engine = new Engine([SLO]);
      const receiver = new OtlpReceiver({ resolver: engine });
      const send = (step: number): void => {
        const { good, bad } = steps[step]!;
        const tMs = t0 + step * 10_000;
        const of = (code: string, value: number): Sample => ({
          labels: { job: 'api', instance: 'a', code },
          tMs,
          value,
          startMs: tMs - 10_000,
          delta: true,
        });
        engine.ingest(receiver.read(bodyOf(otlpOf([of('200', good), of('500', bad)]), encoding), encoding).batch, tMs);
      };
      steps.forEach(({ again }, step) => {
        send(step);
        if (again === 'at once') send(step);
        if (steps[step - 1]?.again === 'later') send(step - 1);
      });
      const sum = (of: 'good' | 'bad'): number => steps.reduce((total, step) => total + step[of], 0);
      const { events } = engine.state(SLO.id, t0 + steps.length * 10_000)!;
      expect(events).toEqual({ good: sum('good'), bad: sum('bad'), total: sum('good') + sum('bad') });
    }),
    { numRuns: 100 },
  );
});
