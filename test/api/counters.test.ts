import { expect, test } from 'vitest';
import { WriteCounters } from '../../src/api/counters.ts';
import { IngestOutcome } from '../../src/engine/outcome.ts';

test('every sample is accepted, ignored or rejected, and once', () => {
  const counters = new WriteCounters();
  const outcome = new IngestOutcome();
  outcome.begin(20);
  Object.assign(outcome, { accepted: 9, tooOld: 1, duplicate: 2, unmatched: 3, stale: 1, tooNew: 4 });
  // One of the two moved its series on, so that the engine has it among the accepted ones as well.
  outcome.writerConflict = 2;
  counters.count(outcome, { rejections: { total: 0, samples: {} }, histogramCount: 0 } as never);
  const sum = (counts: Record<string, number>): number => Object.values(counts).reduce((a, b) => a + b, 0);
  expect([counters.accepted, counters.ignored.writer_conflict, counters.rejected.too_new]).toEqual([7, 2, 4]);
  expect(counters.accepted + sum(counters.ignored) + sum(counters.rejected)).toBe(counters.received);
});
