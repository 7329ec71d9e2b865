import { slotIndex } from './ring.ts';
import type { Matcher, Slo } from './slo.ts';

/**
 * The targets that the selectors of an SLO could match, taken together: their watermark and their coverage.
 *
 * SLOs whose selectors say the same of `job` and `instance` share one scope, so that a report of a target costs the same for
 * one SLO and for a thousand.
 */

/** How many arrivals wait for `settle`; more of them are merged, which delays the watermark by at most a 32nd of it. */
const ARRIVALS_MAX = 64;
const ARRIVALS_PER_SETTLE = 32;

export class Scope {
  readonly key: string;
  readonly #alternatives: readonly (readonly Matcher[])[];
  readonly #settleMs: number;
  readonly #staleAfterMs: number;
  /** Event time of the first report of any target: our coverage begins here. */
  firstMs = Number.POSITIVE_INFINITY;
  /** Newest event time reported. */
  newestMs = Number.NEGATIVE_INFINITY;
  /** Newest event time that has had `settle`, and when it had. */
  settledMs = Number.NaN;
  settledAtMs = Number.NaN;
  /** No slice of an SLO of this scope waits for an earlier watermark. */
  nextSliceEndMs = Number.POSITIVE_INFINITY;
  readonly #coverage = new Map<number, Coverage>();
  /** By slice length: in which slices did some target report? */
  readonly #reports = new Map<number, Coverage>();
  // A queue of (event time, arrival), both rising.
  readonly #eventMs = new Float64Array(ARRIVALS_MAX);
  readonly #arrivedMs = new Float64Array(ARRIVALS_MAX);
  #front = 0;
  #count = 0;
  /** Arrival that opened the newest entry of the queue. */
  #openedMs = 0;

  constructor(key: string, alternatives: readonly (readonly Matcher[])[], settleMs: number, staleAfterMs: number) {
    this.key = key;
    this.#alternatives = alternatives;
    this.#settleMs = settleMs;
    this.#staleAfterMs = staleAfterMs;
  }

  /** Whether some target was ever heard, within what a window reaches. */
  get hasReported(): boolean {
    return this.firstMs !== Number.POSITIVE_INFINITY;
  }

  /** The jobs of all targets it could include, or null when they are not told by name. */
  get jobs(): ReadonlySet<string> | null {
    const jobs = new Set<string>();
    for (const matchers of this.#alternatives) {
      const exact = matchers.find(({ name, op }) => name === 'job' && op === '=');
      if (exact === undefined) return null;
      jobs.add(exact.value);
    }
    return jobs;
  }

