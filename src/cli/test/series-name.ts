import { shown } from '../../definitions/problem.ts';
import { NotationError } from './number-notation.ts';

/**
 * The `series` of a scenario, in PromQL's notation: `name{a="b"}`, and `{"any name", "any label"="b"}` for names beyond
 * the classic ones. Only equality makes sense here, so this is not the selector reader of the definitions.
 */

export type LabelPair = readonly [name: string, value: string];

const SPACE = /\s*/y;
const METRIC = /[A-Za-z_:][A-Za-z0-9_:]*/y;
const LABEL = /[A-Za-z_][A-Za-z0-9_]*/y;
const STRING = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/y;
const ESCAPE = /\\(?:([abfnrtv\\'"])|x([0-7][0-9a-fA-F])|([01][0-7]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/g;
const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** The labels, `__name__` among them; throws `NotationError` at the first character that does not fit. */
export function readSeriesName(text: string): LabelPair[] {
  const labels = new Map<string, string>();
  let at = 0;

  const take = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? '';
    at += found.length;
    return found;
  };
  const space = (): string => take(SPACE);
  const has = (char: string): boolean => {
    space();
    if (text[at] !== char) return false;
    at++;
    return true;
  };
  const expected = (what: string): never => {
    const got = at < text.length ? shown(text.slice(at)) : 'nothing';
    throw new NotationError(`must be ${what}, got ${got}`, at);
  };
  const set = (name: string, value: string, offset: number): void => {
    if (labels.has(name)) throw new NotationError(`the label ${name} is given twice`, offset);
    labels.set(name, value);
  };

  space();
  const metric = take(METRIC);
  if (metric !== '') set('__name__', metric, 0);
  if (has('{')) {
    while (!has('}')) {
      const start = at;
      const quotedName = take(STRING);
      const name = quotedName === '' ? take(LABEL) : unquoted(quotedName, start);
      if (name === '') expected('a label or }');
      if (has('=')) {
        space();
        const valueStart = at;
        const value = take(STRING);
        if (value === '') expected('a quoted value');
        set(name, unquoted(value, valueStart), start);
      } else if (quotedName !== '') set('__name__', name, start);
      else expected('=');
      if (!has(',') && text[at] !== '}') expected(', or }');
    }
  } else if (metric === '') expected('a series such as name{label="value"}');
  space();
  if (at < text.length) expected('the end of the series');
  if ((labels.get('__name__') ?? '') === '') throw new NotationError('must have a metric name', 0);
  return [...labels];
}

function unquoted(literal: string, offset: number): string {
  const inner = literal.slice(1, -1);
  if (literal[0] === '`') return inner;
  return inner.replace(ESCAPE, (_, plain, hex, octal, short, long, unknown, at: number) => {
    if (plain !== undefined) return ESCAPED[plain] ?? plain;
    const digits: string | undefined = hex ?? short ?? long;
    const code = digits === undefined ? Number.parseInt(octal, 8) : Number.parseInt(digits, 16);
    if (unknown !== undefined || !(code <= 0x10ffff)) throw new NotationError('unknown escape', offset + 1 + at);
    return String.fromCodePoint(code);
  });
}
