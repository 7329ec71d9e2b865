import type { Secret } from '../engine/alerting.ts';
import { MINUTE_MS, SECOND_MS } from '../engine/duration.ts';
import type { ToldOutcome } from '../store/alert-log.ts';
import type { IntegrationCounters } from './counters.ts';
import { backoffMs, type Delivery, retry } from './delivery.ts';
import { type HttpContext, type HttpPost, post } from './http.ts';
import type { Log } from './log.ts';
import type { Notice } from './notice.ts';

/**
 * One replica of Alertmanager: it is told of every alert again and again, so that it forgets those of a server that died. It
 * groups, silences and routes by itself.
 *
 * Nothing of it waits in the outbox: what is sent is always how things stand. An alert that is over is sent until it was taken.
 */

export interface AlertmanagerOptions {
  readonly name: string;
  readonly url: Secret;
  readonly resendIntervalMs: number;
  /** Those that fire, and those that were resolved a short while ago. */
  readonly notices: (nowMs: number) => readonly Notice[];
  /** Alerts that this replica was told of for the first time. */
  readonly settle: (notices: readonly Notice[], outcome: ToldOutcome, nowMs: number) => void;
  readonly context: () => HttpContext;
  readonly counters: IntegrationCounters;
  readonly log: Log;
  readonly clock: () => number;
}

/** `endsAt` of an alert that fires lies so many intervals ahead: one that is not sent again resolves by itself. */
const ENDS_INTERVALS = 4;
/** How long an alert that is over is offered to a replica that does not take it. */
export const RESOLVED_OFFERED_MS = 15 * MINUTE_MS;
const ALERTS_PER_REQUEST = 500;

export class AlertmanagerReplica {
  readonly #options: AlertmanagerOptions;
  #sending: Promise<void> | null = null;
  #isStale = false;
  #timer: NodeJS.Timeout | null = null;
  #attempts = 0;
  #stopped = false;
  /** Alerts that it has taken, as `id` and `status`. */
  #taken = new Set<string>();

  constructor(options: AlertmanagerOptions) {
    this.#options = options;
  }

  /** An alert began or ended. */
  wake(): void {
    if (this.#stopped) return;
    this.#isStale = true;
    if (this.#sending !== null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#sending = this.#send().finally(() => {
      this.#sending = null;
      if (this.#isStale) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#sending;
  }

  async #send(): Promise<void> {
    const { notices, clock, resendIntervalMs, log, name, counters } = this.#options;
    this.#isStale = false;
    const nowMs = clock();
    const offered = notices(nowMs);
    const taken = new Set(offered.map(tokenOf).filter((token) => this.#taken.has(token)));
    this.#taken = taken;
    // One that is over and was taken is not sent again.
    const due = offered.filter((notice) => notice.status === 'firing' || !taken.has(tokenOf(notice)));
    if (due.length === 0) return;
    let waitMs = resendIntervalMs;
    let hasFailed = false;
    for (let from = 0; from < due.length && !this.#stopped; from += ALERTS_PER_REQUEST) {
      const delivery = await this.#offer(due.slice(from, from + ALERTS_PER_REQUEST), nowMs);
      if (delivery.outcome === 'delivered') continue;
      hasFailed = true;
      counters.failures[delivery.reason]++;
      waitMs = Math.min(backoffMs(this.#attempts++, delivery.retryAfterMs), resendIntervalMs);
      log.warn(
        { alertmanager: name, reason: delivery.reason, detail: delivery.detail },
        `${name} could not be told, again in ${waitMs / SECOND_MS} s: ${delivery.detail}`,
      );
      break;
    }
    if (!hasFailed) this.#attempts = 0;
    if (!this.#stopped) this.#timer = setTimeout(() => this.#later(), waitMs).unref();
  }

  #later(): void {
    this.#timer = null;
    this.wake();
  }

  /** One alert that is refused must not keep the others from being told: they are sent again, each alone. */
  async #offer(notices: readonly Notice[], nowMs: number): Promise<Delivery> {
    const delivery = await this.#post(notices, nowMs);
    if (delivery.outcome === 'retry') return delivery;
    if (delivery.outcome === 'delivered') {
      this.#settle(notices, 'delivered');
      return delivery;
    }
    if (notices.length > 1) {
      let last: Delivery = delivery;
      for (const notice of notices) {
        last = await this.#offer([notice], nowMs);
        if (last.outcome === 'retry') return last;
      }
      return { outcome: 'delivered' };
    }
    const { log, name, counters } = this.#options;
    const [notice] = notices;
    if (!this.#taken.has(tokenOf(notice!))) {
      counters.failures.rejected++;
      counters.lost++;
      log.error(
        { alertmanager: name, labels: notice!.labels, detail: delivery.detail },
        `${name} refuses an alert: ${delivery.detail}`,
      );
    }
    this.#settle(notices, 'rejected');
    return { outcome: 'delivered' };
  }

  #settle(notices: readonly Notice[], outcome: ToldOutcome): void {
    const { settle, counters, clock } = this.#options;
    const fresh = notices.filter((notice) => !this.#taken.has(tokenOf(notice)));
    for (const notice of fresh) this.#taken.add(tokenOf(notice));
    if (outcome === 'delivered') counters.delivered++;
    if (fresh.length > 0) settle(fresh, outcome, clock());
  }

  async #post(notices: readonly Notice[], nowMs: number): Promise<Delivery> {
    const { url, resendIntervalMs, context } = this.#options;
    try {
      return await post(alertsPost(url(), notices, nowMs + ENDS_INTERVALS * resendIntervalMs), context());
    } catch (error) {
      return retry('misconfigured', error instanceof Error ? error.message : String(error));
    }
  }
}

function tokenOf({ id, status }: Notice): string {
  return `${id} ${status}`;
}

/** The body of `POST /api/v2/alerts`; those that fire end at `endsMs` unless they are sent again. */
export function alertsPost(baseUrl: string, notices: readonly Notice[], endsMs: number): HttpPost {
  const alerts = notices.map((notice) => ({
    labels: notice.labels,
    annotations: notice.annotations,
    startsAt: new Date(notice.startsMs).toISOString(),
    endsAt: new Date(notice.endsMs ?? endsMs).toISOString(),
    generatorURL: notice.link,
  }));
  return { url: `${baseUrl.replace(/\/+$/, '')}/api/v2/alerts`, body: JSON.stringify(alerts) };
}
