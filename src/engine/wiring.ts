import type { Accounts, LedgerEntry } from './accounts.ts';
import { type LabelSet, labelValue } from './label-set.ts';
import { BucketLayout, parseBound, type WeighBucket } from './latency.ts';
import { COUNTER, FeedColumns, IDLE, OTHER, type SeriesColumns, UNMATCHED } from './series-columns.ts';
import type { Slo } from './slo.ts';
import {
  eventWeights,
  GAUGE,
  IN_GIVEN,
  IN_TOTAL,
  LATENCY_BUCKET,
  LATENCY_COUNT,
  LATENCY_NATIVE,
  type Match,
  RATE_COUNTER,
  SloIndex,
} from './slo-index.ts';

/** What a series feeds beside event counters; see SeriesColumns.role. */
export interface OtherFeed {
  readonly kind: 'probe' | 'gauge' | 'rate' | 'native';
  readonly entry: LedgerEntry;
  /** The series' place among those its slices are judged by. */
  readonly slot: number;
}

const NONE: readonly OtherFeed[] = [];

/** Connects each new series to the ledgers it feeds. Once a series, so it is written to be read. */
export class Wiring {
  readonly feeds = new FeedColumns();
  /** By SLO, how often a series of it was refused because too many are known; each time that it came. */
  readonly refused: Float64Array;
  readonly #slos: readonly Slo[];
  readonly #accounts: Accounts;
  readonly #series: SeriesColumns;
  readonly #index: SloIndex;
  readonly #others = new Map<number, OtherFeed[]>();
  /** How many series each ledger's slices are judged by. */
  readonly #slots = new Map<LedgerEntry, number>();
  readonly #layouts = new Map<LedgerEntry, Map<string, BucketLayout>>();

  constructor(slos: readonly Slo[], accounts: Accounts, series: SeriesColumns) {
    this.#slos = slos;
    this.#accounts = accounts;
    this.#series = series;
    this.#index = new SloIndex(slos);
    this.refused = new Float64Array(slos.length);
  }

  /** The feeds of a series beside event counters. */
  othersOf(id: number): readonly OtherFeed[] {
    return this.#others.get(id) ?? NONE;
  }

  /** Whether some SLO wants a series of these labels. */
  wants(read: readonly LabelSet[]): boolean {
    return this.#index.matches(read).length > 0;
  }

  /** There is no room for a series: whoever wanted it does without. */
  refuse(read: readonly LabelSet[]): void {
    for (const { slo } of this.#index.matches(read)) this.refused[slo]!++;
  }

  /** `read` are the label sets by which the series may be selected; the first one says which series it is. */
  connect(id: number, read: readonly LabelSet[]): void {
    const series = this.#series;
    const others: OtherFeed[] = [];
    const labels = read[0]!;
    series.feedStart[id] = this.feeds.size;
    series.feedCount[id] = 0;
    for (const match of this.#index.matches(read)) {
      const entry = this.#accounts.forLabels(match.slo, labels);
      if (entry !== null) this.#feed(match, entry, id, labels, others);
    }
    if (others.length > 0) {
      this.#others.set(id, others);
      series.role[id] = OTHER;
    } else if (series.feedCount[id] > 0) {
      series.role[id] = COUNTER;
    }
  }

  #feed({ slo, roles }: Match, entry: LedgerEntry, id: number, labels: LabelSet, others: OtherFeed[]): void {
    const { sli } = this.#slos[slo]!;
    if ((roles & (IN_TOTAL | IN_GIVEN)) !== 0 && sli.kind === 'events') {
      const { good, bad } = eventWeights(sli.given, roles);
      this.#weigh(id, entry.events, good, bad);
    }
    if ((roles & LATENCY_COUNT) !== 0) this.#weigh(id, entry.events, 0, 1);
    if ((roles & LATENCY_BUCKET) !== 0 && sli.kind === 'latency') this.#bucket(entry, sli.thresholdSeconds, id, labels);
    if ((roles & LATENCY_NATIVE) !== 0) others.push({ kind: 'native', entry, slot: -1 });
    if ((roles & GAUGE) !== 0) {
      others.push({
        kind: sli.kind === 'probe' ? 'probe' : 'gauge',
        entry,
        slot: this.#slot(entry, sli.kind === 'probe'),
      });
    }
    if ((roles & RATE_COUNTER) !== 0) others.push({ kind: 'rate', entry, slot: this.#slot(entry, false) });
  }

  #slot(entry: LedgerEntry, none: boolean): number {
    if (none) return -1;
    const slot = this.#slots.get(entry) ?? 0;
    this.#slots.set(entry, slot + 1);
    return slot;
  }

  #bucket(entry: LedgerEntry, thresholdSeconds: number, id: number, labels: LabelSet): void {
    const le = parseBound(labelValue(labels, 'le'));
    if (Number.isNaN(le)) return;
    if (this.#series.role[id] === UNMATCHED) this.#series.role[id] = IDLE;
    const layouts = this.#layouts.get(entry) ?? new Map<string, BucketLayout>();
    this.#layouts.set(entry, layouts);
    const histogram = withoutLe(labels);
    const layout = layouts.get(histogram) ?? new BucketLayout(thresholdSeconds, this.#bucketWeights(entry));
    layouts.set(histogram, layout);
    layout.add(le, id);
  }

  #bucketWeights({ events, bounds }: LedgerEntry): WeighBucket {
    return (id, good, lower, upper) => {
      // Good events are no bad ones: the total counts every event as bad until a bucket says otherwise.
      this.#weigh(id, events, good, -good);
      this.#weigh(id, bounds, lower, upper);
      if (this.#series.feedCount[id] === 0 && this.#series.role[id] === COUNTER) this.#series.role[id] = IDLE;
    };
  }

  /** Sets what an increase of a series adds to an account. What adds nothing is no feed; only the newest series gets new ones. */
  #weigh(id: number, account: number, good: number, bad: number): void {
    const { feedStart, feedCount } = this.#series;
    const feeds = this.feeds;
    const start = feedStart[id]!;
    const end = start + feedCount[id]!;
    const isNothing = good === 0 && bad === 0;
    let feed = start;
    while (feed < end && feeds.account[feed] !== account) feed++;
    if (feed < end) {
      feeds.good[feed] = good;
      feeds.bad[feed] = bad;
      if (!isNothing) return;
      feeds.move(end - 1, feed);
      feedCount[id]!--;
    } else if (!isNothing) {
      if (end !== feeds.size) throw new Error(`BUG: series ${id} cannot get another feed`);
      feeds.push(account, good, bad);
      feedCount[id]!++;
    }
  }
}

/** The same for every bucket of a histogram, and for no other one: each text says where it ends. */
function withoutLe({ names, values }: LabelSet): string {
  let key = '';
  for (let i = 0; i < names.length; i++) {
    if (names[i] !== 'le') key += `${names[i]!.length} ${names[i]} ${values[i]!.length} ${values[i]} `;
  }
  return key;
}
