import type { Accuracy } from './accuracy.ts';
import type { Percentiles } from './latency.ts';
import { shortNumber, wholeNumber } from './numbers.ts';

/** What a run of the bench found out. */

export interface BenchResult {
  readonly series: number;
  readonly targets: number;
  readonly protocol: string;
  readonly order: string;
  readonly samplesPerRequest: number;
  readonly connections: number;
  readonly seed: number;
  /** Samples a second that were asked for; null for as many as it takes. */
  readonly rate: number | null;
  readonly seconds: number;
  /** Taken by the server in this time. */
  readonly samples: number;
  readonly samplesPerSecond: number;
  readonly bytesPerSample: number;
  readonly server: {
    readonly cpuSeconds: number;
    readonly cpuNsPerSample: number;
    readonly memoryBytes: number;
    /** Null when the run brought too few new series to tell. */
    readonly memoryBytesPerNewSeries: number | null;
  };
  readonly benchCpuSeconds: number;
  readonly latencyMs: Percentiles;
  readonly answers: Readonly<Record<string, number>>;
  readonly accuracy: Accuracy;
  readonly headRoom: string;
}

const SCRAPE_SECONDS = 15;
/** `limits.series` of a server whose file does not say. */
const SERIES_LIMIT = 2_000_000;
/** A server that takes less than this share of what it is asked to does not keep up. */
const KEPT_UP = 0.97;
/** A process that runs on one core more than this share of the time has none to spare. */
const BUSY = 0.9;

export interface Measured {
  readonly rate: number | null;
  readonly samplesPerSecond: number;
  /** CPU seconds a second, of the server and of the bench itself. */
  readonly cores: number;
  readonly benchCores: number;
}

/** How much more this instance could take, as one sentence. */
export function headRoom({ rate, samplesPerSecond, cores, benchCores }: Measured): string {
  const held = samplesPerSecond * SCRAPE_SECONDS;
  const perSecond = `${shortNumber(samplesPerSecond)} samples/s`;
  const isBehind = rate === null || samplesPerSecond < rate * KEPT_UP;
  if (isBehind && cores < BUSY) {
    const took = `${perSecond} took ${percent(cores)} of one core of the server`;
    return benchCores >= BUSY
      ? `Not the server but the bench was busy: ${took}. Send more samples a request, or run two benches with different seeds.`
      : `Neither the server nor the bench was busy: ${took}. The disk, the network or other processes held it up; try more connections.`;
  }
  const full = isBehind ? held : held / Math.max(cores, Number.EPSILON);
  const limit = `limits.series (${wholeNumber(SERIES_LIMIT)} unless the server file says otherwise)`;
  const before = full > SERIES_LIMIT ? ` Before that comes ${limit}.` : '';
  if (isBehind) {
    return `This instance takes ${perSecond} at most, what ${shortNumber(held)} active series send at ${SCRAPE_SECONDS} s scrapes; with more it would answer 503.${before}`;
  }
  const spare = percent(Math.max(1 - cores, 0));
  return `This instance holds ${shortNumber(held)} active series at ${SCRAPE_SECONDS} s scrapes with ${spare} of one core to spare; at ${shortNumber(full)} it would answer 503.${before}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function textReport(result: BenchResult): string {
  const { server, latencyMs, accuracy } = result;
  const ms = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ms`;
  const answers = Object.entries(result.answers).map(
    ([status, count]) => `${wholeNumber(count)} x ${statusText(status)}`,
  );
  const perSeries = server.memoryBytesPerNewSeries;
  const rows: [name: string, value: string][] = [
    [
      'samples/s',
      `${wholeNumber(result.samplesPerSecond)} (${wholeNumber(result.samples)} in ${result.seconds.toFixed(1)} s)`,
    ],
    [
      'server CPU',
      `${server.cpuSeconds.toFixed(2)} s, ${server.cpuNsPerSample.toFixed(0)} ns a sample; the bench itself ${result.benchCpuSeconds.toFixed(2)} s`,
    ],
    [
      'latency',
      `p50 ${ms(latencyMs.p50)}, p90 ${ms(latencyMs.p90)}, p99 ${ms(latencyMs.p99)}, p99.9 ${ms(latencyMs.p999)}, max ${ms(latencyMs.max)}`,
    ],
    ['answers', answers.join(', ')],
    [
      'memory',
      `${wholeNumber(server.memoryBytes / 1e6)} MB${perSeries === null ? '' : `, ${wholeNumber(perSeries)} bytes a new series`}`,
    ],
    [
      'samples',
      `${wholeNumber(accuracy.samplesCounted)} counted of ${wholeNumber(accuracy.samplesSent)} sent, warm-up included`,
    ],
  ];
  if (accuracy.slosChecked > 0) {
    const counted = `good ${wholeNumber(accuracy.goodCounted)} of ${wholeNumber(accuracy.goodExpected)}, total ${wholeNumber(accuracy.totalCounted)} of ${wholeNumber(accuracy.totalExpected)}`;
    rows.push(['SLOs', `${accuracy.slosExact} of ${accuracy.slosChecked} exact; ${counted}`]);
  }
  const lines = [
    `${wholeNumber(result.series)} series of ${wholeNumber(result.targets)} targets, ${result.protocol}, ${result.order} order, ${wholeNumber(result.samplesPerRequest)} samples a request, ${result.connections} connections, seed ${result.seed}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(12)}${value}`),
    ...accuracy.problems.map((problem) => `NOT ACCURATE: ${problem}`),
    result.headRoom,
  ];
  return `${lines.join('\n')}\n`;
}

function statusText(status: string): string {
  return status === '0' ? 'no answer' : status;
}
