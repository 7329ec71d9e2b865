import type { SavedAlert } from '../engine/alert.ts';
import type { Alerting, IntegrationConfig } from '../engine/alerting.ts';
import type { Engine } from '../engine/engine.ts';
import type { Matcher } from '../engine/slo.ts';
import { type ToldOutcome as Settled, savedAlert } from '../store/alert-log.ts';
import type { QueuedMessage } from '../store/outbox.ts';
import type { Store } from '../store/store.ts';
import { AlertmanagerReplica, RESOLVED_OFFERED_MS } from './alertmanager.ts';
import { NotifyCounters } from './counters.ts';
import { Courier } from './courier.ts';
import type { Delivery } from './delivery.ts';
import { Dispatcher } from './dispatcher.ts';
import { sendEmail } from './email.ts';
import { type HttpContext, post } from './http.ts';
import type { Log } from './log.ts';
import { Mutings } from './muting.ts';
import { type Notice, noticeOf } from './notice.ts';
import { integrationsOf, type Notification } from './notification.ts';
import { pagerdutyPost } from './pagerduty.ts';
import { type ActionCall, Remediator, remediationIntegration } from './remediator.ts';
import { SilenceBook } from './silence-book.ts';
import { slackPost } from './slack.ts';
import { AlertTracker, type Tracked } from './tracker.ts';
import { signedPost, webhookPost } from './webhook.ts';

/**
 * From alert states to people who know: at each tick the alerts on record are brought up to the engine, groups are told what is
 * new about theirs, and all of that is written in one transaction. Delivery goes on by itself, receiver by receiver.
 */

/** What notify keeps its records in. */
export type NotifyStore = Pick<Store, 'alerts' | 'outbox' | 'silences' | 'actions' | 'transaction'>;

export interface NotifyLimits {
  /** Messages that wait for one integration. */
  readonly outboxMax: number;
  /** Alerts and actions that are over and kept. */
  readonly alertHistoryMax: number;
}

export interface NotifierOptions {
  readonly alerting: Alerting;
  readonly store: NotifyStore;
  /** Where the server is, for links when nothing else is configured. */
  readonly serverUrl: () => string;
  readonly staleAfterMs: number;
  readonly limits: NotifyLimits;
  /** Of a silence. */
  readonly compileMatcher: (text: string) => Matcher;
  readonly log: Log;
  readonly clock: () => number;
}

/** What compares records with the engine; made anew from the records when they could not be written. */
interface Writers {
  readonly tracker: AlertTracker;
  readonly dispatcher: Dispatcher;
  readonly remediator: Remediator;
}

/** Attempts that are under way when the server ends get so long. */
const STOP_MS = 2_000;

