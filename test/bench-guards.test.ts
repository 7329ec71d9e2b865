import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** The deterministic guards and the smoke sizes of the benches, on built code: `npm run build` comes first. */

const run = promisify(execFile);

async function bench(name: string, ...flags: string[]): Promise<Record<string, unknown>> {
  const program = fileURLToPath(new URL(`../dist/bench/${name}.js`, import.meta.url));
  if (!existsSync(program)) throw new Error(`${program} is missing: run npm run build`);
  // What it found is on stdout even when it exits 1, and says more than the exit code.
  const { stdout } = await run(process.execPath, [...flags, program, '--smoke', '--json']).catch((error) => error);
  return JSON.parse(stdout);
}

test('a sample of a known series leaves at most one byte on the JavaScript heap', async () => {
  const { bytesPerSample, bytesPerSample2, checkBytes } = await bench('allocation', '--expose-gc');
  expect(checkBytes).toBeGreaterThan(8_000);
  expect(bytesPerSample).toBeLessThanOrEqual(1);
  expect(bytesPerSample2).toBeLessThanOrEqual(1);
});

test('the decode bench runs and computes what it always computed', async () => {
  const { measurements } = await bench('decode');
  expect((measurements as { name: string; hash: string | null }[]).map(({ name, hash }) => [name, hash])).toEqual([
    ['2k series snappy alone', '99c547a2'],
    ['2k series snappy and walk', 'e617bbcc'],
    ['2k series first sight', null],
    ['2k series, 2.0 snappy alone', 'b287bc12'],
    // The rows are those of 1.0.
    ['2k series, 2.0 snappy and walk', 'e617bbcc'],
    ['2k series, 2.0 first sight', null],
  ]);
});

test('the micro bench runs, and a ring takes at most 40 KiB', async () => {
  const { results, bytesPerSlo } = await bench('micro');
  expect((results as { name: string }[]).map(({ name }) => name)).toContain('burn rates of 100 SLOs, 8 windows');
  expect(bytesPerSlo).toBeLessThanOrEqual(40 * 1024);
});

test('the bench of cold starts runs a server from nothing, a journal, a snapshot and both', async () => {
  const { starts } = await bench('cold-start');
  expect((starts as { name: string }[]).map(({ name }) => name)).toEqual([
    'nothing',
    'a journal',
    'a snapshot',
    'a snapshot and a journal',
  ]);
}, 60_000);
