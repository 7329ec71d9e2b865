import http from 'node:http';
import https from 'node:https';

/** One connection that is kept open, with one request on it at a time. */

export interface Answer {
  /** 0 when there was none. */
  readonly status: number;
  /** What the server said of a request that it did not take, or why there was no answer. */
  readonly text: string;
  /** Null unless the server named a time. */
  readonly retryAfterMs: number | null;
}

const TIMEOUT_MS = 30_000;
const TEXT_CHARACTERS_MAX = 500;

export class Connection {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    const { Agent, request } = url.protocol === 'https:' ? https : http;
    this.#url = url;
    this.#headers = headers;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.#request = request;
  }

  post(body: Uint8Array): Promise<Answer> {
    const headers = { ...this.#headers, 'content-length': body.length };
    return new Promise((resolve) => {
      const failed = ({ message, code }: NodeJS.ErrnoException): void =>
        resolve({ status: 0, text: message || (code ?? 'no answer'), retryAfterMs: null });
      const request = this.#request(
        this.#url,
        { method: 'POST', headers, agent: this.#agent, timeout: TIMEOUT_MS },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => {
            if (text.length < TEXT_CHARACTERS_MAX) text += part;
          });
          response.on('error', failed);
          response.on('end', () => {
            const retryAfter = Number(response.headers['retry-after'] ?? Number.NaN);
            const retryAfterMs = Number.isNaN(retryAfter) ? null : retryAfter * 1_000;
            resolve({ status: response.statusCode ?? 0, text: text.trim(), retryAfterMs });
          });
        },
      );
      request.on('error', failed);
      request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
