import { expect, test } from 'vitest';
import { NotationError } from '../../src/cli/test/number-notation.ts';
import { readSeriesValues, ValueCursor } from '../../src/cli/test/series-values.ts';
import { shown } from '../../src/definitions/problem.ts';

/** Every interval's content; promtool 2.42 reads each of these texts in the same way. */
function unrolled(text: string): (number | string)[] {
  const values: (number | string)[] = [];
  const cursor = new ValueCursor(readSeriesValues(text));
  for (; cursor.kind !== null; cursor.advance()) values.push(cursor.kind === 'value' ? cursor.value : cursor.kind);
  return values;
}

function reads(text: string, ...expected: (number | string)[]): void {
  expect(unrolled(text), text).toEqual(expected);
}

function refuses(text: string, message: string, offset: number): void {
  let error: unknown;
  try {
    readSeriesValues(text);
  } catch (caught) {
    error = caught;
  }
  expect(error, text).toBeInstanceOf(NotationError);
  const { message: got, offset: at } = error as NotationError;
  expect([got, at]).toEqual([message, offset]);
}

test('values are read as promtool reads them', () => {
  reads('');
  reads('1 2 3', 1, 2, 3);
  reads('  1\t2\n ', 1, 2);
  reads('0+60x3', 0, 60, 120, 180);
  reads('5-1x3', 5, 4, 3, 2);
  reads('-2+4x1', -2, 2);
  reads('1x3', 1, 1, 1, 1);
  reads('1x0', 1);
  reads('0x3', 0, 0, 0, 0);
  reads('1x03', 1, 1, 1, 1);
  reads('_ 1 _x2 2', 'omitted', 1, 'omitted', 'omitted', 2);
  reads('_x0 4', 4);
  reads('4 _x0', 4);
  reads('1 stale 2', 1, 'stale', 2);
  reads('1e2 .5 1. 1e2x1', 100, 0.5, 1, 100, 100);
  reads('010 09', 8, 9);
});

test('NaN and infinities are values in either case', () => {
  reads('NaN nan Inf +inf -Inf', Number.NaN, Number.NaN, Infinity, Infinity, -Infinity);
});

test('steps are added one by one, as promtool adds them', () => {
  reads('1+0.1x3', 1, 1.1, 1.2000000000000002, 1.3000000000000003);
});

test('30 days of values are described, not stored', () => {
  expect(readSeriesValues('0+1x172800')).toEqual([{ kind: 'value', count: 172_801, first: 0, step: 1 }]);
});

test('what promtool refuses is refused at the offending character', () => {
  refuses('1 x3', `must be a number, _ or stale, got ${shown('x3')}`, 2);
  refuses('1 2 stalex3', `must be a number, _ or stale, got ${shown('stalex3')}`, 4);
  refuses('STALE', `must be a number, _ or stale, got ${shown('STALE')}`, 0);
  refuses('NaNx2', `must be a number, _ or stale, got ${shown('NaNx2')}`, 0);
  refuses('1+NaNx2', `must be a number, got ${shown('NaNx2')}`, 2);
  refuses('1,2', `must be x and a number of repetitions, got ${shown(',2')}`, 1);
  refuses('1+1', 'must be x and a number of repetitions, got nothing', 3);
  refuses('1+ 1x2', 'must be a number, got nothing', 2);
  refuses('-5+-1x2', `must be a number, got ${shown('-1x2')}`, 3);
  refuses('1x-1', `must be a whole number of repetitions, got ${shown('-1')}`, 2);
  refuses('1+1x2.5', `must be a whole number of repetitions, got ${shown('2.5')}`, 4);
  refuses('1x1e2', `must be a whole number of repetitions, got ${shown('1e2')}`, 2);
  refuses('1x3x2', `must be followed by white space, got ${shown('x2')}`, 3);
  refuses('_1', `must be x and a number of repetitions, got ${shown('1')}`, 1);
  refuses('-_', `must be a number, _ or stale, got ${shown('_')}`, 1);
  refuses('1e', `must be x and a number of repetitions, got ${shown('e')}`, 1);
  refuses('1e400', 'the number 1e400 is out of range', 0);
});

test('numbers and histograms stand side by side', () => {
  reads('1 {{count:2}} _ {{ }}x1 stale 3', 1, 'histogram', 'omitted', 'histogram', 'histogram', 'stale', 3);
});
