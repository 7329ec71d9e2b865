import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { Server, ServerOptions, ServerUnaryCall, StatusObject, sendUnaryData } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { ConnectionLimits } from './connections.ts';
import type { HttpCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import { readMessages } from './grpc-messages.ts';
import type { Gunzips } from './gunzip.ts';
import type { OtlpIntake } from './otlp.ts';
import { exportResponse, grpcCode, retryStatus, statusMessage, UNAVAILABLE } from './otlp-answers.ts';
import { RefusalLog } from './refusal-log.ts';

/** OTLP/gRPC: MetricsService/Export, a unary call whose message is the body of OTLP/HTTP. */

const PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';

/** Of one connection. What else HTTP/2 knows how to flood with (resets, settings, pings, header blocks), Node itself limits. */
const CONNECTION_OPTIONS: ServerOptions = {
  'grpc.max_concurrent_streams': 100,
  // MiB of headers and of what waits to be sent; a message that is received does not count.
  'grpc-node.max_session_memory': 10,
  // Clients that went away without a word give their connection back.
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
};
/** `PRI * HTTP/2.0` and so on: what every client begins with. */
const PREFACE_BYTES = 24;

export interface OtlpGrpcOptions {
  readonly otlp: OtlpIntake;
  readonly bytesMax: number;
  readonly gunzips: Gunzips;
  readonly http: HttpCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

export interface GrpcAddress {
  readonly host: string;
  readonly port: number;
}

export class OtlpGrpcServer {
  readonly #options: OtlpGrpcOptions;
  readonly #refusals = new RefusalLog();
  readonly #sockets = new Set<Socket>();
  readonly #listener: NetServer;
  readonly #server: Server;
  readonly #grpc: typeof import('@grpc/grpc-js');

  private constructor(
    grpc: typeof import('@grpc/grpc-js'),
    options: OtlpGrpcOptions,
    { connectionsMax, idleTimeoutMs, slowSenders }: ConnectionLimits,
  ) {
    const { otlp, gunzips, bytesMax } = options;
    this.#grpc = grpc;
    this.#options = options;
    const reader = readMessages(grpc, {
      path: PATH,
      admit: () => otlp.admit(undefined),
      gunzips,
      slowSenders,
      bytesMax,
      refuse: (error, peer) => this.#refusal(error, peer),
    });
    this.#server = new grpc.Server({
      ...CONNECTION_OPTIONS,
      // Also of one that Node has said goodbye to, after a flood: it hangs up on nobody.
      'grpc.max_connection_idle_ms': idleTimeoutMs,
      'grpc.max_receive_message_length': bytesMax,
      interceptors: [reader],
    });
    this.#addService();
    const injector = this.#server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
    this.#listener = createServer({ noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      slowSenders.watch(socket, {
        get received() {
          return socket.bytesRead;
        },
        get isOver() {
          return hasBegun(socket) || socket.destroyed;
        },
        cut: () => socket.destroy(),
      });
      injector.injectConnection(socket);
    });
    this.#listener.maxConnections = connectionsMax;
  }

  static async start(
    { host, port }: GrpcAddress,
    options: OtlpGrpcOptions,
    limits: ConnectionLimits,
  ): Promise<OtlpGrpcServer> {
    // Only whoever wants it pays for loading it.
    const started = new OtlpGrpcServer(await import('@grpc/grpc-js'), options, limits);
    await new Promise<void>((resolve, reject) => {
      started.#listener.once('error', reject);
      started.#listener.listen(port, host, () => resolve());
    });
    return started;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  #addService(): void {
    const same = (bytes: Buffer): Buffer => bytes;
    this.#server.addService(
      {
        Export: {
          path: PATH,
          requestStream: false,
          responseStream: false,
          requestSerialize: same,
          requestDeserialize: same,
          responseSerialize: same,
          responseDeserialize: same,
        },
      },
      {
        Export: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) =>
          void this.#answer(call, callback),
      },
    );
  }

  async #answer(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): Promise<void> {
    const { otlp, http } = this.#options;
    try {
      const partial = await otlp.apply(call.request as Buffer<ArrayBuffer>, 'protobuf');
      http.count(PATH, 200);
      callback(null, Buffer.from(exportResponse(partial, 'protobuf')));
    } catch (error) {
      callback(this.#refusal(error, call.getPeer()));
    }
  }

  /** What a call is answered that failed; counted and logged. */
  #refusal(error: unknown, peer: string): StatusObject {
    const { http, logger, clock } = this.#options;
    const isOurs = !(error instanceof ApiError);
    if (isOurs) logger.error({ err: error }, 'BUG: an OTLP request failed');
    const refusal = isOurs ? apiError('internal') : error;
    http.count(PATH, refusal.status);
    const suppressed = this.#refusals.admit(refusal.code, clock());
    if (suppressed !== null) {
      const fields = { code: refusal.code, status: refusal.status, sender: { address: peer }, suppressed };
      logger.warn(fields, `OTLP request refused: ${refusal.message}`);
    }
    const metadata = new this.#grpc.Metadata();
    const code = grpcCode(refusal);
    if (code === UNAVAILABLE) metadata.set('grpc-status-details-bin', Buffer.from(retryStatus(refusal)));
    return { code, details: statusMessage(refusal), metadata };
  }

  /** Takes no new calls, and resolves when those that have begun are answered. */
  async drain(): Promise<void> {
    const closed = new Promise((resolve) => this.#listener.close(resolve));
    // Nothing has begun here, and grpc-js would wait for it.
    for (const socket of this.#sockets) if (!hasBegun(socket)) socket.destroy();
    await new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    await closed;
  }

  /** Cuts off what is left. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function hasBegun({ bytesRead }: Socket): boolean {
  return bytesRead >= PREFACE_BYTES;
}
