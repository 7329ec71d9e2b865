import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../engine/alerting.ts';
import type { Labels } from '../store/alert-log.ts';
import type { HttpPost } from './http.ts';
import type { Notice } from './notice.ts';
import { commonOf, type Notification, statusOf } from './notification.ts';

/** The generic webhook: Alertmanager's body, version 4, so that what reads Alertmanager's reads ours. */

/** Of an alert that fires, as Alertmanager writes it. */
const NO_TIME = '0001-01-01T00:00:00Z';

export function webhookPost(
  config: WebhookConfig,
  notification: Notification,
  key: string,
  externalUrl: string,
): HttpPost {
  const { alerts, receiver, groupKey, groupLabels, truncated } = notification;
  const body = {
    version: '4',
    groupKey,
    truncatedAlerts: truncated,
    status: statusOf(notification),
    receiver,
    groupLabels,
    commonLabels: commonOf(alerts.map(({ labels }) => labels)),
    commonAnnotations: commonOf(alerts.map(({ annotations }) => annotations)),
    externalURL: externalUrl,
    alerts: alerts.map(webhookAlert),
  };
  return signedPost(config, body, key);
}

/** `Idempotency-Key` is the same for every attempt; `X-Signature` is `sha256=` and the HMAC of the body in hexadecimal digits. */
export function signedPost({ url, secret }: WebhookConfig, content: object, key: string): HttpPost {
  const body = JSON.stringify(content);
  const headers: Record<string, string> = { 'idempotency-key': key };
  if (secret !== null) headers['x-signature'] = `sha256=${createHmac('sha256', secret()).update(body).digest('hex')}`;
  return { url: url(), body, headers };
}

function webhookAlert({ status, labels, annotations, startsMs, endsMs, link }: Notice): object {
  return {
    status,
    labels,
    annotations,
    startsAt: new Date(startsMs).toISOString(),
    endsAt: endsMs === null ? NO_TIME : new Date(endsMs).toISOString(),
    generatorURL: link,
    fingerprint: fingerprint(labels),
  };
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
const SEPARATOR = 0xff;

/** FNV-1a over the sorted labels, as Prometheus and Alertmanager know an alert by. */
export function fingerprint(labels: Labels): string {
  let hash = FNV_OFFSET;
  const add = (byte: number): void => {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  };
  for (const name of Object.keys(labels).sort()) {
    for (const byte of Buffer.from(name)) add(byte);
    add(SEPARATOR);
    for (const byte of Buffer.from(labels[name]!)) add(byte);
    add(SEPARATOR);
  }
  return hash.toString(16).padStart(16, '0');
}
