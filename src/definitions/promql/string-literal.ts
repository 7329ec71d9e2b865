import { shown } from '../problem.ts';
import { PromqlError } from './syntax.ts';

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};
const NUMERIC_ESCAPE = /(?:([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of a Go string literal: `"…"`, `'…'` with escapes, or between back-quotes as it stands. */
export function unquote(text: string, from: number, to: number): string {
  const quote = text[from]!;
  const end = to - 1;
  if (end <= from || text[end] !== quote) throw new PromqlError(from, 'the string is not closed');
  const body = text.slice(from + 1, end);
  if (quote === '`' || !/[\\\n]/.test(body)) return body;
  const bytes: number[] = [];
  let i = from + 1;
  while (i < end) {
    if (text[i] === '\n') throw new PromqlError(i, 'a line break in a string is written \\n');
    if (text[i] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(i)!);
      bytes.push(...encoder.encode(character));
      i += character.length;
      continue;
    }
    const [encoded, length] = escapeAt(text, i, quote);
    bytes.push(...encoded);
    i += length;
  }
  try {
    return utf8.decode(Uint8Array.from(bytes));
  } catch {
    throw new PromqlError(from, 'the string is not UTF-8');
  }
}

/** The bytes of an escape, and its length in the text. `\x` and octal escapes are bytes, not characters, as in Go. */
function escapeAt(text: string, at: number, quote: string): [bytes: Iterable<number>, length: number] {
  const letter = text[at + 1]!;
  const simple = letter === quote ? quote : SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return [encoder.encode(simple), 2];
  NUMERIC_ESCAPE.lastIndex = at + 1;
  const match = NUMERIC_ESCAPE.exec(text);
  if (match !== null) {
    const [all, octal, hex, short, long] = match;
    const code = Number.parseInt(octal ?? hex ?? short ?? long!, octal === undefined ? 16 : 8);
    if (octal !== undefined || hex !== undefined) {
      if (code <= 0xff) return [[code], all.length + 1];
    } else if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) {
      return [encoder.encode(String.fromCodePoint(code)), all.length + 1];
    }
  }
  throw new PromqlError(at, `unknown escape ${shown(text.slice(at, at + 2))} in a string`);
}
