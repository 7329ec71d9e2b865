import { IngestError } from './errors.ts';
import { type Field, METRICS_REQUEST, type MessageType, type Scalar } from './otlp-fields.ts';
import { LENGTH_DELIMITED } from './wire.ts';
import { WireWriter } from './wire-writer.ts';

/**
 * OTLP's JSON to OTLP's protobuf, so that everything behind it reads one format: the same request has the same effect in both.
 */

const DEPTH_MAX = 100;
const TWO_32 = 2 ** 32;
const TEMPORALITIES = new Map([
  ['AGGREGATION_TEMPORALITY_UNSPECIFIED', 0],
  ['AGGREGATION_TEMPORALITY_DELTA', 1],
  ['AGGREGATION_TEMPORALITY_CUMULATIVE', 2],
]);

const decoder = new TextDecoder('utf-8', { fatal: true });

function malformed(what: string): never {
  throw new IngestError('malformed_json', `malformed JSON: ${what}`);
}

export function protobufOfJson(body: Uint8Array): Uint8Array<ArrayBuffer> {
  checkDepth(body);
  const writer = new WireWriter();
  new Translator(writer).message(METRICS_REQUEST, parsed(body));
  return writer.finish();
}

/** JSON.parse needs a second for two million brackets one inside the other. */
export function checkDepth(body: Uint8Array): void {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!;
    if (inText) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) {
      inText = true;
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > DEPTH_MAX) malformed(`nested more than ${DEPTH_MAX} deep`);
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
}

function parsed(body: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(body);
  } catch {
    malformed('it is not UTF-8');
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    malformed((error as Error).message);
  }
}

class Translator {
  readonly #writer: WireWriter;
  /** Where the value stands that is translated. */
  readonly #path: (string | number)[] = [];

  constructor(writer: WireWriter) {
    this.#writer = writer;
  }

  message(type: MessageType, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.#refuse('must be an object', value);
    for (const [name, inner] of Object.entries(value)) {
      const field = type.byName.get(name);
      // null is absent, and what is unknown is for somebody else.
      if (field === undefined || inner === null) continue;
      this.#path.push(name);
      if (field.repeated) this.#list(field, inner);
      else this.#field(field, inner);
      this.#path.pop();
    }
  }

  #list(field: Field, value: unknown): void {
    if (!Array.isArray(value)) this.#refuse('must be an array', value);
    if (field.message === null) {
      this.#writer.tag(field.number, LENGTH_DELIMITED);
      const mark = this.#writer.begin();
      this.#each(value, (inner) => this.#scalar(field.scalar!, inner));
      this.#writer.end(mark);
      return;
    }
    this.#each(value, (inner) => this.#field(field, inner));
  }

  #each(values: readonly unknown[], write: (value: unknown) => void): void {
    for (let i = 0; i < values.length; i++) {
      this.#path.push(i);
      write(values[i]);
      this.#path.pop();
    }
  }

  #field({ number, wireType, message, scalar }: Field, value: unknown): void {
    this.#writer.tag(number, wireType);
    if (message === null) {
      this.#scalar(scalar!, value);
      return;
    }
    const mark = this.#writer.begin();
    this.message(message, value);
    this.#writer.end(mark);
  }

  #scalar(scalar: Scalar, value: unknown): void {
    const writer = this.#writer;
    switch (scalar) {
      case 'string':
        if (typeof value !== 'string') this.#refuse('must be a string', value);
        writer.text(value);
        break;
      case 'bytes':
        if (typeof value !== 'string') this.#refuse('must be base64', value);
        writer.delimited(Buffer.from(value, 'base64'));
        break;
      case 'bool':
        if (typeof value !== 'boolean') this.#refuse('must be true or false', value);
        writer.varint(value ? 1 : 0, 0);
        break;
      case 'double':
        writer.double(this.#double(value));
        break;
      case 'temporality': {
        const number = typeof value === 'string' ? TEMPORALITIES.get(value) : undefined;
        const [lo] = this.#halves(number ?? value, false, 32);
        writer.varint(lo, 0);
        break;
      }
      case 'uint32':
        writer.varint(this.#halves(value, false, 32)[0], 0);
        break;
      case 'sint32': {
        const number = this.#halves(value, true, 32)[0] | 0;
        writer.varint((number << 1) ^ (number >> 31), 0);
        break;
      }
      case 'int64':
        writer.varint(...this.#halves(value, true, 64));
        break;
      case 'uint64':
        writer.varint(...this.#halves(value, false, 64));
        break;
      case 'sfixed64':
        writer.fixed64(...this.#halves(value, true, 64));
        break;
      case 'fixed64':
        writer.fixed64(...this.#halves(value, false, 64));
        break;
      case 'nanos':
        writer.fixed64(...this.#halves(wholeMicros(value), false, 64));
        break;
    }
  }

  #double(value: unknown): number {
    if (typeof value === 'number') return value;
    if (typeof value !== 'string' || value.trim() === '') this.#refuse('must be a number', value);
    const number = Number(value);
    if (Number.isNaN(number) && value !== 'NaN') this.#refuse('must be a number', value);
    return number;
  }

  /** A whole number, given as a number or in decimal digits, as two halves; a negative one as its two's complement. */
  #halves(value: unknown, signed: boolean, bits: 32 | 64): [lo: number, hi: number] {
    const text = typeof value === 'number' ? wholeDigits(value) : value;
    if (typeof text !== 'string' || !/^-?\d{1,20}$/.test(text)) this.#refuse('must be a whole number', value);
    const negative = text.startsWith('-');
    let lo = 0;
    let hi = 0;
    for (let i = negative ? 1 : 0; i < text.length; i++) {
      const next = lo * 10 + text.charCodeAt(i) - 0x30;
      const carry = Math.floor(next / TWO_32);
      lo = next - carry * TWO_32;
      hi = hi * 10 + carry;
    }
    const magnitude = hi * TWO_32 + lo;
    const top = bits === 32 ? magnitude : hi;
    const isSmallest = negative && top === TWO_32 / 2 && (bits === 32 || lo === 0);
    if (top >= (signed ? TWO_32 / 2 : TWO_32) && !isSmallest) this.#refuse(`has more than ${bits} bits`, value);
    if (!negative) return [lo, hi];
    if (!signed && magnitude > 0) this.#refuse('must not be negative', value);
    const complement = (~lo + 1) >>> 0;
    return [complement, (complement === 0 ? ~hi + 1 : ~hi) >>> 0];
  }

  #refuse(must: string, value: unknown): never {
    const path = this.#path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
    const got = JSON.stringify(value)?.slice(0, 40) ?? 'nothing';
    malformed(`${path.slice(1) || 'it'} ${must}, got ${got}`);
  }
}

/** The digits of a whole number, all of those that the double has; null when it is none. */
function wholeDigits(value: number): string | null {
  if (!Number.isInteger(value)) return null;
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/**
 * Nanoseconds written as a bare number have lost some of their digits, up to 128 ns today: what is left is good for whole
 * microseconds, and start and time are compared as such.
 */
function wholeMicros(value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= Number.MAX_SAFE_INTEGER) return value;
  return `${wholeDigits(Math.round(value / 1000))}000`;
}
