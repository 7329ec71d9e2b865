import { expect, test } from 'vitest';
import { isFault, readSelector } from '../../src/definitions/selector.ts';
import type { Matcher } from '../../src/engine/slo.ts';

function matchers(text: string): readonly Matcher[] {
  const read = readSelector(text);
  if (isFault(read)) throw new Error(`${text}: ${read.message}`);
  return read.matchers;
}

function parts(text: string): string[] {
  return matchers(text).map(({ name, op, value }) => `${name} ${op} ${value}`);
}

test('a vector selector is its matchers, the metric name one among them', () => {
  const f = (text: string, ...expected: string[]): void => expect(parts(text), text).toEqual(expected);
  f('up', '__name__ = up');
  f('job:errors:rate5m', '__name__ = job:errors:rate5m');
  f('up{}', '__name__ = up');
  f('up{a="b",c!="d",e=~"f|g",h!~"i",}', '__name__ = up', 'a = b', 'c != d', 'e =~ f|g', 'h !~ i');
  f('{__name__="up"}', '__name__ = up');
  f('{__name__=~"a.+", __name__!="ab"}', '__name__ =~ a.+', '__name__ != ab');
  f('{"http.requests", "a.b"="c"}', '__name__ = http.requests', 'a.b = c');
  f('up{"a.b"=~"c"}', '__name__ = up', 'a.b =~ c');
  f('  up # a comment', '__name__ = up');
  f('sum{by="x"}', '__name__ = sum', 'by = x');
});

test('strings have three kinds of quotes and the escapes of Go', () => {
  const f = (literal: string, value: string): void =>
    expect(matchers(`x{a=${literal}}`)[1]!.value, literal).toBe(value);
  f(String.raw`"b\"c"`, 'b"c');
  f(String.raw`'b\'c"'`, `b'c"`);
  f('`b\\d"`', 'b\\d"');
  f(String.raw`"\a\b\f\n\r\t\v\\"`, '\x07\b\f\n\r\t\v\\');
  f(String.raw`"\u00e9\U0001F600\xc3\xa9\303\251"`, 'é😀éé');
});

test('regular expressions are RE2, anchored at both ends, and the dot matches a newline', () => {
  const f = (matcher: string, value: string, expected: boolean): void =>
    expect(matchers(`x{a${matcher}}`)[1]!.matches(value), `${matcher} ${value}`).toBe(expected);
  f('=~"5.."', '503', true);
  f('=~"5.."', '5030', false);
  f('=~"5.."', '1503', false);
  f('=~"a|ab"', 'ab', true);
  f('=~"a.b"', 'a\nb', true);
  f('=~"(?i)ERR"', 'err', true);
  f('=~""', '', true);
  f('!~"5.."', '503', false);
  f('!~"5.."', '', true);
  f('!="b"', 'b', false);
  f('!="b"', '', true);
});

test('le compares as a number', () => {
  const f = (matcher: string, value: string, expected: boolean): void =>
    expect(matchers(`x{${matcher}}`)[1]!.matches(value), `${matcher} ${value}`).toBe(expected);
  f('le="0.3"', '0.30', true);
  f('le="1"', '1.0', true);
  f('le="1.0"', '1', true);
  f('le="1"', '1e0', true);
  f('le="+Inf"', 'Inf', true);
  f('le="+Inf"', '-Inf', false);
  f('le="1"', '2', false);
  f('le="1"', '', false);
  f('le!="1"', '1.0', false);
  f('le=""', '', true);
  f('lex="1"', '1.0', false);
});

