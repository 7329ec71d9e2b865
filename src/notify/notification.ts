import { createHash } from 'node:crypto';
import type { IntegrationConfig, Receiver } from '../engine/alerting.ts';
import type { Labels } from '../store/alert-log.ts';
import type { Notice } from './notice.ts';

/** Alerts of one group, told to one receiver at one time. It waits in the outbox as JSON: nothing in it is a secret. */
export interface Notification {
  readonly receiver: string;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly alerts: readonly Notice[];
  /** How many more the group has. */
  readonly truncated: number;
}

/** More alerts are not told in one notification. */
export const ALERTS_MAX = 500;

export function statusOf({ alerts }: Pick<Notification, 'alerts'>): 'firing' | 'resolved' {
  return alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved';
}

/** `pager/pagerduty[0]`: an integration as the outbox, the log and metrics name it. */
export function integrationName(receiver: string, kind: IntegrationConfig['kind'], index: number): string {
  return `${receiver}/${kind}[${index}]`;
}

export interface NamedIntegration {
  readonly name: string;
  readonly config: IntegrationConfig;
}

export function integrationsOf({ name, integrations }: Receiver): NamedIntegration[] {
  const counts = new Map<string, number>();
  return integrations.map((config) => {
    const index = counts.get(config.kind) ?? 0;
    counts.set(config.kind, index + 1);
    return { name: integrationName(name, config.kind, index), config };
  });
}

/** The labels that all of them have with the same value. */
export function commonOf(sets: readonly Labels[]): Labels {
  const [first = {}, ...others] = sets;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((labels) => labels[name] === value)),
  );
}

/** The same for every attempt to deliver one message, and short enough for a header. */
export function idempotencyKey(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}
