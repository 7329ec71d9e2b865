import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { isSnappyEncoding, type RemoteWriteProtocol, remoteWriteProtocol } from '../ingest/content-type.ts';
import type { ItemCounts } from '../ingest/remote-write-2.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { HttpCounters, WriteCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import type { Intake } from './intake.ts';
import type { Hold } from './pressure.ts';
import { RefusalLog } from './refusal-log.ts';
import { rejectionText } from './rejection.ts';
import { NOTHING_WRITTEN, writtenHeaders, writtenOf } from './written.ts';

/**
 * Prometheus remote write, on plain node:http: Fastify would cost more than reading a sample does.
 *
 * A request is answered 2xx when everything it said is applied and committed. What can never succeed is answered 4xx, so
 * that the sender drops it; what a retry helps with, 503. A sender of 2.0 is also told in every answer how much was written.
 */

const PATHS: readonly string[] = ['/api/v1/write', '/api/v1/push'];
const RETRY_AFTER_SECONDS = 5;
/** All that Prometheus logs of an answer. */
const TEXT_BYTES_MAX = 1024;

export interface WriteOptions {
  readonly intake: Intake;
  readonly bodyBytesMax: number;
  readonly counters: Readonly<Record<RemoteWriteProtocol, WriteCounters>>;
  readonly http: HttpCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

interface Applied {
  /** Null when nothing was refused. */
  readonly rejection: string | null;
  readonly written: Readonly<ItemCounts>;
}

export class WriteEndpoint {
  readonly #options: WriteOptions;
  readonly #refusals = new RefusalLog();

  constructor(options: WriteOptions) {
    this.#options = options;
  }

  /** Whether a request is one of remote write, whatever its method. */
  owns(request: IncomingMessage): boolean {
    return PATHS.includes(pathOf(request));
  }

  /** Answers a request; `expectsContinue` when the client waits for leave to send the body. */
  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const protocol = remoteWriteProtocol(request.headers['content-type']);
    let written: Readonly<ItemCounts> = NOTHING_WRITTEN;
    let answer: Answer = { status: 204, text: '' };
    let hold: Hold | null = null;
    try {
      this.#check(request, protocol);
      hold = this.#options.intake.admit(request.headers['content-length']);
      if (expectsContinue) response.writeContinue();
      const body = await this.#body(request, hold);
      // The client hung up before it had said everything: nobody is there to be answered.
      if (body === null) return;
      const applied = await this.#apply(body, protocol!);
      written = applied.written;
      if (applied.rejection !== null) throw apiError('samples_rejected', { detail: applied.rejection });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      answer = this.#refused(error, request);
    } finally {
      hold?.release();
    }
    // A client that was not given leave may send its body or not: the connection cannot be used again.
    if (expectsContinue && answer.status !== 204) response.setHeader('Connection', 'close');
    this.#options.http.count(pathOf(request), answer.status);
    if (protocol === 'rw2') {
      for (const [name, value] of writtenHeaders(written)) response.setHeader(name, value);
    }
    this.#send(response, answer);
  }

  /** What can be said before the body is read. */
  #check({ method, headers, url = '' }: IncomingMessage, protocol: RemoteWriteProtocol | null): void {
    const { intake, bodyBytesMax } = this.#options;
    intake.checkPhase();
    if (method !== 'POST') {
      throw apiError('method_not_allowed', { path: url, allowed: 'POST', method: method ?? '' });
    }
    if (protocol === null) throw apiError('unsupported_media_type', { got: headers['content-type'] ?? '' });
    const encoding = headers['content-encoding'];
    if (!isSnappyEncoding(encoding)) throw apiError('unsupported_encoding', { got: encoding ?? '' });
    if (Number(headers['content-length'] ?? 0) > bodyBytesMax)
      throw apiError('body_too_large', { limit: bodyBytesMax });
  }

  async #body(request: IncomingMessage, hold: Hold): Promise<Buffer | null> {
    const { bodyBytesMax } = this.#options;
    try {
      const body = await readBody(request, bodyBytesMax, hold);
      if (body !== null && body.length === 0) throw apiError('empty_body');
      return body;
    } catch (error) {
      if (error instanceof BodyTooLarge) throw apiError('body_too_large', { limit: bodyBytesMax });
      throw error;
    }
  }

  async #apply(body: Buffer, protocol: RemoteWriteProtocol): Promise<Applied> {
    const { intake, counters } = this.#options;
    return intake.apply(
      ({ remoteWrite }) => remoteWrite.read(body, protocol),
      counters[protocol],
      ({ rejections, batch, valid }, outcome, engine) => ({
        rejection: rejectionText(rejections, batch, outcome, engine, valid === null ? 0 : outcome.conflict),
        written: valid === null ? NOTHING_WRITTEN : writtenOf(valid, batch, outcome),
      }),
    );
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
    if (this.#options.intake.isDraining) response.setHeader('Connection', 'close');
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
