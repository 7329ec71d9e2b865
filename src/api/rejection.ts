import type { SampleBatch } from '../engine/batch.ts';
import type { Engine } from '../engine/engine.ts';
import { decodeLabels, formatSeries } from '../engine/label-set.ts';
import type { IngestOutcome } from '../engine/outcome.ts';
import type { Rejections } from '../ingest/rejections.ts';

/** Why a label set or a sample can be refused while the rest of its request is applied; docs/errors.md explains each. */
export const REJECTION_REASONS = {
  missing_metric_name: 'The series has no label `__name__`, or an empty one; the OTLP metric has no name.',
  duplicate_label: 'The series has a label, or the data point an attribute, twice.',
  empty_label_name: 'A label of the series has no name.',
  invalid_label_refs:
    'A series of remote write 2.0 refers to symbols that are not there, or to a name without a value.',
  invalid_utf8: 'A label is not valid UTF-8, or holds a NUL character.',
  label_limit: 'The series has too many labels, or a label name or value is too long: see `limits` in the server file.',
  series_limit:
    'The server knows as many series as it may: send fewer (`slipstream relabel`) or raise `limits.series`.',
  ha_limit: 'The series is of an HA pair beyond 100 clusters: look at the labels that `ha` in the server file names.',
  invalid_histogram: 'A histogram contradicts itself, or has more buckets than `limits.histogram_buckets` allows.',
  missing_time: 'An OTLP data point has no time.',
  missing_value: 'An OTLP data point of a gauge or a sum has no value.',
  unspecified_temporality: 'An OTLP sum or histogram says neither that it is cumulative nor that it is a delta.',
  delta_of_gauge:
    'An OTLP sum that may fall is sent as deltas, which do not tell its level: let the sender send it cumulatively.',
  too_new: 'The timestamp is more than 10 minutes ahead of the server: look at the clocks.',
  conflict:
    'Its series has another value at the same time, which is kept. Of remote write 1.0, which would lose the whole request, such a sample is ignored.',
} as const satisfies Record<keyof Rejections['samples'] | 'too_new' | 'conflict', string>;

export type RejectionReason = keyof typeof REJECTION_REASONS;

/** Counts by reason first, then the examples; null when nothing was refused. `conflicts` are those that count as such. */
export function rejectionText(
  rejections: Rejections,
  batch: SampleBatch,
  outcome: IngestOutcome,
  engine: Engine,
  conflicts = 0,
): string | null {
  const { tooNew } = outcome;
  const refused = rejections.total + tooNew + conflicts;
  if (refused === 0) return null;
  const counts = Object.entries({ ...rejections.samples, too_new: tooNew, conflict: conflicts }).filter(
    ([, samples]) => samples > 0,
  );
  const reasons = counts.map(([reason, samples]) => `${samples} ${reason}`).join(', ');
  const lines = [
    `${refused} of ${rejections.total + outcome.samples} samples rejected: ${reasons}; all others were applied`,
  ];
  if (tooNew > 0) lines.push(newestSample(batch, engine));
  lines.push(...rejections.examples);
  return lines.slice(0, 1 + EXAMPLES_MAX).join('\n');
}

const EXAMPLES_MAX = 5;
const LATEST_DATE_MS = 8.64e15;

/** The sample furthest in the future, which is one of those refused for that. */
function newestSample({ length, seriesIds, timestampsMs }: SampleBatch, engine: Engine): string {
  let newest = 0;
  for (let row = 1; row < length; row++) if (timestampsMs[row]! > timestampsMs[newest]!) newest = row;
  const labels = engine.table.labelBytes(seriesIds[newest]!);
  const tMs = timestampsMs[newest]!;
  const when = Math.abs(tMs) <= LATEST_DATE_MS ? new Date(tMs).toISOString() : `${tMs} ms`;
  return `too far in the future, ${when}: ${formatSeries(decodeLabels(labels, 0, labels.length))}`;
}
