import type { LabelSet } from '../src/engine/label-set.ts';
import { Replicas } from '../src/engine/replicas.ts';
import { SeriesTable, type SeriesTableOptions } from '../src/engine/series-table.ts';
import type { SeriesResolver } from '../src/ingest/new-series.ts';

/** Registers every series and does nothing else with it: ingest without an engine, that wants all native histograms or none. */
export class TableResolver implements SeriesResolver {
  readonly table: SeriesTable;
  readonly replicas = new Replicas(30_000);

  readonly #options: Partial<SeriesTableOptions>;
  readonly #wantsHistograms: boolean;

  constructor(options: Partial<SeriesTableOptions> = {}, wantsHistograms = false) {
    this.#options = options;
    this.#wantsHistograms = wantsHistograms;
    this.table = new SeriesTable({ seriesMax: 2_000_000, aliasesMax: 100_000, seed: 1, ...options });
  }

  /** One like this one, that has met nothing. */
  twin(): TableResolver {
    return new TableResolver(this.#options, this.#wantsHistograms);
  }

  register(_labels: LabelSet, canonical: Uint8Array): number {
    const known = this.table.find(canonical, 0, canonical.length);
    return known !== -1 ? known : this.table.insert(canonical, 0, canonical.length);
  }

  wantsHistograms(_seriesId: number): boolean {
    return this.#wantsHistograms;
  }
}
