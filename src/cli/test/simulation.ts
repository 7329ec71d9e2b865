import { SAMPLE_STALE, SAMPLE_VALUE, SampleBatch } from '../../engine/batch.ts';
import { Engine } from '../../engine/engine.ts';
import { builtInVerdict } from '../../engine/gate.ts';
import { encodeLabels, labelSet } from '../../engine/label-set.ts';
import type { Slo } from '../../engine/slo.ts';
import type { SloState } from '../../engine/state.ts';
import { differences } from './compare.ts';
import type { Expectation, InputSeries, Scenario, ScenarioTest } from './scenario.ts';
import { ValueCursor } from './series-values.ts';

/**
 * Runs a test on the real engine in simulated time, from one instant at which something is due to the next. At one
 * instant: deliveries, then actions, then the tick, then the expectations, each after an evaluation of its own.
 */

export interface Difference {
  readonly expectation: Expectation;
  readonly message: string;
}

/** Series that share interval and delay, so that finding what is due next does not cost a look at every series. */
interface Feed {
  readonly intervalMs: number;
  readonly delayMs: number;
  series: { readonly input: InputSeries; readonly cursor: ValueCursor; id: number }[];
  /** Of the next samples; Infinity when there are none. */
  timestampMs: number;
}

export function runTest(scenario: Scenario, test: ScenarioTest): Difference[] {
  const found: Difference[] = [];
  const feeds = feedsOf(test);
  const batch = new SampleBatch(Math.max(1, test.series.length));
  let { slos } = scenario;
  let engine = freshEngine(scenario, slos);
  register(engine, feeds);

  let tickMs = test.startMs;
  let action = 0;
  let next = 0;
  while (next < test.expectations.length) {
    const expectedMs = test.expectations[next]!.atMs;
    const actionMs = test.actions[action]?.atMs ?? Number.POSITIVE_INFINITY;
    let nowMs = Math.min(expectedMs, actionMs, tickMs);
    for (const feed of feeds) nowMs = Math.min(nowMs, feed.timestampMs + feed.delayMs);

    batch.clear();
    for (const feed of feeds) if (feed.timestampMs + feed.delayMs === nowMs) deliver(feed, batch);
    if (batch.length > 0) engine.ingest(batch, nowMs);

    for (; test.actions[action]?.atMs === nowMs; action++) {
      slos = test.actions[action]!.slos ?? slos;
      const snapshot = engine.snapshot();
      engine = freshEngine(scenario, slos);
      engine.restore(snapshot, nowMs);
      register(engine, feeds);
    }

    if (tickMs === nowMs) {
      engine.evaluate(nowMs);
      tickMs += scenario.evaluationIntervalMs;
    }

    for (; test.expectations[next]?.atMs === nowMs; next++) {
      engine.evaluate(nowMs);
      const expectation = test.expectations[next]!;
      for (const message of judge(engine, expectation, nowMs, test.tolerance)) found.push({ expectation, message });
    }
  }
  return found;
}

function freshEngine({ settleMs, staleAfterMs }: Scenario, slos: readonly Slo[]): Engine {
  return new Engine(slos, { settleMs, staleAfterMs });
}

function feedsOf(test: ScenarioTest): Feed[] {
  const feeds = new Map<string, Feed>();
  for (const input of test.series) {
    const { intervalMs, delayMs } = input;
    const cursor = new ValueCursor(input.runs);
    if (cursor.kind === null) continue;
    const key = `${intervalMs} ${delayMs}`;
    const feed = feeds.get(key) ?? { intervalMs, delayMs, series: [], timestampMs: test.startMs };
    feed.series.push({ input, cursor, id: -1 });
    feeds.set(key, feed);
  }
  return [...feeds.values()];
}

function register(engine: Engine, feeds: readonly Feed[]): void {
  for (const feed of feeds) {
    for (const series of feed.series) {
      const labels = labelSet(series.input.labels);
      series.id = engine.register(labels, encodeLabels(labels));
    }
  }
}

/** Adds the feed's samples of its present instant to the batch and moves it to the next one. */
function deliver(feed: Feed, batch: SampleBatch): void {
  let ended = 0;
  for (const { cursor, id } of feed.series) {
    if (cursor.kind === 'value') batch.push(id, feed.timestampMs, cursor.value, SAMPLE_VALUE);
    else if (cursor.kind === 'stale') batch.push(id, feed.timestampMs, Number.NaN, SAMPLE_STALE);
    cursor.advance();
    if (cursor.kind === null) ended++;
  }
  if (ended > 0) feed.series = feed.series.filter(({ cursor }) => cursor.kind !== null);
  feed.timestampMs = feed.series.length === 0 ? Number.POSITIVE_INFINITY : feed.timestampMs + feed.intervalMs;
}

function judge(engine: Engine, expectation: Expectation, nowMs: number, tolerance: number): string[] {
  const state = find(engine, expectation, nowMs);
  if (state === null) {
    const { group } = expectation;
    return [group === null ? 'slo: there is none at this time' : `group: there is no ${JSON.stringify(group)}`];
  }
  const { verdict } = builtInVerdict(state.service, [state]);
  return differences(expectation, state, verdict, tolerance);
}

function find(engine: Engine, { slo, group }: Expectation, nowMs: number): SloState | null {
  if (group === null) return engine.state(slo, nowMs);
  const wanted = Object.entries(group);
  const matches = (state: SloState): boolean =>
    state.id === slo && state.group !== undefined && wanted.every(([name, value]) => state.group![name] === value);
  return engine.states(nowMs).find(matches) ?? null;
}
