import { type Delivery, NaiveReceiver, type Taken } from './story.ts';

/** The good share of the slice `(startMs, endMs]`, 0..1, judged by everything taken so far; null when nothing can be said. */
export type JudgeSlice = (startMs: number, endMs: number, taken: readonly Taken[]) => number | null;

/** Time slices as the contract words them: complete once the watermark reaches their end, and never touched again. */
export class NaiveSlices {
  good = 0;
  bad = 0;
  readonly #receiver = new NaiveReceiver();
  readonly #taken: Taken[] = [];
  readonly #sliceMs: number;
  readonly #settleMs: number;
  readonly #judge: JudgeSlice;
  readonly #emptyShare: number | null;
  #nextEndMs = Number.NaN;

  constructor(sliceMs: number, settleMs: number, judge: JudgeSlice, emptySlice: 'ignore' | 'good' | 'bad') {
    this.#sliceMs = sliceMs;
    this.#settleMs = settleMs;
    this.#judge = judge;
    this.#emptyShare = emptySlice === 'ignore' ? null : emptySlice === 'good' ? 1 : 0;
  }

  deliver(delivery: Delivery): void {
    this.completeAt(delivery.arrivedMs);
    this.#taken.push(...this.#receiver.deliver(delivery));
  }

  completeAt(nowMs: number): void {
    const watermarkMs = this.#receiver.watermarkMs(nowMs, this.#settleMs);
    if (Number.isNaN(watermarkMs)) return;
    if (Number.isNaN(this.#nextEndMs)) {
      // Grid points at or after the first report begin whole slices.
      let startMs = Math.floor(this.#receiver.firstMs / this.#sliceMs) * this.#sliceMs;
      while (startMs < this.#receiver.firstMs) startMs += this.#sliceMs;
      this.#nextEndMs = startMs + this.#sliceMs;
    }
    for (; this.#nextEndMs <= watermarkMs; this.#nextEndMs += this.#sliceMs) {
      const startMs = this.#nextEndMs - this.#sliceMs;
      const heard = this.#receiver.wasHeard(startMs, this.#nextEndMs);
      const share = (heard ? this.#judge(startMs, this.#nextEndMs, this.#taken) : null) ?? this.#emptyShare;
      if (share === null) continue;
      this.good += share;
      this.bad += 1 - share;
    }
  }
}

/** What was taken, by series. */
export function bySeries(taken: readonly Taken[]): Taken[][] {
  const groups = new Map<string, Taken[]>();
  for (const one of taken) groups.set(one.key, [...(groups.get(one.key) ?? []), one]);
  return [...groups.values()];
}
