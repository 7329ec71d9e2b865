import {
  BURN_RATE_PREFIX,
  COMPARISONS,
  type Comparison,
  type Condition,
  type Operand,
  VARIABLE_NAMES,
  type Variable,
} from '../engine/check.ts';
import { DAY_MS, parseDuration, SECOND_MS } from '../engine/duration.ts';
import type { CalendarUnit } from '../engine/slo.ts';
import { nearest, shown } from './problem.ts';
import type { Fault } from './promql/syntax.ts';

/**
 * Reads the `check` of a gate policy: `error_budget_remaining > 0.2 and (burn_rate_1h < 14.4 or alerts_firing == 0)`.
 * By the powers of its operators (Pratt): a comparison binds tighter than `and`, and `and` tighter than `or`.
 */

const LENGTH_MAX = 1000;
const DEPTH_MAX = 64;
const WINDOW_MAX_MS = 400 * DAY_MS;
const CALENDAR_UNITS: readonly string[] = ['week', 'month', 'quarter', 'year'] satisfies CalendarUnit[];

const TOKEN =
  /\s*(?:(?<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<word>[A-Za-z_]\w*)|(?<sign>[<>=!]=|[<>()])|$)/y;
/** What other languages write. */
const INSTEAD: Readonly<Record<string, string>> = {
  '=': 'write == to compare',
  '&': 'write and',
  '|': 'write or',
  '!': 'there is no negation: turn the comparison round',
  '%': 'write a fraction: 0.2 for 20%',
};

const POWERS: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  ...Object.fromEntries(Object.keys(COMPARISONS).map((sign) => [sign, 3])),
};

interface Token {
  readonly kind: 'number' | 'word' | 'sign' | 'end';
  readonly text: string;
  readonly at: number;
}

class CheckError extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** The condition, or the first thing wrong with the text. */
export function readCheck(text: string): Condition | Required<Fault> {
  if (text.length > LENGTH_MAX) return { message: `must have at most ${LENGTH_MAX} characters`, at: 0 };
  try {
    return new CheckReader(tokensOf(text)).read();
  } catch (error) {
    if (!(error instanceof CheckError)) throw error;
    return { message: error.message, at: error.at };
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let from = 0; ; ) {
    TOKEN.lastIndex = from;
    const match = TOKEN.exec(text);
    if (match === null) throw unexpected(text, from);
    const { number, word, sign } = match.groups!;
    const kind = number !== undefined ? 'number' : word !== undefined ? 'word' : sign !== undefined ? 'sign' : 'end';
    const token = number ?? word ?? sign ?? '';
    from = TOKEN.lastIndex;
    tokens.push({ kind, text: token, at: kind === 'end' ? text.trimEnd().length : from - token.length });
    if (kind === 'end') return tokens;
  }
}

function unexpected(text: string, from: number): CheckError {
  const at = from + text.slice(from).search(/\S/);
  const character = String.fromCodePoint(text.codePointAt(at)!);
  const instead = INSTEAD[character];
  return new CheckError(at, `unexpected ${shown(character)}${instead === undefined ? '' : `; ${instead}`}`);
}

class CheckReader {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  read(): Condition {
    const start = this.#peek();
    const read = this.#expression(0);
    const rest = this.#peek();
    if (rest.kind !== 'end') throw new CheckError(rest.at, `must be and, or or the end, got ${shown(rest.text)}`);
    return condition(read, start);
  }

  /** Up to the first operator that does not bind tighter than `power`. */
  #expression(power: number): Operand | Condition {
    const start = this.#peek();
    let left = this.#operand();
    for (;;) {
      const operator = this.#peek();
      const binding = POWERS[operator.text] ?? 0;
      if (binding <= power) return left;
      this.#next++;
      const rightStart = this.#peek();
      const right = this.#expression(binding);
      left =
        operator.text === 'and' || operator.text === 'or'
          ? joined(operator.text, condition(left, start), condition(right, rightStart))
          : {
              kind: 'comparison',
              op: operator.text as Comparison,
              left: operand(left, operator),
              right: operand(right, operator),
            };
    }
  }

  #operand(): Operand | Condition {
    const token = this.#tokens[this.#next++]!;
    if (token.kind === 'number') return { kind: 'number', value: Number(token.text) };
    if (token.kind === 'word' && POWERS[token.text] === undefined) return variable(token);
    if (token.text === '(') return this.#inParentheses(token);
    throw new CheckError(token.at, `must be a value such as ${VARIABLE_NAMES[0]} or 0.2, got ${shownToken(token)}`);
  }

  #inParentheses({ at }: Token): Operand | Condition {
    if (++this.#depth > DEPTH_MAX) throw new CheckError(at, `nested deeper than ${DEPTH_MAX} parentheses`);
    const inner = this.#expression(0);
    const end = this.#tokens[this.#next++]!;
    if (end.text !== ')') throw new CheckError(end.at, `must be ')', got ${shownToken(end)}`);
    this.#depth--;
    return inner;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }
}

function shownToken({ kind, text }: Token): string {
  return kind === 'end' ? 'the end' : shown(text);
}

function variable({ text, at }: Token): Variable {
  const name = VARIABLE_NAMES.find((known) => known === text);
  if (name !== undefined) return { kind: 'variable', name };
  if (text.startsWith(BURN_RATE_PREFIX)) return burnRate(text, at);
  const known = [...VARIABLE_NAMES, `${BURN_RATE_PREFIX}<window>`];
  const meant = nearest(text, [...known, 'and', 'or']);
  const hint = meant === null ? `there are ${known.join(', ')}` : `did you mean ${meant}?`;
  throw new CheckError(at, `there is no value ${shown(text)}; ${hint}`);
}

function burnRate(name: string, at: number): Variable {
  const text = name.slice(BURN_RATE_PREFIX.length);
  if (CALENDAR_UNITS.includes(text)) return { kind: 'burn rate', name, window: text as CalendarUnit };
  const window = parseDuration(text);
  const textAt = at + BURN_RATE_PREFIX.length;
  if (window === null) {
    throw new CheckError(
      textAt,
      `must be a window such as 1h or 3d, or ${CALENDAR_UNITS.join(', ')}, got ${shown(text)}`,
    );
  }
  if (window.ms >= SECOND_MS && window.ms <= WINDOW_MAX_MS) return { kind: 'burn rate', name, window };
  throw new CheckError(textAt, `must be a window of at least 1s and at most 400d, got ${shown(text)}`);
}

function isCondition(read: Operand | Condition): read is Condition {
  return read.kind === 'comparison' || read.kind === 'and' || read.kind === 'or';
}

function condition(read: Operand | Condition, { at }: Token): Condition {
  if (isCondition(read)) return read;
  throw new CheckError(at, `must be a comparison such as ${VARIABLE_NAMES[0]} > 0.2`);
}

function operand(read: Operand | Condition, { text, at }: Token): Operand {
  if (!isCondition(read)) return read;
  throw new CheckError(at, `${text} compares two values, and one side of it is a condition`);
}

/** A chain of the same word is one condition: how deep conditions are is how deep parentheses are. */
function joined(kind: 'and' | 'or', left: Condition, right: Condition): Condition {
  return { kind, terms: left.kind === kind ? [...left.terms, right] : [left, right] };
}
