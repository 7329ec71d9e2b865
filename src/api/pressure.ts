import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { apiError } from './errors.ts';

/**
 * Sends requests away, to come again later, before there is no memory or no time left for those that have begun.
 *
 * What a request holds is counted from the first byte of its body until it is answered.
 */

/** Why a request was sent away: values of the label `reason`. */
export type ShedReason = 'journal_queue' | 'inflight_bytes' | 'event_loop_delay';

export interface PressureOptions {
  readonly inflightBytesMax: number;
  readonly loopDelayMaxMs: number;
  /** How long a request has to wait for its turn, of late. */
  readonly loopDelayMs: () => number;
}

/** A request that says or carries nothing takes this much all the same: sockets, headers, promises. */
export const REQUEST_BYTES = 4096;

/** What one request holds. */
export interface Hold {
  /** Throws when so much more is too much; the request is then to be given up. */
  add(bytes: number): void;
  release(): void;
}

export class Pressure {
  readonly #options: PressureOptions;
  readonly shed: Record<ShedReason, number> = { journal_queue: 0, inflight_bytes: 0, event_loop_delay: 0 };
  inflightBytes = 0;

  constructor(options: PressureOptions) {
    this.#options = options;
  }

  /** Lets a request begin that says to have so many bytes, 0 when it does not say; throws when it had better come later. */
  admit(declaredBytes: number): Hold {
    const { loopDelayMaxMs, loopDelayMs } = this.#options;
    const delayMs = Math.round(loopDelayMs());
    if (delayMs > loopDelayMaxMs) {
      this.shed.event_loop_delay++;
      throw apiError('overloaded', {
        detail: `requests wait ${delayMs} ms for their turn, more than ${loopDelayMaxMs}`,
      });
    }
    this.#checkBytes(REQUEST_BYTES + declaredBytes);
    let held = REQUEST_BYTES;
    let isReleased = false;
    this.inflightBytes += held;
    return {
      add: (bytes) => {
        if (isReleased) return;
        this.#checkBytes(bytes);
        held += bytes;
        this.inflightBytes += bytes;
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        this.inflightBytes -= held;
      },
    };
  }

  #checkBytes(more: number): void {
    const { inflightBytesMax } = this.#options;
    const wanted = this.inflightBytes + more;
    if (wanted <= inflightBytesMax) return;
    this.shed.inflight_bytes++;
    throw apiError('overloaded', { detail: `requests would hold ${wanted} bytes, more than ${inflightBytesMax}` });
  }
}

const TIMER_MS = 20;
const INTERVAL_MS = 2_000;
const NANOSECONDS_MS = 1e6;

/** How late the event loop comes to what waits for it, over the last two seconds. */
export class LoopDelay {
  readonly #histogram: IntervalHistogram;
  readonly #timer: NodeJS.Timeout;
  ms = 0;

  constructor() {
    this.#histogram = monitorEventLoopDelay({ resolution: TIMER_MS });
    this.#histogram.enable();
    this.#timer = setInterval(() => {
      const { mean, stddev } = this.#histogram;
      this.#histogram.reset();
      this.ms = delayOf(mean / NANOSECONDS_MS, stddev / NANOSECONDS_MS);
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }
}

/**
 * The mean interval between two turns of the loop as a request sees it that comes at any instant: a long one is met as often
 * as it is long. Their plain mean would hide a second's stall behind fifty turns of 20 ms. NaN is the mean of none.
 */
export function delayOf(meanMs: number, deviationMs: number): number {
  return Math.max(meanMs + deviationMs ** 2 / meanMs - TIMER_MS, 0) || 0;
}
