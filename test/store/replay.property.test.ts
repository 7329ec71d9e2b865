import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  SAMPLE_DELTA,
  SAMPLE_HISTOGRAM,
  SAMPLE_HISTOGRAM_DELTA,
  SAMPLE_STALE,
  SAMPLE_STARTED,
  SAMPLE_VALUE,
  SAMPLE_WIDE,
  SampleBatch,
} from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { decodeLabels, encodeLabels, formatSeries, labelSet } from '../../src/engine/label-set.ts';
import { readSnapshot } from '../../src/engine/snapshot.ts';
import { RecordDecoder, RecordEncoder } from '../../src/store/journal-record.ts';
import { binned } from '../support/histogram.ts';
import { anSlo, counter } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/**
 * Whatever a row is, replaying the journal leads to the state that applying the requests led to: counters, declared deltas,
 * start timestamps and native histograms, from single senders and from HA pairs that hand over.
 */

const SLOS = [
  anSlo(),
  anSlo({
    id: 'api/latency',
    name: 'latency',
    sli: { kind: 'latency', histogram: counter('latency', { job: 'api' }), thresholdSeconds: 0.3 },
  }),
  anSlo({
    id: 'api/throughput',
    name: 'throughput',
    sli: { kind: 'throughput', counter: counter('jobs', { job: 'api' }), bound: 'min', perSecond: 1, aggregate: 'sum' },
    slice: { ms: 60_000, text: '1m' },
  }),
];
const FAILOVER_MS = 30_000;

/** A scrape of one target by one replica; what the target shows is made of `dice`. */
interface Step {
  readonly waitMs: number;
  readonly lateMs: number;
  /** 0 is a sender of its own. */
  readonly replica: number;
  readonly kinds: readonly number[];
  readonly dice: readonly number[];
}

const KINDS = [SAMPLE_VALUE, SAMPLE_VALUE, SAMPLE_STARTED, SAMPLE_DELTA, SAMPLE_STALE, SAMPLE_WIDE, SAMPLE_WIDE];

const STEP: fc.Arbitrary<Step> = fc.record({
  waitMs: fc.constantFrom(0, 5_000, 15_000, 15_000, 15_000, 40_000, 400_000),
  lateMs: fc.constantFrom(0, 0, 0, 1_000, 20_000),
  replica: fc.constantFrom(0, 1, 1, 1, 2, 2),
  kinds: fc.array(fc.constantFrom(...KINDS), {
    minLength: 3,
    maxLength: 3,
  }),
  dice: fc.array(fc.nat(99), { minLength: 4, maxLength: 4 }),
});

/** What processes that are scraped count: it goes up, and begins anew now and then. */
class World {
  readonly #counters = new Map<string, { value: number; startMs: number }>();
  readonly #observations = new Map<string, number[]>();

  counter(key: string, grow: number, restart: boolean, tMs: number): { value: number; startMs: number } {
    const before = this.#counters.get(key) ?? { value: 1000, startMs: 0 };
    const now = restart ? { value: grow, startMs: tMs - 1_000 } : { ...before, value: before.value + grow };
    this.#counters.set(key, now);
    return now;
  }

