import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { alertingOf } from '../support/alerting.ts';
import { HttpReceiver } from './receiver.ts';
import { burningSlo, MINUTE_MS, onlyAlerts, Rig } from './rig.ts';

function to(configs: string, slo = burningSlo({}, onlyAlerts('page-quick'))): Rig {
  const text = `
external_url: https://slipstream.example
route: {receiver: r, group_interval: 1s}
receivers: [{name: r, ${configs}}]
`;
  return new Rig(alertingOf(text, { KEY: '0123456789abcdef0123456789abcdef' }), [slo]);
}

test('PagerDuty is told of an incident by one key, from its trigger to its resolution', async () => {
  const hook = await HttpReceiver.start();
  const rig = to(`pagerduty_configs: [{routing_key: "\${KEY}", url: "${hook.url}/v2/enqueue"}]`);
  rig.push(50, 50);
  const { path, body } = await hook.have(1);
  expect(path).toBe('/v2/enqueue');
  expect(body).toMatchObject({
    routing_key: '0123456789abcdef0123456789abcdef',
    event_action: 'trigger',
    dedup_key: expect.stringMatching(/^[0-9a-f]{64}$/),
    payload: {
      summary: 'api/availability is burning its 30-day budget 500 times too fast; overspent by 49900 %',
      source: 'api/availability',
      severity: 'critical',
      timestamp: new Date(rig.nowMs).toISOString(),
      class: 'page-quick',
      custom_details: { firing: 1, resolved: 0, owner: 'team-api' },
    },
    client_url: 'https://slipstream.example',
    links: [
      { href: 'https://slipstream.example/?slo=api%2Favailability', text: 'Dashboard' },
      { href: 'https://runbooks.example/api', text: 'Runbook' },
    ],
  });
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  const resolved = await hook.have(2);
  expect(resolved.body).toMatchObject({ event_action: 'resolve', dedup_key: body.dedup_key });
});

test('a ticket is a warning to PagerDuty, and a spent budget critical', async () => {
  for (const [alerts, severity] of [
    [onlyAlerts('ticket-quick'), 'warning'],
    [{ burnRateAlerts: [], budgetExhausted: true }, 'critical'],
  ] as const) {
    const hook = await HttpReceiver.start();
    const rig = to(`pagerduty_configs: [{routing_key: k, url: "${hook.url}"}]`, burningSlo({}, alerts));
    rig.push(50, 50);
    rig.pass(5 * MINUTE_MS);
    rig.push(50, 50);
    expect((await hook.have(1)).body.payload.severity).toBe(severity);
  }
});

test('Slack is told in words, with links, and nothing of an SLO is taken for markup', async () => {
  const hook = await HttpReceiver.start();
  const slo = burningSlo({ id: 'a<b/x&y', service: 'a<b', name: 'x&y' }, onlyAlerts('page-quick'));
  const rig = to(`slack_configs: [{api_url: "${hook.url}/services/T/B/x", channel: "#alerts"}]`, slo);
  rig.push(50, 50);
  const { body } = await hook.have(1);
  expect(body.channel).toBe('#alerts');
  expect(body.text).toBe(
    '[FIRING:1] a&lt;b x&amp;y\na&lt;b/x&amp;y is burning its 30-day budget 500 times too fast; overspent by 49900 %',
  );
  expect(body.blocks[1].text.text).toContain(
    '<https://slipstream.example/?slo=a%3Cb%2Fx%26y|Dashboard> · <https://runbooks.example/api|Runbook>',
  );
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  expect((await hook.have(2)).body.text).toMatch(/^\[RESOLVED\] /);
});

