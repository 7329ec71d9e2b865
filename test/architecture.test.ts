import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = path.resolve(import.meta.dirname, '../src');

/** Which rooms a room may import; files directly in src/ stand under their own name. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  engine: ['engine'],
  ingest: ['ingest', 'engine'],
  store: ['store', 'engine'],
  notify: ['notify', 'store', 'engine'],
  definitions: ['definitions', 'engine'],
  'config.ts': ['definitions', 'engine'],
  'telemetry.ts': [],
  api: ['api', 'ingest', 'notify', 'store', 'definitions', 'engine', 'config.ts'],
  'service.ts': ['api', 'ingest', 'notify', 'store', 'definitions', 'engine', 'config.ts'],
  cli: ['cli', 'service.ts', 'api', 'config.ts', 'definitions', 'ingest', 'store', 'engine', 'telemetry.ts'],
  'main.ts': ['cli', 'service.ts', 'api', 'config.ts', 'definitions', 'ingest', 'store', 'engine', 'telemetry.ts'],
};

const FILES = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

function imports(file: string): string[] {
  const text = readFileSync(path.join(SOURCE, file), 'utf8');
  return [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

function room(file: string): string {
  return file.split(path.sep)[0]!;
}

test('imports run one way between the rooms', () => {
  const wrong: string[] = [];
  for (const file of FILES) {
    const allowed = MAY_IMPORT[room(file)];
    if (allowed === undefined) wrong.push(`${file}: no room of that name in docs/architecture.md`);
    for (const specifier of imports(file).filter((name) => name.startsWith('.'))) {
      const target = path.relative(SOURCE, path.resolve(path.dirname(path.join(SOURCE, file)), specifier));
      if (!allowed?.includes(room(target)) && target !== file) wrong.push(`${file} imports ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the engine knows no clock, no I/O and no package', () => {
  const wrong: string[] = [];
  for (const file of FILES.filter((name) => room(name) === 'engine')) {
    const text = readFileSync(path.join(SOURCE, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    for (const specifier of imports(file)) if (!specifier.startsWith('.')) wrong.push(`${file} imports ${specifier}`);
    for (const forbidden of [
      'Date.now',
      'performance.',
      'new Date()',
      'setTimeout',
      'setInterval',
      'process.',
      'Math.random',
      'console.',
      'fetch(',
    ]) {
      if (text.includes(forbidden)) wrong.push(`${file} uses ${forbidden}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('only main.ts reads the clock', () => {
  const readers = FILES.filter((file) => {
    const text = readFileSync(path.join(SOURCE, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    return text.includes('Date.now(') || text.includes('new Date()');
  });
  expect(readers).toEqual(['main.ts']);
});

test('only api/ knows Fastify', () => {
  const knowing = FILES.filter((file) =>
    imports(file).some((name) => name === 'fastify' || name.startsWith('@fastify/')),
  );
  expect(knowing.filter((file) => room(file) !== 'api')).toEqual([]);
});
