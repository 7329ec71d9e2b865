/** Why a whole request is refused. Nothing of it was applied, and sending it again cannot help. */
export type IngestErrorCode =
  | 'body_too_large'
  | 'decoded_too_large'
  | 'malformed_snappy'
  | 'malformed_protobuf'
  | 'malformed_json'
  | 'too_many_series'
  | 'too_many_samples'
  | 'too_many_symbols'
  | 'unsupported_media_type'
  | 'unsupported_encoding';

export class IngestError extends Error {
  readonly code: IngestErrorCode;

  constructor(code: IngestErrorCode, message: string) {
    super(message);
    this.name = 'IngestError';
    this.code = code;
  }
}
