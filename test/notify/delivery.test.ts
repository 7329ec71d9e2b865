import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { backoffMs } from '../../src/notify/delivery.ts';
import { alertingOf } from '../support/alerting.ts';
import { answering, HttpReceiver } from './receiver.ts';
import { MINUTE_MS, Rig, SECOND_MS } from './rig.ts';

/** Two receivers of every alert: the one that is tested, and a healthy one. */
function both(url: string, healthy: string, more = ''): string {
  return `
delivery_timeout: 300ms
route:
  receiver: tested
  routes: [{receiver: healthy, continue: true}, {receiver: tested}]
receivers:
  - {name: tested, webhook_configs: [{url: "${url}"${more}}]}
  - {name: healthy, webhook_configs: [{url: "${healthy}"}]}
`;
}

async function rigWith(url: string): Promise<{ rig: Rig; healthy: HttpReceiver }> {
  const healthy = await HttpReceiver.start();
  return { rig: new Rig(alertingOf(both(url, healthy.url))), healthy };
}

/** A server that speaks no HTTP. */
async function speaking(speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    speak(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Waits until an attempt has failed, and gives what was logged of it. */
async function failure(rig: Rig): Promise<string> {
  for (;;) {
    const line = rig.logged.find(({ level }) => level !== 'info');
    if (line !== undefined) return line.message;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test('a receiver that is down keeps nobody else waiting, and is told when it is up', async () => {
  const gone = await HttpReceiver.start();
  const { rig, healthy } = await rigWith('http://127.0.0.1:9');
  rig.push(50, 50);
  await healthy.have(1);
  expect(await failure(rig)).toMatch(/^tested\/webhook\[0\] could not be told, again in 1 s: /);
  expect(rig.store.outbox.count('tested/webhook[0]')).toBe(1);
  await rig.restart(alertingOf(both(gone.url, healthy.url)));
  expect((await rig.until(gone, 1)).body.status).toBe('firing');
  expect(healthy.received.length).toBe(1);
});

test('a receiver that never answers is given up on after the timeout, and tried again', async () => {
  const slow = await HttpReceiver.start((response, count) => {
    if (count > 1) response.end();
  });
  const { rig, healthy } = await rigWith(slow.url);
  rig.push(50, 50);
  await healthy.have(1);
  expect(await failure(rig)).toBe('tested/webhook[0] could not be told, again in 1 s: no answer within 0.3 s');
  await rig.until(slow, 2);
  expect(rig.notifier.counters.of('tested/webhook[0]').failures.timeout).toBe(1);
});

test('who answers 429 is left alone for as long as it asks', async () => {
  const busy = await HttpReceiver.start((response, count) =>
    response.writeHead(count === 1 ? 429 : 200, { 'retry-after': '120' }).end('slow down'),
  );
  const { rig } = await rigWith(busy.url);
  rig.push(50, 50);
  const beganMs = rig.nowMs;
  expect(await failure(rig)).toBe('tested/webhook[0] could not be told, again in 120 s: answered 429: slow down');
  await rig.until(busy, 2);
  expect(rig.nowMs - beganMs).toBeGreaterThanOrEqual(2 * MINUTE_MS);
});

test('Retry-After may be a date', async () => {
  const receiver = await HttpReceiver.start();
  const { rig } = await rigWith(receiver.url);
  receiver.answer = answering(503, '', { 'retry-after': new Date(rig.nowMs + 90 * SECOND_MS).toUTCString() });
  rig.push(50, 50);
  expect(await failure(rig)).toBe('tested/webhook[0] could not be told, again in 90 s: answered 503');
});

test('after 500 it is tried again, and what was refused for good is given up and said so', async () => {
  const receiver = await HttpReceiver.start((response, count) => {
    response.writeHead(count === 1 ? 500 : 400).end('no such\nchannel');
  });
  const { rig } = await rigWith(receiver.url);
  rig.push(50, 50);
  await rig.until(receiver, 2);
  await rig.drained();
  expect(rig.logged.map(({ message }) => message)).toEqual([
    'tested/webhook[0] could not be told, again in 1 s: answered 500: no such channel',
    'tested/webhook[0] refuses a notification, which is given up: answered 400: no such channel',
  ]);
  const [alert] = rig.store.alerts.history({ slo: null, fromMs: 0, toMs: rig.nowMs, limit: 1 });
  expect(rig.store.alerts.told(alert!.id).map(({ receiver: name, outcome }) => `${name} ${outcome}`)).toEqual([
    'healthy/webhook[0] delivered',
    'tested/webhook[0] rejected',
  ]);
});

test('garbage, a hang-up and an endless answer are failures like any other', async () => {
  const cases: ((socket: Socket) => void)[] = [
    (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'),
    (socket) => socket.destroy(),
    (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n'),
    (socket) => {
      socket.write('HTTP/1.1 500 Oh\r\ncontent-length: 1000000000\r\n\r\n');
      socket.write('x'.repeat(100_000));
    },
  ];
  for (const speak of cases) {
    const { rig, healthy } = await rigWith(await speaking(speak));
    rig.push(50, 50);
    await healthy.have(1);
    expect(await failure(rig)).toMatch(/^tested\/webhook\[0\] could not be told, again in 1 s: /);
  }
});

test('attempts are 1 s apart, then twice as much, up to a minute', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 7, 1000].map((attempts) => backoffMs(attempts) / SECOND_MS)).toEqual([
    1, 2, 4, 8, 16, 32, 60, 60, 60,
  ]);
  expect(backoffMs(0, 5 * MINUTE_MS)).toBe(5 * MINUTE_MS);
  expect(backoffMs(0, 24 * 60 * MINUTE_MS)).toBe(60 * MINUTE_MS);
});

test('what waits longer than there is room for is given up, oldest first', async () => {
  const { rig } = await rigWith('http://127.0.0.1:9');
  for (let i = 0; i < 105; i++) {
    rig.store.outbox.add(
      { key: `k${i}`, integration: 'tested/webhook[0]', lane: `l${i}`, payload: '{"alerts":[]}' },
      rig.nowMs,
    );
  }
  rig.tick();
  await rig.restart();
  expect(rig.logged[0]).toEqual({
    level: 'error',
    message: 'the oldest 5 notifications to tested/webhook[0] were given up: more than 100 wait',
  });
  expect(rig.store.outbox.count('tested/webhook[0]')).toBe(100);
});

test('a secret never comes to light in the log', async () => {
  const { rig } = await rigWith('http://user:hush-hush@127.0.0.1:9/hush-hush?token=hush-hush');
  rig.push(50, 50);
  await failure(rig);
  expect(JSON.stringify(rig.logged)).not.toContain('hush');
});

test('a user and a password in a URL become a header', async () => {
  const receiver = await HttpReceiver.start();
  const { rig } = await rigWith(receiver.url.replace('//', '//me:p%40ss@'));
  rig.push(50, 50);
  expect((await receiver.have(1)).headers.authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
});

test('a second message to a group waits for the first, and another group does not', async () => {
  const receiver = await HttpReceiver.start();
  const { rig } = await rigWith(receiver.url);
  const { outbox } = rig.store;
  const add = (key: string, lane: string) => outbox.add({ key, integration: 'x', lane, payload: '{}' }, rig.nowMs);
  add('a1', 'a');
  add('a2', 'a');
  add('b1', 'b');
  add('a1', 'a');
  expect(outbox.count('x')).toBe(3);
  const first = outbox.next('x', rig.nowMs)!;
  expect(first.key).toBe('a1');
  outbox.postpone(first.id, rig.nowMs + 1000);
  const second = outbox.next('x', rig.nowMs)!;
  expect(second.key).toBe('b1');
  outbox.remove(second.id);
  expect(outbox.next('x', rig.nowMs)).toBeNull();
  expect(outbox.nextDueMs('x')).toBe(rig.nowMs + 1000);
  expect(outbox.next('x', rig.nowMs + 1000)).toMatchObject({ key: 'a1', attempts: 1 });
  outbox.remove(first.id);
  expect(outbox.next('x', rig.nowMs)!.key).toBe('a2');
});

test('a receiver that has taken a message may say as much of it, and as slowly, as it likes', async () => {
  const receiver = await HttpReceiver.start((response) => {
    response.writeHead(200).write('so ');
  });
  const { rig } = await rigWith(receiver.url);
  rig.push(50, 50);
  await receiver.have(1);
  await rig.drained();
  expect(receiver.received.length).toBe(1);
});
