import { Bench } from 'tinybench';
import { jobOf } from '../src/cli/bench/fleet.ts';
import { SAMPLE_VALUE, SampleBatch } from '../src/engine/batch.ts';
import { burnRate } from '../src/engine/burn-rate.ts';
import { duration, formatDuration } from '../src/engine/duration.ts';
import { Engine } from '../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../src/engine/label-set.ts';
import { Ring, RingBlocks } from '../src/engine/ring.ts';
import { benchOptions } from './harness.ts';
import { slosOf } from './slos.ts';

/**
 * The cost of one thing at a time: an event into a ring and a sum out of it, for a short and a long window, and a tick over
 * many SLOs. A long window must cost what a short one costs.
 */

const options = benchOptions();
const START_MS = 1_767_225_600_000;
const bench = new Bench({ time: options.smoke ? 5 : 500, warmupTime: options.smoke ? 1 : 100 });
const EVENTS = 1_000;

// One ring, as an SLO of 90 days has it: reading the short window and the long one.
const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '90d'].map((text) => duration(text).ms);
const ring = Ring.of(WINDOWS);
let tMs = START_MS;
for (; tMs < START_MS + WINDOWS.at(-1)!; tMs += 60_000) ring.add(tMs, 100, 1);
const out = new Float64Array(2);
for (const windowMs of [WINDOWS[0]!, WINDOWS.at(-1)!]) {
  const tier = ring.tierOf(windowMs);
  bench.add(`read ${EVENTS} sums, ${formatDuration(windowMs)} window`, () => {
    for (let i = 0; i < EVENTS; i++) tier.read(tMs - i, windowMs, out, 0);
  });
}

// A ring that only has the short window and one that only has the long one: adding to them.
for (const windowMs of [WINDOWS[0]!, WINDOWS.at(-1)!]) {
  const single = Ring.of([windowMs]);
  let eventMs = START_MS;
  bench.add(`add ${EVENTS} events, ${formatDuration(windowMs)} window`, () => {
    for (let i = 0; i < EVENTS; i++) {
      eventMs += 100;
      single.add(eventMs, 100, 1);
    }
  });
}

const SLOS = options.smoke ? 100 : 10_000;

// Every burn rate of so many SLOs with a month of history, each with a watermark of its own.
function burnRatesBench(name: string, windowsMs: readonly number[]): void {
  const rings = new RingBlocks();
  for (let i = 0; i < SLOS; i++) {
    const one = rings.allocate(windowsMs);
    for (let hour = 0; hour <= 720; hour++) one.add(START_MS + hour * 3_600_000, 100, 1);
    one.settledMs = START_MS + 720 * 3_600_000 + ((i * 37) % 15_000);
  }
  const sums = windowsMs.map(() => new Float64Array(2 * rings.blocks[0]!.lanes));
  const rates = new Float64Array(SLOS * windowsMs.length);
  bench.add(name, () => {
    let at = 0;
    for (const block of rings.blocks) {
      block.read(sums);
      for (const ofWindow of sums) {
        for (let lane = 0; lane < block.used; lane++)
          rates[at++] = burnRate(ofWindow[2 * lane]!, ofWindow[2 * lane + 1]!, 0.001);
      }
    }
  });
}
burnRatesBench(`burn rates of ${SLOS} SLOs, 8 windows`, WINDOWS);
burnRatesBench(`burn rates of ${SLOS} SLOs, 5m`, WINDOWS.slice(0, 1));
burnRatesBench(`burn rates of ${SLOS} SLOs, 90d`, WINDOWS.slice(-1));

const engine = new Engine(slosOf(SLOS));
const batch = new SampleBatch(SLOS);
for (let i = 0; i < SLOS; i++) {
  const labels = labelSet([
    ['__name__', 'http_requests_total'],
    ['code', '200'],
    ['instance', 'a'],
    ['job', jobOf(i)],
  ]);
  batch.push(engine.register(labels, encodeLabels(labels)), 0, 0, SAMPLE_VALUE);
}
let scrape = 0;
/** A scrape of every SLO, so that the tick has something to settle. */
function scrapeAll(): number {
  scrape++;
  const nowMs = START_MS + scrape * 15_000;
  batch.timestampsMs.fill(nowMs);
  batch.values.fill(scrape * 100);
  engine.ingest(batch, nowMs);
  return nowMs + 5_000;
}
let tickMs = scrapeAll();
const scrapeBefore = {
  beforeEach: () => {
    tickMs = scrapeAll();
  },
};
bench.add(`tick over ${SLOS} SLOs, a scrape to settle`, () => void engine.evaluate(tickMs), scrapeBefore);
bench.add(`tick over ${SLOS} SLOs, nothing new`, () => void engine.evaluate(tickMs));

await bench.run();
const measurements = bench.tasks.flatMap(({ name, result }) =>
  'latency' in result ? [{ name, medianNs: result.latency.p50 * 1e6, minNs: result.latency.min * 1e6 }] : [],
);
const bytesPerSlo = engine.ringBytes / SLOS;
if (options.json) {
  console.log(JSON.stringify({ title: 'micro', smoke: options.smoke, measurements, bytesPerSlo }));
} else {
  console.log('micro');
  for (const { name, minNs, medianNs } of measurements) {
    console.log(
      `  ${name.padEnd(44)} ${minNs.toFixed(0).padStart(12)} ns min ${medianNs.toFixed(0).padStart(12)} ns median`,
    );
  }
  console.log(`  ring of a 30d SLO                            ${bytesPerSlo} bytes`);
}
