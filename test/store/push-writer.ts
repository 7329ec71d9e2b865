/**
 * The victim of push-kill.test.ts: takes a request of pushed events every second of event time, the one before once more with
 * it, and prints its number once it is acknowledged. Now and then alerts are evaluated and a snapshot is saved.
 */
import { writeSync } from 'node:fs';
import { Engine } from '../../src/engine/engine.ts';
import { Journal, recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { pushMs, requestOf } from './push-story.ts';

const store = Store.open(process.argv[2]!);
const engine = new Engine([anSlo()]);
recover(store, engine, pushMs(store.committedSeq));
const journal = new Journal(store, engine.table);

for (;;) {
  // Each request is one record.
  const number = store.appendedSeq + 1;
  const nowMs = pushMs(number);
  journal.recordPushes(engine.push([...requestOf(number - 1), ...requestOf(number)], nowMs).applied, nowMs);
  if (number % 3 === 0) engine.evaluate(nowMs + 6_000);
  const saved = number % 11 === 0 ? journal.snapshot(engine) : Promise.resolve();
  await Promise.all([saved, store.committed()]);
  writeSync(1, `${number}\n`);
}
