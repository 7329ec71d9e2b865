import { Fleet } from '../src/cli/bench/fleet.ts';
import { SLOS_PER_SERVICE } from '../src/cli/bench/slos.ts';
import { benchOptions, measured, report } from './harness.ts';
import { type ContenderOptions, rotate } from './rotation.ts';
import { slipstream } from './servers/launch.ts';

/**
 * HTTP to journal, end to end: the server in a process of its own, everything acknowledged only when it is committed, CPU time of
 * the whole process a sample. 1,000 SLOs, or as many as the services have.
 */

const options = benchOptions();

function contender(title: string, series: number, fields: Partial<ContenderOptions> = {}): ContenderOptions {
  const { serviceCount } = new Fleet({ series, seed: 1 });
  const slos = Math.min(1_000, serviceCount * SLOS_PER_SERVICE);
  return {
    name: title,
    launch: slipstream({ slos, services: serviceCount }),
    series,
    seed: 1,
    connections: 4,
    protocol: 'rw1',
    order: 'friendly',
    samplesPerRequest: 2_000,
    ...fields,
  };
}

const contenders = options.smoke
  ? [contender('2k series', 2_000)]
  : [
      contender('20k series', 20_000),
      contender('200k series', 200_000),
      contender('200k series, 500 a request', 200_000, { samplesPerRequest: 500 }),
      contender('200k series, 4 shards', 200_000, { order: 'sharded' }),
      contender('200k series, shuffled', 200_000, { order: 'shuffled' }),
      contender('200k series, remote write 2.0', 200_000, { protocol: 'rw2' }),
      contender('200k series, OTLP', 200_000, { protocol: 'otlp' }),
    ];
const rotation = options.smoke
  ? { turns: 1, turnMs: 200, warmUpMs: 200, log: () => {} }
  : { turns: 5, turnMs: 2_000, warmUpMs: 3_000, log: (line: string) => console.error(line) };

await rotate(contenders, rotation, (done) => {
  const facts: Record<string, number> = {};
  for (const { name, turns, rssBytes, refused } of done) {
    facts[`${name}: p99 ms`] = Math.min(...turns.map(({ p99Ms }) => p99Ms));
    facts[`${name}: disk bytes a sample`] = Math.max(
      ...turns.map(({ writtenBytesPerSample }) => writtenBytesPerSample),
    );
    facts[`${name}: RSS MB`] = rssBytes / 1e6;
    if (refused > 0) facts[`${name}: requests refused`] = refused;
  }
  const measurements = done.map(({ name, turns }) => {
    const samples = turns.reduce((sum, turn) => sum + turn.samples, 0) / turns.length;
    return measured(
      name,
      'sample',
      Math.round(samples),
      turns.map(({ cpuNsPerSample }) => cpuNsPerSample),
    );
  });
  report('http: remote write and OTLP to committed events', measurements, options, facts);
});
