import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** The handler reads the body by itself, with its own limit and words for what is wrong with it. */
export function postRoute<T>(
  app: FastifyInstance,
  path: string,
  handler: (request: FastifyRequest, reply: FastifyReply) => Promise<T>,
): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.post(path, handler);
  });
}
