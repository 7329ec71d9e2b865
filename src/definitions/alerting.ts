import { createHash } from 'node:crypto';
import { Temporal } from 'temporal-polyfill';
import type {
  Alerting,
  IntegrationConfig,
  MaintenanceWindow,
  Receiver,
  Remediation,
  Route,
  Secret,
  Threshold,
  WebhookConfig,
} from '../engine/alerting.ts';
import { parseDuration } from '../engine/duration.ts';
import type { Matcher } from '../engine/slo.ts';
import { type AlertingFile, AlertingSchema, type ReceiverFile, type RouteFile } from './alerting-schema.ts';
import type { DefinitionDocument } from './document.ts';
import { parseAddress } from './forms.ts';
import { readLabelMatcher } from './label-matcher.ts';
import { Part } from './part.ts';
import { anyOf, nearest, shown } from './problem.ts';
import { openWindows } from './recurrence.ts';
import { checkDocument } from './schema.ts';
import { fileSecret, type SecretSource, textSecret } from './secret.ts';

/** Alerting files: who is told of alerts, and how. */

const DEFAULTS = {
  resendInterval: '1m',
  groupBy: ['service', 'slo'],
  groupWait: '0s',
  groupInterval: '1m',
  repeatInterval: '4h',
  cooldown: '1h',
  deliveryTimeout: '10s',
  noDataSeverity: 'ticket',
  pagerdutyUrl: 'https://events.pagerduty.com/v2/enqueue',
} as const;

/** A document of its own; null when something is wrong with it. */
export function readAlertingFile(document: DefinitionDocument, secrets: SecretSource | null): Alerting | null {
  return readAlerting(Part.whole(checkDocument(AlertingSchema, document)), secrets);
}

/** An alerting file, or `alerting:` of the server file; null when something is wrong with it. */
export function readAlerting(file: Part<AlertingFile>, secrets: SecretSource | null): Alerting | null {
  return new AlertingReader(secrets).read(file);
}

/** What it has found wrong is reported and counted, and then what it has made is not to be used. */
class AlertingReader {
  readonly #secrets: SecretSource | null;
  #problems = 0;

  constructor(secrets: SecretSource | null) {
    this.#secrets = secrets;
  }

  read(file: Part<AlertingFile>): Alerting | null {
    const receivers = this.#receivers(file);
    const alerting: Alerting = {
      externalUrl: file.get('external_url')?.replace(/\/+$/, '') ?? null,
      alertmanagers: items(file, 'alertmanagers').map((group) => ({
        urls: items(group, 'urls').map((url) => this.#text(url)),
        resendIntervalMs: ms(group.get('resend_interval') ?? DEFAULTS.resendInterval),
      })),
      route: this.#root(file, receivers),
      receivers,
      maintenance: items(file, 'maintenance').flatMap((window) => maintenanceWindow(window) ?? []),
      noDataSeverity: noDataSeverity(file),
      remediations: items(file, 'remediations').flatMap((remediation) => this.#remediation(remediation) ?? []),
      deliveryTimeoutMs: ms(file.get('delivery_timeout') ?? DEFAULTS.deliveryTimeout),
      digest: createHash('sha256').update(JSON.stringify(file.value)).digest('base64'),
    };
    this.#refuseRepeated(file, 'remediations');
    return this.#problems === 0 && file.sound() ? alerting : null;
  }

  #wrong(part: Part<unknown>, message: string): void {
    this.#problems++;
    part.error(message);
  }

  #receivers(file: Part<AlertingFile>): Receiver[] {
    this.#refuseRepeated(file, 'receivers');
    return items(file, 'receivers').flatMap((receiver) => {
      const name = receiver.get('name');
      return name === null ? [] : [{ name, integrations: this.#integrations(receiver) }];
    });
  }

  #refuseRepeated(file: Part<AlertingFile>, key: 'receivers' | 'remediations'): void {
    const seen = new Set<string>();
    for (const item of items(file, key) as Part<{ name: string }>[]) {
      const name = item.get('name');
      if (name === null) continue;
      if (seen.has(name)) this.#wrong(item.at('name')!, `the name ${shown(name)} is there twice`);
      seen.add(name);
    }
  }

  #integrations(receiver: Part<ReceiverFile>): IntegrationConfig[] {
    return [
      ...items(receiver, 'pagerduty_configs').map((config) => ({
        kind: 'pagerduty' as const,
        url: config.get('url') === null ? () => DEFAULTS.pagerdutyUrl : this.#text(config.at('url')!),
        sendResolved: config.get('send_resolved') ?? true,
        routingKey: this.#secret(config, 'routing_key', 'routing_key_file')!,
      })),
      ...items(receiver, 'slack_configs').map((config) => ({
        kind: 'slack' as const,
        url: this.#secret(config, 'api_url', 'api_url_file')!,
        sendResolved: config.get('send_resolved') ?? true,
        channel: config.get('channel') ?? '',
      })),
      ...items(receiver, 'email_configs').map((config) => ({
        kind: 'email' as const,
        to: config.get('to') ?? '',
        from: config.get('from') ?? '',
        sendResolved: config.get('send_resolved') ?? true,
        smarthost: parseAddress(config.get('smarthost') ?? ':0')!,
        auth: this.#auth(config),
        requireTls: config.get('require_tls') ?? false,
      })),
      ...items(receiver, 'webhook_configs').map((config) => this.#webhook(config, config.get('send_resolved') ?? true)),
    ];
  }

  #webhook(config: Part<WebhookFile>, sendResolved: boolean): WebhookConfig {
    return {
      kind: 'webhook',
      url: this.#secret(config, 'url', 'url_file')!,
      sendResolved,
      secret: this.#secret(config, 'secret', 'secret_file'),
    };
  }

