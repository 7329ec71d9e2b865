import type { Server, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { HttpCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import type { OtlpIntake } from './otlp.ts';
import { exportResponse, grpcCode, retryStatus, statusMessage, UNAVAILABLE } from './otlp-answers.ts';
import type { Hold } from './pressure.ts';
import { RefusalLog } from './refusal-log.ts';

/** OTLP/gRPC: MetricsService/Export, a unary call whose message is the body of OTLP/HTTP. */

const PATH = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
const STREAMS_MAX = 100;

export interface OtlpGrpcOptions {
  readonly otlp: OtlpIntake;
  readonly bytesMax: number;
  readonly http: HttpCounters;
  readonly logger: Logger;
  readonly clock: () => number;
}

export interface GrpcAddress {
  readonly host: string;
  readonly port: number;
}

export class OtlpGrpcServer {
  readonly port: number;
  readonly #server: Server;

  private constructor(port: number, server: Server) {
    this.port = port;
    this.#server = server;
  }

  static async start({ host, port }: GrpcAddress, options: OtlpGrpcOptions): Promise<OtlpGrpcServer> {
    // Only whoever wants it pays for loading it.
    const grpc = await import('@grpc/grpc-js');
    const server = new grpc.Server({
      'grpc.max_receive_message_length': options.bytesMax,
      'grpc.max_concurrent_streams': STREAMS_MAX,
    });
    const refusals = new RefusalLog();

    const answer = async (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>): Promise<void> => {
      const { otlp, http, logger, clock } = options;
      let hold: Hold | null = null;
      try {
        hold = otlp.admit(undefined);
        hold.add(call.request.length);
        const partial = await otlp.apply(call.request as Buffer<ArrayBuffer>, 'protobuf');
        http.count(PATH, 200);
        callback(null, Buffer.from(exportResponse(partial, 'protobuf')));
      } catch (error) {
        const isOurs = !(error instanceof ApiError);
        if (isOurs) logger.error({ err: error }, 'BUG: an OTLP request failed');
        const refusal = isOurs ? apiError('internal') : error;
        http.count(PATH, refusal.status);
        const suppressed = refusals.admit(refusal.code, clock());
        if (suppressed !== null) {
          const fields = {
            code: refusal.code,
            status: refusal.status,
            sender: { address: call.getPeer() },
            suppressed,
          };
          logger.warn(fields, `OTLP request refused: ${refusal.message}`);
        }
        const metadata = new grpc.Metadata();
        const code = grpcCode(refusal);
        if (code === UNAVAILABLE) metadata.set('grpc-status-details-bin', Buffer.from(retryStatus(refusal)));
        callback({ code, details: statusMessage(refusal), metadata });
      } finally {
        hold?.release();
      }
    };

    const same = (bytes: Buffer): Buffer => bytes;
    server.addService(
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
        Export: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => void answer(call, callback),
      },
    );
    const bracketed = host.includes(':') ? `[${host}]` : host;
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`${bracketed}:${port}`, grpc.ServerCredentials.createInsecure(), (error, actual) => {
        if (error === null) resolve(actual);
        else reject(error);
      });
    });
    return new OtlpGrpcServer(bound, server);
  }

  /** Takes no new calls, and resolves when those that have begun are answered. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  /** Cuts off what is left. */
  cut(): void {
    this.#server.forceShutdown();
  }
}
