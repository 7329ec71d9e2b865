import type { FastifyInstance } from 'fastify';

/** `/-/healthy` and `/-/ready`, in Prometheus's words: plain text, GET and HEAD. */
export function healthRoutes(app: FastifyInstance, isReady: () => boolean): void {
  app.get('/-/healthy', (_request, reply) => {
    reply.type('text/plain; charset=utf-8');
    return 'Slipstream is Healthy.\n';
  });
  app.get('/-/ready', (_request, reply) => {
    reply.type('text/plain; charset=utf-8');
    if (isReady()) return 'Slipstream is Ready.\n';
    reply.code(503);
    return 'Service Unavailable\n';
  });
}
