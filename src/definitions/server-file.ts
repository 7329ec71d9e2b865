import { type Static, Type } from 'typebox';
import type { Alerting } from '../engine/alerting.ts';
import { readAlerting } from './alerting.ts';
import { AlertingSchema } from './alerting-schema.ts';
import type { DefinitionDocument } from './document.ts';
import { Part } from './part.ts';
import { checkDocument, described, either, mapping, oneOf, text } from './schema.ts';
import type { SecretSource } from './secret.ts';

/** The server file: what `serve --config` reads. Flags and variables win over it, see config.ts. */

const count = Type.Optional(Type.Integer({ minimum: 1, range: 'at least 1' }));
const bytes = Type.Optional(text('size'));
const address = Type.Optional(text('address'));
const period = Type.Optional(text('duration'));
const labelName = Type.Optional(text('labelName'));
const timer = Type.Optional(text('timer'));

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const OtlpSchema = mapping({
  http: described('A port of its own for OTLP/HTTP, such as 127.0.0.1:4318.', address),
  grpc: described('A port for OTLP/gRPC, such as 127.0.0.1:4317.', address),
  promote_resource_attributes: described(
    'Keys of resource attributes that become labels.',
    Type.Optional(Type.Array(Type.String({ minLength: 1, range: 'the key of a resource attribute' }))),
  ),
});

const HaSchema = mapping({
  cluster_label: described('By default cluster.', labelName),
  replica_label: described('By default __replica__; it is taken off the series.', labelName),
  failover: described('Silence of the elected replica; 30s by default.', period),
});

const LogSchema = mapping({
  level: described('info by default.', Type.Optional(oneOf(...LOG_LEVELS))),
  format: Type.Optional(oneOf('json')),
});

const LimitsSchema = mapping({
  body_bytes: described('Of a request as it arrives; 32MiB by default.', bytes),
  decoded_bytes: described('Of a request, decompressed; 64MiB by default.', bytes),
  json_bytes: described('Of a request of OTLP in JSON; 16MiB by default.', bytes),
  series: described('All that are known; 2000000 by default.', count),
  series_per_request: described('100000 by default.', count),
  samples_per_request: described('1000000 by default.', count),
  symbols_per_request: described('Of remote write 2.0; 1000000 by default.', count),
  labels: described('Of a series; 64 by default.', count),
  label_name_bytes: described('1024 by default.', bytes),
  label_value_bytes: described('4096 by default.', bytes),
  histogram_buckets: described('Of a native or exponential histogram; 4096 by default.', count),
  connections: described('1024 by default.', count),
  journal_queue_bytes: described('Accepted and not yet on disk; 64MiB by default.', bytes),
  inflight_bytes: described('Of all requests that are not answered yet; 256MiB by default.', bytes),
  event_loop_delay: described('How long a request may wait for its turn; 1s by default.', period),
  head_timeout: described('For the head of a request to arrive; 10s by default.', timer),
  idle_timeout: described('After which a connection without a request is closed; 150s by default.', timer),
  sending_bytes_per_second: described('A body that brings in less is cut off; 1KiB by default.', bytes),
  sending_period: described('How long a body has to bring it in; 5s by default.', timer),
  gunzips: described('Bodies that are decompressed at a time; 4 by default.', count),
  outbox_notifications: described('That wait for one receiver; 10000 by default.', count),
  alert_history: described('Alerts that are over and kept; 100000 by default.', count),
  silences: described('1000 by default.', count),
});

export const ServerSchema = mapping(
  {
    listen: described('HOST:PORT of the HTTP server; 127.0.0.1:9490 by default.', address),
    data: described(
      'Folder for all state; ./data by default.',
      Type.Optional(Type.String({ minLength: 1, range: 'a folder' })),
    ),
    slos: described(
      'Definition files, folders and globs, relative to this file.',
      Type.Optional(Type.Array(Type.String({ minLength: 1, range: 'a file, a folder or a glob' }))),
    ),
    evaluation_interval: described('How often alerts are judged; 10s by default.', timer),
    settle: described('Time that a scrape gets to arrive completely; 5s by default.', Type.Optional(text('delay'))),
    stale_after: described('Silence after which an SLO has no data; 5m by default.', period),
    snapshot_interval: described('How often the state is saved as a whole; 5m by default.', timer),
    sloth_period: described(
      'Window of Sloth SLOs, whose files have none; 30d by default.',
      Type.Optional(text('rollingWindow')),
    ),
    otlp: described('Ports of OTLP, beside POST /v1/metrics.', Type.Optional(OtlpSchema)),
    ha: described(
      'By which labels two Prometheus servers of one cluster are told apart, or off.',
      Type.Optional(either('object', HaSchema, oneOf('off'))),
    ),
    log: Type.Optional(LogSchema),
    limits: described('What is larger is refused.', Type.Optional(LimitsSchema)),
    alerting: described('Receivers and routes.', Type.Optional(AlertingSchema)),
  },
  { title: 'Settings of a server' },
);
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
