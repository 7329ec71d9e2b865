import { corpus, SERIES_PER_TARGET } from './corpus.ts';
import { benchOptions } from './harness.ts';
import { type Memory, ServerHome, type ServerProcess } from './server.ts';
import { definitionsOf, servicesOf } from './slos.ts';

/**
 * How long a server with a state is away when it is started again, and what it weighs: from a snapshot, from a snapshot and a
 * journal, and from a journal alone. A real process, from its start until it takes samples.
 */

const options = benchOptions();
const SERIES = options.smoke ? 2_000 : 200_000;
const SLOS = options.smoke ? 10 : 1_000;
const ROUNDS = options.smoke ? 2 : 4;
const REPETITIONS = options.smoke ? 1 : 5;
const ROUND_SECONDS = 15;

interface Start extends Memory {
  readonly name: string;
  readonly startSeconds: number;
  readonly recoverySeconds: number;
}

const starts: Start[] = [];

/** Starts as often as asked for, ended so that each start finds what the first one found. */
async function measure(name: string, home: ServerHome, repetitions: number): Promise<void> {
  for (let i = 0; i < repetitions; i++) {
    const server = await home.start();
    starts.push({ name, ...timesOf(server), ...server.memory() });
    await server.end('SIGKILL');
  }
}

function timesOf({ startSeconds, recoverySeconds }: ServerProcess): Pick<Start, 'startSeconds' | 'recoverySeconds'> {
  return { startSeconds, recoverySeconds };
}

const definitions = definitionsOf(servicesOf(SERIES, SERIES_PER_TARGET), SLOS);
const { rounds } = corpus({
  series: SERIES,
  rounds: 2 * ROUNDS,
  roundSeconds: ROUND_SECONDS,
  startMs: Date.now() - 2 * ROUNDS * ROUND_SECONDS * 1000,
});
const home = new ServerHome(definitions);
try {
  await measure('nothing', home, REPETITIONS);
  const first = await home.start();
  for (const round of rounds.slice(0, ROUNDS)) await first.write(round);
  const loaded = first.memory();
  await first.end('SIGKILL');
  await measure('a journal', home, REPETITIONS);
  const second = await home.start();
  await second.end('SIGTERM');
  await measure('a snapshot', home, REPETITIONS);
  const third = await home.start();
  for (const round of rounds.slice(ROUNDS)) await third.write(round);
  await third.end('SIGKILL');
  await measure('a snapshot and a journal', home, REPETITIONS);
  print(loaded);
} finally {
  home.remove();
}

function print(loaded: Memory): void {
  if (options.json) {
    console.log(
      JSON.stringify({ title: 'cold start', smoke: options.smoke, series: SERIES, slos: SLOS, loaded, starts }),
    );
    return;
  }
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0).padStart(4)} MB`;
  console.log(`cold start with ${SERIES} series and ${SLOS} SLOs`);
  for (const name of new Set(starts.map((start) => start.name))) {
    const mine = starts.filter((start) => start.name === name).sort((a, b) => a.startSeconds - b.startSeconds);
    const { startSeconds, recoverySeconds, rssBytes, peakBytes } = mine[mine.length >> 1]!;
    const times = `${mine[0]!.startSeconds.toFixed(2)} s min ${startSeconds.toFixed(2)} s median, ${recoverySeconds.toFixed(2)} s of it restoring`;
    console.log(`  from ${name.padEnd(26)} ${times}; ${mb(rssBytes)} resident, ${mb(peakBytes)} at most`);
  }
  console.log(`  after ${ROUNDS} rounds of samples: ${mb(loaded.rssBytes)} resident, ${mb(loaded.peakBytes)} at most`);
}
