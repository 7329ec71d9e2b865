import type { SlackConfig } from '../engine/alerting.ts';
import type { HttpPost } from './http.ts';
import type { Notice } from './notice.ts';
import { type Notification, statusOf } from './notification.ts';
import { shortened } from './pagerduty.ts';

/** Slack's incoming webhook: a heading, then each alert with what to do about it. */

const ALERTS_SHOWN_MAX = 10;
const TEXT_MAX = 2900;

export function slackPost(config: SlackConfig, notification: Notification): HttpPost {
  const heading = headingOf(notification);
  const { alerts, truncated } = notification;
  const shown = alerts.slice(0, ALERTS_SHOWN_MAX);
  const more = alerts.length - shown.length + truncated;
  const sections = shown.map(section);
  if (more > 0) sections.push(`and ${more} more`);
  const message = {
    ...(config.channel !== '' && { channel: config.channel }),
    // Shown where blocks are not, as in the notification on a telephone.
    text: shortened(
      `${escaped(heading)}\n${shown.map(({ annotations }) => escaped(annotations['summary'] ?? '')).join('\n')}`,
      TEXT_MAX,
    ),
    blocks: [
      { type: 'section', text: { type: 'mrkdwn', text: `*${escaped(heading)}*` } },
      ...sections.map((text) => ({ type: 'section', text: { type: 'mrkdwn', text: shortened(text, TEXT_MAX) } })),
    ],
  };
  return { url: config.url(), body: JSON.stringify(message) };
}

/** `[FIRING:2] checkout availability`. */
export function headingOf(notification: Notification): string {
  const status = statusOf(notification);
  const { alerts, groupLabels, truncated } = notification;
  const count = status === 'firing' ? `:${alerts.filter((alert) => alert.status === 'firing').length + truncated}` : '';
  const labels = Object.values(groupLabels);
  const group = labels.length > 0 ? labels.join(' ') : (alerts[0]?.labels['alertname'] ?? '');
  return `[${status.toUpperCase()}${count}] ${group}`;
}

function section({ status, labels, annotations, link }: Notice): string {
  const links = [`<${link}|Dashboard>`];
  const runbook = annotations['runbook_url'];
  if (runbook !== undefined) links.push(`<${escaped(runbook)}|Runbook>`);
  const name = `*${status === 'firing' ? '' : 'resolved: '}${escaped(labels['alertname'] ?? '')}* (${escaped(labels['severity'] ?? '')})`;
  return `${name}\n${escaped(annotations['summary'] ?? '')}\n${links.join(' · ')}`;
}

/** The three characters that Slack takes for its own. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
