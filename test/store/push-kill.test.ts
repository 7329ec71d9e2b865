import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import { recover } from '../../src/store/recovery.ts';
import { Store } from '../../src/store/store.ts';
import { anSlo } from '../support/slo.ts';
import { temporaryFolder } from './folder.ts';
import { pushMs, requestOf } from './push-story.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KILLS = 10;

/** The program is built from the present sources, below the project so that it finds the dependencies. */
let built: string;

beforeAll(() => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  built = mkdtempSync(join(ROOT, '.cache/push-kill-test-'));
  const options =
    '--ignoreConfig --noCheck --module nodenext --target es2023 --types node --rewriteRelativeImportExtensions';
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), 'test/store/push-writer.ts', ...options.split(' ')];
  const result = spawnSync(process.execPath, [...tsc, '--rootDir', ROOT, '--outDir', built], { cwd: ROOT });
  expect(result.stdout.toString() + result.stderr).toBe('');
});

afterAll(() => rmSync(built, { recursive: true }));

it('a process that is killed has lost no acknowledged push, and knows every one of them when it is sent again', async () => {
  const dir = temporaryFolder();
  let acknowledged = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, [join(built, 'test/store/push-writer.js'), dir], {
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
    acknowledged = Number(output.split('\n').at(-2));

    const store = Store.open(dir);
    const last = store.committedSeq;
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    const slo = anSlo();
    const engine = new Engine([slo]);
    const nowMs = pushMs(last) + 6_000;
    recover(store, engine, nowMs);
    const { asOf, events } = engine.state(slo.id, nowMs)!;
    expect(asOf).toBe(new Date(pushMs(last)).toISOString());
    expect(events).toMatchObject({ good: (last * (last + 1)) / 2, bad: last });
    const again = Array.from({ length: last }, (_, i) => requestOf(i + 1)).flat();
    expect(engine.push(again, nowMs)).toEqual({ applied: [], duplicates: 2 * last, tooOld: 0 });
    store.close();
  }
  expect(acknowledged).toBeGreaterThan(KILLS);
});
