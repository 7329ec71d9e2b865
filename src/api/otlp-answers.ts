import type { OtlpEncoding } from '../ingest/otlp-receive.ts';
import { LENGTH_DELIMITED, VARINT } from '../ingest/wire.ts';
import { WireWriter } from '../ingest/wire-writer.ts';
import type { ApiError } from './errors.ts';
import type { PartialSuccess } from './otlp.ts';

/** What an OTLP sender is answered: an ExportMetricsServiceResponse or a google.rpc.Status, in the encoding of its request. */

/** Codes of gRPC. */
export const INVALID_ARGUMENT = 3;
export const RESOURCE_EXHAUSTED = 8;
export const UNIMPLEMENTED = 12;
export const INTERNAL = 13;
export const UNAVAILABLE = 14;

export const RETRY_AFTER_SECONDS = 5;
const MESSAGE_BYTES_MAX = 1024;
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo';

const CODES = new Map([
  [405, UNIMPLEMENTED],
  [413, RESOURCE_EXHAUSTED],
  [503, UNAVAILABLE],
]);

/** What can be retried is UNAVAILABLE, and nothing else is. */
export function grpcCode({ status }: ApiError): number {
  return CODES.get(status) ?? (status >= 500 ? INTERNAL : INVALID_ARGUMENT);
}

export function statusMessage({ code, message }: ApiError): string {
  return cut(`${code}: ${message}`);
}

/** Nothing at all when everything was applied: `partial_success` must then not be set. */
export function exportResponse(partial: PartialSuccess | null, encoding: OtlpEncoding): Uint8Array {
  if (encoding === 'json') {
    const partialSuccess = partial && {
      rejectedDataPoints: String(partial.rejectedDataPoints),
      errorMessage: cut(partial.errorMessage),
    };
    return Buffer.from(JSON.stringify(partialSuccess === null ? {} : { partialSuccess }));
  }
  const writer = new WireWriter();
  if (partial === null) return writer.finish();
  const mark = message(writer, 1);
  varint(writer, 1, partial.rejectedDataPoints);
  text(writer, 2, cut(partial.errorMessage));
  writer.end(mark);
  return writer.finish();
}

export function errorStatus(error: ApiError, encoding: OtlpEncoding): Uint8Array {
  const code = grpcCode(error);
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message: statusMessage(error) }));
  const writer = new WireWriter();
  varint(writer, 1, code);
  text(writer, 2, statusMessage(error));
  return writer.finish();
}

/** A Status that says when to come again, for the trailer `grpc-status-details-bin`. */
export function retryStatus(error: ApiError): Uint8Array {
  const writer = new WireWriter();
  writer.raw(errorStatus(error, 'protobuf'));
  const any = message(writer, 3);
  text(writer, 1, RETRY_INFO);
  const retryInfo = message(writer, 2);
  const delay = message(writer, 1);
  varint(writer, 1, RETRY_AFTER_SECONDS);
  writer.end(delay);
  writer.end(retryInfo);
  writer.end(any);
  return writer.finish();
}

function message(writer: WireWriter, number: number): number {
  writer.tag(number, LENGTH_DELIMITED);
  return writer.begin();
}

function varint(writer: WireWriter, number: number, value: number): void {
  writer.tag(number, VARINT);
  writer.varint(value, Math.floor(value / 2 ** 32));
}

function text(writer: WireWriter, number: number, value: string): void {
  writer.tag(number, LENGTH_DELIMITED);
  writer.text(value);
}

/** A message of a length that every sender shows, cut between two characters. */
function cut(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MESSAGE_BYTES_MAX) return text;
  let end = MESSAGE_BYTES_MAX;
  while ((bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString();
}
