import { cpSync } from 'node:fs';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { SampleBatch } from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { CommitError } from '../../src/store/errors.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { feed, type Sample, series } from '../support/feed.ts';
import { anSlo, counter } from '../support/slo.ts';
import { STORY } from '../support/story.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';

/** A reload as a server makes it: another engine takes over, in memory and on disk. */

const KEPT = anSlo();
const OTHER = anSlo({
  id: 'api/other',
  name: 'other',
  sli: {
    kind: 'events',
    total: [counter('requests')],
    given: 'bad',
    selectors: [counter('requests', { code: '404' })],
  },
});
/** The definitions on disk, of which every reload and every start reads the present ones. */
const SETS: readonly (readonly Slo[])[] = [[KEPT], [OTHER, KEPT], [KEPT, OTHER]];

class Server {
  readonly store: Store;
  engine: Engine;
  journal: Journal;

  constructor(dir: string, slos: readonly Slo[], nowMs: number) {
    this.store = Store.open(dir);
    this.engine = new Engine(slos);
    recover(this.store, this.engine, nowMs);
    this.journal = new Journal(this.store, this.engine.table);
  }

  async receive(samples: readonly Sample[], nowMs: number): Promise<void> {
    this.apply(samples, nowMs);
    await this.store.committed();
  }

  /** Without waiting for the commit. */
  apply(samples: readonly Sample[], nowMs: number): void {
    const batch = new SampleBatch();
    for (const { labels, tMs, value } of samples) {
      const set = labelSet(Object.entries(labels));
      batch.push(this.engine.register(set, encodeLabels(set)), tMs, value as number, 0);
    }
    this.journal.record(batch, this.engine.ingest(batch, nowMs), nowMs);
  }

  reload(slos: readonly Slo[], nowMs: number): void {
    const engine = this.engine.successor(slos, nowMs);
    this.journal = Journal.succeed(this.store, this.engine, engine);
    this.engine = engine;
  }

  /** What is on disk at this moment, as after a kill, recovered. */
  killed(slos: readonly Slo[], nowMs: number): Server {
    const copy = temporaryFolder();
    cpSync(this.store.dir, copy, { recursive: true });
    const server = new Server(copy, slos, nowMs);
    onTestFinished(() => server.store.close());
    return server;
  }
}

function server(slos: readonly Slo[]): Server {
  const made = new Server(temporaryFolder(), slos, MIDNIGHT_MS);
  onTestFinished(() => made.store.close());
  return made;
}

function scrape(tMs: number, good: number, bad: number, notFound: number): Sample[] {
  return [
    { labels: series('200'), tMs, value: good },
    { labels: series('500'), tMs, value: bad },
    { labels: series('404'), tMs, value: notFound },
  ];
}

test('an SLO that is kept is as if nothing had been reloaded, whatever else is reloaded, saved or ended', async () => {
  const fate = fc.constantFrom('goes on', 'goes on', 'is reloaded', 'is saved', 'ends', 'is reloaded and ends');
  await fc.assert(
    fc.asyncProperty(STORY, fc.array(fate, { minLength: 1, maxLength: 20 }), async (story, fates) => {
      const straight = new Engine([KEPT]);
      const dir = temporaryFolder();
      let files = 0;
      let running = new Server(dir, SETS[0]!, MIDNIGHT_MS);
      for (const [i, { samples, arrivedMs }] of story.entries()) {
        const numbers = samples.filter(({ value }) => typeof value === 'number');
        feed(straight, numbers, arrivedMs);
        await running.receive(numbers, arrivedMs);
        const next = fates[i % fates.length]!;
        if (next === 'is saved') await running.journal.snapshot(running.engine);
        if (next.startsWith('is reloaded')) running.reload(SETS[++files % SETS.length]!, arrivedMs);
        if (next.endsWith('ends')) {
          running.store.close();
          running = new Server(dir, SETS[files % SETS.length]!, arrivedMs);
        }
      }
      const laterMs = story.at(-1)!.arrivedMs + 5_000;
      expect(running.engine.state(KEPT.id, laterMs)).toEqual(straight.state(KEPT.id, laterMs));
      running.store.close();
    }),
    { numRuns: 40 },
  );
});

