import type { Matcher } from './slo.ts';

/**
 * Who is told of alerts, once an alerting file has been read: the only shape that definitions hand to notify. Plain data,
 * except that matchers, secrets and windows carry what other rooms have compiled.
 */

/** A secret as it is at the moment: a file is read again each time, so that it can be exchanged. Throws when it cannot be read. */
export type Secret = () => string;

export interface AlertmanagerGroup {
  readonly urls: readonly Secret[];
  readonly resendIntervalMs: number;
}

export interface WebhookConfig {
  readonly kind: 'webhook';
  readonly url: Secret;
  readonly sendResolved: boolean;
  /** Signs the body; null without one. */
  readonly secret: Secret | null;
}

export interface PagerdutyConfig {
  readonly kind: 'pagerduty';
  readonly url: Secret;
  readonly sendResolved: boolean;
  readonly routingKey: Secret;
}

export interface SlackConfig {
  readonly kind: 'slack';
  readonly url: Secret;
  readonly sendResolved: boolean;
  /** Empty for the channel that the webhook is of. */
  readonly channel: string;
}

export interface EmailConfig {
  readonly kind: 'email';
  readonly to: string;
  readonly from: string;
  readonly sendResolved: boolean;
  readonly smarthost: { readonly host: string; readonly port: number };
  readonly auth: { readonly username: string; readonly password: Secret } | null;
  /** Whether mail is sent only over TLS. */
  readonly requireTls: boolean;
}

/** One way in which a receiver is told. */
export type IntegrationConfig = WebhookConfig | PagerdutyConfig | SlackConfig | EmailConfig;

export interface Receiver {
  readonly name: string;
  readonly integrations: readonly IntegrationConfig[];
}

/** As in Alertmanager; what a route does not say it has from its parent. */
export interface Route {
  readonly receiver: string;
  readonly matchers: readonly Matcher[];
  readonly continue: boolean;
  /** Names of labels; `...` for all of them. */
  readonly groupBy: readonly string[];
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly routes: readonly Route[];
}

/** Time in which alerts that match are not told. */
export interface MaintenanceWindow {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly isOpen: (nowMs: number) => boolean;
}

/** What sets off an action: a burn rate above, or a remaining budget below. */
export type Threshold =
  | { readonly kind: 'burn_rate'; readonly window: string; readonly above: number }
  | { readonly kind: 'error_budget_remaining'; readonly below: number };

/** A webhook that is called when a threshold is crossed. */
export interface Remediation {
  readonly name: string;
  readonly matchers: readonly Matcher[];
  readonly when: Threshold;
  readonly cooldownMs: number;
  /** Only written down. */
  readonly isDryRun: boolean;
  readonly webhook: WebhookConfig;
}

export interface Alerting {
  /** Base of every link, without a slash at its end; null for the address of the server. */
  readonly externalUrl: string | null;
  readonly alertmanagers: readonly AlertmanagerGroup[];
  /** Null when there are no receivers. */
  readonly route: Route | null;
  readonly receivers: readonly Receiver[];
  readonly maintenance: readonly MaintenanceWindow[];
  /** Of the alert `no-data`; null when there is none. */
  readonly noDataSeverity: string | null;
  readonly remediations: readonly Remediation[];
  /** How long a receiver may take to answer. */
  readonly deliveryTimeoutMs: number;
  /** Of all that was written. Two files that differ in a secret alone differ in this alone, since secrets are functions. */
  readonly digest: string;
}

export const NO_ALERTING: Alerting = {
  externalUrl: null,
  alertmanagers: [],
  route: null,
  receivers: [],
  maintenance: [],
  noDataSeverity: null,
  remediations: [],
  deliveryTimeoutMs: 10_000,
  digest: '',
};
