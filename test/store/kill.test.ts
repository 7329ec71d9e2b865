import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Store } from '../../src/store/store.ts';
import { temporaryFolder } from './folder.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KILLS = 10;

/** The program is built from the present sources, below the project so that it finds the dependencies. */
let built: string;

beforeAll(() => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  built = mkdtempSync(join(ROOT, '.cache/kill-test-'));
  const options =
    '--ignoreConfig --noCheck --module nodenext --target es2023 --types node --rewriteRelativeImportExtensions';
  const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), 'test/store/appender.ts', ...options.split(' ')];
  const result = spawnSync(process.execPath, [...tsc, '--rootDir', ROOT, '--outDir', built], { cwd: ROOT });
  expect(result.stdout.toString() + result.stderr).toBe('');
});

afterAll(() => rmSync(built, { recursive: true }));

describe('a process that is killed', () => {
  it(`has lost no acknowledged record, ${KILLS} times over`, async () => {
    const dir = temporaryFolder();
    let acknowledged = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const child = spawn(process.execPath, [join(built, 'test/store/appender.js'), dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
      const closed = new Promise((resolve) => child.once('close', resolve));
      await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), closed]);
      if (kill === 0)
        expect(() => Store.open(dir, { busyTimeoutMs: 0 })).toThrow('is in use by another slipstream process');
      await sleep(Math.random() * 60);
      expect(child.kill('SIGKILL')).toBe(true);
      await closed;
      const numbers = output.split('\n').slice(0, -1).map(Number);
      expect(numbers.length).toBeGreaterThan(0);
      acknowledged = numbers.at(-1)!;

      const store = Store.open(dir);
      let last = 0;
      store.load({
        onSnapshot: (bytes, throughSeq) => {
          expect(Buffer.from(bytes).toString()).toBe(`snapshot ${throughSeq}`);
          last = throughSeq;
        },
        onRecord: (record, seq) => {
          last++;
          expect(seq).toBe(last);
          expect(Buffer.from(record).toString()).toBe(`record ${last}`);
        },
      });
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      expect(store.committedSeq).toBe(last);
      store.close();
    }
    expect(acknowledged).toBeGreaterThan(KILLS);
  });
});
