import type { IncomingMessage, Server } from 'node:http';

/**
 * Cuts off who sends too slowly: a connection is worth more than what a body of a byte a second can say, and the client tries again.
 * A body has to bring in at least so many bytes in each period after its first one, so that a burst in the beginning buys no time.
 */

export interface SendingLimits {
  readonly bytesPerSecondMin: number;
  readonly periodMs: number;
}

/** Something that is being received. */
export interface Sending {
  /** Bytes of it, or of its connection, so far. */
  readonly received: number;
  /** All of it has come, or nobody waits for it any more. */
  readonly isOver: boolean;
  cut(): void;
}

export class SlowSenders {
  readonly #bytesMin: number;
  readonly #timer: NodeJS.Timeout;
  /** By connection or stream, with what it had received when the present period began; NaN in its first one. */
  readonly #sendings = new Map<object, { sending: Sending; before: number }>();
  /** How many were cut off. */
  cut = 0;

  constructor({ bytesPerSecondMin, periodMs }: SendingLimits) {
    this.#bytesMin = (bytesPerSecondMin * periodMs) / 1000;
    // What has arrived while this process was busy is read before it is looked at.
    this.#timer = setInterval(() => setImmediate(() => this.#look()), periodMs);
    this.#timer.unref();
  }

  /** From now on, in place of what came the same way before. */
  watch(way: object, sending: Sending): void {
    this.#sendings.set(way, { sending, before: Number.NaN });
  }

  forget(way: object): void {
    this.#sendings.delete(way);
  }

  /** Watches the body of each request. */
  watchRequests(server: Server): void {
    const watch = (request: IncomingMessage): void => {
      const { socket } = request;
      this.watch(socket, {
        get received() {
          return socket.bytesRead;
        },
        get isOver() {
          return request.complete || socket.destroyed;
        },
        cut: () => socket.destroy(),
      });
    };
    server.on('request', watch);
    server.on('checkContinue', watch);
  }

  #look(): void {
    for (const [way, watched] of this.#sendings) {
      const { sending, before } = watched;
      if (sending.isOver) {
        this.#sendings.delete(way);
        continue;
      }
      const { received } = sending;
      if (received - before < this.#bytesMin) {
        this.#sendings.delete(way);
        this.cut++;
        sending.cut();
      }
      watched.before = received;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
