import fc from 'fast-check';
import { expect, test } from 'vitest';
import { areDisjoint } from '../../../src/definitions/promql/disjoint.ts';
import { isFault, readSelector } from '../../../src/definitions/selector.ts';
import type { Selector } from '../../../src/engine/slo.ts';

function selector(text: string): Selector {
  const read = readSelector(text);
  if (isFault(read)) throw new Error(`${text}: ${read.message}`);
  return read;
}

function disjoint(a: string, b: string, expected: boolean): void {
  expect([areDisjoint(selector(a), selector(b)), areDisjoint(selector(b), selector(a))], `${a} ${b}`).toEqual([
    expected,
    expected,
  ]);
}

test('selectors are disjoint when some label would have to have two values', () => {
  disjoint('x', 'y', true);
  disjoint('x{a="1"}', 'x{a="2"}', true);
  disjoint('x{a="1"}', 'x{a!="1"}', true);
  disjoint('x{a="429"}', 'x{a=~"5.."}', true);
  disjoint('x{a=~"4.."}', 'x{a=~"5.."}', true);
  disjoint('x{a=~"4..|50[0-2]"}', 'x{a=~"(?:503|2.*)"}', true);
  disjoint('x{a=~"(4..|502)"}', 'x{a=~"(5[3-9].|503)"}', true);
  disjoint('x{a=~"5.."}', 'x{a!~"5.."}', true);
  disjoint('x{le="1"}', 'x{le="2.0"}', true);
  disjoint('{__name__=~"a.*"}', '{__name__=~"b.*"}', true);
});

test('selectors that might share a series are not', () => {
  disjoint('x', 'x', false);
  disjoint('x{a="1"}', 'x{b="2"}', false);
  disjoint('x{a=~"5.."}', 'x{a="500"}', false);
  disjoint('x{a=~"5.."}', 'x{a=~"50."}', false);
  disjoint('x{a=~"55?"}', 'x{a=~"5.."}', false);
  disjoint('x{a=~"(4|5).."}', 'x{a=~"2.."}', false);
  disjoint('x{a=~"(4)|(5)"}', 'x{a=~"2.."}', false);
  disjoint('x{a=~"4.."}', 'x{a!~"5.."}', false);
  disjoint('x{le="1"}', 'x{le="1.0"}', false);
  disjoint('{__name__=~"a.*"}', 'ab', false);
});

test('no value is matched by both of two disjoint patterns', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '(a|b)', 'a?', 'b*', 'a+', String.raw`\.`, 'a{0,2}', '(?:ab)');
  const pattern = fc.array(
    fc.array(atom, { maxLength: 3 }).map((atoms) => atoms.join('')),
    { minLength: 1, maxLength: 3 },
  );
  const values = ['', 'a', 'b', '.', 'aa', 'ab', 'ba', 'bb', 'a.', '.a', 'aab', 'abb', 'bab', 'bba', 'abab', 'c', 'ac'];
  const shapes = fc.constantFrom(
    (text: string) => text,
    (text: string) => `(${text})`,
    (text: string) => `(?:${text})`,
  );
  fc.assert(
    fc.property(pattern, pattern, shapes, shapes, (a, b, shapeA, shapeB) => {
      const [one, other] = [`x{v=~"${shapeA(a.join('|'))}"}`, `x{v=~"${shapeB(b.join('|'))}"}`].map((text) =>
        selector(text.replaceAll('\\', '\\\\')),
      );
      if (!areDisjoint(one!, other!)) return;
      const matched = values.filter((value) => [one, other].every((each) => each!.matchers[1]!.matches(value)));
      expect(matched).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
});
