import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** Somebody who is told, over HTTP, and answers as the test wants. */

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the JSON of whoever is tested
  readonly body: any;
}

type Answer = (response: ServerResponse, count: number) => void;

const OK: Answer = (response) => response.end('ok');

export class HttpReceiver {
  readonly received: Received[] = [];
  answer: Answer = OK;
  url = '';
  #waiting: { count: number; resolve: () => void }[] = [];

  static async start(answer: Answer = OK): Promise<HttpReceiver> {
    const receiver = new HttpReceiver();
    receiver.answer = answer;
    const server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      request.on('end', () => {
        const { url = '', headers } = request;
        receiver.received.push({ path: url, headers, text, body: JSON.parse(text) });
        receiver.answer(response, receiver.received.length);
        receiver.#waiting = receiver.#waiting.filter(({ count, resolve }) => {
          if (receiver.received.length >= count) resolve();
          return receiver.received.length < count;
        });
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return receiver;
  }

  /** Waits until so many requests have come, and gives the last of them. */
  async have(count: number): Promise<Received> {
    if (this.received.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.received[count - 1]!;
  }
}

export function answering(status: number, body = '', headers: Record<string, string> = {}): Answer {
  return (response) => response.writeHead(status, headers).end(body);
}
