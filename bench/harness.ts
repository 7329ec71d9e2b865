import { parseArgs } from 'node:util';
import { getHeapStatistics } from 'node:v8';

/**
 * Warms up, repeats, and reports the minimum and the median of the CPU time: on a shared machine the clock on the
 * wall measures the neighbours. Each bench also prints a hash of what it computed, so that nothing was optimised away
 * and two revisions are known to have done the same work.
 */

export interface BenchOptions {
  /** A size that runs with the tests, so that benches cannot rot. */
  readonly smoke: boolean;
  /** One JSON document on stdout in place of the table. */
  readonly json: boolean;
}

export const BENCH_FLAGS = {
  smoke: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

export function benchOptions(): BenchOptions {
  return parseArgs({ options: BENCH_FLAGS }).values;
}

export interface Bench {
  readonly name: string;
  /** What is counted, for instance `sample`. */
  readonly unit: string;
  readonly unitsPerRun: number;
  readonly run: () => void;
  /** Of the results; computed once, outside the measurement. */
  readonly hash?: () => number;
  readonly warmUps?: number;
  readonly repetitions?: number;
}

export interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly unitsPerRun: number;
  readonly repetitions: number;
  /** CPU time of one unit. */
  readonly minNs: number;
  readonly medianNs: number;
  readonly perSecond: number;
  readonly hash: string | null;
}

/** Runs benches interleaved, one repetition of each in turn, so that a noisy minute falls on all of them alike. */
export function measure(benches: readonly Bench[]): Measurement[] {
  const timesNs = benches.map(() => [] as number[]);
  for (const { run, warmUps = 3 } of benches) {
    for (let i = 0; i < warmUps; i++) run();
  }
  const rounds = Math.max(...benches.map(({ repetitions = 10 }) => repetitions));
  for (let round = 0; round < rounds; round++) {
    benches.forEach(({ run, unitsPerRun, repetitions = 10 }, i) => {
      if (round >= repetitions) return;
      const before = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(before);
      timesNs[i]!.push(((user + system) * 1_000) / unitsPerRun);
    });
  }
  return benches.map(({ name, unit, unitsPerRun, hash }, i) => {
    const hashed = hash === undefined ? null : (hash() >>> 0).toString(16).padStart(8, '0');
    return { ...measured(name, unit, unitsPerRun, timesNs[i]!), hash: hashed };
  });
}

const NAME_WIDTH = 44;

/** A measurement of what was measured elsewhere: nanoseconds of CPU time a unit, one number a run. */
export function measured(name: string, unit: string, unitsPerRun: number, timesNs: readonly number[]): Measurement {
  const sorted = [...timesNs].sort((a, b) => a - b);
  const medianNs = sorted[sorted.length >> 1]!;
  const repetitions = sorted.length;
  return { name, unit, unitsPerRun, repetitions, minNs: sorted[0]!, medianNs, perSecond: 1e9 / medianNs, hash: null };
}

/** `facts` are numbers of other kinds, by name. */
export function report(
  title: string,
  measurements: readonly Measurement[],
  options: BenchOptions,
  facts: Readonly<Record<string, number>> = {},
): void {
  if (options.json) {
    console.log(JSON.stringify({ title, node: process.version, smoke: options.smoke, measurements, ...facts }));
    return;
  }
  console.log(title);
  for (const { name, unit, minNs, medianNs, perSecond, hash } of measurements) {
    const times = `${minNs.toFixed(1).padStart(8)} ns min ${medianNs.toFixed(1).padStart(8)} ns median`;
    const rate = `${Math.round(perSecond).toLocaleString('en').padStart(12)} ${unit}s/s`;
    console.log(`  ${name.padEnd(NAME_WIDTH)} ${times} ${rate}${hash === null ? '' : `   #${hash}`}`);
  }
  for (const [name, value] of Object.entries(facts)) {
    const text = value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 });
    console.log(`  ${name.padEnd(NAME_WIDTH)} ${text.padStart(12)}`);
  }
}

/**
 * The bytes that `steps` allocate on the JavaScript heap, given that each allocates less than a megabyte: the heap is
 * read after each step, so that a collection hides at most the step in which it ran. Wants `--expose-gc`.
 */
export function allocatedBytes(steps: readonly (() => void)[]): number {
  if (globalThis.gc === undefined) throw new Error('run with node --expose-gc');
  // Reading the heap allocates as well; the least of many readings is what to subtract from each.
  let readingBytes = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 100; i++) readingBytes = Math.min(readingBytes, Math.abs(heapBytes() - heapBytes()));
  globalThis.gc();
  let allocated = 0;
  for (const step of steps) {
    const before = heapBytes();
    step();
    allocated += Math.max(0, heapBytes() - before - readingBytes);
  }
  return allocated;
}

function heapBytes(): number {
  return getHeapStatistics().used_heap_size;
}

/** FNV-1a over the words of whatever is mixed in. */
export class Hash {
  #value = 0x811c9dc5 | 0;
  readonly #bits = new DataView(new ArrayBuffer(8));

  word(value: number): void {
    this.#value = Math.imul(this.#value ^ value, 0x01000193);
  }

  double(value: number): void {
    this.#bits.setFloat64(0, value);
    this.word(this.#bits.getInt32(0));
    this.word(this.#bits.getInt32(4));
  }

  get value(): number {
    return this.#value;
  }
}
