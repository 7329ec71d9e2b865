import type { FastifyInstance } from 'fastify';
import { ApiError } from './errors.ts';
import { RETRY_AFTER_SECONDS } from './otlp-answers.ts';
import { postRoute } from './post-route.ts';

/**
 * `POST /-/reload`: reads all files again. As Prometheus it answers in plain text: what changed, or everything that is wrong.
 */
export function reloadRoute(app: FastifyInstance, reload: () => Promise<string>): void {
  postRoute(app, '/-/reload', async (_request, reply): Promise<string> => {
    reply.type('text/plain; charset=utf-8');
    try {
      return `${await reload()}\n`;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 503) reply.header('Retry-After', RETRY_AFTER_SECONDS);
      reply.code(error.status);
      return `${error.message}\n`;
    }
  });
}
