/**
 * The victim of kill.test.ts: appends numbered records for ever and prints each number once it is acknowledged. Every 50
 * records it saves a snapshot that holds the number it stands for.
 */
import { writeSync } from 'node:fs';
import { Store } from '../../src/store/store.ts';

const store = Store.open(process.argv[2]!);
for (;;) {
  const first = store.appendedSeq + 1;
  const last = first + (first % 7);
  for (let number = first; number <= last; number++) store.append(Buffer.from(`record ${number}`));
  await store.committed();
  writeSync(1, `${last}\n`);
  if (last - store.snapshotSeq > 50) await store.saveSnapshot(Buffer.from(`snapshot ${last}`), last);
}
