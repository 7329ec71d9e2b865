import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SAMPLE_STARTED, SAMPLE_WIDE } from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { RecordDecoder, RecordEncoder } from '../../src/store/journal-record.ts';
import { bodyOf, counter as counterMetric, ENCODINGS, nanos, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** Whole numbers of 64 bits, of which a double has 53: what they grow by is counted to the last one. */

const SLOS = [
  anSlo({
    sli: { kind: 'events', total: [counter('requests_total')], given: 'bad', selectors: [counter('none')] },
  }),
  anSlo({
    id: 'api/summary',
    sli: { kind: 'events', total: [counter('summary_count')], given: 'bad', selectors: [counter('none')] },
  }),
];
const INTERVAL_MS = 15_000;

const times = (step: number) => ({
  startTimeUnixNano: nanos(MIDNIGHT_MS - 86_400_000),
  timeUnixNano: nanos(MIDNIGHT_MS + step * INTERVAL_MS),
});

function message(value: bigint, step: number): object {
  return request([
    counterMetric('requests', [{ ...times(step), asInt: String(value) }]),
    { name: 'summary', summary: { dataPoints: [{ ...times(step), count: String(value), sum: 0 }] } },
  ]);
}

/** A counter from its first value on: at each step by how much it grew, or that it began anew at a value. */
const STORY = fc.record({
  first: fc.bigInt(2n ** 53n, 2n ** 63n - 2n ** 45n),
  steps: fc.array(
    fc.record({
      grow: fc.oneof(fc.bigInt(0n, 9n), fc.bigInt(0n, 3_000n), fc.bigInt(0n, 2n ** 40n)),
      again: fc.boolean(),
      restore: fc.boolean(),
    }),
    { minLength: 1, maxLength: 15 },
  ),
});

test('a counter above 2^53 grows by what it grew by, also after a restart and from a journal', () => {
  fc.assert(
    fc.property(STORY, fc.constantFrom(...ENCODINGS), ({ first, steps }, encoding) => {
      let engine = new Engine(SLOS);
      let receiver = new OtlpReceiver({ resolver: engine });
      const replayed = new Engine(SLOS);
      const decoder = new RecordDecoder();
      let encoder = new RecordEncoder(engine.table);
      let records = 0;
      let value = first;
      const send = (step: number): void => {
        const nowMs = MIDNIGHT_MS + step * INTERVAL_MS;
        const { batch } = receiver.read(bodyOf(message(value, step), encoding), encoding);
        const { changedRows, changedCount } = engine.ingest(batch, nowMs);
        if (changedCount === 0) return;
        decoder.decode(encoder.encode(batch, changedRows, changedCount, nowMs), ++records, replayed);
      };
      send(0);
      steps.forEach(({ grow, again, restore }, i) => {
        value += grow;
        send(i + 1);
        if (again) send(i + 1);
        if (!restore) return;
        const restored = new Engine(SLOS);
        restored.restore(engine.snapshot(), MIDNIGHT_MS);
        engine = restored;
        receiver = new OtlpReceiver({ resolver: engine });
        encoder = new RecordEncoder(engine.table);
      });
      const nowMs = MIDNIGHT_MS + (steps.length + 1) * INTERVAL_MS;
      const grown = Number(value - first);
      for (const each of [engine, replayed]) {
        const states = each.states(nowMs).map(({ events }) => events);
        expect(states).toEqual(SLOS.map(() => ({ good: grown, bad: 0, total: grown })));
      }
    }),
    { numRuns: 200 },
  );
});

test('a whole number that fits a double has no low part, and one that does not has what is missing', () => {
  const f = (text: string, value: number, low: number) => {
    for (const encoding of ENCODINGS) {
      const engine = new Engine(SLOS);
      const point = { timeUnixNano: nanos(MIDNIGHT_MS), asInt: text };
      const body = bodyOf(request([counterMetric('requests', [point])]), encoding);
      const { batch } = new OtlpReceiver({ resolver: engine }).read(body, encoding);
      expect([batch.values[0], batch.lows[0], batch.kinds[0]]).toEqual([
        value,
        low,
        low === 0 ? SAMPLE_STARTED : SAMPLE_WIDE,
      ]);
    }
  };
  f('9007199254740991', 2 ** 53 - 1, 0);
  f('9007199254740992', 2 ** 53, 0);
  f('9007199254740993', 2 ** 53, 1);
  f('9007199254740995', 2 ** 53 + 4, -1);
  f('1152921504606847103', 2 ** 60, 127);
  f('9223372036854775807', 2 ** 63, -1);
  f('9223372036854775295', 2 ** 63 - 1024, 511);
  f('-9007199254740993', -(2 ** 53), -1);
});

/** What becomes of a counter at 2^60 when its next value, sent as `next` says, arrives. */
function after(next: (engine: Engine) => void): { good: number; bad: number; total: number } {
  const engine = new Engine(SLOS);
  const receiver = new OtlpReceiver({ resolver: engine });
  engine.ingest(receiver.read(bodyOf(message(2n ** 60n + 100n, 0), 'protobuf'), 'protobuf').batch, MIDNIGHT_MS);
  next(engine);
  return engine.states(MIDNIGHT_MS + 10 * INTERVAL_MS)[0]!.events;
}

test('the next value by remote write, which is a double, counts from the whole number before', () => {
  const events = after((engine) => {
    const labels = { __name__: 'requests_total', instance: 'a', job: 'api' };
    const series = [
      { labels: Object.entries(labels), samples: [{ timestampMs: MIDNIGHT_MS + INTERVAL_MS, value: 2 ** 60 + 512 }] },
    ];
    const body = compress(encodeWriteRequest(series));
    engine.ingest(new RemoteWriteReceiver(engine).read(body, 'rw1').batch, MIDNIGHT_MS + INTERVAL_MS);
  });
  expect(events.total).toBe(412);
});

test('a fall by less than a double can tell is a fall: of two writers the higher one is kept', () => {
  const values = [2n ** 60n + 99n, 2n ** 60n + 101n];
  const events = after((engine) => {
    const receiver = new OtlpReceiver({ resolver: engine });
    values.forEach((value, i) => {
      const { batch } = receiver.read(bodyOf(message(value, i + 1), 'protobuf'), 'protobuf');
      const { writerConflict } = engine.ingest(batch, MIDNIGHT_MS + (i + 1) * INTERVAL_MS);
      expect(writerConflict).toBe(i === 0 ? 2 : 0);
    });
  });
  expect(events.total).toBe(1);
});