test('whenever the process is killed around a reload, what was acknowledged is there, and counts as it did', async () => {
  const running = server([KEPT]);
  const readMs = MIDNIGHT_MS + 60_000;
  const events = ({ engine }: Server, id = KEPT.id) => engine.state(id, readMs)!.events;
  await running.receive(scrape(MIDNIGHT_MS, 100, 10, 7), MIDNIGHT_MS);
  await running.receive(scrape(MIDNIGHT_MS + 15_000, 150, 12, 8), MIDNIGHT_MS + 15_000);
  const kept = { good: 51, bad: 2, total: 53 };
  const reloadMs = MIDNIGHT_MS + 20_000;
  const files = [KEPT, OTHER];

  // The files are changed, and nothing else happened yet.
  const before = running.killed(files, reloadMs);
  expect(events(before)).toEqual(kept);

  running.reload(files, reloadMs);
  expect(events(running)).toEqual(kept);
  const after = running.killed(files, reloadMs + 5_000);
  expect(events(after)).toEqual(kept);

  await running.receive(scrape(MIDNIGHT_MS + 30_000, 200, 15, 10), MIDNIGHT_MS + 30_000);
  const later = running.killed(files, readMs);
  for (const id of [KEPT.id, OTHER.id]) expect(events(later, id), id).toEqual(events(running, id));
  expect(events(later)).toEqual({ good: 103, bad: 5, total: 108 });
  expect(later.engine.states(readMs)).toEqual(running.engine.states(readMs));
});

test('records that wait for their commit are written with a reload', async () => {
  const running = server([KEPT]);
  running.apply(scrape(MIDNIGHT_MS, 100, 10, 7), MIDNIGHT_MS);
  running.apply(scrape(MIDNIGHT_MS + 15_000, 150, 12, 8), MIDNIGHT_MS + 15_000);
  const answered = running.store.committed();
  running.reload([OTHER, KEPT], MIDNIGHT_MS + 15_000);
  const { engine } = running.killed([OTHER, KEPT], MIDNIGHT_MS + 15_000);
  expect(engine.state(KEPT.id, MIDNIGHT_MS + 60_000)!.events).toEqual({ good: 51, bad: 2, total: 53 });
  await answered;
});

test('a reload that cannot be saved leaves everything as it was, and can be tried again', async () => {
  const running = server([KEPT]);
  await running.receive(scrape(MIDNIGHT_MS, 100, 10, 7), MIDNIGHT_MS);
  await running.receive(scrape(MIDNIGHT_MS + 15_000, 150, 12, 8), MIDNIGHT_MS + 15_000);
  const { store, engine } = running;
  const save = store.saveSnapshotNow;
  store.saveSnapshotNow = () => {
    throw new CommitError(new Error('database or disk is full'));
  };
  expect(() => running.reload([OTHER, KEPT], MIDNIGHT_MS + 20_000)).toThrow('database or disk is full');
  store.saveSnapshotNow = save;
  expect(running.engine).toBe(engine);
  await running.receive(scrape(MIDNIGHT_MS + 30_000, 160, 12, 8), MIDNIGHT_MS + 30_000);
  running.reload([OTHER, KEPT], MIDNIGHT_MS + 35_000);
  const readMs = MIDNIGHT_MS + 60_000;
  expect(running.engine.state(KEPT.id, readMs)!.events).toEqual({ good: 61, bad: 2, total: 63 });
  running.engine.evaluate(readMs);
  const { slots } = store.history.read(running.engine, KEPT.id, null, MIDNIGHT_MS, readMs);
  expect(slots.reduce((sum, slot) => sum + slot.good, 0)).toBe(61);
});
