import Database from 'better-sqlite3';
import { beforeEach, expect, test } from 'vitest';
import { DAY_MS } from '../../src/engine/duration.ts';
import { Deployments } from '../../src/store/deployments.ts';
import { migrate } from '../../src/store/schema.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

let deployments: Deployments;

beforeEach(() => {
  const db = new Database(':memory:');
  migrate(db, ':memory:');
  deployments = new Deployments(db);
});

function add(service: string, version: string, tMs: number, nowMs = MIDNIGHT_MS): void {
  deployments.add({ service, version, tMs, url: null }, nowMs);
}

function versions(service: string | null, limit = 100): string[] {
  return deployments.newest(service, limit).map(({ version }) => version);
}

test('a deploy lasts until the next one of its service, whatever order they are told in', () => {
  add('api', 'b', MIDNIGHT_MS - 1000);
  add('web', 'x', MIDNIGHT_MS - 1500);
  add('api', 'a', MIDNIGHT_MS - 2000);
  expect(deployments.newest(null, 100).map(({ version, nextMs }) => [version, nextMs])).toEqual([
    ['b', null],
    ['x', null],
    ['a', MIDNIGHT_MS - 1000],
  ]);
  expect(versions('api')).toEqual(['b', 'a']);
  expect(versions('api', 1)).toEqual(['b']);
});

test('deploys that there is no history of any more are forgotten', () => {
  add('api', 'old', MIDNIGHT_MS);
  add('web', 'new', MIDNIGHT_MS + 400 * DAY_MS, MIDNIGHT_MS + 400 * DAY_MS);
  expect(versions(null)).toEqual(['new', 'old']);
  add('web', 'newer', MIDNIGHT_MS + 401 * DAY_MS, MIDNIGHT_MS + 401 * DAY_MS);
  expect(versions(null)).toEqual(['newer', 'new']);
});

test('the oldest of 10,000 deploys of a service makes room for another', () => {
  add('web', 'other', MIDNIGHT_MS - 20_000);
  for (let i = 0; i <= 10_000; i++) add('api', String(i), MIDNIGHT_MS - 10_000 + i);
  const kept = versions('api', 20_000);
  expect([kept.length, kept[0], kept.at(-1)]).toEqual([10_000, '10000', '1']);
  expect(versions('web')).toEqual(['other']);
});
