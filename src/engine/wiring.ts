import type { Accounts, LedgerEntry } from './accounts.ts';
import { type LabelSet, labelValue } from './label-set.ts';
import { BucketLayout, parseBound } from './latency.ts';
import { COUNTER, FeedColumns, OTHER, type SeriesColumns } from './series-columns.ts';
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
  }

  /** The feeds of a series beside event counters. */
  othersOf(id: number): readonly OtherFeed[] {
    return this.#others.get(id) ?? NONE;
  }

  /** `read` are the label sets by which the series may be selected; the first one says which series it is. */
  /** Whether some SLO wants a series of these labels. */
  wants(read: readonly LabelSet[]): boolean {
    return this.#index.matches(read).length > 0;
  }

  connect(id: number, read: readonly LabelSet[]): void {
    const start = this.feeds.size;
    const others: OtherFeed[] = [];
    const labels = read[0]!;
    for (const match of this.#index.matches(read)) {
      const entry = this.#accounts.forLabels(match.slo, labels);
      if (entry !== null) this.#feed(match, entry, labels, others);
    }
    this.#series.feedStart[id] = start;
    this.#series.feedCount[id] = this.feeds.size - start;
    if (others.length > 0) {
      this.#others.set(id, others);
      this.#series.role[id] = OTHER;
    } else if (this.feeds.size > start) {
      this.#series.role[id] = COUNTER;
    }
  }

  #feed({ slo, roles }: Match, entry: LedgerEntry, labels: LabelSet, others: OtherFeed[]): void {
    const { sli } = this.#slos[slo]!;
    if ((roles & (IN_TOTAL | IN_GIVEN)) !== 0 && sli.kind === 'events') {
      const { good, bad } = eventWeights(sli.given, roles);
      this.feeds.push(entry.events, good, bad);
    }
    if ((roles & LATENCY_COUNT) !== 0) this.feeds.push(entry.events, 0, 1);
    if ((roles & LATENCY_BUCKET) !== 0 && sli.kind === 'latency') this.#bucket(entry, sli.thresholdSeconds, labels);
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

  #bucket(entry: LedgerEntry, thresholdSeconds: number, labels: LabelSet): void {
    const le = parseBound(labelValue(labels, 'le'));
    if (Number.isNaN(le)) return;
    const layouts = this.#layouts.get(entry) ?? new Map<string, BucketLayout>();
    this.#layouts.set(entry, layouts);
    const histogram = withoutLe(labels);
    const layout = layouts.get(histogram) ?? new BucketLayout(thresholdSeconds, this.feeds);
    layouts.set(histogram, layout);
    layout.add(le, this.feeds.push(entry.events, 0, 0), this.feeds.push(entry.bounds, 0, 0));
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
