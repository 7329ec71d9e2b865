import { shown } from '../../definitions/problem.ts';

/** Numbers of promtool's notation, and what is said of text that is none. */

/** Text that is not in the notation; `offset` is the offending character's, from 0. */
export class NotationError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const OCTAL = /^0[0-7]+$/;

/** An unsigned number at `at`; `010` is octal, as promtool reads it. */
export function readNumber(text: string, at: number): { value: number; length: number } {
  const digits = matchAt(NUMBER, text, at);
  if (digits === '') throw new NotationError(`must be a number, got ${quoted(text, at)}`, at);
  const value = OCTAL.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  if (!Number.isFinite(value)) throw new NotationError(`the number ${digits} is out of range`, at);
  return { value, length: digits.length };
}

export function matchAt(pattern: RegExp, text: string, at: number): string {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0] ?? '';
}

/** What stands at `at`, up to the next white space, for a message. */
export function quoted(text: string, at: number): string {
  const rest = matchAt(/\S+/y, text, at);
  return rest === '' ? 'nothing' : shown(rest);
}
