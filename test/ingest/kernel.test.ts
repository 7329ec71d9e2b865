import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compress } from 'snappyjs';
import { expect, test } from 'vitest';
import { corpus } from '../../bench/corpus.ts';
import { TableResolver } from '../../bench/table-resolver.ts';
import { Kernel } from '../../src/ingest/kernel.ts';
import type { IngestLimits } from '../../src/ingest/limits.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { label, sample, series } from './wire-writer.ts';

const T = 1_767_225_600_000;

/** Two receivers, of which one has a kernel, that are asked the same. */
function receivers(kernel: Kernel, limits: Partial<IngestLimits> = {}) {
  const plain = new RemoteWriteReceiver(new TableResolver(), limits);
  const fast = new RemoteWriteReceiver(new TableResolver(), limits, null, kernel);
  return (body: Uint8Array): number => {
    const expected = plain.read(body).batch;
    const { batch } = fast.read(body);
    const { length } = expected;
    expect(batch.length).toBe(length);
    expect(batch.seriesIds.subarray(0, length)).toEqual(expected.seriesIds.subarray(0, length));
    expect(batch.timestampsMs.subarray(0, length)).toEqual(expected.timestampsMs.subarray(0, length));
    expect(batch.values.subarray(0, length)).toEqual(expected.values.subarray(0, length));
    expect(batch.kinds.subarray(0, length)).toEqual(expected.kinds.subarray(0, length));
    return length;
  };
}

function request(names: readonly string[], samples = 1): Uint8Array {
  const messages = names.map((name, i) => {
    const labels = [label('__name__', 'up'), label('job', name)];
    return Buffer.from(series(...labels, ...Array.from({ length: samples }, (_, n) => sample(i + n, T + n))));
  });
  return compress(Buffer.concat(messages));
}

test('the module is what its source compiles to', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'slipstream-'));
  const file = path.join(folder, 'kernel-module.ts');
  try {
    execFileSync(process.execPath, ['scripts/kernel.mjs', file]);
    expect(readFileSync('src/ingest/kernel-module.ts', 'utf8')).toBe(readFileSync(file, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test('rounds of scrapes in changing order, with targets that come and go, are the same rows as in TypeScript', () => {
  const read = receivers(Kernel.load()!);
  const { rounds, samplesPerRound } = corpus({ series: 5_000, rounds: 6 });
  const samples = rounds.map((round) => round.map(read).reduce((sum, length) => sum + length, 0));
  expect(samples).toEqual(Array(6).fill(samplesPerRound));
});

test('more rows than the kernel holds go on in TypeScript', () => {
  const read = receivers(Kernel.load()!);
  const names = Array.from({ length: 100 }, (_, i) => `metric_${i}`);
  for (let i = 0; i < 4; i++) expect(read(request(names, 400))).toBe(40_000);
  for (let i = 0; i < 4; i++) expect(read(request(names, 3))).toBe(300);
});

test('a body that is too large for the kernel is read in TypeScript', () => {
  const read = receivers(Kernel.load()!);
  // 5 MiB decoded, and 200 KiB as it comes.
  const names = Array.from({ length: 1_300 }, (_, i) => `${'job_'.repeat(1_000)}${i}`);
  for (let i = 0; i < 3; i++) expect(read(request(names))).toBe(1_300);
  expect(read(request(['a', 'b']))).toBe(2);
});

test('the memory grows with the links, which go on', () => {
  const read = receivers(Kernel.load()!);
  // Each name differs from the one before it in all of its 3,000 bytes.
  const names = Array.from({ length: 1_000 }, (_, i) => `${String.fromCharCode(97 + (i % 26)).repeat(2_990)}_${i}`);
  for (let i = 0; i < 5; i++) expect(read(request(names))).toBe(1_000);
});

test('series beyond those that the kernel can link are read in TypeScript', () => {
  const read = receivers(Kernel.load(10)!);
  const names = Array.from({ length: 30 }, (_, i) => `metric_${i}`);
  for (let i = 0; i < 5; i++) expect(read(request(names))).toBe(30);
});

test('a limit of series or samples a request holds for those that the kernel reads', () => {
  const kernel = Kernel.load()!;
  const names = ['a', 'b', 'c', 'd'];
  const f = (limits: Partial<IngestLimits>, message: string) => {
    const limited = new RemoteWriteReceiver(new TableResolver(), limits, null, kernel);
    for (let i = 0; i < 4; i++) expect(limited.read(request(names.slice(0, 3))).batch.length).toBe(3);
    for (let i = 0; i < 3; i++) expect(() => limited.read(request(names))).toThrow(message);
    expect(limited.read(request(names.slice(0, 3))).batch.length).toBe(3);
  };
  f({ seriesPerRequestMax: 3 }, 'the request has more than 3 series');
  f({ samplesPerRequestMax: 3 }, 'the request has more than 3 samples');
});
