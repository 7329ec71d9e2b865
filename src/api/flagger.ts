import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { foreign, text } from '../definitions/schema.ts';
import type { VerdictName } from '../engine/state.ts';
import type { AnswerSources } from './answer-sources.ts';
import { documentRoutes, readBody } from './document-body.ts';
import { ApiError } from './errors.ts';
import { gateVerdict } from './gate.ts';

/**
 * The webhooks of Flagger, to which 2xx is yes and anything else no, and the body a line among its events. To the hook that asks
 * whether to roll back, yes means to roll back. Where nothing is known the answer is no to both questions.
 */

const WebhookSchema = foreign({
  metadata: foreign({ service: text('id'), slo: Type.Optional(text('id')) }),
});

const YES: Readonly<Record<'go' | 'rollback', readonly VerdictName[]>> = {
  go: ['allow', 'warn'],
  rollback: ['block'],
};

export function flaggerRoutes(app: FastifyInstance, sources: AnswerSources): void {
  const hook =
    (question: keyof typeof YES) =>
    (request: FastifyRequest, reply: FastifyReply): string => {
      reply.type('text/plain; charset=utf-8');
      try {
        const { service, slo } = readBody(WebhookSchema, request).metadata;
        const { verdict, reasons } = gateVerdict(sources, service, slo, sources.clock());
        reply.code(YES[question].includes(verdict) ? 200 : 412);
        return line([`${service}: ${verdict}`, ...reasons]);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        reply.code(error.status);
        return line(error.message.split('\n'));
      }
    };

  documentRoutes(app, (scope) => {
    scope.post('/api/v1/gate/flagger', hook('go'));
    scope.post('/api/v1/gate/flagger/rollback', hook('rollback'));
  });
}

function line(parts: readonly string[]): string {
  return `${parts.join('; ')}\n`;
}
