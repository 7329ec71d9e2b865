import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine } from '../src/engine/engine.ts';
import { Journal } from '../src/store/recovery.ts';
import { Store } from '../src/store/store.ts';
import { corpus } from './corpus.ts';
import { benchOptions, measured, report } from './harness.ts';
import { servicesOf, slosOf } from './slos.ts';
import { Story } from './story.ts';

/**
 * What it costs that an acknowledged sample survives the process: requests to events of SLOs without a journal, and with one that
 * is committed every four requests, as with four senders. CPU time and bytes a sample.
 */

const REQUESTS_A_COMMIT = 4;

const options = benchOptions();
const series = options.smoke ? 2_000 : 200_000;
const repetitions = options.smoke ? 2 : 7;

const { rounds, samplesPerRound } = corpus({ series, rounds: 3 });
const samples = samplesPerRound * rounds.length;
const story = () => new Story(new Engine(slosOf(servicesOf(series))), rounds);
const plain = story();
const durable = story();

const folder = mkdtempSync(join(tmpdir(), 'slipstream-durability-'));
const store = Store.open(folder);
const journal = new Journal(store, durable.engine.table);
let journalBytes = 0;

async function playDurably(): Promise<void> {
  let requests = 0;
  const commit = async (): Promise<void> => {
    journalBytes += store.queuedBytes;
    await store.committed();
  };
  for (const { batch, outcome, nowMs } of durable.requests()) {
    journal.record(batch, outcome, nowMs);
    if (++requests % REQUESTS_A_COMMIT === 0) await commit();
  }
  await commit();
}

async function cpuNs(run: () => void | Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1_000) / samples;
}

try {
  plain.play();
  await playDurably();
  journalBytes = 0;
  const times = { plain: [] as number[], durable: [] as number[] };
  for (let i = 0; i < repetitions; i++) {
    times.plain.push(await cpuNs(() => plain.play()));
    times.durable.push(await cpuNs(playDurably));
  }
  const measurements = [
    measured('without a journal', 'sample', samples, times.plain),
    measured('committed', 'sample', samples, times.durable),
  ];
  const ratio = measurements[1]!.minNs / measurements[0]!.minNs;
  const journalBytesPerSample = journalBytes / (samples * repetitions);
  report('durability: what the journal adds', measurements, options, { ratio, journalBytesPerSample });
} finally {
  store.close();
  rmSync(folder, { recursive: true, force: true });
}
