/** What the engine knows of each series, in columns by SeriesId. */

/** No SLO wants the series. */
export const UNMATCHED = -1;

export class SeriesColumns {
  /** Event time of the last sample; NaN before the first. */
  lastMs = new Float64Array(1024).fill(Number.NaN);
  lastValue = new Float64Array(1024);
  target = new Int32Array(1024);
  /** Where the series' feeds begin in the feed columns, or UNMATCHED. */
  feedStart = new Int32Array(1024).fill(UNMATCHED);
  feedCount = new Int32Array(1024);
  /** 1: the journal has used a sample of this unmatched series to move its target's clock. */
  movesClock = new Uint8Array(1024);

  reserve(size: number): void {
    const before = this.target.length;
    if (size <= before) return;
    const capacity = Math.max(size, 2 * before);
    this.lastMs = grown(this.lastMs, new Float64Array(capacity).fill(Number.NaN));
    this.lastValue = grown(this.lastValue, new Float64Array(capacity));
    this.target = grown(this.target, new Int32Array(capacity));
    this.feedStart = grown(this.feedStart, new Int32Array(capacity).fill(UNMATCHED));
    this.feedCount = grown(this.feedCount, new Int32Array(capacity));
    this.movesClock = grown(this.movesClock, new Uint8Array(capacity));
  }
}

/** What the series feed: consecutive rows of one series, see SeriesColumns.feedStart. */
export class FeedColumns {
  size = 0;
  ledger = new Int32Array(1024);
  good = new Float64Array(1024);
  bad = new Float64Array(1024);

  push(ledger: number, good: number, bad: number): void {
    if (this.size === this.ledger.length) {
      this.ledger = grown(this.ledger, new Int32Array(2 * this.size));
      this.good = grown(this.good, new Float64Array(2 * this.size));
      this.bad = grown(this.bad, new Float64Array(2 * this.size));
    }
    const row = this.size++;
    this.ledger[row] = ledger;
    this.good[row] = good;
    this.bad[row] = bad;
  }
}

type Column = Float64Array | Int32Array | Uint8Array;

function grown<T extends Column>(from: Column, to: T): T {
  to.set(from);
  return to;
}