  /** Whether some selector could match a series of this target. */
  includes(job: string, instance: string): boolean {
    return this.#alternatives.some((matchers) =>
      matchers.every((matcher) => matcher.matches(matcher.name === 'job' ? job : instance)),
    );
  }

  /** A target reported `tMs`, and has been up since `upSinceMs`. */
  observe(upSinceMs: number, tMs: number, arrivedMs: number): void {
    if (upSinceMs < this.firstMs) this.firstMs = upSinceMs;
    for (const coverage of this.#coverage.values()) coverage.mark(upSinceMs, tMs);
    for (const reports of this.#reports.values()) reports.mark(tMs, tMs);
    if (tMs <= this.newestMs) return;
    this.newestMs = tMs;
    this.#settle(arrivedMs);
    const last = (this.#front + this.#count - 1) % ARRIVALS_MAX;
    if (this.#count > 0 && arrivedMs - this.#openedMs < this.#settleMs / ARRIVALS_PER_SETTLE) {
      this.#eventMs[last] = tMs;
      this.#arrivedMs[last] = arrivedMs;
      return;
    }
    if (this.#count === ARRIVALS_MAX) {
      // Only a clock that runs backwards gets here: arrivals are at least a 32nd of `settle` apart and leave after `settle`.
      this.#eventMs[last] = tMs;
      return;
    }
    this.#openedMs = arrivedMs;
    const next = (this.#front + this.#count++) % ARRIVALS_MAX;
    this.#eventMs[next] = tMs;
    this.#arrivedMs[next] = arrivedMs;
  }

  #settle(nowMs: number): void {
    while (this.#count > 0 && this.#arrivedMs[this.#front]! + this.#settleMs <= nowMs) {
      this.settledMs = this.#eventMs[this.#front]!;
      this.settledAtMs = this.#arrivedMs[this.#front]! + this.#settleMs;
      this.#front = (this.#front + 1) % ARRIVALS_MAX;
      this.#count--;
    }
  }

  /** Where windows end: the newest settled event time, never past the wall clock. NaN while nothing was observed. */
  watermarkMs(nowMs: number): number {
    this.#settle(nowMs);
    return Math.min(this.settledMs, nowMs);
  }

  /** Nothing was ever observed, the watermark stands still, or it lags behind the clock (a sender that is catching up). */
  hasNoData(nowMs: number): boolean {
    const watermarkMs = this.watermarkMs(nowMs);
    if (Number.isNaN(watermarkMs)) return true;
    return nowMs - watermarkMs > this.#staleAfterMs || nowMs - this.settledAtMs > this.#staleAfterMs;
  }

  /** Whether there is data; and when the watermark moved last, in time of arrival, NaN before it ever did. */
  reception(nowMs: number): Reception {
    return { hasData: !this.hasNoData(nowMs), movedAtMs: this.settledAtMs };
  }

  /** Keeps coverage for windows of this slot size and length. */
  trackCoverage(slotMs: number, windowMs: number): void {
    track(this.#coverage, slotMs, windowMs);
  }

  /** Keeps which slices of this length saw a report, for as long as a window. */
  trackReports(sliceMs: number, windowMs: number): void {
    track(this.#reports, sliceMs, windowMs);
  }

  /** Whether some target reported within the slice that ends at `endMs`. */
  reportedWithin(sliceMs: number, endMs: number): boolean {
    return this.#reports.get(sliceMs)!.isCovered(slotIndex(endMs, sliceMs));
  }

  /** Share of `(nowMs - windowMs, nowMs]` in which some target reported. Counted from the clock, not from the data. */
  coverage(slotMs: number, windowMs: number, nowMs: number): number {
    const startMs = Math.max(nowMs - windowMs, this.firstMs);
    return startMs >= nowMs ? 0 : this.#coverage.get(slotMs)!.coveredMs(startMs, nowMs) / windowMs;
  }

  /** What a snapshot keeps. */
  save(): ScopeSave {
    return {
      key: this.key,
      firstMs: this.firstMs,
      newestMs: this.newestMs,
      arrivals: Array.from({ length: this.#count }, (_, i) => {
        const at = (this.#front + i) % ARRIVALS_MAX;
        return [this.#eventMs[at]!, this.#arrivedMs[at]!] as const;
      }),
      settledMs: this.settledMs,
      settledAtMs: this.settledAtMs,
      coverage: [...this.#coverage.values()],
      reports: [...this.#reports.values()],
    };
  }

  load(save: ScopeSave): void {
    this.firstMs = save.firstMs;
    this.newestMs = save.newestMs;
    this.settledMs = save.settledMs;
    this.settledAtMs = save.settledAtMs;
    this.#front = 0;
    this.#count = save.arrivals.length;
    save.arrivals.forEach(([eventMs, arrivedMs], i) => {
      this.#eventMs[i] = eventMs;
      this.#arrivedMs[i] = arrivedMs;
      this.#openedMs = arrivedMs;
    });
    restore(this.#coverage, save.coverage);
    restore(this.#reports, save.reports);
  }
}

/** A watermark that moves and yet lags is that of a sender that is catching up: no data, and no silence either. */
export interface Reception {
  readonly hasData: boolean;
  /** Unix milliseconds; NaN when nothing was ever received. */
  readonly movedAtMs: number;
}

function track(records: Map<number, Coverage>, slotMs: number, windowMs: number): void {
  const slots = Math.ceil(windowMs / slotMs) + 2;
  const present = records.get(slotMs);
  if (present === undefined) records.set(slotMs, new Coverage(slotMs, slots));
  else if (present.slots < slots) records.set(slotMs, present.widened(slots));
}

function restore(records: Map<number, Coverage>, saved: readonly Coverage[]): void {
  for (const coverage of saved) {
    const mine = records.get(coverage.slotMs);
    if (mine !== undefined) records.set(coverage.slotMs, coverage.widened(Math.max(mine.slots, coverage.slots)));
  }
}

export interface ScopeSave {
  key: string;
  firstMs: number;
  newestMs: number;
  arrivals: (readonly [eventMs: number, arrivedMs: number])[];
  settledMs: number;
  settledAtMs: number;
  coverage: Coverage[];
  reports: Coverage[];
}

/** One bit a slot: did any target report in it? Between two reports of one run every slot is covered. */
export class Coverage {
  readonly slotMs: number;
  readonly slots: number;
  readonly bits: Uint8Array;
  head: number;

  constructor(slotMs: number, slots: number, head = Number.NaN, bits = new Uint8Array(Math.ceil(slots / 8))) {
    this.slotMs = slotMs;
    this.slots = slots;
    this.head = head;
    this.bits = bits;
  }

  mark(fromMs: number, toMs: number): void {
    const last = slotIndex(toMs, this.slotMs);
    if (!(last <= this.head)) this.#advance(last);
    const first = Math.max(slotIndex(fromMs, this.slotMs), this.head - this.slots + 1);
    for (let slot = first; slot <= last; slot++) {
      const i = modulo(slot, this.slots);
      this.bits[i >> 3]! |= 1 << (i & 7);
    }
  }

  #advance(slot: number): void {
    if (!Number.isNaN(this.head)) {
      for (let k = Math.max(this.head + 1, slot - this.slots + 1); k <= slot; k++) {
        const i = modulo(k, this.slots);
        this.bits[i >> 3]! &= ~(1 << (i & 7));
      }
    }
    this.head = slot;
  }

  isCovered(slot: number): boolean {
    if (!(slot <= this.head) || slot <= this.head - this.slots) return false;
    const i = modulo(slot, this.slots);
    return (this.bits[i >> 3]! & (1 << (i & 7))) !== 0;
  }

  /** Length of the part of `(fromMs, toMs]` that is covered. */
  coveredMs(fromMs: number, toMs: number): number {
    let sum = 0;
    const last = slotIndex(toMs, this.slotMs);
    for (let slot = Math.floor(fromMs / this.slotMs); slot <= last; slot++) {
      if (!this.isCovered(slot)) continue;
      sum += Math.min((slot + 1) * this.slotMs, toMs) - Math.max(slot * this.slotMs, fromMs);
    }
    return sum;
  }

  /** The same record with room for more slots. */
  widened(slots: number): Coverage {
    const wide = new Coverage(this.slotMs, slots, this.head);
    for (let slot = this.head - this.slots + 1; slot <= this.head; slot++) {
      if (!this.isCovered(slot)) continue;
      const i = modulo(slot, slots);
      wide.bits[i >> 3]! |= 1 << (i & 7);
    }
    return wide;
  }
}

function modulo(k: number, n: number): number {
  const rest = k % n;
  return rest < 0 ? rest + n : rest;
}

/** What an SLO's selectors say of `job` and `instance`, one entry a selector, and a text that is equal when they agree. */
export function scopeOf(slo: Slo): { key: string; alternatives: Matcher[][] } {
  // No series belongs to it, which is not the same as a selector that every target could match.
  if (slo.sli.kind === 'push') return { key: 'no target', alternatives: [] };
  const byText = new Map<string, Matcher[]>();
  for (const selector of selectorsOf(slo)) {
    const matchers = selector.filter((matcher) => matcher.name === 'job' || matcher.name === 'instance');
    const text = matchers.map(({ name, op, value }) => JSON.stringify([name, op, value])).sort();
    byText.set(text.join(), matchers);
  }
  const texts = [...byText.keys()].sort();
  return { key: texts.join(' or '), alternatives: texts.map((text) => byText.get(text)!) };
}

function selectorsOf(slo: Slo): (readonly Matcher[])[] {
  const { sli } = slo;
  switch (sli.kind) {
    case 'events':
      return [...sli.total, ...sli.selectors].map((selector) => selector.matchers);
    case 'latency':
      return [sli.histogram.matchers];
    case 'freshness':
      return [sli.selector.matchers];
    case 'throughput':
      return [sli.counter.matchers];
    case 'probe':
    case 'threshold':
      return [sli.gauge.matchers];
    case 'push':
      return [];
  }
}
