import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { readOnlyDocument } from '../definitions/document.ts';
import { formatPlaced, type Problem, sortProblems } from '../definitions/problem.ts';
import { type Checked, checkDocument } from '../definitions/schema.ts';
import { apiError } from './errors.ts';

/** Bodies that are documents, in JSON or YAML whatever their content type says: what curl sends of a file is called a form. */

/** YAML takes up to 8 us a byte to read, and nobody else has a turn meanwhile. */
export const DOCUMENT_BYTES_MAX = 64 * 1024;
const PROBLEMS_TOLD_MAX = 20;

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

/** The body as its schema has it, once `rules` has reported what else is wrong with it. Throws an ApiError. */
export function readBody<S extends TSchema>(
  schema: S,
  request: FastifyRequest,
  rules: (checked: Checked<Static<S>>) => void = () => {},
): Static<S> {
  const source = { file: 'body', text: textOf(request) };
  const problems: Problem[] = [];
  const errors = (): Problem[] => problems.filter(({ severity }) => severity === 'error');
  const document = readOnlyDocument(source, 'document', problems);
  const checked = document === null ? null : checkDocument(schema, document);
  if (checked !== null && errors().length === 0) rules(checked);
  return checked === null || errors().length > 0 ? refuseDocument(sortProblems(errors(), ['body'])) : checked.value;
}

/** Throws an ApiError that names the problems, each on a line that begins with `line:column:`. */
export function refuseDocument(problems: readonly Problem[]): never {
  const told = problems.slice(0, PROBLEMS_TOLD_MAX).map(formatPlaced);
  const more = problems.length - told.length;
  if (more > 0) told.push(`and ${more} more`);
  throw apiError('invalid_document', { problems: told.join('\n') });
}
