import { pino } from 'pino';
import { expect, test } from 'vitest';
import { ServiceCounters } from '../../src/api/counters.ts';
import { Reloader } from '../../src/api/reloader.ts';
import type { Config } from '../../src/config.ts';
import { CommitError } from '../../src/store/errors.ts';
import { anSlo } from '../support/slo.ts';
import { TEST_CONFIG } from './server.ts';

/** A reloader whose files change the setting `settle`, and which cannot replace what runs as often as there are failures. */
function reloading(...failures: Error[]) {
  const replaced: Config[] = [];
  const log: { msg: string; err?: { message: string } }[] = [];
  const counters = new ServiceCounters(0);
  const slos = [anSlo()];
  const reloader = new Reloader({
    config: TEST_CONFIG,
    reread: () => ({ config: { ...TEST_CONFIG, settleMs: 1 }, slos, warnings: [] }),
    slos: () => slos,
    replace: (config) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      replaced.push(config);
    },
    counters,
    logger: pino({}, { write: (line) => log.push(JSON.parse(line)) }),
    clock: () => 7_000,
  });
  return { reloader, replaced, log, counters };
}

test('a reload that a full disk prevents can be tried again, and applies then what it did not', () => {
  const { reloader, replaced, log, counters } = reloading(new CommitError(new Error('database or disk is full')));
  expect(() => reloader.reload()).toThrow(
    expect.objectContaining({
      code: 'commit_failed',
      message: 'the journal could not be written: database or disk is full; try again',
    }),
  );
  expect([replaced.length, counters.lastReloadSuccessful, counters.lastReloadSuccessMs]).toEqual([0, false, 0]);
  expect(log[0]!.msg).toBe('not reloaded: the SLOs that run are those of before');
  expect(reloader.reload()).toBe('1 SLO: 0 added, 0 removed, 0 changed, 1 kept\napplied settle');
  expect([replaced[0]!.settleMs, counters.lastReloadSuccessful, counters.lastReloadSuccessMs]).toEqual([
    1,
    true,
    7_000,
  ]);
  expect(reloader.reload()).toBe('1 SLO: 0 added, 0 removed, 0 changed, 1 kept');
  expect(replaced.length).toBe(1);
});

test('a bug is called one, and the server goes on', () => {
  const { reloader, log } = reloading(new TypeError('x is undefined'));
  expect(() => reloader.reload()).toThrow(expect.objectContaining({ code: 'internal' }));
  expect(log[0]).toMatchObject({
    msg: 'BUG: not reloaded: the SLOs that run are those of before',
    err: { message: 'x is undefined' },
  });
  expect(reloader.reload()).toContain('applied settle');
});
