import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { alertingOf } from '../support/alerting.ts';
import { answering, HttpReceiver } from './receiver.ts';
import { MINUTE_MS, Rig, SECOND_MS } from './rig.ts';

function webhookTo(url: string, more = ''): string {
  return `
external_url: https://slipstream.example/
route: {receiver: hook, group_interval: 10s}
receivers:
  - name: hook
    webhook_configs: [{url: "${url}/hook"${more}}]
`;
}

async function started(more = '', answer = answering(200)) {
  const receiver = await HttpReceiver.start(answer);
  return { receiver, rig: new Rig(alertingOf(webhookTo(receiver.url, more))) };
}

test('an alert that fires is told in the body of Alertmanager, version 4', async () => {
  const { receiver, rig } = await started();
  rig.push(50, 50);
  const { path, headers, body } = await receiver.have(1);
  expect(path).toBe('/hook');
  expect(headers['content-type']).toBe('application/json');
  const labels = {
    alertname: 'page-quick',
    service: 'api',
    slo: 'availability',
    owner: 'team-api',
    severity: 'page',
    long: '1h',
    short: '5m',
  };
  expect(body).toEqual({
    version: '4',
    groupKey: '{}:{service="api", slo="availability"}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'hook',
    groupLabels: { service: 'api', slo: 'availability' },
    commonLabels: labels,
    commonAnnotations: body.alerts[0].annotations,
    externalURL: 'https://slipstream.example',
    alerts: [
      {
        status: 'firing',
        labels,
        annotations: {
          summary: 'api/availability is burning its 30-day budget 500 times too fast; overspent by 49900 %',
          description: expect.stringContaining('The burn rate is 500 over 1h and 500 over 5m'),
          burn_rate_long: '500',
          burn_rate_short: '500',
          error_budget_remaining: '-499',
          runbook_url: 'https://runbooks.example/api',
        },
        startsAt: new Date(rig.nowMs).toISOString(),
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'https://slipstream.example/?slo=api%2Favailability',
        fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
      },
    ],
  });
});

test('an alert that is over is told with the labels that it fired with', async () => {
  const { receiver, rig } = await started();
  rig.push(50, 50);
  const fired = await receiver.have(1);
  rig.pass(6 * MINUTE_MS);
  rig.push(100, 0);
  const { body } = await receiver.have(2);
  expect(body.status).toBe('resolved');
  expect(body.alerts[0].labels).toEqual(fired.body.alerts[0].labels);
  expect(body.alerts[0].startsAt).toBe(fired.body.alerts[0].startsAt);
  expect(body.alerts[0].endsAt).toBe(new Date(rig.nowMs).toISOString());
});

test('with send_resolved: false the end of an alert is not told', async () => {
  const { receiver, rig } = await started(', send_resolved: false');
  rig.push(50, 50);
  await receiver.have(1);
  rig.pass(6 * MINUTE_MS);
  rig.push(100, 0);
  await rig.drained();
  expect(receiver.received.length).toBe(1);
});

test('the body is signed with the secret, and every attempt has the same key', async () => {
  const { receiver, rig } = await started(', secret: hush', (response, count) => {
    response.writeHead(count === 1 ? 503 : 200).end();
  });
  rig.push(50, 50);
  const first = await receiver.have(1);
  expect(first.headers['x-signature']).toBe(`sha256=${createHmac('sha256', 'hush').update(first.text).digest('hex')}`);
  const second = await rig.until(receiver, 2);
  expect(second.headers['idempotency-key']).toBe(first.headers['idempotency-key']);
  expect(second.text).toBe(first.text);
});

test('an alert is told once, however often it is looked at and the server is restarted', async () => {
  const { receiver, rig } = await started();
  rig.push(50, 50);
  await receiver.have(1);
  for (let i = 0; i < 5; i++) {
    rig.pass(20 * SECOND_MS);
    rig.push(50, 50);
    await rig.restart();
  }
  await rig.drained();
  expect(receiver.received.length).toBe(1);
});