  #auth(config: Part<EmailFile>): { username: string; password: Secret } | null {
    const username = config.get('auth_username');
    const password = this.#secret(config, 'auth_password', 'auth_password_file');
    if (username === null && password === null) return null;
    if (username !== null && password !== null) return { username, password };
    this.#problems++;
    config.missing(username === null ? 'auth_username' : 'auth_password', 'a user and a password go together');
    return null;
  }

  /** Null when there is neither a text nor a file. */
  #secret<K extends string>(config: Part<{ [key in K]?: string }>, key: K, fileKey: K): Secret | null {
    const text = config.at(key);
    const file = config.at(fileKey);
    if (text !== null && file !== null && config.sound()) this.#wrong(file as Part<unknown>, `${key} is there as well`);
    if (text !== null) return this.#text(text as Part<string>);
    if (file === null || !file.sound()) return null;
    return this.#found(file as Part<unknown>, fileSecret(file.value as string, this.#secrets));
  }

  #text(text: Part<string>): Secret {
    return text.sound() ? this.#found(text, textSecret(text.value, this.#secrets)) : () => '';
  }

  #found(part: Part<unknown>, secret: ReturnType<typeof textSecret>): Secret {
    if (typeof secret === 'function') return secret;
    this.#wrong(part, secret.missing);
    return () => '';
  }

  #root(file: Part<AlertingFile>, receivers: readonly Receiver[]): Route | null {
    const root = file.at('route');
    if (root === null) {
      if (receivers.length > 0) this.#missing(file, 'route', 'is required, since there are receivers');
      return null;
    }
    if (root.at('matchers') !== null) {
      this.#wrong(
        root.at('matchers') as Part<unknown>,
        'the root route takes every alert: matchers belong to the routes below it',
      );
    }
    if (root.at('receiver') === null) this.#missing(root, 'receiver', 'is required: the root route takes every alert');
    return this.#route(root, null, receivers);
  }

  #missing(part: Part<unknown>, key: string, message: string): void {
    this.#problems++;
    part.missing(key, message);
  }

  #route(route: Part<RouteFile>, parent: Route | null, receivers: readonly Receiver[]): Route {
    const name = route.get('receiver');
    if (name !== null && !receivers.some((receiver) => receiver.name === name)) {
      this.#wrong(route.at('receiver') as Part<unknown>, unknownReceiver(name, receivers));
    }
    const ownMs = (key: 'group_wait' | 'group_interval' | 'repeat_interval', otherwise: number): number => {
      const text = route.get(key);
      return text === null ? otherwise : ms(text);
    };
    const own: Route = {
      receiver: name ?? parent?.receiver ?? '',
      matchers: matchersOf(route),
      continue: route.get('continue') ?? false,
      groupBy: route.get('group_by') ?? parent?.groupBy ?? DEFAULTS.groupBy,
      groupWaitMs: ownMs('group_wait', parent?.groupWaitMs ?? ms(DEFAULTS.groupWait)),
      groupIntervalMs: ownMs('group_interval', parent?.groupIntervalMs ?? ms(DEFAULTS.groupInterval)),
      repeatIntervalMs: ownMs('repeat_interval', parent?.repeatIntervalMs ?? ms(DEFAULTS.repeatInterval)),
      routes: [],
    };
    return { ...own, routes: items(route, 'routes').map((child) => this.#route(child, own, receivers)) };
  }

  #remediation(remediation: Part<RemediationFile>): Remediation | null {
    const webhook = remediation.at('webhook');
    const when = remediation.at('when');
    const name = remediation.get('name');
    if (webhook === null || when === null || name === null) return null;
    return {
      name,
      matchers: matchersOf(remediation),
      when: this.#threshold(when),
      cooldownMs: ms(remediation.get('cooldown') ?? DEFAULTS.cooldown),
      isDryRun: remediation.get('dry_run') ?? false,
      webhook: this.#webhook(webhook, false),
    };
  }

  #threshold(when: Part<ThresholdFile>): Threshold {
    const above = when.get('burn_rate');
    const window = when.get('window');
    if (above === null) {
      if (window !== null) this.#wrong(when.at('window') as Part<unknown>, 'only a burn rate has a window');
      return { kind: 'error_budget_remaining', below: when.get('error_budget_remaining') ?? 0 };
    }
    if (window === null && when.sound())
      this.#missing(when, 'window', 'is required: over which time the burn rate is meant');
    return { kind: 'burn_rate', window: window ?? '', above };
  }
}

