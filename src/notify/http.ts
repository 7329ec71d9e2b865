import { SECOND_MS } from '../engine/duration.ts';
import { DELIVERED, type Delivery, rejected, retry } from './delivery.ts';

/** One POST over HTTP, and what its answer means. */

export interface HttpPost {
  readonly url: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpContext {
  readonly timeoutMs: number;
  readonly nowMs: number;
  /** Ends what is under way when the server ends. */
  readonly signal: AbortSignal;
}

/** More of an answer is not read: it is for the log. */
const ANSWER_BYTES_MAX = 4096;
const ANSWER_SHOWN_MAX = 200;

/** 408, 425, 429 and 5xx are worth another try, as is no answer at all; any other refusal is final. */
export async function post({ url, body, headers = {} }: HttpPost, context: HttpContext): Promise<Delivery> {
  const timeout = AbortSignal.timeout(context.timeoutMs);
  try {
    const { href, authorization } = withoutCredentials(url);
    const response = await fetch(href, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...authorization, ...headers },
      signal: AbortSignal.any([timeout, context.signal]),
    });
    if (!response.ok) return refusal(response, await answerOf(response), context.nowMs);
    // It is taken, whatever else is said of that, and however slowly.
    await response.body?.cancel();
    return DELIVERED;
  } catch (error) {
    if (timeout.aborted) return retry('timeout', `no answer within ${context.timeoutMs / SECOND_MS} s`);
    return retry('connection', reasonOf(error));
  }
}

function refusal({ status, headers }: Response, answer: string, nowMs: number): Delivery {
  const detail = answer === '' ? `answered ${status}` : `answered ${status}: ${answer}`;
  const retryAfterMs = retryAfter(headers.get('retry-after'), nowMs);
  if (status === 429) return retry('rate_limited', detail, retryAfterMs);
  if (status >= 500 || status === 408 || status === 425) return retry('server_error', detail, retryAfterMs);
  return rejected(detail);
}

/** The beginning of the answer on one line. */
async function answerOf({ body }: Response): Promise<string> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= ANSWER_BYTES_MAX) break;
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX));
  return text
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, ANSWER_SHOWN_MAX);
}

/** Seconds or a date; 0 when there is none. */
function retryAfter(text: string | null, nowMs: number): number {
  if (text === null) return 0;
  const ms = /^\d+$/.test(text) ? Number(text) * SECOND_MS : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(ms, 0) : 0;
}

/** fetch takes no user and password in a URL. */
function withoutCredentials(text: string): { href: string; authorization: Record<string, string> } {
  const url = new URL(text);
  const { username, password } = url;
  if (username === '' && password === '') return { href: url.href, authorization: {} };
  url.username = '';
  url.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { href: url.href, authorization: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` } };
}

/** Why there was no answer; a URL, which may be a secret, is not part of it. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string; message?: string } };
  return cause?.code ?? cause?.message ?? message;
}