export class Notifier {
  readonly #options: NotifierOptions;
  readonly silences: SilenceBook;
  readonly counters = new NotifyCounters();
  readonly #seenSinceMs = new Map<string, number>();
  #alerting: Alerting;
  #staleAfterMs: number;
  /** Resolves when the last change of what it is told has been made. */
  #configured: Promise<void> = Promise.resolve();
  #writers: Writers | null = null;
  #engine: Engine | null = null;
  #couriers = new Map<string, Courier>();
  #replicas: AlertmanagerReplica[] = [];
  /** Whether the replicas have been told how things stand, after which they repeat it by themselves. */
  #replicasKnow = false;
  #end = new AbortController();

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#alerting = options.alerting;
    this.#staleAfterMs = options.staleAfterMs;
    this.silences = new SilenceBook(options.store.silences, options.compileMatcher);
    this.#employ();
  }

  /** How the alerts stood when the last process ended. */
  get savedAlerts(): SavedAlert[] {
    return this.#options.store.alerts.active().map(savedAlert);
  }

  /** Pending and firing alerts. */
  get tracked(): readonly Tracked[] {
    return this.#writersNow().tracker.active;
  }

  /** The same with the texts of the moment. */
  active(): { tracked: Tracked; notice: Notice }[] {
    const engine = this.#engine;
    if (engine === null) return [];
    const nowMs = this.#options.clock();
    const { tracker } = this.#writersNow();
    return tracker.active.map((tracked) => ({ tracked, notice: tracker.notice(tracked, engine, nowMs) }));
  }

  /** Why the alerts that fire are not told, as of now. */
  mutings(): Mutings {
    const firing = this.#firing().map(({ record }) => record);
    return new Mutings(this.silences, this.#alerting.maintenance, firing, this.#options.clock());
  }

  /** Messages that wait, by integration. */
  waiting(): Map<string, number> {
    const { outbox } = this.#options.store;
    return new Map([...this.#couriers.keys()].map((name) => [name, outbox.count(name)]));
  }

  #firing(): Tracked[] {
    return this.#writersNow().tracker.active.filter(({ record }) => record.state === 'firing');
  }

  get #externalUrl(): string {
    return this.#alerting.externalUrl ?? this.#options.serverUrl();
  }

  #writersNow(): Writers {
    const { store } = this.#options;
    const { noDataSeverity, remediations } = this.#alerting;
    const externalUrl = this.#externalUrl;
    this.#writers ??= {
      tracker: new AlertTracker({
        log: store.alerts,
        externalUrl,
        staleAfterMs: this.#staleAfterMs,
        noDataSeverity,
        seenSinceMs: this.#seenSinceMs,
      }),
      dispatcher: new Dispatcher({ alerting: this.#alerting, log: store.alerts, outbox: store.outbox }),
      remediator: new Remediator({ remediations, actions: store.actions, outbox: store.outbox, externalUrl }),
    };
    return this.#writers;
  }

  /** After each evaluation of the engine. Never throws: what could not be written is written at the next tick. */
  tick(engine: Engine): void {
    const { store, clock, limits, log } = this.#options;
    const nowMs = clock();
    this.#engine = engine;
    let changes = false;
    try {
      const { tracker, dispatcher, remediator } = this.#writersNow();
      store.transaction(() => {
        changes = tracker.write(engine, nowMs);
        dispatcher.write(tracker.active, this.mutings(), (tracked) => tracker.notice(tracked, engine, nowMs), nowMs);
        remediator.write(engine, nowMs);
        if (changes) store.alerts.trim(limits.alertHistoryMax);
        if (changes) store.actions.trim(limits.alertHistoryMax);
      });
    } catch (error) {
      this.#writers = null;
      this.counters.writeFailures++;
      log.error(
        { err: error },
        'alerts could not be written down, and nobody was told of them; the next tick tries again',
      );
      return;
    }
    for (const courier of this.#couriers.values()) courier.wake();
    if (changes || !this.#replicasKnow) for (const replica of this.#replicas) replica.wake();
    this.#replicasKnow = true;
  }

  /** After a reload: what waits for a receiver that is still there is still delivered. One change after the other. */
  configure(alerting: Alerting, staleAfterMs: number): Promise<void> {
    this.#configured = this.#configured.then(() => this.#configure(alerting, staleAfterMs));
    return this.#configured;
  }

  async #configure(alerting: Alerting, staleAfterMs: number): Promise<void> {
    if (alerting.digest === this.#alerting.digest && staleAfterMs === this.#staleAfterMs) return;
    await this.#dismiss();
    this.#alerting = alerting;
    this.#staleAfterMs = staleAfterMs;
    this.#writers = null;
    this.#employ();
    if (this.#engine !== null) this.tick(this.#engine);
  }

  /** What is under way is awaited for a while; what is not delivered by then is, after a restart. */
  async stop(): Promise<void> {
    await this.#configured;
    await this.#dismiss();
  }

  #employ(): void {
    this.#end = new AbortController();
    this.#replicasKnow = false;
    const { store, log, clock, limits } = this.#options;
    const { alertmanagers, receivers, remediations } = this.#alerting;
    this.#couriers = new Map();
    for (const receiver of receivers) {
      for (const { name, config } of integrationsOf(receiver))
        this.#employCourier(name, (message) => this.#tell(config, message));
    }
    for (const { name, webhook } of remediations) {
      this.#employCourier(remediationIntegration(name), (message) =>
        post(signedPost(webhook, JSON.parse(message.payload), message.key), this.#context()),
      );
    }
    for (const integration of store.outbox.integrations()) {
      if (this.#couriers.has(integration)) continue;
      const dropped = store.outbox.oldest(integration, limits.outboxMax);
      store.transaction(() => {
        for (const message of dropped) {
          this.#settleMessage(message, 'dropped');
          store.outbox.remove(message.id);
        }
      });
      log.warn(
        { integration, dropped: dropped.length },
        `there is no ${integration} any more: what waited for it is given up`,
      );
    }
    this.#replicas = alertmanagers.flatMap(({ urls, resendIntervalMs }, group) =>
      urls.map((url, replica) => {
        const name = `alertmanager[${group}][${replica}]`;
        const counters = this.counters.of(name);
        const settle = (notices: readonly Notice[], outcome: Settled, atMs: number): void =>
          this.#settle(name, notices, outcome, atMs);
        const notices = (nowMs: number): Notice[] => this.#offered(nowMs);
        const context = (): HttpContext => this.#context();
        return new AlertmanagerReplica({ name, url, resendIntervalMs, notices, settle, context, counters, log, clock });
      }),
    );
  }

  #employCourier(integration: string, send: (message: QueuedMessage) => Promise<Delivery>): void {
    const { store, limits, log, clock } = this.#options;
    const { outbox } = store;
    const settle = (message: QueuedMessage, outcome: Settled): void => this.#settleMessage(message, outcome);
    const transaction = (write: () => void): void => store.transaction(write);
    const counters = this.counters.of(integration);
    const messagesMax = limits.outboxMax;
    const options = { integration, outbox, send, settle, transaction, counters, messagesMax, log, clock };
    this.#couriers.set(integration, new Courier(options));
  }

  async #dismiss(): Promise<void> {
    const end = this.#end;
    const timeout = setTimeout(() => end.abort(), STOP_MS);
    await Promise.all([...this.#couriers.values(), ...this.#replicas].map((worker) => worker.stop()));
    clearTimeout(timeout);
  }

  #context(): HttpContext {
    return { timeoutMs: this.#alerting.deliveryTimeoutMs, nowMs: this.#options.clock(), signal: this.#end.signal };
  }

  async #tell(config: IntegrationConfig, { payload, key }: QueuedMessage): Promise<Delivery> {
    const notification = JSON.parse(payload) as Notification;
    const url = this.#externalUrl;
    switch (config.kind) {
      case 'webhook':
        return post(webhookPost(config, notification, key, url), this.#context());
      case 'pagerduty':
        return post(pagerdutyPost(config, notification, url), this.#context());
      case 'slack':
        return post(slackPost(config, notification), this.#context());
      case 'email':
        return sendEmail(config, notification, key, this.#context());
    }
  }

  #settleMessage({ integration, payload }: QueuedMessage, outcome: Settled): void {
    const { store, clock } = this.#options;
    const content = JSON.parse(payload) as Notification | ActionCall;
    if ('action' in content) store.actions.finish(content.action, outcome, clock());
    else this.#settle(integration, content.alerts, outcome, clock());
  }

  #settle(receiver: string, notices: readonly Notice[], outcome: Settled, atMs: number): void {
    for (const status of ['firing', 'resolved'] as const) {
      const ids = notices.filter((notice) => notice.status === status).map(({ id }) => id);
      this.#options.store.alerts.addTold(ids, { receiver, status, outcome }, atMs);
    }
  }

  /** What every Alertmanager is told: all alerts, muted or not. */
  #offered(nowMs: number): Notice[] {
    const engine = this.#engine;
    if (engine === null) return [];
    const { tracker } = this.#writersNow();
    const ended = this.#options.store.alerts.endedSince(nowMs - RESOLVED_OFFERED_MS);
    return [
      ...ended.map((record) => noticeOf(record)),
      ...this.#firing().map((tracked) => tracker.notice(tracked, engine, nowMs)),
    ];
  }
}
