import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { OtlpEncoding } from '../ingest/otlp-receive.ts';
import type { Endpoint } from './app.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { HttpCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import type { Gunzips } from './gunzip.ts';
import type { Intake } from './intake.ts';
import type { OtlpIntake, PartialSuccess } from './otlp.ts';
import { errorStatus, exportResponse, RETRY_AFTER_SECONDS } from './otlp-answers.ts';
import type { Hold } from './pressure.ts';
import { RefusalLog } from './refusal-log.ts';

/**
 * OTLP/HTTP, on plain node:http as remote write is. What a retry helps with is answered 503 and never 500, which no sender tries
 * again; what was applied in part is answered 200, saying so.
 */

const PATH = '/v1/metrics';
const ENCODINGS = new Map<string, OtlpEncoding>([
  ['application/x-protobuf', 'protobuf'],
  ['application/json', 'json'],
]);
const CONTENT_TYPES: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

export interface OtlpHttpOptions {
  readonly otlp: OtlpIntake;
  readonly bytesMax: Readonly<Record<OtlpEncoding, number>>;
  readonly intake: Intake;
  readonly gunzips: Gunzips;
  readonly http: HttpCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

export class OtlpHttpEndpoint implements Endpoint {
  readonly #options: OtlpHttpOptions;
  readonly #refusals = new RefusalLog();

  constructor(options: OtlpHttpOptions) {
    this.#options = options;
  }

  owns(request: IncomingMessage): boolean {
    return pathOf(request) === PATH;
  }

  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const { headers } = request;
    // Whoever sends something else is told so in JSON, which a human can read.
    const encoding = encodingOf(headers['content-type']);
    let status = 200;
    let answer: Uint8Array;
    let hold: Hold | null = null;
    try {
      this.#check(request, encoding);
      hold = this.#options.otlp.admit(headers['content-length']);
      if (expectsContinue) response.writeContinue();
      const partial = await this.#take(request, encoding!, hold);
      // The client hung up before it had said everything: nobody is there to be answered.
      if (partial === undefined) return;
      answer = exportResponse(partial, encoding!);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#logRefusal(error, request);
      status = error.status;
      answer = errorStatus(error, encoding ?? 'json');
    } finally {
      hold?.release();
    }
    // A client that was not given leave may send its body or not: the connection cannot be used again.
    if (expectsContinue && status !== 200) response.setHeader('Connection', 'close');
    this.#options.http.count(PATH, status);
    this.#send(response, status, answer, encoding ?? 'json');
  }

  /** What can be said before the body is read. */
  #check({ method, headers }: IncomingMessage, encoding: OtlpEncoding | null): void {
    const { bytesMax } = this.#options;
    if (method !== 'POST') {
      throw apiError('method_not_allowed', { path: PATH, allowed: 'POST', method: method ?? '' });
    }
    if (encoding === null) throw apiError('unsupported_otlp_type', { got: headers['content-type'] ?? 'none' });
    const compression = headers['content-encoding'];
    if (!isKnownCompression(compression)) throw apiError('unsupported_otlp_encoding', { got: compression! });
    if (Number(headers['content-length'] ?? 0) > bytesMax[encoding]) {
      throw tooLarge(bytesMax[encoding]);
    }
  }

  /** Undefined when the client went away. */
  async #take(
    request: IncomingMessage,
    encoding: OtlpEncoding,
    hold: Hold,
  ): Promise<PartialSuccess | null | undefined> {
    const bytesMax = this.#options.bytesMax[encoding];
    let body: Buffer | null;
    try {
      body = await readBody(request, bytesMax, hold);
    } catch (error) {
      if (error instanceof BodyTooLarge) throw tooLarge(bytesMax);
      throw error;
    }
    if (body === null) return undefined;
    const { gunzips, otlp } = this.#options;
    const isCompressed = isGzip(request.headers['content-encoding']);
    const plain = isCompressed ? await gunzips.decompress(body, bytesMax, hold) : body;
    return otlp.apply(plain as Buffer<ArrayBuffer>, encoding);
  }

  #logRefusal(error: ApiError, { headers, socket }: IncomingMessage): void {
    const { logger, clock } = this.#options;
    const suppressed = this.#refusals.admit(error.code, clock());
    if (suppressed === null) return;
    const sender = { address: socket.remoteAddress, userAgent: headers['user-agent']?.slice(0, 200) };
    logger.warn(
      { code: error.code, status: error.status, sender, suppressed },
      `OTLP request refused: ${error.message}`,
    );
  }

  #send(response: ServerResponse, status: number, body: Uint8Array, encoding: OtlpEncoding): void {
    if (response.destroyed) return;
    if (status === 405) response.setHeader('Allow', 'POST');
    if (status === 503) response.setHeader('Retry-After', RETRY_AFTER_SECONDS);
    if (this.#options.intake.isDraining) response.setHeader('Connection', 'close');
    response.writeHead(status, { 'Content-Type': CONTENT_TYPES[encoding], 'Content-Length': body.length });
    response.end(body);
  }
}

/** Parameters such as a charset do not matter: JSON is UTF-8. */
function encodingOf(contentType = ''): OtlpEncoding | null {
  return ENCODINGS.get(contentType.split(';')[0]!.trim().toLowerCase()) ?? null;
}

function isGzip(contentEncoding = ''): boolean {
  return contentEncoding.trim().toLowerCase() === 'gzip';
}

function isKnownCompression(contentEncoding = ''): boolean {
  return ['', 'identity', 'gzip'].includes(contentEncoding.trim().toLowerCase());
}

/** One limit for a body, compressed or not. */
function tooLarge(bytesMax: number): ApiError {
  return apiError('decoded_too_large', { detail: `the body has more than ${bytesMax} bytes` });
}

export function pathOf({ url = '' }: IncomingMessage): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
