import { SAMPLE_DELTA, SAMPLE_STALE, SAMPLE_STARTED, SAMPLE_VALUE, SampleBatch } from '../../engine/batch.ts';
import { Engine } from '../../engine/engine.ts';
import { builtInVerdict } from '../../engine/gate.ts';
import { policyVerdict } from '../../engine/gate-policy.ts';
import { encodeLabels, labelSet } from '../../engine/label-set.ts';
import type { SloState } from '../../engine/state.ts';
import { differences, differencesWithoutState } from './compare.ts';
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
  series: FedSeries[];
  /** Of the next samples; Infinity when there are none. */
  timestampMs: number;
}

interface FedSeries {
  readonly input: InputSeries;
  readonly cursor: ValueCursor;
  id: number;
  /** Id of the replica that sends it; 0 when it is of no HA pair. */
  sender: number;
  /** Start timestamp of the next sample, 0 when it is unknown. */
  startMs: number;
}

export function runTest(scenario: Scenario, test: ScenarioTest): Difference[] {
  const found: Difference[] = [];
  const feeds = feedsOf(test);
  const batch = new SampleBatch(Math.max(1, test.series.length));
  const { slos, settleMs, staleAfterMs } = scenario;
  let engine = new Engine(slos, { settleMs, staleAfterMs });
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
      engine = engine.successor(test.actions[action]!.slos ?? engine.slos, nowMs);
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

function feedsOf(test: ScenarioTest): Feed[] {
  const feeds = new Map<string, Feed>();
  for (const input of test.series) {
    const { intervalMs, delayMs } = input;
    const cursor = new ValueCursor(input.runs);
    if (cursor.kind === null) continue;
    const key = `${intervalMs} ${delayMs}`;
    const feed = feeds.get(key) ?? { intervalMs, delayMs, series: [], timestampMs: test.startMs };
    feed.series.push({ input, cursor, id: -1, sender: 0, startMs: input.startMs ?? 0 });
    feeds.set(key, feed);
  }
  return [...feeds.values()];
}

function register(engine: Engine, feeds: readonly Feed[]): void {
  for (const feed of feeds) {
    for (const series of feed.series) {
      const labels = labelSet(series.input.labels);
      series.id = engine.register(labels, encodeLabels(labels));
      const { sender } = series.input;
      if (sender !== null) series.sender = engine.replicas.senderOf(sender.cluster, sender.replica);
    }
  }
}

/** Adds the feed's samples of its present instant to the batch and moves it to the next one. */
function deliver(feed: Feed, batch: SampleBatch): void {
  let ended = 0;
  for (const series of feed.series) {
    const { cursor } = series;
    if (cursor.kind !== 'omitted') push(batch, series, feed.timestampMs);
    cursor.advance();
    if (cursor.kind === null) ended++;
  }
  if (ended > 0) feed.series = feed.series.filter(({ cursor }) => cursor.kind !== null);
  feed.timestampMs = feed.series.length === 0 ? Number.POSITIVE_INFINITY : feed.timestampMs + feed.intervalMs;
}

function push(batch: SampleBatch, series: FedSeries, timestampMs: number): void {
  const { input, cursor, id, startMs } = series;
  if (cursor.kind === 'stale') batch.push(id, timestampMs, Number.NaN, SAMPLE_STALE);
  else if (cursor.kind === 'histogram') batch.pushHistogram(id, timestampMs, cursor.histogram!, startMs);
  else if (input.delta) {
    batch.pushStarted(id, timestampMs, cursor.value, SAMPLE_DELTA, startMs);
    // The next increment begins where this one ended.
    if (input.startMs !== null) series.startMs = timestampMs;
  } else if (input.startMs !== null) batch.pushStarted(id, timestampMs, cursor.value, SAMPLE_STARTED, startMs);
  else batch.push(id, timestampMs, cursor.value, SAMPLE_VALUE);
  batch.senders[batch.length - 1] = series.sender;
  if (series.sender !== 0) batch.hasSenders = true;
}

function judge(engine: Engine, expectation: Expectation, nowMs: number, tolerance: number): string[] {
  const { slo: id, group, policy } = expectation;
  const slo = engine.slos.find((candidate) => candidate.id === id);
  if (slo === undefined) {
    const verdict = policy === null ? 'unknown' : policyVerdict(policy, engine, nowMs).verdict;
    return differencesWithoutState(expectation, 'slo: there is none at this time', true, verdict);
  }
  const all = engine.statesOf(id, nowMs)!;
  const states = group === null ? all : all.filter((state) => isOf(state, group));
  const { verdict } = policy === null ? builtInVerdict(slo.service, states) : policyVerdict(policy, engine, nowMs);
  const [state] = states;
  if (slo.groupBy.length > 0 && group === null) {
    const why = `group: must be given, the SLO is grouped by ${slo.groupBy.join(', ')}`;
    return differencesWithoutState(expectation, why, false, verdict);
  }
  if (state === undefined) return differencesWithoutState(expectation, noGroup(group!, all), true, verdict);
  if (states.length > 1) {
    const why = `group: ${JSON.stringify(group)} are ${states.length} groups; say more of ${slo.groupBy.join(', ')}`;
    return differencesWithoutState(expectation, why, false, verdict);
  }
  return differences(expectation, state, verdict, tolerance);
}

function isOf({ group }: SloState, wanted: Readonly<Record<string, string>>): boolean {
  return group !== undefined && Object.entries(wanted).every(([name, value]) => group[name] === value);
}

const GROUPS_SHOWN_MAX = 5;

function noGroup(wanted: Readonly<Record<string, string>>, states: readonly SloState[]): string {
  const groups = states.flatMap(({ group }) => (group === undefined ? [] : [JSON.stringify(group)]));
  const shown = groups.slice(0, GROUPS_SHOWN_MAX).join(', ');
  const more = groups.length > GROUPS_SHOWN_MAX ? `, and ${groups.length - GROUPS_SHOWN_MAX} more` : '';
  return `group: there is no ${JSON.stringify(wanted)}${groups.length === 0 ? '' : `; there are ${shown}${more}`}`;
}
