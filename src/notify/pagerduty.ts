import { createHash } from 'node:crypto';
import type { PagerdutyConfig } from '../engine/alerting.ts';
import { isPaging } from '../engine/windows.ts';
import type { HttpPost } from './http.ts';
import { commonOf, type Notification, statusOf } from './notification.ts';

/** PagerDuty Events API v2: one incident a group, triggered while an alert of it fires and resolved when none does. */

const SUMMARY_MAX = 1024;
/** Of alerts whose texts are sent: an event may have 512 KB. */
const DETAILS_MAX = 20;

export function pagerdutyPost(config: PagerdutyConfig, notification: Notification, externalUrl: string): HttpPost {
  const { groupKey, alerts, truncated } = notification;
  const status = statusOf(notification);
  const told = alerts.filter((alert) => alert.status === status);
  const first = told.find(({ severity }) => isPaging(severity)) ?? told[0]!;
  const event = {
    routing_key: config.routingKey(),
    event_action: status === 'firing' ? 'trigger' : 'resolve',
    // As long as it may be whatever the labels are, and the same for every event of the incident.
    dedup_key: createHash('sha256').update(groupKey).digest('hex'),
    payload: {
      summary: shortened(first.annotations['summary'] ?? first.labels['alertname']!, SUMMARY_MAX),
      source: first.sloId,
      severity: told.some(({ severity }) => isPaging(severity)) ? 'critical' : 'warning',
      timestamp: new Date(first.startsMs).toISOString(),
      component: first.sloId,
      group: first.labels['service'],
      class: first.labels['alertname'],
      custom_details: {
        ...commonOf(told.map(({ labels }) => labels)),
        firing: alerts.filter((alert) => alert.status === 'firing').length + truncated,
        resolved: alerts.filter((alert) => alert.status === 'resolved').length,
        alerts: told.slice(0, DETAILS_MAX).map(({ labels, annotations }) => ({ labels, ...annotations })),
      },
    },
    client: 'Slipstream',
    client_url: externalUrl,
    links: links(first.link, first.annotations['runbook_url']),
  };
  return { url: config.url(), body: JSON.stringify(event) };
}

function links(link: string, runbook: string | undefined): { href: string; text: string }[] {
  const dashboard = { href: link, text: 'Dashboard' };
  return runbook === undefined ? [dashboard] : [dashboard, { href: runbook, text: 'Runbook' }];
}

/** Cut at a character, never within one. */
export function shortened(text: string, max: number): string {
  const characters = [...text];
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}