test('what is no selector is refused at its character, saying what to write', () => {
  const f = (text: string, at: number, message: string): void =>
    expect(readSelector(text), text).toEqual({ at, message });
  f('', 0, 'the selector is empty');
  f('rate(x{a="b"}[5m])', 0, 'a function is not a selector: rates are computed here; write x{a="b"}');
  f('sum(x)', 0, 'an aggregation is not a selector: all series that match are added up here; write x');
  f('x{a="b"}[5m]', 8, 'a range is not part of a selector: the SLO has its windows; write x{a="b"}');
  f('x[5m:1m]', 1, 'a range is not part of a selector: the SLO has its windows; write x');
  f('x offset 5m', 2, 'offset cannot be used on a stream; write x');
  f('x @ 100', 2, '@ cannot be used on a stream; write x');
  f(
    'x / y',
    2,
    'an expression of several terms is not a selector: give the good or bad events and the total, each as a selector',
  );
  f('"up"', 0, 'a quoted metric name stands in braces; write {"up"}');
  f('-x', 0, 'this is not a selector; write it like http_requests_total{job="api"}; write x');
  f('x{a="b"', 7, 'the selector ends too early');
  f('x{a=b}', 4, "unexpected 'b' in the selector");
  f('x{a="b" c="d"}', 8, "unexpected 'c' in the selector");
  f('x y', 2, "unexpected 'y' in the selector");
  f('$x', 0, "unexpected '$' in the selector");
  f('x{__name__="y"}', 2, 'the metric name is given twice');
  f('x{"y"}', 2, 'the metric name is given twice');
  f('{""}', 1, 'a name must not be empty');
  f(String.raw`x{a="\q"}`, 5, String.raw`unknown escape '\q' in a string`);
  f(String.raw`x{a="\xff"}`, 4, 'the string is not UTF-8');
});

test('a selector needs a matcher that excludes the empty string', () => {
  const f = (text: string): void =>
    expect(readSelector(text), text).toEqual({
      at: 0,
      message: 'the selector matches every series: it needs a metric name or a matcher that excludes the empty string',
    });
  f('{}');
  f('{a=""}');
  f('{a!="b"}');
  f('{a=~".*"}');
  f('{a!~"b"}');
  expect(parts('{a=~".+"}')).toEqual(['a =~ .+']);
  expect(parts('{a!=""}')).toEqual(['a != ']);
});

test('a regular expression that is none is refused where it goes wrong', () => {
  const f = (text: string, at: number, message: string): void =>
    expect(readSelector(text), text).toEqual({ at, message: `invalid regular expression: ${message}` });
  f('x{a=~"b(?=c)"}', 7, 'invalid or unsupported Perl syntax: `(?=`');
  f('x{a=~"b**"}', 7, 'invalid nested repetition operator: `**`');
  f('x{a=~"(b"}', 7, 'missing closing ): `(b`');
  f(String.raw`x{a=~'\\d[z-a]'}`, 5, 'invalid character class range: `z-a`');
  expect(readSelector(`x{a=~"${'(b{900})'.repeat(20)}"}`)).toEqual({
    at: 6,
    message: 'the regular expression expands to more than 10000 characters',
  });
  const quantified = (pattern: string): void =>
    expect(readSelector(`x{a=~"${pattern}"}`), pattern).toEqual({
      at: 6,
      message: 'the regular expression has more than 1000 quantifiers when expanded',
    });
  quantified('a?'.repeat(1_001));
  quantified('.{0,1000}b?');
  quantified('(.{1,90}){1,12}');
  quantified('(?:a+b*){501}');
  quantified('(x{1,}y){999}z?y+');
});

test('a selector that is too long is refused before it is parsed', () => {
  const f = (text: string): void =>
    expect(readSelector(text)).toEqual({ at: 32_768, message: 'the selector is longer than 32768 characters' });
  f('sum('.repeat(100_000));
  f(`x{a="${'y'.repeat(32_768)}"}`);
});

test('no regular expression makes a match slow', () => {
  const f = (pattern: string, value: string): void => {
    const [, matcher] = matchers(`x{a=~"${pattern}"}`);
    const started = performance.now();
    expect(matcher!.matches(value), pattern).toBe(false);
    expect(performance.now() - started, pattern).toBeLessThan(2_000);
  };
  f('(a*)*b', 'a'.repeat(50_000));
  const longest = 'a'.repeat(4_096);
  f('(((((a+)+)+)+)+)+b', longest);
  f('(x+x+)+y|(a|aa)+b', longest);
  f(`${'a?'.repeat(1_000)}b`, longest);
  f('.{0,1000}b', longest);
  f(`(a|b{1000})*${'c{1000}'.repeat(8)}`, longest);
  f(Array.from({ length: 1_500 }, (_, i) => `a${i}`).join('|'), longest);
});