  histogram(key: string, observed: number, restart: boolean) {
    const before = restart ? [] : (this.#observations.get(key) ?? []);
    const seen = [...before, 0.01 * observed, 2 ** (observed / 10)];
    this.#observations.set(key, seen);
    return binned(seen, { schema: 2, zeroThreshold: 2 ** -128, bounds: [] });
  }
}

function fill(batch: SampleBatch, engine: Engine, world: World, step: Step, tMs: number): void {
  batch.clear();
  const { replica, kinds, dice } = step;
  const sender = replica === 0 ? 0 : engine.replicas.senderOf('eu', `r${replica}`);
  // One replica sees less than the other.
  const lag = replica === 2 ? 150 : 0;
  const restart = dice[3]! < 8;
  const id = (name: string, more: Record<string, string>): number => {
    const labels = { __name__: name, job: 'api', instance: 'i', ...(replica > 0 && { cluster: 'eu' }), ...more };
    const set = labelSet(Object.entries(labels));
    return engine.register(set, encodeLabels(set));
  };
  const series = [
    id('requests', { code: '200' }),
    id('requests', { code: '500' }),
    id('jobs', {}),
    id('unmatched', { job: 'other' }),
  ];
  for (const [i, seriesId] of series.entries()) {
    const key = `${replica === 0}${i}`;
    const { value, startMs } = world.counter(key, dice[i % 3]! % 7 === 0 ? 0 : dice[i % 3]!, restart, tMs);
    const kind = kinds[i] ?? SAMPLE_VALUE;
    const shown = kind === SAMPLE_DELTA ? dice[i % 3]! : Math.max(0, value - lag);
    if (kind === SAMPLE_STALE) batch.push(seriesId, tMs, Number.NaN, kind);
    else if (kind === SAMPLE_DELTA) batch.pushStarted(seriesId, tMs, shown, kind, tMs - 15_000);
    else if (kind === SAMPLE_STARTED) batch.pushStarted(seriesId, tMs, shown, kind, startMs);
    else if (kind === SAMPLE_WIDE)
      batch.pushWide(seriesId, tMs, 2 ** 60 + (shown & ~0xff), (shown & 0xff) - 128, startMs);
    else batch.push(seriesId, tMs, shown, kind);
  }
  const latency = id('latency', {});
  const histogram = world.histogram(`${replica === 0}`, dice[0]!, restart);
  const behind = lag === 0 ? histogram : binned([0.2, 0.4], { schema: 2, zeroThreshold: 2 ** -128, bounds: [] });
  batch.pushHistogram(latency, tMs, dice[1]! < 50 ? histogram : behind, dice[2]! < 30 ? tMs - 20_000 : 0);
  const histogramKind = kinds[0] === SAMPLE_DELTA ? SAMPLE_HISTOGRAM_DELTA : SAMPLE_HISTOGRAM;
  batch.pushHistogram(id('latency', { code: '500' }), tMs, behind, tMs - 15_000, histogramKind);
  batch.senders.fill(sender, 0, batch.length);
  batch.hasSenders = sender !== 0;
}

/** Everything of a snapshot that does not depend on who was met first, and on what the journal leaves out on purpose. */
function state(engine: Engine, nowMs: number) {
  const states = engine.states(nowMs);
  const { targets, scopes, ledgers, series } = readSnapshot(engine.snapshot());
  const byName = Array.from(series, ({ labels, lastValue, lastLow, lastStartMs, histogram }) => ({
    name: formatSeries(decodeLabels(labels, 0, labels.length)),
    lastValue,
    lastLow,
    lastStartMs,
    histogram,
  }));
  return {
    states,
    targets: targets.sort((a, b) => (a.job < b.job ? -1 : 1)),
    scopes,
    ledgers,
    series: byName.sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

test('replaying the journal leads to the state that the requests led to, whatever their rows are', () => {
  let handOvers = 0;
  let resets = 0;
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 40 }), (steps) => {
      const options = { failoverMs: FAILOVER_MS };
      const live = new Engine(SLOS, options);
      const replayed = new Engine(SLOS, options);
      const encoder = new RecordEncoder(live.table);
      const decoder = new RecordDecoder();
      const world = new World();
      const batch = new SampleBatch(1);
      let nowMs = MIDNIGHT_MS;
      for (const [i, step] of steps.entries()) {
        nowMs += step.waitMs;
        fill(batch, live, world, step, nowMs - step.lateMs);
        const outcome = live.ingest(batch, nowMs);
        handOvers += outcome.writerConflict;
        resets += outcome.resets;
        if (outcome.changedCount === 0) continue;
        const record = encoder.encode(batch, outcome.changedRows, outcome.changedCount, nowMs);
        decoder.decode(record, i + 1, replayed);
      }
      const expected = state(live, nowMs + 60_000);
      const got = state(replayed, nowMs + 60_000);
      // Part by part: a difference in a ring would drown the others.
      expect(got.series).toEqual(expected.series);
      expect(got.targets).toEqual(expected.targets);
      expect(got.states).toEqual(expected.states);
      expect(got).toEqual(expected);
    }),
    { numRuns: 100 },
  );
  expect(handOvers).toBeGreaterThan(50);
  expect(resets).toBeGreaterThan(50);
});
