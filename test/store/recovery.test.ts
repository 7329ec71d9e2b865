import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SAMPLE_STALE, SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import { Engine, type EngineOptions } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { StoreError } from '../../src/store/errors.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { feed, type Sample, series } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { STORY } from '../support/story.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';

const SLO = anSlo();

/** One run of the server: it recovers, receives and journals. */
class Run {
  readonly store: Store;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly recovered: ReturnType<typeof recover>;

  constructor(dir: string, nowMs: number, options: Partial<EngineOptions> = {}, slo = SLO) {
    this.store = Store.open(dir);
    this.engine = new Engine([slo], options);
    this.recovered = recover(this.store, this.engine, nowMs);
    this.journal = new Journal(this.store, this.engine.table);
  }

  async receive(samples: readonly Sample[], nowMs: number): Promise<void> {
    const batch = new SampleBatch();
    for (const { labels, tMs, value } of samples) {
      const set = labelSet(Object.entries(labels));
      const id = this.engine.register(set, encodeLabels(set));
      batch.push(id, tMs, value === 'stale' ? Number.NaN : value, value === 'stale' ? SAMPLE_STALE : SAMPLE_VALUE);
    }
    this.journal.record(batch, this.engine.ingest(batch, nowMs), nowMs);
    await this.store.committed();
  }
}

function scrape(tMs: number, good: number, bad: number): Sample[] {
  return [
    { labels: series('200'), tMs, value: good },
    { labels: series('500'), tMs, value: bad },
  ];
}

