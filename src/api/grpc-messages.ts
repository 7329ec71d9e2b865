import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptor, StatusObject } from '@grpc/grpc-js';
import { apiError } from './errors.ts';
import type { Gunzips } from './gunzip.ts';
import type { Hold } from './pressure.ts';
import type { SlowSenders } from './slow-sender.ts';

/**
 * Reads the messages of gRPC calls: whether a call may begin is asked before a byte of its message is, each byte is counted as
 * it arrives, and what is compressed is decompressed here, where that is counted as well.
 */

export interface GrpcMessagesOptions {
  readonly path: string;
  /** Throws when a call had better come again later. */
  readonly admit: () => Hold;
  readonly gunzips: Gunzips;
  readonly slowSenders: SlowSenders;
  /** Of a decompressed message. */
  readonly bytesMax: number;
  /** What a call is answered that fails. */
  readonly refuse: (error: unknown, peer: string) => StatusObject;
}

/**
 * What grpc-js keeps to itself: its call decompresses a message before anybody is asked whether there is room for it, unless it
 * takes it for a plain one. That is why the version is pinned; the tests of compressed calls fail with one that does otherwise.
 */
interface OwnCall {
  readonly stream: ServerHttp2Stream;
  incomingEncoding: string;
}

/** A reset with this code is CANCELLED to the client, which tries again. */
const HTTP2_CANCEL = 8;

export function readMessages(grpc: typeof import('@grpc/grpc-js'), options: GrpcMessagesOptions): ServerInterceptor {
  const { path, admit, gunzips, slowSenders, bytesMax, refuse } = options;
  return (method, call) => {
    if (method.path !== path) return new grpc.ServerInterceptingCall(call);
    const own = call as unknown as OwnCall;
    const { stream } = own;
    let hold: Hold | null = null;
    let received = 0;
    let isOver = false;

    const giveUp = (error: unknown): void => {
      if (isOver) return;
      isOver = true;
      call.sendStatus(refuse(error, call.getPeer()));
    };
    const begin = (): void => {
      hold = admit();
      const encoding = own.incomingEncoding;
      if (encoding !== 'identity' && encoding !== 'gzip')
        throw apiError('unsupported_otlp_encoding', { got: encoding });
      own.incomingEncoding = 'identity';
      stream.on('data', (bytes: Buffer) => {
        received += bytes.length;
        try {
          if (!isOver) hold!.add(bytes.length);
        } catch (error) {
          giveUp(error);
        }
      });
      slowSenders.watch(stream, {
        get received() {
          return received;
        },
        get isOver() {
          return isOver;
        },
        cut: () => stream.close(HTTP2_CANCEL),
      });
    };

    return new grpc.ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            try {
              begin();
              pass(metadata);
            } catch (error) {
              giveUp(error);
            }
          },
          onReceiveMessage: (message: Buffer, pass) => {
            slowSenders.forget(stream);
            if (!isGzip(message)) pass(message);
            else gunzips.decompress(message, bytesMax, hold!).then((plain) => isOver || pass(plain), giveUp);
          },
          onReceiveHalfClose: (pass) => pass(),
          // However it ended.
          onCancel: () => {
            isOver = true;
            slowSenders.forget(stream);
            hold?.release();
            // Nobody listens to a client that goes on.
            if (!stream.readableEnded) stream.close();
          },
        }),
    });
  };
}

/** No message of OTLP begins with these bytes. */
function isGzip(message: Buffer): boolean {
  return message[0] === 0x1f && message[1] === 0x8b;
}
