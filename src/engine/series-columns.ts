/** What the engine knows of each series, in columns by SeriesId. */

/** No SLO wants the series. */
export const UNMATCHED = 0;
/** An SLO selects the series and takes nothing from it, as of a bucket that is not at its threshold: no sample of it is kept. */
export const IDLE = 1;
/** A counter whose increase is all that matters: what the ingest loop knows. */
export const COUNTER = 2;
/** Everything else: gauges, native histograms, counters that are judged slice by slice. */
export const OTHER = 3;

/** In `lastMs`: no value of the series was ever seen, but a stale marker was. Below every time, so that any sample is newer. */
export const EXISTED_BEFORE = Number.NEGATIVE_INFINITY;

export class SeriesColumns {
  /** Event time of the last sample; NaN before the first. */
  lastMs = new Float64Array(1024).fill(Number.NaN);
  lastValue = new Float64Array(1024);
  /** What the last value lacks to the whole number it stands for, see SAMPLE_WIDE. Unless it is 0 the role is OTHER. */
  lastLow = new Int16Array(1024);
  target = new Int32Array(1024);
  /** Start timestamp of the last sample; 0 while unknown. */
  lastStartMs = new Float64Array(1024);
  /** UNMATCHED, IDLE, COUNTER or OTHER. */
  role = new Uint8Array(1024);
  /** Where the series' feeds begin in the feed columns. */
  feedStart = new Int32Array(1024);
  feedCount = new Int32Array(1024);
  /** 1: the journal has used a sample of this unmatched series to move its target's clock. */
  movesClock = new Uint8Array(1024);

  reserve(size: number): void {
    const before = this.target.length;
    if (size <= before) return;
    const capacity = Math.max(size, 2 * before);
    this.lastMs = grown(this.lastMs, new Float64Array(capacity).fill(Number.NaN));
    this.lastValue = grown(this.lastValue, new Float64Array(capacity));
    this.lastLow = grown(this.lastLow, new Int16Array(capacity));
    this.target = grown(this.target, new Int32Array(capacity));
    this.lastStartMs = grown(this.lastStartMs, new Float64Array(capacity));
    this.role = grown(this.role, new Uint8Array(capacity));
    this.feedStart = grown(this.feedStart, new Int32Array(capacity));
    this.feedCount = grown(this.feedCount, new Int32Array(capacity));
    this.movesClock = grown(this.movesClock, new Uint8Array(capacity));
  }
}

/** What the counters feed: consecutive rows of one series, see SeriesColumns.feedStart. */
export class FeedColumns {
  size = 0;
  /** Index of an account: good and bad events of a ledger, or the lower and upper counts of one. */
  account = new Int32Array(1024);
  good = new Float64Array(1024);
  bad = new Float64Array(1024);

  push(account: number, good: number, bad: number): void {
    if (this.size === this.account.length) {
      this.account = grown(this.account, new Int32Array(2 * this.size));
      this.good = grown(this.good, new Float64Array(2 * this.size));
      this.bad = grown(this.bad, new Float64Array(2 * this.size));
    }
    const row = this.size++;
    this.account[row] = account;
    this.good[row] = good;
    this.bad[row] = bad;
  }

  /** Copies a row over another one. */
  move(from: number, to: number): void {
    this.account[to] = this.account[from]!;
    this.good[to] = this.good[from]!;
    this.bad[to] = this.bad[from]!;
  }
}

type Column = Float64Array | Int32Array | Int16Array | Uint8Array;

function grown<T extends Column>(from: Column, to: T): T {
  to.set(from);
  return to;
}
