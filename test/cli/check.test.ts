import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type CheckOptions, checkCommand } from '../../src/cli/check.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures/definitions');

function check(
  names: readonly string[],
  format: CheckOptions['format'] = 'text',
  strict = false,
): { code: number; output: string } {
  let output = '';
  const out = (text: string): void => {
    output += text;
  };
  const code = checkCommand(
    names.map((name) => path.resolve(FIXTURES, name)),
    { format, strict },
    { out },
  );
  return { code, output: output.replaceAll(`${FIXTURES}${path.sep}`, '') };
}

test('files without an error are understood, one line an SLO', () => {
  expect(check(['api.yaml', 'services.yml', 'server.yaml'])).toEqual({
    code: 0,
    output: `api/availability: events, 99.95% over 30d
api/fast: events, 99% over 7d
checkout/latency-p99: latency, 99% over 30d
checkout/error-rate: events, 99.9% over 30d
nightly/success-rate: events, 99% over 30d
3 files: 5 SLOs, 0 errors, 0 warnings
`,
  });
});

test('every problem has its own line and the exit code is 1', () => {
  expect(check(['broken.yaml'])).toEqual({
    code: 1,
    output: `broken.yaml:5:16: slos[0].objective: must be between 0 and 100, got 120
broken.yaml:6:5: slos[0].windw: unknown key; did you mean window?
broken.yaml:9:17: slos[0].sli.events.total: a function is not a selector: rates are computed here; write http_requests_total{job="api"}
1 file: 0 SLOs, 3 errors, 0 warnings
`,
  });
});

test('no path and no such file are wrong usage', () => {
  expect(check([])).toEqual({
    code: 2,
    output: 'check needs a path: slipstream check [--strict] [--format text|json] PATH...\n',
  });
  expect(check(['api.yaml', 'nothing.yaml'])).toMatchObject({
    code: 2,
    output: expect.stringContaining('nothing.yaml: no such file\n'),
  });
});

test('a warning is an error where somebody is strict', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'slipstream-check-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'empty.yaml');
  writeFileSync(file, '# nothing yet\n');
  const output = `${file}:1:1: document: warning: the file is empty\n1 file: 0 SLOs, 0 errors, 1 warning\n`;
  expect(check([file])).toEqual({ code: 0, output });
  expect(check([file], 'text', true)).toEqual({ code: 1, output });
  const { code, output: json } = check([file], 'json', true);
  expect([code, JSON.parse(json).valid]).toEqual([1, false]);
  expect(check(['api.yaml'], 'text', true).code).toBe(0);
});

test('JSON has everything that was understood', () => {
  const { code, output } = check(['api.yaml'], 'json');
  const { valid, slos, problems } = JSON.parse(output);
  expect([code, valid, problems]).toEqual([0, true, []]);
  expect(slos[1]).toEqual({
    id: 'api/fast',
    service: 'api',
    name: 'fast',
    file: 'api.yaml',
    line: 14,
    owner: 'team-latency',
    labels: { tier: 'internal', release: '1.10' },
    description: '',
    runbook: 'https://runbooks.example/api',
    objective: 0.99,
    window: { kind: 'rolling', duration: '7d' },
    sliKind: 'events',
    sli: {
      events: {
        total: 'http_request_duration_seconds_count{job="api"}',
        good: 'http_request_duration_seconds_bucket{job="api",le="0.3"}',
      },
    },
    groupBy: [],
    slice: null,
    emptySlice: 'ignore',
    budgeting: 'occurrences',
    sliceTarget: null,
    alerts: [
      { name: 'page-quick', severity: 'page', factor: 13.44, long: '1h', short: '5m', for: '0s' },
      { name: 'page-slow', severity: 'page', factor: 5.6, long: '6h', short: '30m', for: '0s' },
      { name: 'ticket-quick', severity: 'ticket', factor: 2.8, long: '1d', short: '2h', for: '0s' },
      {
        name: 'ticket-slow',
        severity: 'ticket',
        factor: expect.closeTo(0.9333, 4),
        long: '3d',
        short: '6h',
        for: '0s',
      },
    ],
  });
});

test('JSON has every problem with its position', () => {
  const { code, output } = check(['broken.yaml'], 'json');
  const { valid, slos, problems } = JSON.parse(output);
  expect([code, valid, slos, problems.length]).toEqual([1, false, [], 3]);
  expect(problems[0]).toEqual({
    severity: 'error',
    file: 'broken.yaml',
    line: 5,
    column: 16,
    path: 'slos[0].objective',
    message: 'must be between 0 and 100, got 120',
  });
});
