import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testCommand } from '../../src/cli/test/command.ts';
import { shown } from '../../src/definitions/problem.ts';

let folder = '';
let out = '';
let err = '';
const io = {
  out: (text: string): void => {
    out += text;
  },
  err: (text: string): void => {
    err += text;
  },
  env: {},
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipstream-scenario-'));
  mkdirSync(join(folder, 'slos'));
  write(
    'slos/api.yaml',
    `apiVersion: slipstream/v1
service: api
slos:
  - name: availability
    objective: 99.9
    window: 30d
    sli:
      events: {total: 'requests_total{job="api"}', bad: 'requests_total{job="api",code=~"5.."}'}
`,
  );
  out = '';
  err = '';
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function scenario(name: string, sli: string, definitions = 'slos/*.yaml'): string {
  return write(
    name,
    `definitions: ['${definitions}']
tests:
  - name: half
    interval: 15s
    input_series:
      - {series: 'requests_total{job="api",code="200"}', values: '0+1x40'}
      - {series: 'requests_total{job="api",code="500"}', values: '0+1x40'}
    expect:
      - {at: 10m, slo: api/availability, sli: ${sli}}
`,
  );
}

test('tests that hold are told in a line each, and the answer is yes', () => {
  const a = scenario('a.test.yaml', '0.5');
  const b = scenario('b.test.yaml', '0.5');
  expect(testCommand([a, b], io)).toBe(0);
  expect(out).toBe(`ok      ${a}: test "half"\nok      ${b}: test "half"\n2 tests in 2 files: 2 ok, 0 failed\n`);
  expect(err).toBe('');
});

test('a wrong expectation fails, with its difference', () => {
  const file = scenario('a.test.yaml', '0.4');
  expect(testCommand([file], io)).toBe(1);
  expect(out).toBe(
    `FAILED  ${file}: test "half"
        ${file}: test "half": at 10m slo api/availability: sli: expected 0.4, got 0.5
1 test in 1 file: 0 ok, 1 failed
`,
  );
});

test('an invalid file is told with its problems, and the others are tested all the same', () => {
  const invalid = scenario('a.test.yaml', 'half');
  const valid = scenario('b.test.yaml', '0.5');
  expect(testCommand([invalid, valid], io)).toBe(1);
  expect(out).toBe(
    `${invalid}:9:47: tests[0].expect[0].sli: must be a number, got ${shown('half')}
ok      ${valid}: test "half"
1 test in 2 files: 1 ok, 0 failed, 1 invalid file
`,
  );
});

test('problems of a definition are told at their own place', () => {
  const definition = write('bad.yaml', 'apiVersion: slipstream/v1\nservice: api\nslos: 7\n');
  expect(testCommand([scenario('a.test.yaml', '0.5', 'bad.yaml')], io)).toBe(1);
  expect(out.startsWith(`${definition}:3:7: slos: `)).toBe(true);
});

test('a definition that is not there is a problem of the scenario', () => {
  const file = scenario('a.test.yaml', '0.5', 'slos/nope.yaml');
  expect(testCommand([file], io)).toBe(1);
  expect(out).toContain(`${file}:1:15: definitions[0]: no such file\n`);
  expect(out).not.toContain('there is no SLO');
});

test('globs and folders are searched for scenarios', () => {
  scenario('a.test.yaml', '0.5');
  scenario('b.test.yml', '0.5');
  expect(testCommand([join(folder, '*.test.y*ml')], io)).toBe(0);
  expect(testCommand([folder], io)).toBe(0);
  expect(out.match(/2 tests in 2 files: 2 ok, 0 failed/g)).toHaveLength(2);
});

test('a pattern that finds nothing is wrong usage', () => {
  expect(testCommand([join(folder, '*.test.json')], io)).toBe(2);
  expect(out).toBe('');
  expect(err).toBe(`${join(folder, '*.test.json')}: no such file\n`);
  expect(testCommand([], io)).toBe(2);
});
