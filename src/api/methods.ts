import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { apiError } from './errors.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Which methods each path takes, so that every other one is refused by name and not as a path that is not there. */
export class Methods {
  readonly #app: FastifyInstance;
  readonly #taken = new Map<string, Set<string>>();

  /** Before the first route. */
  constructor(app: FastifyInstance) {
    this.#app = app;
    app.addHook('onRoute', ({ method, url }) => {
      const taken = this.#taken.get(url) ?? new Set();
      for (const each of [method].flat()) taken.add(each);
      this.#taken.set(url, taken);
    });
  }

  /** After the last route. A plugin, because those before it are only then loaded. */
  refuseOthers(): void {
    void this.#app.register(async (scope) => {
      for (const [url, taken] of [...this.#taken]) {
        const allowed = METHODS.filter((method) => taken.has(method));
        const others = METHODS.filter((method) => !taken.has(method));
        if (others.length === 0) continue;
        const refuse = async ({ method }: FastifyRequest, reply: FastifyReply): Promise<never> => {
          reply.header('Allow', allowed.join(', '));
          throw apiError('method_not_allowed', { path: url, allowed: listed(allowed), method });
        };
        scope.route({ method: others, url, onRequest: refuse, handler: refuse });
      }
    });
  }
}

function listed(methods: readonly string[]): string {
  return methods.length < 2 ? methods.join('') : `${methods.slice(0, -1).join(', ')} and ${methods.at(-1)}`;
}
