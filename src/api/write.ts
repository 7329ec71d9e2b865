import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Engine } from '../engine/engine.ts';
import { isSnappyEncoding, remoteWriteProtocol } from '../ingest/content-type.ts';
import { IngestError } from '../ingest/errors.ts';
import type { ReadResult, RemoteWriteReceiver } from '../ingest/receive.ts';
import type { Journal } from '../store/recovery.ts';
import type { Store } from '../store/store.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { HttpCounters, WriteCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';

import { RefusalLog } from './refusal-log.ts';
import { rejectionText } from './rejection.ts';

/**
 * Prometheus remote write, on plain node:http: Fastify would cost more than reading a sample does.
 *
 * A request is answered 2xx when everything it said is applied and committed. What can never succeed is answered 4xx, so
 * that the sender drops it; what a retry helps with, 503. Reading, applying and queueing a request is one synchronous step,
 * so requests never interleave; only the wait for the commit is shared.
 */

const PATHS: readonly string[] = ['/api/v1/write', '/api/v1/push'];
const RETRY_AFTER_SECONDS = 5;
/** All that Prometheus logs of an answer. */
const TEXT_BYTES_MAX = 1024;

export interface WriteLimits {
  readonly bodyBytesMax: number;
  readonly journalQueueBytesMax: number;
}

export interface WriteOptions {
  readonly engine: Engine;
  readonly receiver: RemoteWriteReceiver;
  readonly store: Store;
  readonly limits: WriteLimits;
  readonly counters: WriteCounters;
  readonly http: HttpCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

type Phase = 'recovering' | 'serving' | 'draining';

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class WriteEndpoint {
  readonly #options: WriteOptions;
  readonly #refusals = new RefusalLog();
  #phase: Phase = 'recovering';
  #journal: Journal | null = null;

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  get isServing(): boolean {
    return this.#phase === 'serving';
  }

  /** The state is recovered: from now on requests are applied. */
  serve(journal: Journal): void {
    this.#journal = journal;
    this.#phase = 'serving';
  }

  /** Requests that have begun are finished, new ones are sent away. */
  drain(): void {
    this.#phase = 'draining';
  }

  /** Whether a request is one of remote write, whatever its method. */
  owns(request: IncomingMessage): boolean {
    return PATHS.includes(pathOf(request));
  }

  /** Answers a request; `expectsContinue` when the client waits for leave to send the body. */
  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    let answer: Answer;
    try {
      this.#check(request);
      if (expectsContinue) response.writeContinue();
      const body = await this.#body(request);
      // The client hung up before it had said everything: nobody is there to be answered.
      if (body === null) return;
      answer = await this.#apply(body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      answer = this.#refused(error, request);
    }
    // A client that was not given leave may send its body or not: the connection cannot be used again.
    if (expectsContinue && answer.status !== 204) response.setHeader('Connection', 'close');
    this.#options.http.count(pathOf(request), answer.status);
    this.#send(response, answer);
  }

  /** What can be said before the body is read. */
  #check({ method, headers, url = '' }: IncomingMessage): void {
    if (this.#phase === 'recovering') throw apiError('not_ready');
    if (this.#phase === 'draining') throw apiError('shutting_down');
    if (method !== 'POST') {
      throw apiError('method_not_allowed', { path: url, allowed: 'POST', method: method ?? '' });
    }
    const type = headers['content-type'];
    if (remoteWriteProtocol(type) !== 'rw1') throw apiError('unsupported_media_type', { got: type ?? '' });
    const encoding = headers['content-encoding'];
    if (!isSnappyEncoding(encoding)) throw apiError('unsupported_encoding', { got: encoding ?? '' });
    const { bodyBytesMax } = this.#options.limits;
    if (Number(headers['content-length'] ?? 0) > bodyBytesMax)
      throw apiError('body_too_large', { limit: bodyBytesMax });
    this.#checkBacklog();
  }

  #checkBacklog(): void {
    const { store, limits } = this.#options;
    if (store.queuedBytes > limits.journalQueueBytesMax) {
      throw apiError('backlog_full', { queued: store.queuedBytes, limit: limits.journalQueueBytesMax });
    }
  }

  async #body(request: IncomingMessage): Promise<Buffer | null> {
    const { bodyBytesMax } = this.#options.limits;
    try {
      const body = await readBody(request, bodyBytesMax);
      if (body !== null && body.length === 0) throw apiError('empty_body');
      return body;
    } catch (error) {
      if (error instanceof BodyTooLarge) throw apiError('body_too_large', { limit: bodyBytesMax });
      throw error;
    }
  }

  async #apply(body: Buffer): Promise<Answer> {
    const { engine, store, counters, clock } = this.#options;
    this.#checkBacklog();
    const nowMs = clock();
    const read = this.#read(body);
    const outcome = engine.ingest(read.batch, nowMs);
    this.#journal!.record(read.batch, outcome, nowMs);
    counters.count(outcome, read);
    // Batch, outcome and rejections belong to the next request as soon as this one waits.
    const rejection = rejectionText(read.rejections, read.batch, outcome, engine);
    const started = performance.now();
    try {
      await store.committed();
    } catch (error) {
      throw apiError('commit_failed', { detail: (error as Error).message });
    }
    counters.commitWait.observe((performance.now() - started) / 1000);
    if (rejection === null) return { status: 204, text: '' };
    throw apiError('samples_rejected', { detail: rejection });
  }

  #read(body: Buffer): ReadResult {
    try {
      return this.#options.receiver.read(body);
    } catch (error) {
      if (error instanceof IngestError) throw new ApiError(error.code, error.message);
      this.#options.logger.error({ err: error }, 'BUG: a request body could not be read');
      throw apiError('unreadable_body');
    }
  }

  #refused(error: ApiError, { headers, socket }: IncomingMessage): Answer {
    const { logger, clock } = this.#options;
    const suppressed = this.#refusals.admit(error.code, clock());
    if (suppressed !== null) {
      const sender = { address: socket.remoteAddress, userAgent: headers['user-agent']?.slice(0, 200) };
      const fields = { code: error.code, status: error.status, sender, suppressed };
      logger.warn(fields, `write request refused: ${error.message.slice(0, TEXT_BYTES_MAX)}`);
    }
    const text = error.code === 'samples_rejected' ? error.message : `${error.code}: ${error.message}`;
    return { status: error.status, text };
  }

  #send(response: ServerResponse, { status, text }: Answer): void {
    if (response.destroyed) return;
    if (status === 405) response.setHeader('Allow', 'POST');
    if (status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    if (this.#phase === 'draining') response.setHeader('Connection', 'close');
    if (status === 204) {
      response.writeHead(204).end();
      return;
    }
    const body = truncated(`${text}\n`);
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': body.length });
    response.end(body);
  }
}

function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}

/** At most `TEXT_BYTES_MAX` bytes, cut between two characters. */
function truncated(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length <= TEXT_BYTES_MAX) return bytes;
  let end = TEXT_BYTES_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}
