import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { Fleet } from '../src/cli/bench/fleet.ts';
import type { Order } from '../src/cli/bench/shard.ts';
import { BENCH_FLAGS } from './harness.ts';
import { type HistoryRow, historyRows } from './history-query.ts';
import { type Contender, type ContenderOptions, rotate, type Spread, spread } from './rotation.ts';
import { naive, prometheus, slipstream, versionOf, victoriaMetrics } from './servers/launch.ts';

/**
 * The systems that a user would pick instead, under the same load by the same sender, in turns: Prometheus and VictoriaMetrics as
 * Debian packages them, and the naive twin. Prints Markdown for docs/benchmarks.md. A peer that is not installed is left out.
 *
 *     npm run bench:peers -- --scenario 200k --scenario shuffled
 */

/** Availability and latency of all its requests. */
const SLOS_OF_A_SERVICE = 2;

interface Scenario {
  readonly title: string;
  readonly series: number;
  readonly samplesPerRequest?: number;
  readonly order?: Order;
}

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  smoke: { title: '2,000 series', series: 2_000 },
  '20k': { title: '20,000 series', series: 20_000 },
  '200k': { title: '200,000 series', series: 200_000 },
  '1m': { title: '1,000,000 series', series: 1_000_000 },
  '500': { title: '200,000 series, 500 samples a request', series: 200_000, samplesPerRequest: 500 },
  shuffled: { title: '200,000 series, shuffled', series: 200_000, order: 'shuffled' },
};
const DEFAULT_SCENARIOS = ['20k', '200k'];

const { values: flags } = parseArgs({
  options: {
    ...BENCH_FLAGS,
    scenario: { type: 'string', multiple: true },
    turns: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    /** Days of history that the queries are asked over; 0 leaves them out. */
    'history-days': { type: 'string', default: '30' },
  },
});
const names = flags.scenario ?? (flags.smoke ? ['smoke'] : DEFAULT_SCENARIOS);
const unknown = names.find((name) => SCENARIOS[name] === undefined);
const [turns, seconds, historyDays] = flags.smoke
  ? [1, 0.3, 0.02]
  : [Number(flags.turns), Number(flags.seconds), Number(flags['history-days'])];
if (unknown !== undefined || ![turns, seconds].every((value) => value > 0) || !(historyDays >= 0)) {
  console.error(`usage: --scenario ${Object.keys(SCENARIOS).join('|')} --turns 5 --seconds 4 --history-days 30`);
  process.exit(2);
}
const log = (line: string) => {
  if (!flags.json) console.error(line);
};

interface Row {
  readonly name: string;
  readonly cpuNsPerSample: Spread;
  readonly samplesPerCpuSecond: number;
  readonly rssBytes: number;
  readonly p99Ms: number;
  readonly requestsRefused: number;
}

function contenders({ series, samplesPerRequest = 2_000, order = 'friendly' }: Scenario): ContenderOptions[] {
  const services = new Fleet({ series, seed: 1 }).serviceCount;
  const slos = services * SLOS_OF_A_SERVICE;
  const common = { series, seed: 1, connections: 4, protocol: 'rw1', order, samplesPerRequest } as const;
  const all = [
    { ...common, name: 'Slipstream', launch: slipstream({ slos, services }) },
    { ...common, name: 'naive Node service', launch: naive(slos, services) },
  ];
  const victoria = versionOf('victoria-metrics');
  if (victoria !== null) all.push({ ...common, name: `VictoriaMetrics ${victoria}`, launch: victoriaMetrics });
  const prom = versionOf('prometheus');
  if (prom !== null) all.push({ ...common, name: `Prometheus ${prom}`, launch: prometheus });
  return all;
}

function rowOf({ name, turns: measured, rssBytes, refused }: Contender): Row {
  const cpuNsPerSample = spread(measured.map((turn) => turn.cpuNsPerSample));
  return {
    name,
    cpuNsPerSample,
    samplesPerCpuSecond: 1e9 / cpuNsPerSample.median,
    rssBytes,
    p99Ms: spread(measured.map((turn) => turn.p99Ms)).median,
    requestsRefused: refused,
  };
}

const whole = (value: number) => Math.round(value).toLocaleString('en');
const ratio = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)}x`;

function table(rows: readonly Row[]): string {
  const [own] = rows;
  const lines = rows.map(({ name, cpuNsPerSample, samplesPerCpuSecond, rssBytes, p99Ms }) => {
    const { median, min, max } = cpuNsPerSample;
    const cells = [
      name,
      `${whole(median)} [${whole(min)} to ${whole(max)}]`,
      whole(samplesPerCpuSecond),
      ratio(median / own!.cpuNsPerSample.median),
      `${whole(rssBytes / 1e6)} MB`,
      ratio(rssBytes / own!.rssBytes),
      `${p99Ms.toFixed(1)} ms`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| server | CPU ns a sample | samples a CPU second | CPU, ours = 1 | RSS | RSS, ours = 1 | p99, saturated |',
    '|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

function historyTable(rows: readonly HistoryRow[]): string {
  const own = rows[0]!;
  return [
    '| server | asked | CPU ms an answer | ours = 1 | median ms |',
    '|---|---|---|---|---|',
    ...rows.map(
      ({ name, asked, cpuMs, medianMs }) =>
        `| ${name} | ${asked} | ${cpuMs.toFixed(2)} | ${ratio(cpuMs / own.cpuMs)} | ${medianMs.toFixed(1)} |`,
    ),
  ].join('\n');
}

const ingest: { scenario: string; rows: Row[] }[] = [];
for (const name of names) {
  const scenario = SCENARIOS[name]!;
  log(`== ${scenario.title}`);
  const warmUpMs = flags.smoke ? 300 : 3_000;
  const rows = await rotate(contenders(scenario), { turns, turnMs: seconds * 1_000, warmUpMs, log }, (done) =>
    done.map(rowOf),
  );
  ingest.push({ scenario: scenario.title, rows });
}
const history = historyDays === 0 ? [] : await historyRows(historyDays, log);

const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`;
if (flags.json) {
  console.log(JSON.stringify({ title: 'peers', smoke: flags.smoke, machine, turns, seconds, ingest, history }));
} else {
  console.log(`Machine: ${machine}. ${turns} turns of ${seconds} s each; median [least to most].\n`);
  for (const { scenario, rows } of ingest) console.log(`**${scenario}**\n\n${table(rows)}\n`);
  if (history.length > 0) console.log(`**A budget over ${historyDays} days**\n\n${historyTable(history)}`);
}
