import { expect, test } from 'vitest';
import { readDocuments } from '../../src/definitions/document.ts';
import { formatPath, formatProblem, nearest, type Problem } from '../../src/definitions/problem.ts';
import { problemsOf, slosOf } from './reading.ts';

test('a problem is printed as file:line:column: path: message', () => {
  const problem: Problem = {
    severity: 'error',
    file: 'a.yaml',
    line: 3,
    column: 5,
    path: 'slos[2].objective',
    message: 'must be less',
  };
  expect(formatProblem(problem)).toBe('a.yaml:3:5: slos[2].objective: must be less');
  expect(formatProblem({ ...problem, severity: 'warning' })).toBe(
    'a.yaml:3:5: slos[2].objective: warning: must be less',
  );
  expect(formatProblem({ ...problem, path: '' })).toBe('a.yaml:3:5: document: must be less');
  expect(formatProblem({ ...problem, file: '--listen', line: 0, path: '' })).toBe('--listen: must be less');
});

test('a key that could be misread is quoted in a path', () => {
  expect(formatPath(['services', 'api-gateway', 'slo_error_rate'])).toBe('services.api-gateway.slo_error_rate');
  expect(formatPath(['labels', 'a.b', 0])).toBe('labels["a.b"][0]');
});

test('the nearest known word is found however the words are joined', () => {
  expect(nearest('objectve', ['objective', 'window'])).toBe('objective');
  expect(nearest('group_by', ['name', 'groupBy'])).toBe('groupBy');
  expect(nearest('zebra', ['name', 'groupBy'])).toBeNull();
});

test('broken YAML is reported line by line, and the other documents are read all the same', () => {
  expect(
    problemsOf('a: b: c\nd: [\n---\nservices: {a: {slo_error_rate: 5%}}\n---\nservices: {a: {slo_error_rate: 5}}'),
  ).toEqual([
    '1:4: document: invalid YAML: nested mappings are not allowed in compact mappings',
    '3:1: document: invalid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
    expect.stringContaining('4:32: services.a.slo_error_rate: warning: of the policy google-30d'),
    "6:32: services.a.slo_error_rate: must be a percentage such as 99.9%, got '5'",
  ]);
});

test('what is no plain YAML is refused at its place', () => {
  const f = (text: string, problem: string): void => expect(problemsOf(text), text).toEqual([problem]);
  f('services: {}\nservices: {}', "2:1: services: the key 'services' is there twice");
  f('services: !ruby {}', '1:11: document: invalid YAML: unresolved tag: !ruby');
  f('services: *other', '1:11: services: the alias *other refers to no anchor above it');
  f('services: &a {b: *a}', '1:18: services.b: the alias *a refers to itself');
  f('services: {[a]: {}}', '1:12: services: a key must be text');
  f('services:\n\ta: {}', '2:1: document: invalid YAML: tabs are not allowed as indentation');
});

test('an empty file is a warning', () => {
  expect(problemsOf('')).toEqual(['1:1: document: warning: the file is empty']);
  expect(problemsOf('# nothing\n---\n')).toEqual(['1:1: document: warning: the file is empty']);
});

test('an alias is its anchor, wherever it stands', () => {
  const slos = slosOf('services:\n  a: &common {slo_error_rate: 99.9%}\n  b: *common\n');
  expect(slos.map(({ id }) => id)).toEqual(['a/error-rate', 'b/error-rate']);
});

test('JSON, a byte order mark and Windows line ends are read', () => {
  expect(slosOf('{"services": {"a": {"slo_error_rate": "99.9%"}}}')).toHaveLength(1);
  expect(slosOf('\ufeffservices: {a: {slo_error_rate: 99.9%}}')).toHaveLength(1);
  expect(problemsOf('services:\r\n  a:\r\n    slo_error_rate: 99.9\r\n')).toEqual([
    "3:21: services.a.slo_error_rate: must be a percentage such as 99.9%, got '99.9'",
  ]);
});

test('nothing makes the reader crash or hang', () => {
  const f = (text: string, problem: string): void => expect(problemsOf(text)).toEqual([problem]);
  const tooDeep = 'document: nested deeper than 64 levels';
  f('['.repeat(50_000), `1:66: ${tooDeep}`);
  f('['.repeat(1024 * 1024), `1:66: ${tooDeep}`);
  f('? '.repeat(500_000), `1:131: ${tooDeep}`);
  f('a: "'.repeat(200_000), `1:508: ${tooDeep}`);
  f('- '.repeat(20_000), `1:131: ${tooDeep}`);
  f('{a: '.repeat(20_000), `1:258: ${tooDeep}`);
  f(Array.from({ length: 1300 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'), `65:65: ${tooDeep}`);
  f(`a: ${'x'.repeat(1024 * 1024)}`, '1:1: document: the file is larger than 1 MiB');
  const levels = Array.from({ length: 9 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
  f(['l0: &l0 [x]', ...levels].join('\n'), '1:1: document: the aliases expand past 1 MiB');
  const chain = Array.from({ length: 70 }, (_, i) => `l${i + 1}: &l${i + 1} [*l${i}]`);
  f(['l0: &l0 [x]', ...chain].join('\n'), '1:1: document: nested deeper than 64 levels');
});

test('a control character is refused where it stands', () => {
  const f = (text: string, place: string, code: string): void =>
    expect(problemsOf(text)).toEqual([
      `${place}: document: the control character ${code} may not stand in a file; in double quotes it is written so`,
    ]);
  f('service: a\0b', '1:11', String.raw`\x00`);
  f('a: b\r\nc: d\u001b[0m', '2:5', String.raw`\x1b`);
  f('\u0002\u0018\u001f', '1:1', String.raw`\x02`);
});

test('a character of a text is found in the file, however the text is written', () => {
  const f = (yaml: string, at: string): void => {
    const problems: Problem[] = [];
    const [document] = readDocuments({ file: 'a', text: yaml }, problems);
    const tree = document!.at(['k'])!;
    document!.error(['k'], '', tree.kind === 'scalar' ? tree.text.indexOf('!') : 0);
    expect(`${problems[0]!.line}:${problems[0]!.column}`, yaml).toBe(at);
  };
  f('k: ab!', '1:6');
  f("k: 'a''b!'", '1:9');
  f(String.raw`k: "a\"\n\x41\u00e9\U0001F600!"`, '1:30');
  f('k: "a\\\n   b!"', '2:5');
  f("k: 'a\n\n  b!'", '3:4');
  f('k: |\n  a\n    b!\n', '3:6');
  f('k: >-\n  a\n  b !\n', '3:5');
  f('k: a\n  b\n  c!', '3:4');
});
