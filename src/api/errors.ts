/**
 * The error catalogue: every code a client can be answered with. `{name}` in a message is filled in. The status tells a
 * sender whether a retry can help: 4xx never, 503 (with Retry-After) always. docs/errors.md is the same table.
 */

export interface ErrorEntry {
  readonly status: number;
  readonly message: string;
  readonly remedy: string;
}

export const ERRORS = {
  // Reading
  missing_parameter: {
    status: 400,
    message: 'the query parameter {name} is required',
    remedy: 'Add the parameter to the URL.',
  },
  unknown_parameter: {
    status: 400,
    message: 'there is no query parameter {name} here; there are {known}',
    remedy: 'Check the spelling. Unknown parameters are refused so that a misspelt filter cannot answer for all SLOs.',
  },
  repeated_parameter: {
    status: 400,
    message: 'the query parameter {name} may be given once',
    remedy: 'Ask once for each value.',
  },
  bad_parameter: {
    status: 400,
    message: 'the query parameter {name} must be {expected}, got "{got}"',
    remedy: 'Correct the value.',
  },
  bad_request: {
    status: 400,
    message: '{detail}',
    remedy: 'The request is not valid HTTP or not a valid URL; correct it as the message says.',
  },
  too_many_points: {
    status: 400,
    message: 'the answer would have {points} points and may have {limit}: ask for a longer step or a shorter time',
    remedy: 'Leave `step` out for about 300 points, or ask for a shorter time.',
  },
  not_grouped: {
    status: 400,
    message: 'the SLO {id} is not grouped: ask without group',
    remedy: 'Leave the parameter out, or give the SLO a `groupBy`.',
  },
  headers_too_large: {
    status: 431,
    message: 'the request headers are too large',
    remedy: 'Shorten the URL or the headers; together they may have 16 KiB.',
  },
  slo_not_found: {
    status: 404,
    message: 'there is no SLO {id}',
    remedy: '`GET /api/v1/slos` lists those that there are; an id is `service/name`, as `slipstream check` prints it.',
  },
  group_not_found: {
    status: 404,
    message: 'the SLO {id} has no group {group}',
    remedy: 'A group exists from the first sample with its labels; ask without `group` for all of them.',
  },
  service_not_found: {
    status: 404,
    message: 'there is no service {service}',
    remedy: '`GET /api/v1/slos` lists the SLOs of all services that there are.',
  },
  override_not_found: {
    status: 404,
    message: 'there is no override {id}',
    remedy: '`GET /api/v1/gate/overrides` lists them with their ids.',
  },
  silence_not_found: {
    status: 404,
    message: 'there is no silence {id}',
    remedy: '`GET /api/v1/silences` lists those that there are; one is forgotten five days after its end.',
  },
  not_found: {
    status: 404,
    message: 'there is nothing at {path}',
    remedy: 'Check the path.',
  },
  method_not_allowed: {
    status: 405,
    message: '{path} takes {allowed}, not {method}',
    remedy: 'Use a method that the header `Allow` names.',
  },
  internal: {
    status: 500,
    message: 'a bug in Slipstream: the log says more',
    remedy: 'Please report it with the log line of the same time.',
  },

  // Alerts
  invalid_silence: {
    status: 400,
    message: '{detail}',
    remedy: 'Correct what the message names; docs/alerting.md has an example.',
  },
  too_many_silences: {
    status: 409,
    message: 'there are {count} silences, as many as there may be',
    remedy:
      'Let one silence with a regular expression stand for several, or raise `limits.silences` in the server file.',
  },

  // Writing: what can never succeed, and is answered so that the sender drops it and goes on
  unsupported_media_type: {
    status: 415,
    message: 'the content type {got} is not read here: send application/x-protobuf, remote write 1.0 or 2.0',
    remedy:
      'Send Prometheus remote write to this path: `prometheus.WriteRequest` or `io.prometheus.write.v2.Request`, which is what ' +
      '`protobuf_message` in the `remote_write` section may be.',
  },
  unsupported_encoding: {
    status: 415,
    message: 'the content encoding {got} is not read here: send snappy (block format)',
    remedy: 'Compress the body with snappy in its block format, as remote write demands.',
  },
  unsupported_otlp_type: {
    status: 415,
    message: 'the content type {got} is not read here: send application/x-protobuf or application/json, OTLP metrics',
    remedy:
      'Set the protocol of the exporter to `http/protobuf` or `http/json`; gRPC has a port of its own (`otlp.grpc`).',
  },
  unsupported_otlp_encoding: {
    status: 415,
    message: 'the content encoding {got} is not read here: send gzip, or no compression',
    remedy: 'Set the compression of the exporter to `gzip` or `none`.',
  },
  malformed_gzip: {
    status: 400,
    message: '{detail}',
    remedy: 'The body is not gzip, or was damaged on its way: look for a proxy that rewrites bodies.',
  },
  malformed_json: {
    status: 400,
    message: '{detail}',
    remedy: "The body is not JSON, or to an OTLP path not OTLP's: look at what the sender is configured to send.",
  },
  empty_body: {
    status: 400,
    message: 'the body is empty; a write request without series is the single byte 00',
    remedy: 'Look for a proxy that drops request bodies.',
  },
  body_too_large: {
    status: 413,
    message: 'the body has more than {limit} bytes',
    remedy: 'Lower `max_samples_per_send` of the sender, or raise `limits.body_bytes` in the server file.',
  },
  decoded_too_large: {
    status: 413,
    message: '{detail}',
    remedy: 'Lower `max_samples_per_send` of the sender, or raise `limits.decoded_bytes` in the server file.',
  },
  too_many_series: {
    status: 413,
    message: '{detail}',
    remedy: 'Lower `max_samples_per_send` of the sender, or raise `limits.series_per_request` in the server file.',
  },
  too_many_samples: {
    status: 413,
    message: '{detail}',
    remedy: 'Lower `max_samples_per_send` of the sender, or raise `limits.samples_per_request` in the server file.',
  },
  too_many_symbols: {
    status: 413,
    message: '{detail}',
    remedy: 'Lower `max_samples_per_send` of the sender, or raise `limits.symbols_per_request` in the server file.',
  },
  malformed_snappy: {
    status: 400,
    message: '{detail}',
    remedy: 'The body is not snappy in block format, or was damaged on its way: look for a proxy that rewrites bodies.',
  },
  malformed_protobuf: {
    status: 400,
    message: '{detail}',
    remedy:
      'The body is not the message that its content type promises: look at what the sender is configured to send.',
  },
  unreadable_body: {
    status: 400,
    message: 'a bug in Slipstream: the body could not be read; the log says more',
    remedy: 'Please report it with the log line of the same time. Nothing of the request was applied.',
  },
  samples_rejected: {
    status: 400,
    message: '{detail}',
    remedy: 'The reasons are explained below. All other samples of the request were applied.',
  },

  not_json: {
    status: 415,
    message: 'the content type {got} is not read here: send application/json',
    remedy: 'Set the header `Content-Type: application/json`.',
  },
  invalid_events: {
    status: 400,
    message: '{detail}',
    remedy: 'Correct what the message names; nothing of the request was applied.',
  },

  invalid_files: {
    status: 422,
    message: '{problems}',
    remedy:
      'Correct what is said of each file; `slipstream check` says the same. The SLOs that run are those of before.',
  },

  // Documents: gate policies, and what else comes as JSON or YAML
  invalid_document: {
    status: 400,
    message: '{problems}',
    remedy:
      'Correct what stands at that line and column of the body; each line of the message is a problem of its own.',
  },
  document_too_large: {
    status: 413,
    message: 'the body has more than {limit} bytes',
    remedy: 'Nothing that this path takes is so large: look at what is sent.',
  },

  // What a retry helps with
  not_ready: {
    status: 503,
    message: 'the state is being recovered; try again',
    remedy: 'Wait; `/-/ready` answers 200 when it is done.',
  },
  shutting_down: {
    status: 503,
    message: 'the server is shutting down; try again',
    remedy: 'Wait until it is up again. Prometheus keeps what it could not send and sends it then.',
  },
  backlog_full: {
    status: 503,
    message: 'the journal has {queued} bytes waiting, more than {limit}; try again',
    remedy: 'The disk does not keep up or is full: see `slipstream_journal_commit_failures_total` and the log.',
  },
  overloaded: {
    status: 503,
    message: '{detail}; try again',
    remedy:
      'The server has more to do than it can: see `slipstream_requests_shed_total`. Send less (`slipstream relabel`), in fewer ' +
      'shards, or raise `limits.inflight_bytes` or `limits.event_loop_delay` in the server file.',
  },
  commit_failed: {
    status: 503,
    message: '{detail}; try again',
    remedy:
      'Look at the disk of the data directory: it may be full or read-only. Sending again is harmless, of pushed events if ' +
      'they have an `id`.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly status: number;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
    this.status = ERRORS[code].status;
  }
}

export function errorMessage(code: ErrorCode, values: Readonly<Record<string, string | number>>): string {
  return ERRORS[code].message.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`BUG: the message of ${code} needs ${name}`);
    return String(value);
  });
}

export function apiError(code: ErrorCode, values: Readonly<Record<string, string | number>> = {}): ApiError {
  return new ApiError(code, errorMessage(code, values));
}

export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

export function errorBody({ code, message }: ApiError): ErrorBody {
  return { error: { code, message } };
}
