import { HOUR_MS, MINUTE_MS, SECOND_MS } from '../engine/duration.ts';

/** What becomes of an attempt to tell somebody. */

export const FAILURES = ['connection', 'timeout', 'rate_limited', 'server_error', 'rejected', 'misconfigured'] as const;
export type FailureReason = (typeof FAILURES)[number];

export type Delivery =
  | { readonly outcome: 'delivered' }
  /** It may go better later; of `rejected` it will not. */
  | {
      readonly outcome: 'retry' | 'rejected';
      readonly reason: FailureReason;
      /** For the log: never holds a secret. */
      readonly detail: string;
      /** The receiver asked to be left alone for so long. */
      readonly retryAfterMs: number;
    };

export const DELIVERED: Delivery = { outcome: 'delivered' };

export function retry(reason: FailureReason, detail: string, retryAfterMs = 0): Delivery {
  return { outcome: 'retry', reason, detail, retryAfterMs };
}

export function rejected(detail: string): Delivery {
  return { outcome: 'rejected', reason: 'rejected', detail, retryAfterMs: 0 };
}

/** Who asks for more is not believed. */
const RETRY_AFTER_MAX_MS = HOUR_MS;

/** After 1 s, and each time twice as long, up to a minute; longer only when the receiver asks for it. */
export function backoffMs(attempts: number, retryAfterMs = 0): number {
  const waitMs = Math.min(SECOND_MS * 2 ** Math.min(attempts, 10), MINUTE_MS);
  return Math.max(waitMs, Math.min(retryAfterMs, RETRY_AFTER_MAX_MS));
}
