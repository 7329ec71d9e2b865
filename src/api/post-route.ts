import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { apiError } from './errors.ts';

/** A path that takes POST alone. The handler reads the body by itself, with its own limit and words for what is wrong with it. */
export function postRoute<T>(
  app: FastifyInstance,
  path: string,
  handler: (request: FastifyRequest, reply: FastifyReply) => Promise<T>,
): void {
  const refuse = async ({ method }: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('Allow', 'POST');
    throw apiError('method_not_allowed', { path, allowed: 'POST', method });
  };
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.post(path, handler);
    scope.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: path,
      onRequest: refuse,
      handler: refuse,
    });
  });
}
