import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const TESTS = resolve(import.meta.dirname, '..');
const DOCUMENT = readFileSync(resolve(TESTS, '../docs/abuse.md'), 'utf8');

test('every case of docs/abuse.md has the test that it names', () => {
  const rows = DOCUMENT.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| case '));
  expect(rows.length).toBeGreaterThan(30);
  for (const row of rows) {
    const [, file, name] = row.match(/\| `([\w/-]+)`: ([^|]+) \|$/) ?? [];
    const path = resolve(TESTS, `${file}.test.ts`);
    expect(existsSync(path), row).toBe(true);
    expect(readFileSync(path, 'utf8'), row).toContain(`test('${name}'`);
  }
});
