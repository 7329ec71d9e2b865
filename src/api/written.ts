import { SAMPLE_HISTOGRAM, type SampleBatch } from '../engine/batch.ts';
import type { IngestOutcome } from '../engine/outcome.ts';
import type { ItemCounts } from '../ingest/remote-write-2.ts';

export const NOTHING_WRITTEN: Readonly<ItemCounts> = { samples: 0, histograms: 0, exemplars: 0 };

/**
 * What a sender of remote write 2.0 is told about its request, of which `valid` was handed to the engine as `batch`. Written
 * means accepted: what no SLO wants, what was told before and what came late count, because for anything less a sender logs
 * data as lost.
 */
export function writtenOf(valid: ItemCounts, batch: SampleBatch, { lostRows }: IngestOutcome): ItemCounts {
  const histograms = lostRows.filter((row) => batch.kinds[row] === SAMPLE_HISTOGRAM).length;
  return {
    samples: valid.samples - (lostRows.length - histograms),
    histograms: valid.histograms - histograms,
    exemplars: valid.exemplars,
  };
}

export function writtenHeaders({
  samples,
  histograms,
  exemplars,
}: Readonly<ItemCounts>): [name: string, value: number][] {
  return [
    ['X-Prometheus-Remote-Write-Samples-Written', samples],
    ['X-Prometheus-Remote-Write-Histograms-Written', histograms],
    ['X-Prometheus-Remote-Write-Exemplars-Written', exemplars],
  ];
}
