import { type Static, type TSchema, Type } from 'typebox';
import { STANDARD_WINDOWS } from '../engine/windows.ts';
import { mapping, oneOf, text } from './schema.ts';

/** The alerting file, as it is written. */

const words = (what: string) => Type.String({ minLength: 1, range: what });
const flag = Type.Optional(Type.Boolean());
const secret = (what: string) => Type.Optional(words(what));
const matchers = Type.Optional(Type.Array(text('labelMatcher')));
const url = Type.Optional(text('secretUrl'));

const WebhookSchema = {
  url,
  url_file: secret('a file'),
  secret: secret('a secret'),
  secret_file: secret('a file'),
};

const ReceiverSchema = mapping({
  name: words('a name'),
  webhook_configs: Type.Optional(
    Type.Array(mapping({ ...WebhookSchema, send_resolved: flag }, { exactlyOneOf: ['url', 'url_file'] })),
  ),
  pagerduty_configs: Type.Optional(
    Type.Array(
      mapping(
        { routing_key: secret('a routing key'), routing_key_file: secret('a file'), url, send_resolved: flag },
        { exactlyOneOf: ['routing_key', 'routing_key_file'] },
      ),
    ),
  ),
  slack_configs: Type.Optional(
    Type.Array(
      mapping(
        {
          api_url: url,
          api_url_file: secret('a file'),
          channel: Type.Optional(words('a channel')),
          send_resolved: flag,
        },
        { exactlyOneOf: ['api_url', 'api_url_file'] },
      ),
    ),
  ),
  email_configs: Type.Optional(
    Type.Array(
      mapping({
        to: words('an address'),
        from: words('an address'),
        smarthost: text('address'),
        auth_username: Type.Optional(words('a user')),
        auth_password: secret('a password'),
        auth_password_file: secret('a file'),
        require_tls: flag,
        send_resolved: flag,
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
    receiver: Type.Optional(words('the name of a receiver')),
    matchers,
    continue: flag,
    group_by: Type.Optional(Type.Array(words('the name of a label'))),
    group_wait: Type.Optional(text('delay')),
    group_interval: Type.Optional(text('duration')),
    repeat_interval: Type.Optional(text('duration')),
    ...(depth < ROUTE_DEPTH_MAX && { routes: Type.Optional(Type.Array(routeSchema(depth + 1))) }),
  });
}

const ThresholdSchema = mapping(
  {
    burn_rate: Type.Optional(Type.Number({ minimum: 0, range: 'at least 0' })),
    window: Type.Optional(oneOf(...STANDARD_WINDOWS.map((window) => window.text))),
    error_budget_remaining: Type.Optional(Type.Number({ maximum: 1, range: 'at most 1' })),
  },
  { exactlyOneOf: ['burn_rate', 'error_budget_remaining'] },
);

export const AlertingSchema = mapping({
  external_url: Type.Optional(text('httpUrl')),
  alertmanagers: Type.Optional(
    Type.Array(
      mapping({ urls: Type.Array(text('secretUrl'), { minItems: 1 }), resend_interval: Type.Optional(text('timer')) }),
    ),
  ),
  route: Type.Optional(Type.Unsafe<RouteFile>(routeSchema(0))),
  receivers: Type.Optional(Type.Array(ReceiverSchema)),
  no_data: Type.Optional(mapping({ severity: oneOf('page', 'ticket', 'critical', 'warning', 'none') })),
  maintenance: Type.Optional(
    Type.Array(
      mapping({
        name: words('a name'),
        matchers,
        start: text('localTime'),
        duration: text('duration'),
        rrule: Type.Optional(text('recurrence')),
        timezone: Type.Optional(text('timeZone')),
      }),
    ),
  ),
  remediations: Type.Optional(
    Type.Array(
      mapping({
        name: text('id'),
        matchers,
        when: ThresholdSchema,
        cooldown: Type.Optional(text('delay')),
        dry_run: flag,
        webhook: mapping(WebhookSchema, { exactlyOneOf: ['url', 'url_file'] }),
      }),
    ),
  ),
  delivery_timeout: Type.Optional(text('timer')),
});

export type AlertingFile = Static<typeof AlertingSchema>;
export type ReceiverFile = Static<typeof ReceiverSchema>;
