import { SAMPLE_STALE, SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import type { IngestOutcome } from '../../src/engine/outcome.ts';

export interface Sample {
  labels: Record<string, string>;
  tMs: number;
  /** `stale` is a stale marker. */
  value: number | 'stale';
}

export function series(code: string, instance = 'a', job = 'api'): Record<string, string> {
  return { __name__: 'requests', job, instance, code };
}

/** Hands samples to an engine as one batch, as a request of them would. */
export function feed(engine: Engine, samples: readonly Sample[], nowMs: number): IngestOutcome {
  const batch = new SampleBatch(Math.max(samples.length, 1));
  for (const { labels, tMs, value } of samples) {
    const set = labelSet(Object.entries(labels));
    const id = engine.register(set, encodeLabels(set));
    if (value === 'stale') batch.push(id, tMs, Number.NaN, SAMPLE_STALE);
    else batch.push(id, tMs, value, SAMPLE_VALUE);
  }
  return engine.ingest(batch, nowMs);
}
