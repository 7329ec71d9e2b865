/** Durations in buckets that each are 2 % wider than the one before: percentiles to 2 % in a few kilobytes. */

const SMALLEST_MS = 0.01;
const GROWTH = Math.log(1.02);
const BUCKETS = 1_000;

export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export class Latency {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxMs = 0;

  observe(ms: number): void {
    const bucket = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / GROWTH);
    this.#counts[Math.min(bucket, BUCKETS - 1)]!++;
    this.#total++;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** The upper bound of the bucket that holds it; 0 when nothing was observed. */
  percentile(share: number): number {
    let rest = this.#total * share;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      rest -= this.#counts[bucket]!;
      if (rest <= 0) return Math.min(SMALLEST_MS * Math.exp(bucket * GROWTH), this.#maxMs);
    }
    return this.#maxMs;
  }

  percentiles(): Percentiles {
    return {
      p50: this.percentile(0.5),
      p90: this.percentile(0.9),
      p99: this.percentile(0.99),
      p999: this.percentile(0.999),
      max: this.#maxMs,
    };
  }
}
