import { expect, test } from 'vitest';
import { SAMPLE_VALUE, SampleBatch } from '../../src/engine/batch.ts';
import { encodeLabels, labelSet } from '../../src/engine/label-set.ts';
import { alertingOf } from '../support/alerting.ts';
import { HttpReceiver } from './receiver.ts';
import { burningSlo, MINUTE_MS, onlyAlerts, Rig, SECOND_MS } from './rig.ts';

const LABELS = labelSet(Object.entries({ __name__: 'requests', job: 'api', instance: 'a', code: '500' }));

class Fed extends Rig {
  #count = 0;

  /** A scrape at `tMs`, with 100 more failed requests or as many as before. */
  scrape(tMs = this.nowMs, failed = 0): void {
    const id = this.engine.register(LABELS, encodeLabels(LABELS));
    const batch = new SampleBatch(1);
    this.#count += failed;
    batch.push(id, tMs, this.#count, SAMPLE_VALUE);
    this.engine.ingest(batch, this.nowMs);
    this.tick();
  }

  quiet(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10 * SECOND_MS) {
      this.pass(10 * SECOND_MS);
      this.tick();
    }
  }
}

async function fed(route = '{receiver: hook}', more = ''): Promise<{ hook: HttpReceiver; rig: Fed }> {
  const hook = await HttpReceiver.start();
  const text = `
route: ${route}
receivers: [{name: hook, webhook_configs: [{url: "${hook.url}"}]}]
${more}`;
  return { hook, rig: new Fed(alertingOf(text), [burningSlo({}, onlyAlerts('page-quick'))]) };
}

test('silence is an alert of its own, which ends when something is heard', async () => {
  const { hook, rig } = await fed();
  rig.scrape();
  rig.quiet(5 * MINUTE_MS);
  expect(rig.notifier.tracked).toEqual([]);
  rig.quiet(10 * SECOND_MS);
  const { body } = await hook.have(1);
  expect(body.alerts[0].labels).toEqual({
    alertname: 'no-data',
    service: 'api',
    slo: 'availability',
    owner: 'team-api',
    severity: 'ticket',
  });
  expect(body.alerts[0].annotations.summary).toMatch(
    /^api\/availability has had no data since 20.*; its alerts are frozen$/,
  );
  rig.scrape();
  rig.quiet(MINUTE_MS);
  expect((await hook.have(2)).body.status).toBe('resolved');
});

test('silence is not claimed before the server has listened for stale_after, nor withdrawn by a restart', async () => {
  const { hook, rig } = await fed();
  rig.scrape();
  rig.pass(60 * MINUTE_MS);
  await rig.restart();
  rig.tick();
  expect(rig.notifier.tracked).toEqual([]);
  rig.quiet(5 * MINUTE_MS + 10 * SECOND_MS);
  await hook.have(1);
  await rig.restart();
  rig.quiet(2 * MINUTE_MS);
  await rig.restart();
  expect(hook.received.length).toBe(1);
});

test('a sender that is catching up sets nothing off, and ends nothing', async () => {
  const { hook, rig } = await fed();
  rig.scrape();
  const beganMs = rig.nowMs;
  rig.pass(60 * MINUTE_MS);
  for (let tMs = beganMs + 5 * MINUTE_MS; tMs < beganMs + 54 * MINUTE_MS; tMs += 5 * MINUTE_MS) {
    rig.scrape(tMs, 100);
    rig.pass(SECOND_MS);
  }
  await rig.drained();
  expect(hook.received).toEqual([]);
  rig.scrape(rig.nowMs, 100);
  rig.quiet(10 * SECOND_MS);
  expect((await hook.have(1)).body.alerts[0].labels.alertname).toBe('page-quick');
});

test('an alert that fires is not repeated while there is no data, and not resolved', async () => {
  const { hook, rig } = await fed('{receiver: hook, repeat_interval: 1m}', 'no_data: {severity: none}');
  rig.scrape();
  rig.pass(10 * SECOND_MS);
  rig.scrape(rig.nowMs, 100);
  await hook.have(1);
  rig.quiet(5 * MINUTE_MS);
  await rig.drained();
  const before = hook.received.length;
  rig.quiet(30 * MINUTE_MS);
  await rig.drained();
  expect(hook.received.length).toBe(before);
  expect(rig.engine.activeAlerts().map(({ state }) => state)).toEqual(['firing']);
});

test('the time that an alert was pending before a kill counts, and the time without data does not', async () => {
  const { burnRateAlerts } = onlyAlerts('page-quick');
  const slow = burningSlo({}, { burnRateAlerts: burnRateAlerts!.map((rule) => ({ ...rule, forMs: 3 * MINUTE_MS })) });
  const hook = await HttpReceiver.start();
  const text = `{route: {receiver: hook}, receivers: [{name: hook, webhook_configs: [{url: "${hook.url}"}]}]}`;
  const rig = new Fed(alertingOf(text), [slow]);
  rig.scrape();
  const burn = (): void => {
    rig.pass(MINUTE_MS);
    rig.scrape(rig.nowMs, 100);
  };
  burn();
  burn();
  await rig.restart();
  expect(rig.engine.activeAlerts().map(({ state }) => state)).toEqual(['pending']);
  rig.quiet(30 * MINUTE_MS);
  burn();
  expect(rig.engine.activeAlerts().map(({ state }) => state)).toEqual(['pending']);
  burn();
  burn();
  expect(rig.engine.activeAlerts().map(({ state }) => state)).toEqual(['firing']);
});