/** A mail server as RFC 5321 has it, as far as a client needs one. */
async function mailServer(refuses: (count: number) => string | null = () => null) {
  const mails: string[] = [];
  let count = 0;
  const server = createServer((socket) => {
    let data: string | null = null;
    socket.on('error', () => {});
    socket.write('220 mail.example ESMTP\r\n');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      if (data !== null) {
        data += chunk;
        if (!data.endsWith('\r\n.\r\n')) return;
        mails.push(data);
        data = null;
        socket.write('250 OK\r\n');
        return;
      }
      for (const line of chunk.split('\r\n').filter((text) => text !== '')) {
        const refusal = line.startsWith('RCPT') ? refuses(++count) : null;
        if (line === 'DATA') data = '';
        socket.write(`${refusal ?? (line === 'DATA' ? '354 go on' : line === 'QUIT' ? '221 bye' : '250 OK')}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return { mails, port: (server.address() as AddressInfo).port };
}

async function mailed(rig: Rig, mails: readonly string[], count: number): Promise<string> {
  while (mails.length < count) {
    rig.pass(1000);
    rig.tick();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return mails[count - 1]!.replaceAll('=\r\n', '');
}

test('a mail says what happened, and is sent again after a temporary refusal', async () => {
  const { mails, port } = await mailServer((count) => (count === 1 ? '451 try later' : null));
  const rig = to(`email_configs: [{to: oncall@example.org, from: slo@example.org, smarthost: "127.0.0.1:${port}"}]`);
  rig.push(50, 50);
  const mail = await mailed(rig, mails, 1);
  expect(mail).toContain('To: oncall@example.org');
  expect(mail).toContain('Subject: [FIRING:1] api availability');
  expect(mail).toContain('api/availability is burning its 30-day budget 500 times too fast');
  expect(mail).toContain('Runbook: https://runbooks.example/api');
  expect(rig.notifier.counters.of('r/email[0]')).toMatchObject({ delivered: 1, failures: { server_error: 1 } });
});

test('a mail that is refused for good is given up', async () => {
  const { mails, port } = await mailServer(() => '550 no such user');
  const rig = to(`email_configs: [{to: oncall@example.org, from: slo@example.org, smarthost: "127.0.0.1:${port}"}]`);
  rig.push(50, 50);
  await rig.drained();
  expect(mails).toEqual([]);
  expect(rig.logged.at(-1)!.message).toMatch(
    /^r\/email\[0\] refuses a notification, which is given up: .*550 no such user/,
  );
});

test('every replica of Alertmanager is told, again and again, until an alert is over', async () => {
  const replicas = [await HttpReceiver.start(), await HttpReceiver.start()];
  const urls = replicas.map(({ url }) => `"${url}/am/"`).join(', ');
  const rig = new Rig(alertingOf(`alertmanagers: [{urls: [${urls}], resend_interval: 20ms}]`));
  rig.push(50, 50);
  for (const replica of replicas) {
    const { path, body } = await replica.have(2);
    expect(path).toBe('/am/api/v2/alerts');
    expect(body).toEqual([
      {
        labels: expect.objectContaining({ alertname: 'page-quick', severity: 'page', long: '1h', short: '5m' }),
        annotations: expect.objectContaining({ error_budget_remaining: '-499', burn_rate_long: '500' }),
        startsAt: new Date(rig.nowMs).toISOString(),
        endsAt: new Date(rig.nowMs + 80).toISOString(),
        generatorURL: 'http://slipstream.test/?slo=api%2Favailability',
      },
    ]);
  }
  rig.pass(6 * MINUTE_MS);
  rig.push(50, 0);
  const before = replicas[0]!.received.length;
  await replicas[0]!.have(before + 1);
  const resolved = replicas[0]!.received.at(-1)!.body[0];
  expect(resolved.endsAt).toBe(new Date(rig.nowMs).toISOString());
});

test('an alert that Alertmanager refuses keeps no other from being told', async () => {
  const replica = await HttpReceiver.start((response, count) => {
    const body = replica.received[count - 1]!.body as { labels: { slo: string } }[];
    response.writeHead(body.some(({ labels }) => labels.slo === 'bad') ? 400 : 200).end('invalid');
  });
  const slos = [
    burningSlo({}, onlyAlerts('page-quick')),
    burningSlo({ id: 'api/bad', name: 'bad' }, onlyAlerts('page-quick')),
  ];
  const rig = new Rig(alertingOf(`alertmanagers: [{urls: ["${replica.url}"]}]`), slos);
  rig.push(50, 50, 1);
  rig.push(50, 50, 0);
  await replica.have(2);
  await rig.restart();
  const told = rig.store.alerts
    .history({ slo: null, fromMs: 0, toMs: rig.nowMs, limit: 10 })
    .map(({ id, sloId }) => `${sloId} ${rig.store.alerts.told(id).map(({ outcome }) => outcome)}`);
  expect(told.sort()).toEqual(['api/availability delivered', 'api/bad rejected']);
});
