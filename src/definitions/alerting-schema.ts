import { type Static, type TSchema, Type } from 'typebox';
import { STANDARD_WINDOWS } from '../engine/windows.ts';
import { described, mapping, oneOf, text } from './schema.ts';

/** The alerting file, as it is written. */

const words = (what: string) => Type.String({ minLength: 1, range: what });
const flag = Type.Optional(Type.Boolean());
const sendResolved = described('Whether it is told of the end as well; true by default.', flag);
const secret = (what: string) => Type.Optional(words(what));
const matchers = Type.Optional(Type.Array(text('labelMatcher')));
const url = described('Where it is sent to.', Type.Optional(text('secretUrl')));

const WebhookSchema = {
  url,
  url_file: described('A file that holds the URL.', secret('a file')),
  secret: described('Key of the HMAC in the header X-Signature.', secret('a secret')),
  secret_file: described('A file that holds it.', secret('a file')),
};

const ReceiverSchema = mapping({
  name: described('What routes call it.', words('a name')),
  webhook_configs: Type.Optional(
    Type.Array(mapping({ ...WebhookSchema, send_resolved: sendResolved }, { exactlyOneOf: ['url', 'url_file'] })),
  ),
  pagerduty_configs: Type.Optional(
    Type.Array(
      mapping(
        {
          routing_key: described('Of an Events API v2 integration.', secret('a routing key')),
          routing_key_file: described('A file that holds it.', secret('a file')),
          url,
          send_resolved: sendResolved,
        },
        { exactlyOneOf: ['routing_key', 'routing_key_file'] },
      ),
    ),
  ),
  slack_configs: Type.Optional(
    Type.Array(
      mapping(
        {
          api_url: described('The incoming webhook.', url),
          api_url_file: described('A file that holds the URL.', secret('a file')),
          channel: described('Instead of the channel of the webhook.', Type.Optional(words('a channel'))),
          send_resolved: sendResolved,
        },
        { exactlyOneOf: ['api_url', 'api_url_file'] },
      ),
    ),
  ),
  email_configs: Type.Optional(
    Type.Array(
      mapping({
        to: described('Who gets it; several with commas between them.', words('an address')),
        from: described('Who sends it.', words('an address')),
        smarthost: described('HOST:PORT of the mail server.', text('address')),
        auth_username: described('Who logs in there.', Type.Optional(words('a user'))),
        auth_password: described('And the password.', secret('a password')),
        auth_password_file: described('A file that holds it.', secret('a file')),
        require_tls: described('Whether it is sent over TLS or not at all; false by default.', flag),
        send_resolved: sendResolved,
      }),
    ),
  ),
});

export interface RouteFile {
  readonly receiver?: string;
  readonly matchers?: readonly string[];
  readonly continue?: boolean;
  readonly group_by?: readonly string[];
  readonly group_wait?: string;
  readonly group_interval?: string;
  readonly repeat_interval?: string;
  readonly routes?: readonly RouteFile[];
}

/** Deeper than anybody routes. */
const ROUTE_DEPTH_MAX = 8;

function routeSchema(depth: number): TSchema {
  return mapping({
    receiver: described(
      'Who is told; that of the route above by default.',
      Type.Optional(words('the name of a receiver')),
    ),
    matchers,
    continue: described('Whether the routes behind this one are tried as well.', flag),
    group_by: Type.Optional(Type.Array(words('the name of a label'))),
    group_wait: described('How long a new group waits for more alerts; 0s by default.', Type.Optional(text('delay'))),
    group_interval: described('Time between news of one group; 1m by default.', Type.Optional(text('duration'))),
    repeat_interval: described('When what still fires is told again; 4h by default.', Type.Optional(text('duration'))),
    ...(depth < ROUTE_DEPTH_MAX && { routes: Type.Optional(Type.Array(routeSchema(depth + 1))) }),
  });
}

const ThresholdSchema = mapping(
  {
    burn_rate: described(
      'That is reached over the window.',
      Type.Optional(Type.Number({ minimum: 0, range: 'at least 0' })),
    ),
    window: Type.Optional(oneOf(...STANDARD_WINDOWS.map((window) => window.text))),
    error_budget_remaining: described(
      'That is left, or less.',
      Type.Optional(Type.Number({ maximum: 1, range: 'at most 1' })),
    ),
  },
  { exactlyOneOf: ['burn_rate', 'error_budget_remaining'] },
);

export const AlertingSchema = mapping({
  external_url: described('Base of every link that is sent.', Type.Optional(text('httpUrl'))),
  alertmanagers: Type.Optional(
    Type.Array(
      mapping({
        urls: Type.Array(text('secretUrl'), { minItems: 1 }),
        resend_interval: described(
          'How often it is told again what fires; 1m by default.',
          Type.Optional(text('timer')),
        ),
      }),
    ),
  ),
  route: Type.Optional(Type.Unsafe<RouteFile>(routeSchema(0))),
  receivers: Type.Optional(Type.Array(ReceiverSchema)),
  no_data: Type.Optional(mapping({ severity: oneOf('page', 'ticket', 'critical', 'warning', 'none') })),
  maintenance: Type.Optional(
    Type.Array(
      mapping({
        name: described('What it is for.', words('a name')),
        matchers,
        start: described('When it begins first, such as 2026-01-04T02:00.', text('localTime')),
        duration: described('How long it lasts.', text('duration')),
        rrule: described('How it comes again, such as FREQ=WEEKLY;BYDAY=SU.', Type.Optional(text('recurrence'))),
        timezone: described('Of its start; UTC by default.', Type.Optional(text('timeZone'))),
      }),
    ),
  ),
  remediations: Type.Optional(
    Type.Array(
      mapping({
        name: described('What the audit record calls it.', text('id')),
        matchers,
        when: ThresholdSchema,
        cooldown: described('How long it rests after it has acted.', Type.Optional(text('delay'))),
        dry_run: described('Whether it is only written down.', flag),
        webhook: mapping(WebhookSchema, { exactlyOneOf: ['url', 'url_file'] }),
      }),
    ),
  ),
  delivery_timeout: described('How long a receiver may take to answer; 10s by default.', Type.Optional(text('timer'))),
});

export type AlertingFile = Static<typeof AlertingSchema>;
export type ReceiverFile = Static<typeof ReceiverSchema>;
