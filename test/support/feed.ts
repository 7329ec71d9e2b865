import { SAMPLE_DELTA, SAMPLE_STALE, SAMPLE_STARTED, SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import type { NativeHistogram } from '../../src/engine/native-histogram.ts';
import type { IngestOutcome } from '../../src/engine/outcome.ts';

export interface Sample {
  labels: Record<string, string>;
  tMs: number;
  /** `stale` is a stale marker. */
  value: number | 'stale';
  /** A native histogram, instead of the value. */
  histogram?: NativeHistogram;
  /** Start timestamp; 0 says that the sender knows none. */
  startMs?: number;
  /** The value is the increment as it stands. */
  delta?: boolean;
}

export function series(code: string, instance = 'a', job = 'api'): Record<string, string> {
  return { __name__: 'requests', job, instance, code };
}

/** Hands samples to an engine as one batch, as a request of them would. */
export function feed(engine: Engine, samples: readonly Sample[], nowMs: number): IngestOutcome {
  const batch = new SampleBatch(Math.max(samples.length, 1));
  for (const sample of samples) push(batch, engine, sample);
  return engine.ingest(batch, nowMs);
}

function push(batch: SampleBatch, engine: Engine, { labels, tMs, value, histogram, startMs, delta }: Sample): void {
  const set = labelSet(Object.entries(labels));
  const id = engine.register(set, encodeLabels(set));
  if (value === 'stale') batch.push(id, tMs, Number.NaN, SAMPLE_STALE);
  else if (histogram !== undefined) batch.pushHistogram(id, tMs, histogram, startMs ?? 0);
  else if (delta) batch.pushStarted(id, tMs, value, SAMPLE_DELTA, startMs ?? 0);
  else if (startMs !== undefined) batch.pushStarted(id, tMs, value, SAMPLE_STARTED, startMs);
  else batch.push(id, tMs, value, SAMPLE_VALUE);
}
