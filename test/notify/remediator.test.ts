import { expect, test } from 'vitest';
import type { Slo } from '../../src/engine/slo.ts';
import { alertingOf } from '../support/alerting.ts';
import { HttpReceiver } from './receiver.ts';
import { burningSlo, MINUTE_MS, Rig } from './rig.ts';

async function withRemediation(fields: string, slos: readonly Slo[] = [burningSlo()]) {
  const hook = await HttpReceiver.start();
  const alerting = alertingOf(`
external_url: https://slipstream.example
alertmanagers: []
remediations:
  - {name: roll back, ${fields}, webhook: {url: "${hook.url}/rollback", secret: hush}}
`);
  return { hook, rig: new Rig(alerting, slos) };
}

function record(rig: Rig): string[] {
  return rig.store.actions
    .recent(10)
    .map(({ outcome, reason, endedMs }) => `${outcome} ${endedMs === null ? 'on' : 'over'}: ${reason}`);
}

const FAST = 'api/availability: the burn rate over 5m is 500, above 14.4';

test('a webhook is called once when a burn rate crosses its threshold, and that is on record', async () => {
  const { hook, rig } = await withRemediation('when: {burn_rate: 14.4, window: 5m}, cooldown: 10m');
  rig.push(50, 50);
  const { path, headers, body } = await hook.have(1);
  expect(path).toBe('/rollback');
  expect(headers['x-signature']).toMatch(/^sha256=[0-9a-f]{64}$/);
  expect(body).toEqual({
    action: 1,
    remediation: 'roll back',
    slo: 'api/availability',
    group: null,
    labels: { service: 'api', slo: 'availability', owner: 'team-api' },
    reason: FAST,
    threshold: { kind: 'burn_rate', window: '5m', above: 14.4 },
    observed: 500,
    at: new Date(rig.nowMs).toISOString(),
    link: 'https://slipstream.example/?slo=api%2Favailability',
  });
  rig.pass(MINUTE_MS);
  rig.push(50, 50);
  await rig.restart();
  rig.push(50, 50);
  expect(record(rig)).toEqual([`delivered on: ${FAST}`]);
  expect(hook.received.length).toBe(1);
});

test('a crossing within the cooldown is called when that is over, if it still lasts', async () => {
  const { hook, rig } = await withRemediation('when: {burn_rate: 14.4, window: 5m}, cooldown: 20m');
  rig.push(50, 50);
  await hook.have(1);
  await rig.drained();
  rig.pass(6 * MINUTE_MS);
  rig.push(5000, 0);
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 50);
  expect(record(rig)).toEqual([`cooldown on: ${FAST}`, `delivered over: ${FAST}`]);
  for (let i = 0; i < 3; i++) {
    rig.pass(4 * MINUTE_MS);
    rig.push(50, 50);
  }
  await hook.have(2);
  await rig.drained();
  expect(record(rig)).toEqual([`delivered on: ${FAST}`, `cooldown over: ${FAST}`, `delivered over: ${FAST}`]);
});

test('a dry run is only written down', async () => {
  const { hook, rig } = await withRemediation('when: {error_budget_remaining: 0.25}, dry_run: true');
  rig.push(99_950, 50);
  expect(record(rig)).toEqual([]);
  rig.push(0, 40);
  await rig.drained();
  expect(record(rig)).toEqual(['dry_run on: api/availability: the error budget remaining is 0.10036, below 0.25']);
  expect(hook.received).toEqual([]);
});

test('only what matches is acted on, and nothing while there is no data', async () => {
  const other = burningSlo({ id: 'shop/checkout', service: 'shop', name: 'checkout' });
  const { hook, rig } = await withRemediation("when: {burn_rate: 14.4, window: 5m}, matchers: ['service=shop']", [
    burningSlo(),
    other,
  ]);
  rig.push(50, 50);
  rig.push(50, 50, 1);
  expect((await hook.have(1)).body.slo).toBe('shop/checkout');
  rig.pass(60 * MINUTE_MS);
  rig.tick();
  await rig.drained();
  expect(rig.store.actions.recent(10).map(({ sloId, endedMs }) => [sloId, endedMs])).toEqual([['shop/checkout', null]]);
});