type Items<T> = T extends readonly (infer Item)[] ? Item : never;
type RemediationFile = Items<NonNullable<AlertingFile['remediations']>>;
type MaintenanceFile = Items<NonNullable<AlertingFile['maintenance']>>;
type ThresholdFile = RemediationFile['when'];
type WebhookFile = RemediationFile['webhook'];
type EmailFile = Items<NonNullable<ReceiverFile['email_configs']>>;

function items<T, K extends keyof T & string>(part: Part<T>, key: K): Part<Items<NonNullable<T[K]>>>[] {
  return (part.at(key)?.items() ?? []) as Part<Items<NonNullable<T[K]>>>[];
}

function ms(text: string): number {
  return parseDuration(text)!.ms;
}

function matchersOf(part: Part<{ readonly matchers?: readonly string[] }>): Matcher[] {
  return items(part, 'matchers').flatMap((text) => {
    const matcher = text.sound() ? readLabelMatcher(text.value as string) : null;
    return matcher === null || 'message' in matcher ? [] : [matcher];
  });
}

function unknownReceiver(name: string, receivers: readonly Receiver[]): string {
  const names = receivers.map((receiver) => receiver.name);
  const meant = nearest(name, names);
  if (meant !== null) return `there is no receiver ${shown(name)}; did you mean ${meant}?`;
  return `there is no receiver ${shown(name)}${names.length === 0 ? '' : `; there is ${anyOf(names)}`}`;
}

function noDataSeverity(file: Part<AlertingFile>): string | null {
  const severity = file.get('no_data')?.severity ?? DEFAULTS.noDataSeverity;
  return severity === 'none' ? null : severity;
}

/** Without a rule the window is open once. */
function maintenanceWindow(window: Part<MaintenanceFile>): MaintenanceWindow | null {
  if (!window.sound()) return null;
  const { name, start, duration, rrule = 'FREQ=DAILY;COUNT=1', timezone = 'UTC' } = window.value;
  const recurrence = {
    start: Temporal.PlainDateTime.from(start),
    rule: rrule,
    durationMs: ms(duration),
    timeZone: timezone,
  };
  return { name, matchers: matchersOf(window), isOpen: openWindows(recurrence) };
}