describe('recovery', () => {
  it('leads to the state that was acknowledged, whenever the process ends and snapshots are taken', async () => {
    const fate = fc.constantFrom('goes on', 'goes on', 'goes on', 'ends', 'is saved', 'is saved and ends');
    await fc.assert(
      fc.asyncProperty(STORY, fc.array(fate, { minLength: 1, maxLength: 20 }), async (story, fates) => {
        const straight = new Engine([SLO]);
        const dir = temporaryFolder();
        let run = new Run(dir, MIDNIGHT_MS);
        for (const [i, { samples, arrivedMs }] of story.entries()) {
          feed(straight, samples, arrivedMs);
          await run.receive(samples, arrivedMs);
          const next = fates[i % fates.length]!;
          if (next.startsWith('is saved')) await run.journal.snapshot(run.engine);
          if (next.endsWith('ends')) {
            run.store.close();
            run = new Run(dir, arrivedMs);
          }
        }
        run.store.close();
        const laterMs = story.at(-1)!.arrivedMs + 5_000;
        const last = new Run(dir, laterMs);
        expect(last.engine.state(SLO.id, laterMs)).toEqual(straight.state(SLO.id, laterMs));
        last.store.close();
      }),
      { numRuns: 30 },
    );
  });

  it('begins with nothing in a new directory', () => {
    const run = new Run(temporaryFolder(), MIDNIGHT_MS);
    onTestFinished(() => run.store.close());
    expect(run.recovered).toEqual({
      snapshotSeq: 0,
      snapshotBytes: 0,
      records: 0,
      samples: 0,
      refusedSamples: 0,
      snapshotIsCurrent: false,
    });
  });

  it('tells what it read, and journals nothing that changed nothing', async () => {
    const dir = temporaryFolder();
    const run = new Run(dir, MIDNIGHT_MS);
    await run.receive(scrape(MIDNIGHT_MS, 10, 1), MIDNIGHT_MS);
    await run.receive(scrape(MIDNIGHT_MS, 10, 1), MIDNIGHT_MS + 1);
    expect(run.store.appendedSeq).toBe(1);
    await run.journal.snapshot(run.engine);
    await run.receive(scrape(MIDNIGHT_MS + 15_000, 30, 2), MIDNIGHT_MS + 15_000);
    await run.receive(scrape(MIDNIGHT_MS + 30_000, 50, 2), MIDNIGHT_MS + 30_000);
    run.store.close();

    const again = new Run(dir, MIDNIGHT_MS + 40_000);
    onTestFinished(() => again.store.close());
    const { snapshotBytes, ...counts } = again.recovered;
    expect(counts).toEqual({ snapshotSeq: 1, records: 2, samples: 3, refusedSamples: 0, snapshotIsCurrent: false });
    expect(snapshotBytes).toBeGreaterThan(0);
    expect(again.engine.state(SLO.id, MIDNIGHT_MS + 40_000)!.events).toEqual({ good: 40, bad: 1, total: 41 });
  });

  it('keeps the records that arrived while a snapshot was waiting to be saved', async () => {
    const dir = temporaryFolder();
    const run = new Run(dir, MIDNIGHT_MS);
    await run.receive(scrape(MIDNIGHT_MS, 10, 1), MIDNIGHT_MS);
    const first = run.receive(scrape(MIDNIGHT_MS + 15_000, 30, 2), MIDNIGHT_MS + 15_000);
    const saved = run.journal.snapshot(run.engine);
    const second = run.receive(scrape(MIDNIGHT_MS + 30_000, 50, 3), MIDNIGHT_MS + 30_000);
    await Promise.all([first, saved, second]);
    run.store.close();

    const again = new Run(dir, MIDNIGHT_MS + 40_000);
    onTestFinished(() => again.store.close());
    expect(again.recovered).toMatchObject({ snapshotSeq: 2, records: 1, samples: 2 });
    expect(again.engine.state(SLO.id, MIDNIGHT_MS + 40_000)!.events).toEqual({ good: 40, bad: 2, total: 42 });
  });

  it('tells whether the snapshot alone is the present state of the present definitions', async () => {
    const dir = temporaryFolder();
    const isCurrent = (slo = SLO): boolean => {
      const run = new Run(dir, MIDNIGHT_MS, {}, slo);
      run.store.close();
      return run.recovered.snapshotIsCurrent;
    };
    expect(isCurrent()).toBe(false);
    const run = new Run(dir, MIDNIGHT_MS);
    await run.journal.snapshot(run.engine);
    run.store.close();
    expect(isCurrent()).toBe(true);
    expect(isCurrent({ ...SLO, objective: 0.99 })).toBe(false);
    const later = new Run(dir, MIDNIGHT_MS);
    await later.receive(scrape(MIDNIGHT_MS, 10, 1), MIDNIGHT_MS);
    later.store.close();
    expect(isCurrent()).toBe(false);
  });

  it('counts the samples of series that no longer find room', async () => {
    const dir = temporaryFolder();
    const run = new Run(dir, MIDNIGHT_MS);
    await run.receive(scrape(MIDNIGHT_MS, 10, 1), MIDNIGHT_MS);
    run.store.close();
    const again = new Run(dir, MIDNIGHT_MS, { seriesMax: 1 });
    onTestFinished(() => again.store.close());
    expect(again.recovered).toMatchObject({ records: 1, samples: 1, refusedSamples: 1 });
  });

  it('of a snapshot that this version cannot read says which version can', async () => {
    const dir = temporaryFolder();
    const store = Store.open(dir);
    await store.saveSnapshot(Buffer.from('another format'), 0);
    onTestFinished(() => store.close());
    const recovery = () => recover(store, new Engine([SLO]), MIDNIGHT_MS);
    expect(recovery).toThrow(StoreError);
    expect(recovery).toThrow(
      `the snapshot in data directory ${dir} cannot be restored (not a snapshot of the engine); ` +
        'run the version of slipstream that wrote it, or restore a backup',
    );
  });

  it('stops at a record that was damaged', async () => {
    const store = Store.open(temporaryFolder());
    onTestFinished(() => store.close());
    store.append(new Uint8Array(20));
    await store.committed();
    expect(() => recover(store, new Engine([SLO]), MIDNIGHT_MS)).toThrow(
      'journal record 1 cannot be read: its checksum is wrong; restore a backup, or move the data directory away',
    );
  });
});
