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
    ['2k series snappy alone', 'e5c652d9'],
    ['2k series snappy and walk', '69dd2364'],
    ['2k series first sight', null],
    ['2k series, 2.0 snappy alone', 'faac5339'],
    // The rows are those of 1.0.
    ['2k series, 2.0 snappy and walk', '69dd2364'],
    ['2k series, 2.0 first sight', null],
  ]);
});

test('the micro bench runs, and a ring takes at most 40 KiB', async () => {
  const { measurements, bytesPerSlo } = await bench('micro');
  expect((measurements as { name: string }[]).map(({ name }) => name)).toContain('burn rates of 100 SLOs, 8 windows');
  expect(bytesPerSlo).toBeLessThanOrEqual(40 * 1024);
});

test('the journal holds at most one byte for a sample', async () => {
  const { journalBytesPerSample } = await bench('durability');
  expect(journalBytesPerSample).toBeGreaterThan(0);
  expect(journalBytesPerSample).toBeLessThanOrEqual(1);
});

test('the benches of whole servers run', async () => {
  const http = (await bench('http')) as { measurements: { name: string; minNs: number }[] };
  expect(http.measurements.map(({ name }) => name)).toEqual(['2k series']);
  expect(http.measurements[0]!.minNs).toBeGreaterThan(0);
  expect(await bench('cold-start')).toMatchObject({ series: 2_180, journalRounds: 10 });
  const latency = await bench('latency');
  for (const name of ['ingestP99Ms', 'visibleP99Ms', 'gateP99Ms', 'stateP99Ms'])
    expect(latency[name], name).toBeGreaterThan(0);
  const memory = await bench('memory');
  for (const name of ['loadedBytes', 'drownedBytes']) expect(memory[name], name).toBeGreaterThan(0);
}, 120_000);

test('the comparison with peers runs, with those that are installed', async () => {
  const { ingest, history } = (await bench('peers')) as {
    ingest: { rows: { name: string; requestsRefused: number; samplesPerCpuSecond: number }[] }[];
    history: { name: string; cpuMs: number }[];
  };
  const rows = ingest[0]!.rows;
  expect(rows.slice(0, 2).map(({ name }) => name)).toEqual(['Slipstream', 'naive Node service']);
  for (const { name, samplesPerCpuSecond, requestsRefused } of rows) {
    expect(samplesPerCpuSecond, name).toBeGreaterThan(0);
    expect(requestsRefused, name).toBe(0);
  }
  expect(history[0]!.name).toBe('Slipstream');
}, 120_000);
