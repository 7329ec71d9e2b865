import { expect, test } from 'vitest';
import { alertingOf } from '../support/alerting.ts';
import { HttpReceiver } from './receiver.ts';
import { MINUTE_MS, Rig, SECOND_MS } from './rig.ts';

const SCRAPE_MS = 5 * SECOND_MS;

test('a total outage pages within 12 s of the theoretical 52 s, with a scrape every 5 s and a tick every second', async () => {
  const hook = await HttpReceiver.start();
  const text = `{route: {receiver: hook}, receivers: [{name: hook, webhook_configs: [{url: "${hook.url}"}]}]}`;
  const rig = new Rig(alertingOf(text), undefined, 5 * SECOND_MS);
  /** What a scrape sees of 100 requests a second, as events of its time. */
  const scrape = (failed: boolean): void => {
    const events = { good: failed ? 0 : 500, bad: failed ? 500 : 0 };
    rig.engine.push([{ sloId: 'api/availability', group: null, tMs: rig.nowMs, ...events, id: null }], rig.nowMs);
  };
  for (let i = 0; i < (60 * MINUTE_MS) / SCRAPE_MS; i++) {
    rig.pass(SCRAPE_MS);
    scrape(false);
  }
  rig.tick();
  // Right after a scrape, which is the worst it can do.
  const outageMs = rig.nowMs;
  while (rig.notifier.tracked.length === 0) {
    rig.pass(SECOND_MS);
    if ((rig.nowMs - outageMs) % SCRAPE_MS === 0) scrape(true);
    rig.tick();
  }
  expect((rig.nowMs - outageMs) / SECOND_MS).toBeGreaterThan(52);
  expect((rig.nowMs - outageMs) / SECOND_MS).toBeLessThanOrEqual(52 + 12);
  expect((await hook.have(1)).body.alerts[0].labels.alertname).toBe('page-quick');
});
