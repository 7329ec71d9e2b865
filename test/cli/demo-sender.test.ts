import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { historyInstants, runDemoSender } from '../../src/cli/demo/sender.ts';
import { DAY_MS, MINUTE_MS, SECOND_MS } from '../../src/engine/duration.ts';

const NOW_MS = Date.UTC(2026, 0, 15, 12);

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly path: string | undefined;
  readonly body: Buffer;
}

let server: Server | null = null;

/** A receiver that answers with the given status codes in turn, and with 204 ever after. */
async function receiver(...statuses: number[]): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const started = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, path: request.url, body: Buffer.concat(chunks) });
      const status = statuses.shift() ?? 204;
      response.writeHead(status).end(status >= 400 ? 'no thanks' : undefined);
    });
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(started.address() as AddressInfo).port}`, received };
}

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Tells the present once, and afterwards a time at which everything live is due already. */
function hurryingClock(liveMs: number): () => number {
  let asked = 0;
  return () => (asked++ === 0 ? NOW_MS : NOW_MS + liveMs);
}

test('history covers 30 days without a hole and ends now', () => {
  const instants = [...historyInstants(NOW_MS)];
  expect(instants[0]).toBe(NOW_MS - 30 * DAY_MS);
  expect(instants.at(-1)).toBe(NOW_MS);
  expect(instants[1]! - instants[0]!).toBeLessThanOrEqual(5 * MINUTE_MS);
  instants.slice(1).forEach((tMs, i) => {
    expect(tMs).toBeGreaterThan(instants[i]!);
  });
});

test('history and live samples are sent as remote write, and then it stops', async () => {
  const { url, received } = await receiver();
  const lines: string[] = [];
  await runDemoSender({
    url,
    nowMs: hurryingClock(10 * SECOND_MS),
    signal: new AbortController().signal,
    durationMs: 10 * SECOND_MS,
    log: (line) => lines.push(line),
  });
  const [first] = received;
  expect(first!.path).toBe('/api/v1/write');
  expect(first!.headers).toMatchObject({ 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' });
  const history = received.length - 10;
  expect(history).toBeGreaterThan(10);
  expect(lines).toEqual([
    expect.stringMatching(/^sent 30d of history: \d+ samples in 10\.0 s$/),
    'sending live for 10s, with an incident every ten minutes',
    'the demo has sent all it had; from now on there is no new data',
  ]);
});

test('a server that is not ready is asked again with the same body', async () => {
  const { url, received } = await receiver(503);
  const lines: string[] = [];
  const controller = new AbortController();
  await runDemoSender({
    url,
    nowMs: hurryingClock(SECOND_MS),
    signal: controller.signal,
    durationMs: SECOND_MS,
    log: (line) => lines.push(line),
  });
  expect(lines[0]).toBe(`${url}/api/v1/write answered 503: no thanks; sending again in 1s`);
  expect(received[1]!.body.equals(received[0]!.body)).toBe(true);
});

test('a refusal that no retry can help ends the sender with the reason', async () => {
  const { url } = await receiver(400);
  const sending = runDemoSender({
    url,
    nowMs: () => NOW_MS,
    signal: new AbortController().signal,
    durationMs: SECOND_MS,
    log: () => {},
  });
  await expect(sending).rejects.toThrow(`${url}/api/v1/write answered 400: no thanks`);
});

test('the sender stops when it is told to', async () => {
  const { url } = await receiver();
  const controller = new AbortController();
  const sending = runDemoSender({
    url,
    nowMs: () => NOW_MS,
    signal: controller.signal,
    durationMs: 60 * MINUTE_MS,
    log: (line) => {
      if (line.startsWith('sending live')) controller.abort();
    },
  });
  await expect(sending).resolves.toBeUndefined();
});
