import { createTransport } from 'nodemailer';
import type { EmailConfig } from '../engine/alerting.ts';
import { DELIVERED, type Delivery, rejected, retry } from './delivery.ts';
import type { HttpContext } from './http.ts';
import type { Notification } from './notification.ts';
import { headingOf } from './slack.ts';

/** E-mail over SMTP, encrypted where the server can. */

export async function sendEmail(
  config: EmailConfig,
  notification: Notification,
  key: string,
  context: HttpContext,
): Promise<Delivery> {
  const { smarthost, auth, requireTls, from, to } = config;
  const { timeoutMs, signal } = context;
  const transport = createTransport({
    ...smarthost,
    // Port 465 speaks TLS from its first byte.
    secure: smarthost.port === 465,
    requireTLS: requireTls,
    ...(auth !== null && { auth: { user: auth.username, pass: auth.password() } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  });
  const close = (): void => transport.close();
  signal.addEventListener('abort', close);
  try {
    const subject = headingOf(notification);
    // The same for every attempt, so that a mail which was sent twice is seen once.
    const messageId = `<${key}@slipstream>`;
    await transport.sendMail({ from, to, subject, messageId, text: textOf(notification) });
    return DELIVERED;
  } catch (error) {
    return judge(error as Error & { code?: string; responseCode?: number });
  } finally {
    signal.removeEventListener('abort', close);
    transport.close();
  }
}

/** SMTP says with 5xx that it will never do; a login that is wrong may be put right. */
function judge({ code, responseCode = 0, message }: Error & { code?: string; responseCode?: number }): Delivery {
  const detail = message.split('\n', 1)[0]!;
  if (code === 'EAUTH') return retry('misconfigured', detail);
  if (responseCode >= 500) return rejected(detail);
  if (responseCode >= 400) return retry('server_error', detail);
  return retry(code === 'ETIMEDOUT' ? 'timeout' : 'connection', detail);
}

function textOf({ alerts, truncated }: Notification): string {
  const parts = alerts.map(({ status, labels, annotations }) => {
    const named = Object.entries(labels).map(([name, value]) => `  ${name} = ${value}`);
    const heading = `${status === 'firing' ? '' : 'Resolved: '}${annotations['summary'] ?? ''}`;
    return [heading, '', annotations['description'] ?? '', '', ...named].join('\n');
  });
  if (truncated > 0) parts.push(`and ${truncated} more`);
  return `${parts.join('\n\n----\n\n')}\n`;
}
