import { renameSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { countedExactly, DEFINITIONS } from './senders.ts';

const TIMEOUT_MS = 120_000;

const WHOEVER =
  'whoever sends everything again until it is acknowledged is counted exactly, over cut connections and kills';

test(WHOEVER, () => countedExactly(), TIMEOUT_MS);

const SETS = [
  DEFINITIONS,
  DEFINITIONS.replaceAll('objective: 99', 'objective: 99.9'),
  `${DEFINITIONS}  - name: all
    objective: 99
    sli:
      events: {total: '{__name__=~"requests(_total)?",job!=""}', bad: '{__name__=~"requests(_total)?",job!="",code="500"}'}
`,
];

test(
  `${WHOEVER}, while definitions are reloaded`,
  async () => {
    let reloads = 0;
    await countedExactly(async ({ url, definitions }) => {
      writeFileSync(`${definitions}.next`, SETS[reloads % SETS.length]!);
      renameSync(`${definitions}.next`, definitions);
      try {
        const { status } = await fetch(`${url}/-/reload`, { method: 'POST' });
        expect([200, 503]).toContain(status);
        if (status === 200) reloads++;
      } catch {
        // The server is being killed.
      }
    });
    expect(reloads).toBeGreaterThan(20);
  },
  TIMEOUT_MS,
);
