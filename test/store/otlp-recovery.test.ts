import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { bodyOf, counter as counterMetric, DELTA, nanos, point, request } from '../support/otlp.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';

const SLOS: readonly Slo[] = [
  anSlo({
    sli: {
      kind: 'events',
      total: [counter('my.requests')],
      given: 'bad',
      selectors: [counter('my.requests', { 'my.code': /5../ })],
    },
  }),
  anSlo({ id: 'api/cumulative', sli: { kind: 'latency', histogram: counter('my.cumulative'), thresholdSeconds: 1.3 } }),
  anSlo({ id: 'api/delta', sli: { kind: 'latency', histogram: counter('my.delta'), thresholdSeconds: 1.3 } }),
  anSlo({ id: 'api/classic', sli: { kind: 'latency', histogram: counter('my.classic'), thresholdSeconds: 1 } }),
];

function message(step: number, restarted: boolean): object {
  const tMs = MIDNIGHT_MS + step * 15_000;
  const startMs = restarted ? MIDNIGHT_MS + 30_001 : MIDNIGHT_MS - 1;
  const times = { timeUnixNano: nanos(tMs) };
  const own = { ...times, startTimeUnixNano: nanos(startMs) };
  const last = { ...times, startTimeUnixNano: nanos(tMs - 15_000) };
  const counts = (n: number): object => ({ count: String(3 * n), positive: { offset: -1, bucketCounts: [n, 2 * n] } });
  const explicit = { count: '5', sum: 2, bucketCounts: ['2', '3'], explicitBounds: [1] };
  return request([
    counterMetric('my.requests', [
      point(tMs, 10 + 3 * step, { 'my.code': '200' }, startMs),
      point(tMs, step, { 'my.code': '500' }, startMs),
    ]),
    {
      name: 'my.cumulative',
      exponentialHistogram: { aggregationTemporality: 2, dataPoints: [{ ...own, ...counts(step + 1) }] },
    },
    {
      name: 'my.delta',
      exponentialHistogram: { aggregationTemporality: DELTA, dataPoints: [{ ...last, ...counts(step + 2) }] },
    },
    { name: 'my.classic', histogram: { aggregationTemporality: DELTA, dataPoints: [{ ...last, ...explicit }] } },
  ]);
}

test('the journal alone leads to the state that was acknowledged: deltas, starts, native histograms, original names', async () => {
  const dir = temporaryFolder();
  const store = Store.open(dir);
  const engine = new Engine(SLOS);
  const journal = new Journal(store, engine.table);
  const receiver = new OtlpReceiver({ resolver: engine });
  let nowMs = MIDNIGHT_MS;
  for (let step = 0; step < 8; step++) {
    nowMs = MIDNIGHT_MS + step * 15_000;
    for (const again of [false, step % 3 === 0]) {
      const { batch } = receiver.read(bodyOf(message(step - (again ? 1 : 0), step > 4), 'protobuf'), 'protobuf');
      journal.record(batch, engine.ingest(batch, nowMs), nowMs);
    }
    await store.committed();
  }
  store.close();

  const again = new Engine(SLOS);
  const reopened = Store.open(dir);
  recover(reopened, again, nowMs);
  reopened.close();
  const told = (each: Engine): unknown => each.states(nowMs + 10_000);
  expect(told(again)).toEqual(told(engine));
  for (const state of engine.states(nowMs + 10_000)) expect(state.events.total).toBeGreaterThan(20);
});
