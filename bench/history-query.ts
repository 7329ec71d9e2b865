import { Fleet, jobOf } from '../src/cli/bench/fleet.ts';
import { Load, rounds } from '../src/cli/bench/load.ts';
import { spread } from './rotation.ts';
import { type Launch, ServerProcess } from './server-process.ts';
import { prometheus, slipstream, versionOf, victoriaMetrics } from './servers/launch.ts';

/**
 * What it costs to know an SLO's budget and burn rates: one state read here, and there the queries that the rules of a rule-based
 * setup evaluate, one a window. The same history of one target, a sample a minute, was sent to each by remote write.
 */

export interface HistoryRow {
  readonly name: string;
  readonly asked: string;
  /** Of the server, for everything that is asked. */
  readonly cpuMs: number;
  readonly medianMs: number;
}

const DAY_MS = 86_400_000;
const STEP_MS = 60_000;
const REPETITIONS = 10;
const WINDOWS = ['5m', '30m', '1h', '2h', '6h', '1d', '3d'];

interface Asked {
  readonly server: ServerProcess;
  readonly name: string;
  readonly asked: string;
  /** Of one answer. */
  readonly paths: readonly string[];
  /** How often it is asked in a row, so that what it takes can be measured. */
  readonly times: number;
}

export async function historyRows(days: number, log: (line: string) => void): Promise<HistoryRow[]> {
  const count = Math.floor((days * DAY_MS) / STEP_MS);
  const startMs = Date.now() - (count + 1) * STEP_MS;
  const servers: ServerProcess[] = [];
  const serve = async (name: string, launch: (folder: string, port: number) => Launch): Promise<ServerProcess> => {
    log(`${name}: sending ${days} days of history`);
    const server = await ServerProcess.start(launch);
    servers.push(server);
    const fleet = new Fleet({ series: 1, seed: 1 });
    const load = new Load({
      url: server.url,
      fleet,
      protocol: 'rw1',
      order: 'friendly',
      connections: 1,
      samplesPerRequest: fleet.seriesCount,
      seed: 1,
    });
    await load.run(rounds(count, startMs, STEP_MS));
    load.close();
    return server;
  };
  try {
    const name = 'Slipstream';
    const own = await serve(name, slipstream({ slos: 1, services: 1 }));
    const all: Asked[] = [
      { server: own, name, asked: 'one state', paths: ['/api/v1/slos/bench-service-0/availability'], times: 100 },
    ];
    const longest = days >= 1 ? `${Math.floor(days)}d` : '30d';
    const timeSeconds = (startMs + count * STEP_MS) / 1_000;
    const query = (window: string, more: string): string => {
      const selected = `http_requests_total{job="${jobOf(0)}"`;
      const ratio = `sum(rate(${selected},code=~"5.."}[${window}])) / sum(rate(${selected}}[${window}]))`;
      return `/api/v1/query?${new URLSearchParams({ query: ratio, time: String(timeSeconds) })}${more}`;
    };
    const asking = (server: ServerProcess, peer: string, more = ''): Asked[] => [
      { server, name: peer, asked: `the ${longest} window`, paths: [query(longest, more)], times: 1 },
      {
        server,
        name: peer,
        asked: `${WINDOWS.length + 1} windows`,
        paths: [...WINDOWS, longest].map((window) => query(window, more)),
        times: 1,
      },
    ];
    const victoria = versionOf('victoria-metrics');
    if (victoria !== null) {
      const peer = `VictoriaMetrics ${victoria}`;
      all.push(...asking(await serve(peer, victoriaMetrics), peer, '&nocache=1'));
    }
    const prom = versionOf('prometheus');
    if (prom !== null) {
      const peer = `Prometheus ${prom}`;
      all.push(...asking(await serve(peer, prometheus), peer));
    }
    return await inTurns(all);
  } finally {
    for (const server of servers) await server.end();
  }
}

async function inTurns(all: readonly Asked[]): Promise<HistoryRow[]> {
  const cpuMs = all.map(() => [] as number[]);
  const tookMs = all.map(() => [] as number[]);
  for (let repetition = 0; repetition <= REPETITIONS; repetition++) {
    for (const [i, { server, paths, times }] of all.entries()) {
      const beforeNs = server.cpuNs();
      const startedMs = performance.now();
      for (let time = 0; time < times; time++) {
        for (const path of paths) await server.get(path);
      }
      // The first time is a warm-up.
      if (repetition === 0) continue;
      tookMs[i]!.push((performance.now() - startedMs) / times);
      cpuMs[i]!.push((server.cpuNs() - beforeNs) / 1e6 / times);
    }
  }
  return all.map(({ name, asked }, i) => ({
    name,
    asked,
    cpuMs: spread(cpuMs[i]!).median,
    medianMs: spread(tookMs[i]!).median,
  }));
}
