import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { formatProblem } from '../../src/definitions/document.ts';
import { loadDefinitions, readDefinitions } from '../../src/definitions/load.ts';
import { findFiles } from '../../src/definitions/paths.ts';
import { problemsOf } from './reading.ts';

const FIXTURES = path.resolve(import.meta.dirname, '../fixtures/definitions');
const scratch = mkdtempSync(path.join(tmpdir(), 'slipstream-definitions-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function at(...parts: string[]): string {
  return path.join(FIXTURES, ...parts);
}

function ids(...paths: string[]): string[] {
  const { slos, problems } = loadDefinitions(paths.map((name) => at(name)));
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
  return slos.map(({ id }) => id);
}

const SLO = (service: string, name: string): string =>
  `apiVersion: slipstream/v1\nservice: ${service}\nslos:\n  - name: ${name}\n    objective: 99\n    sli: {events: {total: x, bad: y}}\n`;

test('files, folders and globs are one set', () => {
  expect(ids('api.yaml')).toEqual(['api/availability', 'api/fast']);
  expect(ids('team')).toEqual(['queue/delivered', 'search/answers']);
  expect(ids('team', 'team/search.json', 'team/**/*.yaml')).toEqual(['queue/delivered', 'search/answers']);
  expect(ids('{api,services}.y*ml', 'team/search.json')).toEqual([
    'api/availability',
    'api/fast',
    'checkout/latency-p99',
    'checkout/error-rate',
    'nightly/success-rate',
    'search/answers',
  ]);
});

test('a glob knows *, **, ? and {a,b}', () => {
  const f = (glob: string, ...files: string[]): void =>
    expect(findFiles([at(glob)]).files, glob).toEqual(files.map((file) => at(file)));
  f('*.yml', 'services.yml');
  f('ap?.yaml', 'api.yaml');
  f('**/*.json', 'team/search.json');
  f('**/nested/**', 'team/nested/queue.yaml');
  f('**/**/queue.yaml', 'team/nested/queue.yaml');
  f('t*/{nested/{queue,other},search}.{yaml,json}', 'team/nested/queue.yaml', 'team/search.json');
  f('team/**/*.md', 'team/README.md');
  f('api.yam');
  f('*.toml');
});

test('a path that leads to no file is a problem and is named', () => {
  const { missing, problems } = loadDefinitions([at('nothing.yaml'), at('*.toml')]);
  expect(missing).toEqual([at('nothing.yaml'), at('*.toml')]);
  expect(problems.map(formatProblem)).toEqual([`${at('nothing.yaml')}: no such file`, `${at('*.toml')}: no such file`]);
});

test('hidden copies, links and loops lead to each file once', () => {
  mkdirSync(path.join(scratch, 'mount', '..data'), { recursive: true });
  writeFileSync(path.join(scratch, 'mount', '..data', 'a.yaml'), SLO('a', 'b'));
  symlinkSync(path.join('..data', 'a.yaml'), path.join(scratch, 'mount', 'a.yaml'));
  symlinkSync('a.yaml', path.join(scratch, 'mount', 'b.yaml'));
  symlinkSync('.', path.join(scratch, 'mount', 'loop'));
  const file = path.join(scratch, 'mount', 'a.yaml');
  expect(findFiles([path.join(scratch, 'mount')]).files).toEqual([file]);
  expect(findFiles([path.join(scratch, 'mount', '**')]).files).toEqual([file]);
  expect(findFiles([path.join(scratch, 'mount', '**', '*.yaml')]).files).toEqual([file]);
});

test('what cannot be read is a problem of its own, and what stands beside it is read', () => {
  const folder = path.join(scratch, 'odd');
  mkdirSync(path.join(folder, 'folder.yaml'), { recursive: true });
  writeFileSync(path.join(folder, 'folder.yaml', 'good.yaml'), SLO('good', 'b'));
  symlinkSync('circle.yaml', path.join(folder, 'circle.yaml'));
  symlinkSync('nowhere', path.join(folder, 'dangling.yaml'));
  symlinkSync('/dev/zero', path.join(folder, 'endless.yaml'));
  execFileSync('mkfifo', [path.join(folder, 'pipe.yaml')]);
  for (const paths of [folder, path.join(folder, '**'), path.join(folder, '**', '*.yaml')]) {
    const { slos, problems } = loadDefinitions([paths]);
    expect(slos.map(({ id }) => id)).toEqual(['good/b']);
    const messages = problems.map((problem) => formatProblem(problem).replace(`${folder}/`, ''));
    expect(messages.sort()).toEqual([
      'circle.yaml:1:1: document: cannot be read: too many symbolic links encountered',
      'dangling.yaml: no such file',
      'endless.yaml:1:1: document: is not a file',
      'pipe.yaml:1:1: document: is not a file',
    ]);
  }
  const { missing, problems } = loadDefinitions([path.join(folder, 'circle.yaml'), path.join(folder, 'x'.repeat(300))]);
  expect(missing.length).toBe(2);
  expect(problems.map(({ message }) => message)).toEqual([
    'cannot be read: too many symbolic links encountered',
    'cannot be read: name too long',
  ]);
});

test('a file that cannot be text is refused', () => {
  const f = (name: string, content: string | Buffer, message: string): void => {
    const file = path.join(scratch, name);
    writeFileSync(file, content);
    expect(loadDefinitions([file]).problems.map(formatProblem)).toEqual([`${file}:1:1: document: ${message}`]);
  };
  f('large.yaml', ' '.repeat(1024 * 1024 + 1), 'the file is larger than 1 MiB');
  f('utf16.yaml', Buffer.from('\ufeffservices: {}', 'utf16le'), 'is not UTF-8 text');
  f('latin1.yaml', Buffer.from([0x61, 0xe9]), 'is not UTF-8 text');
});

test('an SLO that is there twice is refused at its second definition', () => {
  const { slos, sources, problems } = readDefinitions([
    { file: 'a.yaml', text: SLO('api', 'x') },
    {
      file: 'b.yaml',
      text: `${SLO('api', 'y')}---\n${SLO('api', 'x')}---\nservices: {api: {slo_success_rate: 99%}}\n`,
    },
    { file: 'c.yaml', text: 'services:\n  api:\n    slo_success_rate: 99%\n' },
  ]);
  expect(problems.map(formatProblem)).toEqual([
    'b.yaml:11:5: slos[0]: the SLO api/x is already defined in a.yaml:4',
    'c.yaml:3:5: services.api.slo_success_rate: the SLO api/success-rate is already defined in b.yaml:15',
  ]);
  expect(slos.map(({ id }) => id)).toEqual(['api/x', 'api/y', 'api/success-rate']);
  expect([...sources]).toEqual([
    ['api/x', { file: 'a.yaml', line: 4 }],
    ['api/y', { file: 'b.yaml', line: 4 }],
    ['api/success-rate', { file: 'b.yaml', line: 15 }],
  ]);
});

test('a list of objects is as many documents', () => {
  const item = SLO('api', 'x').replaceAll('\n', '\n  ');
  expect(problemsOf(`- ${item}\n- ${item}\n- {apiVersion: slipstream/v1, service: web, slos: []}\n`)).toEqual([
    '11:7: [1].slos[0]: the SLO api/x is already defined in a.yaml:4',
    '15:51: [2].slos: must not be empty',
  ]);
});

test('a format is known by its content', () => {
  expect(problemsOf('alertmanagers: []')).toEqual([]);
  const f = (text: string, problem: string): void =>
    expect(problemsOf(text), text).toEqual([`1:1: document: ${problem}`]);
  f('definitions: [a.yaml]\ntests: []', "this is a scenario file: run it with 'slipstream test'");
  const unknown =
    "unknown format; known are the native one ('apiVersion: slipstream/v1'), the service list ('services:'), " +
    'the server file, gate policies, alerting files, Sloth, Pyrra and OpenSLO';
  f('apiVersion: v1\nkind: ConfigMap', unknown);
  f('hello', unknown);
  f('[1, 2]', unknown);
  expect(problemsOf('listen: 127.0.0.1:0\nsettel: 5s')).toEqual(['2:1: settel: unknown key; did you mean settle?']);
});

test('a thousand files are read in under five seconds', () => {
  const files = Array.from({ length: 1000 }, (_, i) => ({
    file: `${i}.yaml`,
    text: SLO(`s${i}`, 'a').replace('total: x', `total: 'x{job="s${i}",code=~"5..|${i}"}'`),
  }));
  const started = performance.now();
  const { slos, problems } = readDefinitions(files);
  expect([slos.length, problems.length]).toEqual([1000, 0]);
  expect(performance.now() - started).toBeLessThan(5_000);
});
