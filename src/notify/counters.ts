import type { FailureReason } from './delivery.ts';
import { FAILURES } from './delivery.ts';

/** What is counted of telling people: plain numbers, read by a scrape. */

export class IntegrationCounters {
  delivered = 0;
  /** Attempts that failed, by why. */
  readonly failures: Record<FailureReason, number>;
  /** Notifications given up: refused for good, or pushed out of a full outbox. */
  lost = 0;
  /** Seconds from the tick that wanted a notification to the answer that took it. */
  readonly latency = { sum: 0, count: 0 };

  constructor() {
    this.failures = Object.fromEntries(FAILURES.map((reason) => [reason, 0])) as Record<FailureReason, number>;
  }
}

export class NotifyCounters {
  /** By the name of the integration. */
  readonly integrations = new Map<string, IntegrationCounters>();
  /** Ticks whose alerts could not be written down; the next one writes them. */
  writeFailures = 0;

  of(integration: string): IntegrationCounters {
    let counters = this.integrations.get(integration);
    if (counters === undefined) {
      counters = new IntegrationCounters();
      this.integrations.set(integration, counters);
    }
    return counters;
  }
}
