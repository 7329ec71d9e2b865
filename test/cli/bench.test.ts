import { spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SERIES_PER_TARGET } from '../../src/cli/bench/fleet.ts';
import { type BenchResult, headRoom, type Measured } from '../../src/cli/bench/report.ts';
import { type BenchOptions, benchCommand } from '../../src/cli/bench.ts';
import type { Io } from '../../src/cli/io.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { freePort, slipstream, temporaryFolder } from '../e2e/processes.ts';

const MAIN = resolve(import.meta.dirname, '../../dist/src/main.js');

const OPTIONS: BenchOptions = {
  series: 30 * SERIES_PER_TARGET,
  slos: 42,
  printSlos: false,
  max: true,
  durationMs: 300,
  protocol: 'rw1',
  connections: 3,
  samplesPerRequest: 700,
  order: 'friendly',
  churn: 0,
  seed: 1,
  format: 'json',
};

/** Runs the command in this process, against a server in another. */
async function bench(options: Partial<BenchOptions>): Promise<{ code: number; out: string; err: string }> {
  const told = { out: '', err: '' };
  const io: Io = {
    out: (text) => {
      told.out += text;
    },
    err: (text) => {
      told.err += text;
    },
    env: {},
  };
  const code = await benchCommand({ ...OPTIONS, ...options }, { io, clock: () => Date.now(), isTerminal: false });
  return { code, ...told };
}

/** The URL of a server with the SLOs that the options name. */
async function served(): Promise<string> {
  const { out } = await bench({ printSlos: true });
  const port = await freePort();
  await slipstream(temporaryFolder(), port, out, ['--settle', '0s']).start();
  return `http://127.0.0.1:${port}`;
}

test('the printed definitions are as many SLOs as were asked for, and valid', async () => {
  const f = async (slos: number) => {
    const { code, out } = await bench({ slos, printSlos: true });
    const read = readDefinitions([{ file: 'slos.yaml', text: out }]);
    expect([code, read.slos.length, read.problems]).toEqual([0, slos, []]);
  };
  await f(1);
  await f(3);
  await f(42);
});

describe('against a server', () => {
  test('counted is sent, in every protocol and order, with churn, again and again', async () => {
    const url = await served();
    const f = async (options: Partial<BenchOptions>) => {
      const { code, out, err } = await bench({ url, ...options });
      expect(err).toBe('preparing 6,540 series…\n');
      const result = JSON.parse(out) as BenchResult;
      const { accuracy, latencyMs, server } = result;
      expect(accuracy.problems).toEqual([]);
      expect([code, accuracy.ok, accuracy.slosExact]).toEqual([0, true, 42]);
      expect(accuracy.samplesSent % 6_540).toBe(0);
      expect(accuracy.totalCounted).toBeGreaterThan(accuracy.goodCounted);
      expect(accuracy.goodCounted).toBeGreaterThan(0);
      expect(Object.keys(result.answers).every((status) => status.startsWith('20'))).toBe(true);
      for (const value of [result.samplesPerSecond, server.cpuSeconds, server.memoryBytes, latencyMs.p50])
        expect(value).toBeGreaterThan(0);
    };
    await f({});
    await f({ protocol: 'rw2', order: 'sharded' });
    await f({ protocol: 'otlp', order: 'shuffled', churn: 0.1 });
    await f({ max: false, rate: 60_000, durationMs: 500, churn: 0.1 });
  }, 60_000);

  test('as a user runs it: the report on stdout, lines on stderr', async () => {
    const url = await served();
    const args = ['bench', '--url', url, '--series', '6540', '--slos', '42', '--duration', '1s', '--rate', '20000'];
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, 'preparing 6,540 series…\n']);
    expect(stdout).toMatch(
      /^6,540 series of 30 targets, remote write 1\.0, friendly order, 2,000 samples a request, 4 connections, seed 1\n/,
    );
    expect(stdout).toMatch(/\n {2}SLOs {8}42 of 42 exact; good [\d,]+ of/);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^(This instance holds|Neither|Not the server)/);
  }, 60_000);

  test('a server that somebody else sends to does not count what was sent', async () => {
    const url = await served();
    const [first, second] = await Promise.all([bench({ url }), bench({ url, seed: 2 })]);
    expect([first.code, second.code]).toEqual([1, 1]);
    const { accuracy } = JSON.parse(first.out) as BenchResult;
    expect(accuracy.ok).toBe(false);
    expect(accuracy.problems.join()).toContain('does somebody else send to this server, or was it restarted?');
  }, 60_000);

  test('SLOs that it does not have are wrong usage', async () => {
    const url = await served();
    const { code, err } = await bench({ url, series: 400 * SERIES_PER_TARGET });
    expect(code).toBe(2);
    expect(err).toContain('the server has no SLO bench-service-3/availability: load what the same command prints');
  }, 60_000);
});

test('wrong usage and servers that are none have their exit codes', async () => {
  const f = async (options: Partial<BenchOptions>, expected: number, message: string) => {
    const { code, out, err } = await bench(options);
    expect([code, out]).toEqual([expected, '']);
    expect(err).toContain(message);
  };
  await f({}, 2, "required option '--url <url>' not specified");
  await f({ slos: 43 }, 2, '6,540 series have at most 42 SLOs (--slos 43)');
  await f({ url: `http://127.0.0.1:${await freePort()}` }, 4, 'cannot reach http://127.0.0.1:');
  const other = createServer((_, response) => response.end('up 1\n'));
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    other.close();
  });
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await f({ url }, 1, `${url}/metrics is not that of a Slipstream server`);
});

test('the head-room sentence says what an operator can act on', () => {
  const f = (measured: Partial<Measured>, expected: string) =>
    expect(headRoom({ rate: 80_000, samplesPerSecond: 80_000, cores: 0.4, benchCores: 0.2, ...measured })).toBe(
      expected,
    );
  const limit = ' Before that comes limits.series (2,000,000 unless the server file says otherwise).';
  f(
    {},
    `This instance holds 1.2 M active series at 15 s scrapes with 60 % of one core to spare; at 3.0 M it would answer 503.${limit}`,
  );
  f(
    { rate: 10_000, samplesPerSecond: 10_000, cores: 0.5 },
    'This instance holds 150 k active series at 15 s scrapes with 50 % of one core to spare; at 300 k it would answer 503.',
  );
  f(
    { rate: null, samplesPerSecond: 9_000_000, cores: 0.98 },
    `This instance takes 9.0 M samples/s at most, what 135 M active series send at 15 s scrapes; with more it would answer 503.${limit}`,
  );
  f(
    { samplesPerSecond: 50_000, cores: 0.95 },
    'This instance takes 50 k samples/s at most, what 750 k active series send at 15 s scrapes; with more it would answer 503.',
  );
  f(
    { rate: null, samplesPerSecond: 50_000, benchCores: 0.95 },
    'Not the server but the bench was busy: 50 k samples/s took 40 % of one core of the server. Send more samples a request, or run two benches with different seeds.',
  );
  f(
    { rate: null, samplesPerSecond: 50_000 },
    'Neither the server nor the bench was busy: 50 k samples/s took 40 % of one core of the server. The disk, the network or other processes held it up; try more connections.',
  );
});
