import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type ConnectionLimits, limitConnections, serverOptions } from './connections.ts';
import { apiError, errorBody } from './errors.ts';
import { type GrpcAddress, type OtlpGrpcOptions, OtlpGrpcServer } from './otlp-grpc.ts';
import { type OtlpHttpEndpoint, pathOf } from './otlp-http.ts';

/** The ports on which OTLP is expected: 4318 for HTTP, 4317 for gRPC. Both are there only when they are configured. */

export interface OtlpServersOptions {
  readonly http: GrpcAddress | null;
  readonly grpc: GrpcAddress | null;
  readonly endpoint: OtlpHttpEndpoint;
  readonly grpcOptions: OtlpGrpcOptions;
  readonly connections: ConnectionLimits;
}

export class OtlpServers {
  #http: Server | null = null;
  #grpc: OtlpGrpcServer | null = null;

  /** Port of OTLP/HTTP, null when it has none of its own. */
  get httpPort(): number | null {
    return this.#http === null ? null : (this.#http.address() as AddressInfo).port;
  }

  /** Port of OTLP/gRPC, null without it. */
  get grpcPort(): number | null {
    return this.#grpc?.port ?? null;
  }

  async start({ http, grpc, endpoint, grpcOptions, connections }: OtlpServersOptions): Promise<void> {
    const { logger } = grpcOptions;
    if (http !== null) {
      const server = createOtlpServer(endpoint, connections);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(http.port, http.host, () => resolve());
      });
      this.#http = server;
      logger.info(`listening on ${http.host}:${this.httpPort} for OTLP/HTTP`);
    }
    if (grpc !== null) {
      this.#grpc = await OtlpGrpcServer.start(grpc, grpcOptions, connections);
      logger.info(`listening on ${grpc.host}:${this.grpcPort} for OTLP/gRPC`);
    }
  }

  /** Takes nothing new, and resolves when what has begun is answered. */
  async drain(): Promise<void> {
    const http = this.#http;
    const closed = http === null ? null : new Promise((resolve) => http.close(resolve));
    await Promise.all([closed, this.#grpc?.drain()]);
  }

  /** Cuts off what is left. */
  cut(): void {
    this.#http?.closeAllConnections();
    this.#grpc?.cut();
  }
}

/** A server that does nothing else. */
function createOtlpServer(endpoint: OtlpHttpEndpoint, connections: ConnectionLimits): Server {
  const answer = (request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void => {
    if (endpoint.owns(request)) void endpoint.handle(request, response, expectsContinue);
    else refuse(request, response);
  };
  const server = createServer(serverOptions(connections), (request, response) => answer(request, response, false));
  server.on('checkContinue', (request, response) => answer(request, response, true));
  limitConnections(server, connections);
  return server;
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  const error = apiError('not_found', { path: pathOf(request) });
  const body = Buffer.from(JSON.stringify(errorBody(error)));
  response.writeHead(error.status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
  });
  response.end(body);
  request.resume();
}
