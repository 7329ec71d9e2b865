import { HOUR_MS, SECOND_MS } from '../engine/duration.ts';
import type { ToldOutcome } from '../store/alert-log.ts';
import type { Outbox, QueuedMessage } from '../store/outbox.ts';
import type { IntegrationCounters } from './counters.ts';
import { backoffMs, type Delivery, retry } from './delivery.ts';
import type { Log } from './log.ts';

/**
 * Delivers the messages of one integration, one at a time: those of a lane in order, and none of them lost. Another integration
 * has a courier of its own, so that one who does not answer keeps nobody else waiting.
 */

export interface CourierOptions {
  readonly integration: string;
  readonly outbox: Outbox;
  readonly send: (message: QueuedMessage) => Promise<Delivery>;
  /** Writes down what became of a message, in the transaction that takes it out of the outbox. */
  readonly settle: (message: QueuedMessage, outcome: ToldOutcome) => void;
  readonly transaction: (write: () => void) => void;
  readonly counters: IntegrationCounters;
  readonly messagesMax: number;
  readonly log: Log;
  readonly clock: () => number;
}

/** A wait that is longer than any can be was made by a clock that has been set back since. */
const WAIT_MAX_MS = HOUR_MS;

export class Courier {
  readonly #options: CourierOptions;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** The receiver wants to be left alone until then. */
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** There may be something to deliver. */
  wake(): void {
    if (this.#stopped || this.#running !== null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      this.#sleep();
    });
  }

  /** What is under way is awaited; what waits is still there after a restart. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  #sleep(): void {
    if (this.#stopped) return;
    const { outbox, integration, clock } = this.#options;
    const dueMs = outbox.nextDueMs(integration);
    if (dueMs === null) return;
    const waitMs = Math.min(Math.max(dueMs, this.#heldUntilMs) - clock(), WAIT_MAX_MS);
    this.#timer = setTimeout(() => this.wake(), Math.max(waitMs, 0)).unref();
  }

  async #run(): Promise<void> {
    const { outbox, integration, clock, log } = this.#options;
    try {
      this.#dropOldest();
      while (!this.#stopped) {
        const nowMs = clock();
        if (nowMs < this.#heldUntilMs && this.#heldUntilMs - nowMs <= WAIT_MAX_MS) return;
        const message = outbox.next(integration, nowMs);
        if (message === null) return;
        await this.#deliver(message);
      }
    } catch (error) {
      // The disk, or a bug: the message stays where it is, and is sent again.
      this.#heldUntilMs = clock() + SECOND_MS;
      log.error({ err: error, integration }, `notifications to ${integration} could not be written down`);
    }
  }

  #dropOldest(): void {
    const { outbox, integration, messagesMax, transaction, settle, counters, log } = this.#options;
    const tooMany = outbox.count(integration) - messagesMax;
    if (tooMany <= 0) return;
    transaction(() => {
      for (const message of outbox.oldest(integration, tooMany)) {
        settle(message, 'dropped');
        outbox.remove(message.id);
      }
    });
    counters.lost += tooMany;
    log.error(
      { integration, dropped: tooMany },
      `the oldest ${tooMany} notifications to ${integration} were given up: more than ${messagesMax} wait`,
    );
  }

  async #deliver(message: QueuedMessage): Promise<void> {
    const { integration, outbox, send, settle, transaction, counters, log, clock } = this.#options;
    const delivery = await attempt(() => send(message));
    if (delivery.outcome === 'delivered') {
      transaction(() => {
        settle(message, 'delivered');
        outbox.remove(message.id);
      });
      counters.delivered++;
      counters.latency.sum += Math.max(clock() - message.createdMs, 0) / SECOND_MS;
      counters.latency.count++;
      return;
    }
    const { outcome, reason, detail, retryAfterMs } = delivery;
    if (this.#stopped) return;
    counters.failures[reason]++;
    if (outcome === 'rejected') {
      transaction(() => {
        settle(message, 'rejected');
        outbox.remove(message.id);
      });
      counters.lost++;
      log.error({ integration, detail }, `${integration} refuses a notification, which is given up: ${detail}`);
      return;
    }
    const waitMs = backoffMs(message.attempts, retryAfterMs);
    const untilMs = clock() + waitMs;
    outbox.postpone(message.id, untilMs);
    // Who does not answer at all, or asks to be left alone, is not asked again by the next message either.
    if (reason !== 'server_error' || retryAfterMs > 0) this.#heldUntilMs = untilMs;
    log.warn(
      { integration, reason, detail, attempts: message.attempts + 1 },
      `${integration} could not be told, again in ${waitMs / SECOND_MS} s: ${detail}`,
    );
  }
}

/** A secret that cannot be read, or a setting that makes no sense, may be put right while the message waits. */
async function attempt(send: () => Promise<Delivery>): Promise<Delivery> {
  try {
    return await send();
  } catch (error) {
    return retry('misconfigured', error instanceof Error ? error.message : String(error));
  }
}
