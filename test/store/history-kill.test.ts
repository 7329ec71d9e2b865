import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MINUTE_MS } from '../../src/engine/duration.ts';
import { Engine } from '../../src/engine/engine.ts';
import { HistorySums } from '../../src/engine/history.ts';
import { recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { temporaryFolder } from './folder.ts';
import { counterAt, scrapeMs } from './history-story.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KILLS = 10;
/** Less than the two days of which every minute is kept. */
const SCRAPES_BY_MINUTE = 40 * 60 * 4;

/** The program is built from the present sources, below the project so that it finds the dependencies. */
let built: string;

beforeAll(() => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  built = mkdtempSync(join(ROOT, '.cache/history-kill-test-'));
  const options =
    '--ignoreConfig --noCheck --module nodenext --target es2023 --types node --rewriteRelativeImportExtensions';
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), 'test/store/history-writer.ts', ...options.split(' ')];
  const result = spawnSync(process.execPath, [...tsc, '--rootDir', ROOT, '--outDir', built], { cwd: ROOT });
  expect(result.stdout.toString() + result.stderr).toBe('');
});

afterAll(() => rmSync(built, { recursive: true }));

/** Counted from the first scrape, whose values are opening balances. */
function eventsThrough(number: number): { good: number; bad: number } {
  const first = counterAt(1);
  const last = counterAt(Math.max(number, 1));
  return { good: last.good - first.good, bad: last.bad - first.bad };
}

it(`history has the events of the budget, each in its minute, however often the process is killed`, async () => {
  const dir = temporaryFolder();
  let saved = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, [join(built, 'test/store/history-writer.js'), dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    const closed = new Promise((resolve) => child.once('close', resolve));
    await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), closed]);
    await sleep(Math.random() * 60);
    expect(child.kill('SIGKILL')).toBe(true);
    await closed;
    const acknowledged = Number(output.split('\n').at(-2));
    expect(acknowledged).toBeGreaterThan(0);

    const store = Store.open(dir);
    saved = store.snapshotSeq;
    const last = store.committedSeq;
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    const slo = anSlo();
    const engine = new Engine([slo]);
    const nowMs = scrapeMs(last) + 6_000;
    recover(store, engine, nowMs);
    const { asOf, events } = engine.state(slo.id, nowMs)!;
    expect(asOf).toBe(new Date(scrapeMs(last)).toISOString());
    expect([events.good, events.bad]).toEqual(Object.values(eventsThrough(last)));

    const { slots } = store.history.read(engine, slo.id, null, MIDNIGHT_MS, nowMs);
    const sums = new HistorySums(slots, scrapeMs(last));
    sums.read(MIDNIGHT_MS, nowMs);
    expect([sums.good, sums.bad]).toEqual([events.good, events.bad]);
    // A minute has four scrapes, the last at its end; of what is older than minutes are kept the sum must do.
    const oldest = Math.max(Math.floor(last / 4) * 4 - SCRAPES_BY_MINUTE, 0);
    for (let through = oldest + 4; through <= last; through += 4) {
      const before = eventsThrough(through - 4);
      const after = eventsThrough(through);
      sums.read(scrapeMs(through) - MINUTE_MS, scrapeMs(through));
      expect([sums.good, sums.bad]).toEqual([after.good - before.good, after.bad - before.bad]);
    }
    store.close();
  }
  expect(saved).toBeGreaterThan(KILLS);
});
