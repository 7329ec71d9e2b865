import { setTimeout as sleep } from 'node:timers/promises';
import { Latency } from '../src/cli/bench/latency.ts';
import { timed } from '../src/cli/bench/load.ts';
import { compress, encodeWriteRequest } from '../src/ingest/remote-write-schema.ts';
import { benchOptions } from './harness.ts';
import { LoadedServer } from './loaded-server.ts';

/**
 * Answers under load: at half of what the server takes at most, how long an ingest request takes, how long it takes until a sample
 * is in the burn rate that is read, and how long the gate and a state take meanwhile. `settle` is 0 s.
 */

const options = benchOptions();
const series = options.smoke ? 2_000 : 200_000;
const maxMs = options.smoke ? 500 : 5_000;
const halfMs = options.smoke ? 500 : 15_000;
const PROBE_MS = 50;
const PROBE = `\
apiVersion: slipstream/v1
service: probe
slos: [{name: events, objective: 99, sli: {events: {total: 'probes_total{job="probe"}', bad: 'probe_errors_total{job="probe"}'}}}]
`;

const loaded = await LoadedServer.start(
  { series, slos: options.smoke ? 10 : 1_000 },
  { definitions: PROBE, flags: ['--settle', '0s'] },
);
const { server, load, fleet } = loaded;
const clock = () => Date.now();

/** Sends one event and asks until it is seen; records how long each step took. */
class Prober {
  readonly visible = new Latency();
  readonly gate = new Latency();
  readonly state = new Latency();
  #events = 0;

  async probe(): Promise<void> {
    const timestampMs = Date.now();
    const labels = [['__name__', 'probes_total'], ['instance', 'a'], ['job', 'probe']] as const; // biome-ignore format: a row
    const body = compress(encodeWriteRequest([{ labels, samples: [{ value: ++this.#events, timestampMs }] }]));
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const startedMs = performance.now();
    const { status } = await fetch(`${server.url}/api/v1/write`, { method: 'POST', headers, body });
    if (status !== 204) throw new Error(`a probe was answered ${status}`);
    // The first one is the opening balance.
    while ((await this.#counted()) < this.#events - 1);
    this.visible.observe(performance.now() - startedMs);
    await this.#timed(this.gate, '/api/v1/gate?service=probe');
    await this.#timed(this.state, '/api/v1/slos/bench-service-0/availability');
  }

  async #counted(): Promise<number> {
    return (await server.get<{ events: { total: number } }>('/api/v1/slos/probe/events')).events.total;
  }

  async #timed(latency: Latency, path: string): Promise<void> {
    const startedMs = performance.now();
    await server.get(path);
    latency.observe(performance.now() - startedMs);
  }
}

try {
  await load.run(timed(maxMs / 2, 0, clock));
  load.reset();
  const startedMs = performance.now();
  await load.run(timed(maxMs, 0, clock));
  const samplesPerSecond = (load.samples / (performance.now() - startedMs)) * 1_000;

  load.reset();
  const roundMs = (fleet.seriesCount / (samplesPerSecond / 2)) * 1_000;
  let isOver = false;
  const sending = load.run(timed(halfMs, roundMs, clock)).finally(() => {
    isOver = true;
  });
  const prober = new Prober();
  while (!isOver) {
    await prober.probe();
    await sleep(PROBE_MS);
  }
  await sending;
  const p99 = (latency: Latency) => latency.percentile(0.99);
  const results = {
    samplesPerSecond,
    halfSamplesPerSecond: samplesPerSecond / 2,
    ingestP50Ms: load.latency.percentile(0.5),
    ingestP99Ms: p99(load.latency),
    visibleP50Ms: prober.visible.percentile(0.5),
    visibleP99Ms: p99(prober.visible),
    gateP99Ms: p99(prober.gate),
    stateP99Ms: p99(prober.state),
  };
  if (options.json) console.log(JSON.stringify({ title: 'latency', smoke: options.smoke, ...results }));
  else {
    console.log(`latency at half of the maximum of ${Math.round(samplesPerSecond).toLocaleString('en')} samples/s`);
    const row = (name: string, ms: number) => console.log(`  ${name.padEnd(44)} ${ms.toFixed(2).padStart(8)} ms`);
    row('ingest request, p50', results.ingestP50Ms);
    row('ingest request, p99', results.ingestP99Ms);
    row('sent until read in the burn rate, p50', results.visibleP50Ms);
    row('sent until read in the burn rate, p99', results.visibleP99Ms);
    row('gate, p99', results.gateP99Ms);
    row('state of an SLO, p99', results.stateP99Ms);
  }
} finally {
  await loaded.end();
}
