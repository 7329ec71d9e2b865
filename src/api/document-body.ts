import type { FastifyInstance, FastifyRequest } from 'fastify';
import { formatPlaced, type Problem } from '../definitions/problem.ts';
import { apiError } from './errors.ts';

/** Bodies that are documents, in JSON or YAML whatever their content type says: what curl sends of a file is called a form. */

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** `routes` are added to a scope in which `request.body` is the text of the body, whatever it is. */
export function documentRoutes(app: FastifyInstance, routes: (scope: FastifyInstance) => void): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => {
      try {
        done(null, utf8.decode(bytes as Buffer));
      } catch {
        done(apiError('invalid_document', { problems: '1:1: document: is not UTF-8 text' }));
      }
    });
    routes(scope);
  });
}

export function textOf({ body }: FastifyRequest): string {
  return (body as string | undefined) ?? '';
}

/** Throws an ApiError that names every problem, each on a line that begins with `line:column:`. */
export function refuseDocument(problems: readonly Problem[]): never {
  throw apiError('invalid_document', { problems: problems.map(formatPlaced).join('\n') });
}
