import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PushedEvents } from '../engine/pushes.ts';
import { IngestError } from '../ingest/errors.ts';
import { checkDepth } from '../ingest/otlp-json.ts';
import { EventProblems, type EventReader } from '../ingest/pushed-events.ts';
import { BodyTooLarge, readBody } from './body.ts';
import type { WriteCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import type { Intake } from './intake.ts';
import { postRoute } from './post-route.ts';
import type { Hold } from './pressure.ts';

export interface EventsOptions {
  readonly intake: Intake;
  readonly bodyBytesMax: number;
  readonly counters: WriteCounters;
}

/** Those that are too old for any window are accepted and count nothing; how many they were is said when there are any. */
interface Pushed {
  readonly accepted: number;
  readonly duplicates: number;
  readonly tooOld?: number;
}

/** `POST /api/v1/events`: good and bad events of jobs that have no metrics. Answered when they are applied and committed. */
export function eventsRoute(app: FastifyInstance, { intake, bodyBytesMax, counters }: EventsOptions): void {
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<Pushed | undefined> => {
    intake.checkPhase();
    checkHeaders(request, bodyBytesMax);
    const hold = intake.admit(request.headers['content-length']);
    try {
      return await take(request, reply, hold);
    } finally {
      hold.release();
    }
  };

  const take = async (request: FastifyRequest, reply: FastifyReply, hold: Hold): Promise<Pushed | undefined> => {
    const bytes = await bodyOf(request, bodyBytesMax, hold);
    if (bytes === null) {
      // The client hung up before it had said everything: nobody is there to be answered.
      reply.hijack();
      return undefined;
    }
    const body = parsedEvents(bytes);
    const pushed = await intake.push((reader, nowMs) => eventsOf(body, reader, nowMs), counters);
    const { applied, duplicates, tooOld } = pushed;
    return { accepted: applied.length + tooOld, duplicates, ...(tooOld > 0 && { tooOld }) };
  };

  postRoute(app, '/api/v1/events', handler);
}

/** What can be said before the body is read. */
function checkHeaders({ headers }: FastifyRequest, bytesMax: number): void {
  const type = headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) throw apiError('not_json', { got: type });
  if (Number(headers['content-length'] ?? 0) > bytesMax) throw apiError('body_too_large', { limit: bytesMax });
}

/** Null when the client went away. */
async function bodyOf({ raw }: FastifyRequest, bytesMax: number, hold: Hold): Promise<Buffer | null> {
  try {
    return await readBody(raw, bytesMax, hold);
  } catch (error) {
    if (error instanceof BodyTooLarge) throw apiError('body_too_large', { limit: bytesMax });
    throw error;
  }
}

/** A body of events as JSON has it. Throws an ApiError. */
export function parsedEvents(bytes: Uint8Array): unknown {
  try {
    checkDepth(bytes);
    return JSON.parse(utf8.decode(bytes));
  } catch (error) {
    if (error instanceof IngestError) throw new ApiError(error.code, error.message);
    const detail = error instanceof SyntaxError ? oneLine(error.message) : 'it is not UTF-8';
    throw apiError('malformed_json', { detail: `the body is not JSON: ${detail}` });
  }
}

/** Throws an ApiError that says what is wrong with which of them. */
export function eventsOf(body: unknown, reader: EventReader, nowMs: number): PushedEvents[] {
  try {
    return reader.read(body, nowMs);
  } catch (error) {
    if (error instanceof EventProblems) throw apiError('invalid_events', { detail: error.message });
    throw error;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** V8 quotes what it stumbled over. */
function oneLine(message: string): string {
  return message.replace(/\p{Cc}+/gu, ' ');
}
