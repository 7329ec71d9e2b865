import { type Static, Type } from 'typebox';
import type { Alerting } from '../engine/alerting.ts';
import { readAlerting } from './alerting.ts';
import { AlertingSchema } from './alerting-schema.ts';
import type { DefinitionDocument } from './document.ts';
import { Part } from './part.ts';
import { checkDocument, either, mapping, oneOf, text } from './schema.ts';
import type { SecretSource } from './secret.ts';

/** The server file: what `serve --config` reads. Flags and variables win over it, see config.ts. */

const count = Type.Optional(Type.Integer({ minimum: 1, range: 'at least 1' }));
const bytes = Type.Optional(text('size'));
const address = Type.Optional(text('address'));
const period = Type.Optional(text('duration'));
const timer = Type.Optional(text('timer'));

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const ServerSchema = mapping({
  listen: address,
  data: Type.Optional(Type.String({ minLength: 1, range: 'a folder' })),
  slos: Type.Optional(Type.Array(Type.String({ minLength: 1, range: 'a file, a folder or a glob' }))),
  evaluation_interval: timer,
  settle: Type.Optional(text('delay')),
  stale_after: period,
  snapshot_interval: timer,
  sloth_period: Type.Optional(text('rollingWindow')),
  otlp: Type.Optional(
    mapping({
      http: address,
      grpc: address,
      promote_resource_attributes: Type.Optional(
        Type.Array(Type.String({ minLength: 1, range: 'the key of a resource attribute' })),
      ),
    }),
  ),
  ha: Type.Optional(
    either(
      'object',
      mapping({
        cluster_label: Type.Optional(text('labelName')),
        replica_label: Type.Optional(text('labelName')),
        failover: period,
      }),
      oneOf('off'),
    ),
  ),
  log: Type.Optional(mapping({ level: Type.Optional(oneOf(...LOG_LEVELS)), format: Type.Optional(oneOf('json')) })),
  limits: Type.Optional(
    mapping({
      body_bytes: bytes,
      decoded_bytes: bytes,
      json_bytes: bytes,
      series: count,
      series_per_request: count,
      samples_per_request: count,
      symbols_per_request: count,
      labels: count,
      label_name_bytes: bytes,
      label_value_bytes: bytes,
      histogram_buckets: count,
      connections: count,
      journal_queue_bytes: bytes,
      inflight_bytes: bytes,
      event_loop_delay: period,
      head_timeout: timer,
      idle_timeout: timer,
      sending_bytes_per_second: bytes,
      sending_period: timer,
      gunzips: count,
      outbox_notifications: count,
      alert_history: count,
      silences: count,
    }),
  ),
  /** Receivers and routes. */
  alerting: Type.Optional(AlertingSchema),
});
export type ServerFile = Static<typeof ServerSchema>;

export const SERVER_KEYS = Object.keys(ServerSchema.properties);

export interface ReadServerFile {
  readonly file: ServerFile;
  /** Null without `alerting`, and when something is wrong with it. */
  readonly alerting: Alerting | null;
}

export function readServerFile(document: DefinitionDocument, secrets: SecretSource | null): ReadServerFile {
  const checked = checkDocument(ServerSchema, document);
  const alerting = Part.whole(checked).at('alerting');
  return { file: checked.value, alerting: alerting === null ? null : readAlerting(alerting, secrets) };
}
