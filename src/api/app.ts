import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import type { Logger } from 'pino';
import type { Deployments } from '../store/deployments.ts';
import type { History } from '../store/history.ts';
import type { Overrides } from '../store/overrides.ts';
import { type AlertRoutesOptions, alertRoutes } from './alerts.ts';
import type { AnswerSources } from './answer-sources.ts';
import { type ConnectionLimits, limitConnections, serverOptions } from './connections.ts';
import { deploymentRoutes } from './deployments.ts';
import { DOCUMENT_BYTES_MAX } from './document-body.ts';
import { ApiError, apiError, errorBody } from './errors.ts';
import { type EventsOptions, eventsRoute } from './events.ts';
import { flaggerRoutes } from './flagger.ts';
import { gateRoutes } from './gate.ts';
import { healthRoutes } from './health.ts';
import { historyRoute } from './history.ts';
import { impactRoute } from './impact.ts';
import type { Intake } from './intake.ts';
import type { Live } from './live.ts';
import { Methods } from './methods.ts';
import { type MetricsSources, metricsRoute } from './metrics.ts';
import { RETRY_AFTER_SECONDS } from './otlp-answers.ts';
import { overrideRoutes } from './overrides.ts';
import { reloadRoute } from './reload.ts';
import { reportRoute } from './report.ts';
import { type SilenceRoutesOptions, silenceRoutes } from './silences.ts';
import { sloRoutes } from './slos.ts';
import { sourceRoutes } from './sources.ts';
import { traceRequests } from './tracing.ts';

/** Takes samples, on plain node:http. */
export interface Endpoint {
  /** Whether a request is one of its own, whatever its method. */
  owns(request: IncomingMessage): boolean;
  /** `expectsContinue` when the client waits for leave to send the body. */
  handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void>;
}

export interface AppOptions {
  readonly live: Live;
  readonly history: History;
  readonly deployments: Deployments;
  readonly overrides: Overrides;
  readonly intake: Intake;
  readonly endpoints: readonly Endpoint[];
  readonly events: EventsOptions;
  readonly alerts: Pick<AlertRoutesOptions, 'notifier' | 'log' | 'actions'> & Pick<SilenceRoutesOptions, 'silencesMax'>;
  readonly metrics: MetricsSources;
  /** Reads all files again and tells what changed. */
  readonly reload: () => Promise<string>;
  readonly connections: ConnectionLimits;
  readonly logger: Logger;
  readonly clock: () => number;
}

/** One server: samples are taken by node:http itself, all else is answered by Fastify. */
export function createApp({
  live,
  history,
  deployments,
  overrides,
  intake,
  endpoints,
  events,
  alerts,
  metrics,
  reload,
  connections,
  logger,
  clock,
}: AppOptions): FastifyInstance {
  const app = Fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: DOCUMENT_BYTES_MAX,
    // An id of a service or an SLO has at most 128 characters, each up to 12 characters long when percent-encoded.
    routerOptions: { maxParamLength: 12 * 128 },
    frameworkErrors: (error, _request, reply) => {
      const refusal = asApiError(error) ?? apiError('internal');
      void (reply as FastifyReply).code(refusal.status).send(errorBody(refusal));
    },
    clientErrorHandler: hangUp,
    serverFactory: (handler) => {
      const server = createServer(serverOptions(connections), (request, response) => {
        const endpoint = endpoints.find((each) => each.owns(request));
        if (endpoint !== undefined) void endpoint.handle(request, response, false);
        else handler(request, response);
      });
      server.on('checkContinue', (request, response) => {
        const endpoint = endpoints.find((each) => each.owns(request));
        if (endpoint !== undefined) {
          void endpoint.handle(request, response, true);
          return;
        }
        response.writeContinue();
        handler(request, response);
      });
      limitConnections(server, connections);
      return server;
    },
  });

  const methods = new Methods(app);
  app.addHook('onResponse', (request, reply, done) => {
    metrics.http.count(request.routeOptions.url ?? 'unknown', reply.statusCode);
    request.log.debug(
      { method: request.method, url: request.url, status: reply.statusCode, ms: reply.elapsedTime },
      'request',
    );
    done();
  });
  app.setNotFoundHandler((request) => {
    throw apiError('not_found', { path: pathOf(request.url) });
  });
  app.setErrorHandler((error, request, reply) => {
    const refusal = asApiError(error);
    if (refusal === null) request.log.error({ err: error }, `BUG: ${request.method} ${request.url} failed`);
    const answer = refusal ?? apiError('internal');
    if (answer.status === 503) reply.header('Retry-After', RETRY_AFTER_SECONDS);
    return reply.code(answer.status).send(errorBody(answer));
  });

  const answers: AnswerSources = {
    get engine() {
      return live.current.engine;
    },
    history,
    deployments,
    overrides,
    clock,
  };
  traceRequests(app);
  healthRoutes(app, () => intake.isServing);
  sloRoutes(app, live, clock);
  historyRoute(app, live, history, clock);
  impactRoute(app, answers);
  reportRoute(app, answers);
  eventsRoute(app, events);
  reloadRoute(app, reload);
  sourceRoutes(app, live, clock);
  gateRoutes(app, answers);
  flaggerRoutes(app, answers);
  overrideRoutes(app, answers);
  deploymentRoutes(app, answers);
  alertRoutes(app, { ...alerts, intake, live, clock });
  silenceRoutes(app, { ...alerts, intake, clock });
  metricsRoute(app, metrics);
  methods.refuseOthers();
  return app;
}

/** The client's fault as an error of the catalogue; null for a fault of ours. */
function asApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  const { statusCode, code, message } = error as { statusCode?: number; code?: unknown; message?: string };
  // The disk is full or read-only.
  if (String(code).startsWith('SQLITE_')) return apiError('commit_failed', { detail: `the database: ${message}` });
  if (statusCode === 413) return apiError('document_too_large', { limit: DOCUMENT_BYTES_MAX });
  const isClients = statusCode !== undefined && statusCode >= 400 && statusCode < 500;
  return isClients ? apiError('bad_request', { detail: message ?? 'bad request' }) : null;
}

/** What is not HTTP is answered in HTTP; a request that took too long is cut off, so that a sender tries again. */
function hangUp(error: NodeJS.ErrnoException, socket: Socket): void {
  const answered = socket.bytesWritten > 0 || error.code === 'ECONNRESET' || error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (socket.writable && !answered) {
    const tooLong = error.code === 'HPE_HEADER_OVERFLOW';
    const refusal = apiError(tooLong ? 'headers_too_large' : 'bad_request', { detail: 'this is not HTTP/1.1' });
    const body = JSON.stringify(errorBody(refusal));
    const status = tooLong ? '431 Request Header Fields Too Large' : '400 Bad Request';
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Type: application/json; charset=utf-8\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroySoon();
}

function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query === -1 ? url : url.slice(0, query);
}
