import fc from 'fast-check';
import { expect, test } from 'vitest';
import { percentToRatio, ratioToPercent, restOfPercent } from '../../src/definitions/decimal.ts';

test('an objective and its budget are the decimals that the file means', () => {
  const f = (percent: number, ratio: number, rest: number): void => {
    expect(percentToRatio(percent)).toBe(ratio);
    expect(restOfPercent(percent)).toBe(rest);
    expect(ratioToPercent(ratio)).toBe(percent);
  };
  f(99.9, 0.999, 0.001);
  f(99.99, 0.9999, 0.0001);
  f(99.95, 0.9995, 0.0005);
  f(99, 0.99, 0.01);
  f(90, 0.9, 0.1);
  f(50, 0.5, 0.5);
  f(99.999999999, 0.99999999999, 1e-11);
  f(0.0000001, 1e-9, 0.999999999);
});

test('objective and budget are 1 together, whatever the digits', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 99_999_999 }), (millionths) => {
      const percent = millionths / 1e6;
      expect(restOfPercent(percent)).toBe(Number(`${100_000_000 - millionths}e-8`));
      expect(percentToRatio(percent)).toBe(Number(`${millionths}e-8`));
    }),
  );
});
