import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { apiError, ERRORS, type ErrorEntry } from '../../src/api/errors.ts';
import { REJECTION_REASONS } from '../../src/api/rejection.ts';

const DOCUMENT = readFileSync(resolve(import.meta.dirname, '../../docs/errors.md'), 'utf8');

function rows(heading: string): string[] {
  const section = DOCUMENT.split(/^## /m).find((part) => part.startsWith(heading));
  return (section ?? '').split('\n').filter((line) => line.startsWith('| `'));
}

test('docs/errors.md is the catalogue, row by row', () => {
  const expected = Object.entries<ErrorEntry>(ERRORS).map(
    ([code, { status, message, remedy }]) => `| \`${code}\` | ${status} | ${message} | ${remedy} |`,
  );
  expect(rows('Codes')).toEqual(expected);
});

test('docs/errors.md explains every reason for which a sample is rejected', () => {
  const expected = Object.entries(REJECTION_REASONS).map(([reason, meaning]) => `| \`${reason}\` | ${meaning} |`);
  expect(rows('Reasons')).toEqual(expected);
});

test('a message is filled in, and a value that is missing is a bug', () => {
  expect(apiError('slo_not_found', { id: 'api/latency' }).message).toBe('there is no SLO api/latency');
  expect(() => apiError('slo_not_found')).toThrow('BUG: the message of slo_not_found needs id');
});
