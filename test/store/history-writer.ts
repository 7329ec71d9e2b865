/**
 * The victim of history-kill.test.ts: receives a scrape every 15 seconds of event time, journals it, and prints its number once
 * it is acknowledged. Every few scrapes alerts are evaluated, which settles events, and a snapshot is saved.
 */
import { writeSync } from 'node:fs';
import { SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import { Engine } from '../../src/engine/engine.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { counterAt, scrapeMs } from './history-story.ts';

const store = Store.open(process.argv[2]!);
const engine = new Engine([anSlo()]);
recover(store, engine, scrapeMs(store.committedSeq));
const journal = new Journal(store, engine.table);
const ids = ['200', '500'].map((code) => {
  const labels = labelSet(Object.entries({ __name__: 'requests', job: 'api', instance: 'a', code }));
  return engine.register(labels, encodeLabels(labels));
});

for (;;) {
  // Each scrape is one record.
  const number = store.appendedSeq + 1;
  const nowMs = scrapeMs(number);
  const batch = new SampleBatch();
  batch.push(ids[0]!, nowMs, counterAt(number).good, SAMPLE_VALUE);
  batch.push(ids[1]!, nowMs, counterAt(number).bad, SAMPLE_VALUE);
  journal.record(batch, engine.ingest(batch, nowMs), nowMs);
  if (number % 3 === 0) engine.evaluate(nowMs + 6_000);
  if (number % 5 === 0) store.history.draw(engine);
  const saved = number % 11 === 0 ? journal.snapshot(engine) : Promise.resolve();
  await Promise.all([saved, store.committed()]);
  writeSync(1, `${number}\n`);
}
