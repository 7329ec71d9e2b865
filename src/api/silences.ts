import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { readLabelMatcher } from '../definitions/label-matcher.ts';
import { parseDuration } from '../engine/duration.ts';
import { timeOfText } from '../engine/instant.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { SilenceRecord } from '../store/silences.ts';
import { type ApiError, apiError } from './errors.ts';
import type { Intake } from './intake.ts';
import { onlyParameters, type QueryParameters } from './query.ts';

export interface SilenceRoutesOptions {
  readonly intake: Intake;
  readonly notifier: Notifier;
  readonly silencesMax: number;
  readonly clock: () => number;
}

const PATH = '/api/v1/silences';

/** `GET`, `POST` and `DELETE /api/v1/silences`: alerts that nobody is told of for a while, and why. */
export function silenceRoutes(
  app: FastifyInstance,
  { intake, notifier, silencesMax, clock }: SilenceRoutesOptions,
): void {
  const { silences } = notifier;

  app.get(PATH, (request) => {
    onlyParameters(request.query as QueryParameters, []);
    intake.checkPhase();
    return { silences: silences.all().map((record) => silenceJson(record, clock())) };
  });

  app.post(PATH, (request) => {
    intake.checkPhase();
    const nowMs = clock();
    const record = readSilence(request.body, nowMs);
    if (silences.size >= silencesMax) throw apiError('too_many_silences', { count: silences.size });
    silences.add(record);
    return silenceJson(record, nowMs);
  });

  app.get(`${PATH}/:id`, (request) => {
    intake.checkPhase();
    const { id } = request.params as { id: string };
    return silenceJson(silences.get(id) ?? notFound(id), clock());
  });

  app.delete(`${PATH}/:id`, (request) => {
    intake.checkPhase();
    const { id } = request.params as { id: string };
    return silenceJson(silences.expire(id, clock()) ?? notFound(id), clock());
  });
}

function notFound(id: string): never {
  throw apiError('silence_not_found', { id });
}

function silenceJson({ id, matchers, reason, createdBy, createdMs, startsMs, endsMs }: SilenceRecord, nowMs: number) {
  return {
    id,
    state: nowMs >= endsMs ? 'expired' : nowMs >= startsMs ? 'active' : 'pending',
    matchers,
    reason,
    createdBy,
    createdAt: new Date(createdMs).toISOString(),
    startsAt: new Date(startsMs).toISOString(),
    endsAt: new Date(endsMs).toISOString(),
  };
}

const FIELDS = ['matchers', 'reason', 'createdBy', 'startsAt', 'endsAt', 'duration'];
const TEXT_MAX = 1024;
const MATCHERS_MAX = 64;

/** Throws an ApiError that says what is wrong. */
function readSilence(body: unknown, nowMs: number): SilenceRecord {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('a silence must be an object');
  const fields = body as Record<string, unknown>;
  const unknown = Object.keys(fields).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw invalid(`unknown key ${JSON.stringify(unknown)}; there are ${FIELDS.join(', ')}`);
  const startsMs = timeField(fields, 'startsAt') ?? nowMs;
  const endsMs = timeField(fields, 'endsAt') ?? durationEnd(fields, startsMs);
  if (endsMs === null || (fields['endsAt'] !== undefined && fields['duration'] !== undefined)) {
    throw invalid('must have exactly one of endsAt and duration: every silence ends');
  }
  if (endsMs <= Math.max(startsMs, nowMs)) throw invalid('endsAt must be after startsAt, and not in the past');
  return {
    id: randomUUID(),
    matchers: matcherFields(fields['matchers']),
    reason: textField(fields, 'reason') ?? missing('reason'),
    createdBy: textField(fields, 'createdBy') ?? '',
    createdMs: nowMs,
    startsMs,
    endsMs,
  };
}

function matcherFields(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MATCHERS_MAX) {
    throw invalid(`matchers must be a list of 1 to ${MATCHERS_MAX} texts such as "service=\\"checkout\\""`);
  }
  let excludesEmpty = false;
  value.forEach((text: unknown, i) => {
    if (typeof text !== 'string' || text.length > TEXT_MAX) throw invalid(`matchers[${i}]: must be a text`);
    const matcher = readLabelMatcher(text);
    if ('message' in matcher) throw invalid(`matchers[${i}]: ${matcher.message}`);
    excludesEmpty ||= !matcher.matches('');
  });
  // One that matches everything is a mistake, and nobody would notice it.
  if (!excludesEmpty) throw invalid('matchers: at least one must not match the empty text');
  return value as string[];
}

function textField(fields: Record<string, unknown>, name: string): string | null {
  const value = fields[name];
  if (value === undefined) return null;
  if (typeof value === 'string' && value.trim() !== '' && value.length <= TEXT_MAX) return value;
  throw invalid(`${name} must be a text of at most ${TEXT_MAX} characters`);
}

function timeField(fields: Record<string, unknown>, name: string): number | null {
  const text = textField(fields, name);
  if (text === null) return null;
  const ms = timeOfText(text);
  if (Number.isNaN(ms))
    throw invalid(`${name} must be a time in RFC 3339 or Unix seconds, got ${JSON.stringify(text)}`);
  return ms;
}

function durationEnd(fields: Record<string, unknown>, startsMs: number): number | null {
  const text = textField(fields, 'duration');
  if (text === null) return null;
  const duration = parseDuration(text);
  if (duration === null || duration.ms === 0) {
    throw invalid(`duration must be a duration such as 2h, got ${JSON.stringify(text)}`);
  }
  return startsMs + duration.ms;
}

function missing(name: string): never {
  throw invalid(`${name} is required`);
}

function invalid(detail: string): ApiError {
  return apiError('invalid_silence', { detail });
}
