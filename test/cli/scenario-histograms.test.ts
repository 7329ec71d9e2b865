import { expect, test } from 'vitest';
import { NotationError } from '../../src/cli/test/number-notation.ts';
import { readSeriesValues, ValueCursor } from '../../src/cli/test/series-values.ts';
import { shown } from '../../src/definitions/problem.ts';
import type { NativeHistogram } from '../../src/engine/native-histogram.ts';

/** The histogram of every interval. */
function unrolled(text: string): (NativeHistogram | null)[] {
  const histograms: (NativeHistogram | null)[] = [];
  for (const cursor = new ValueCursor(readSeriesValues(text)); cursor.kind !== null; cursor.advance()) {
    histograms.push(cursor.histogram);
  }
  return histograms;
}

const NOTHING: NativeHistogram = {
  schema: 0,
  count: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  positive: [],
  negative: [],
  customBounds: [],
  resetHint: 'unknown',
};

function reads(text: string, ...expected: Partial<NativeHistogram>[]): void {
  expect(unrolled(text), text).toEqual(expected.map((parts) => ({ ...NOTHING, ...parts })));
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

test('every part is read; the first bucket has the index of the offset', () => {
  reads(
    '{{schema:1 sum:-0.3 count:3.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7] offset:-3 n_buckets:[4.1 5] ' +
      'n_offset:-5 counter_reset_hint:gauge}}',
    {
      schema: 1,
      count: 3.1,
      zeroThreshold: 0.05,
      zeroCount: 7.1,
      positive: [
        [-3, 5.1],
        [-2, 10],
        [-1, 7],
      ],
      negative: [
        [-5, 4.1],
        [-4, 5],
      ],
      resetHint: 'gauge',
    },
  );
  reads('{{schema:-53 sum:1 count:22 custom_values:[0.5 1] buckets:[5 10 7]}}', {
    schema: -53,
    count: 22,
    customBounds: [0.5, 1],
    positive: [
      [0, 5],
      [1, 10],
      [2, 7],
    ],
  });
});

test('every part may be left out, and white space is free between parts', () => {
  reads('{{}}', {});
  reads('{{ }} {{  count:2\n sum:Inf }}', {}, { count: 2 });
  reads('{{buckets:[ 1  2 ]}}', {
    positive: [
      [0, 1],
      [1, 2],
    ],
  });
  reads('{{COUNT:1 counter_reset_hint:not_reset}}', { count: 1, resetHint: 'no' });
  reads('{{counter_reset_hint:reset}} {{counter_reset_hint:unknown}}', { resetHint: 'yes' }, {});
});

test('a histogram is repeated, and steps by another one up and down', () => {
  const one: Partial<NativeHistogram> = { count: 1, positive: [[0, 1]] };
  reads('{{count:1 buckets:[1]}}x2', one, one, one);
  reads(
    '{{count:1 buckets:[1]}}+{{count:3 z_bucket:1 buckets:[0 2]}}x2',
    one,
    {
      count: 4,
      zeroCount: 1,
      positive: [
        [0, 1],
        [1, 2],
      ],
    },
    {
      count: 7,
      zeroCount: 2,
      positive: [
        [0, 1],
        [1, 4],
      ],
    },
  );
  reads(
    '{{count:5 n_buckets:[5]}}-{{count:2 n_buckets:[2]}}x2',
    {
      count: 5,
      negative: [[0, 5]],
    },
    { count: 3, negative: [[0, 3]] },
    { count: 1, negative: [[0, 1]] },
  );
});

test('a finer step is merged into the schema of its base, and the zero bucket takes what lies below its width', () => {
  reads(
    '{{schema:0 count:1 buckets:[1]}}+{{schema:1 count:3 buckets:[1 1 1] offset:-1}}x1',
    { count: 1, positive: [[0, 1]] },
    {
      count: 4,
      positive: [
        [0, 3],
        [1, 1],
      ],
    },
  );
  reads(
    '{{count:1 buckets:[1] offset:-9}}+{{count:1 z_bucket:1 z_bucket_w:0.01}}x1',
    { count: 1, positive: [[-9, 1]] },
    {
      count: 2,
      zeroCount: 2,
      zeroThreshold: 0.01,
    },
  );
});

test('what a step leaves of a hint is what both say', () => {
  const hints = (text: string): string[] => unrolled(text).map((histogram) => histogram!.resetHint);
  expect(hints('{{counter_reset_hint:reset}}+{{}}x2')).toEqual(['yes', 'unknown', 'unknown']);
  expect(hints('{{counter_reset_hint:gauge}}+{{}}x1')).toEqual(['gauge', 'gauge']);
  expect(hints('{{counter_reset_hint:not_reset}}+{{counter_reset_hint:not_reset}}x1')).toEqual(['no', 'no']);
});

test('what is wrong is refused at the offending character', () => {
  const parts =
    'schema, sum, count, z_bucket, z_bucket_w, buckets, offset, n_buckets, n_offset, custom_values, counter_reset_hint';
  refuses('1 {{bucket:[1]}}', `must be a part of a histogram (${parts}) or }}, got ${shown('bucket:[1')}`, 4);
  refuses('{{count:1', `must be white space or }}, got nothing`, 9);
  refuses('{{count:1 ', `must be a part of a histogram (${parts}) or }}, got nothing`, 10);
  refuses('{{count 1}}', `must be : after count, got ${shown(' 1')}`, 7);
  refuses('{{count:one}}', `must be a number, got ${shown('one}}')}`, 8);
  refuses('{{count:1,sum:2}}', `must be white space or }}, got ${shown(',sum:2')}`, 9);
  refuses('{{count:1 count:2}}', 'count is given twice', 10);
  refuses('{{buckets:5}}', `must be a list such as [5 10 7], got ${shown('5')}`, 10);
  refuses('{{buckets:[1,2]}}', `must be white space or ], got ${shown(',2')}`, 12);
  refuses('{{offset:1.5}}', `must be a whole number, got ${shown('1.5')}`, 9);
  refuses('{{schema:9}}', 'schema must be -4 to 8, or -53 with custom_values', 9);
  refuses('{{custom_values:[1]}}', 'custom_values needs schema:-53', 16);
  refuses('{{schema:-53 custom_values:[1 1]}}', 'custom_values must rise', 27);
  refuses(
    '{{schema:-53 custom_values:[1] buckets:[1 1 1]}}',
    'buckets must have at most one bucket more than custom_values, which has 1',
    39,
  );
  refuses('{{schema:-53 n_buckets:[1]}}', 'n_buckets cannot be with schema:-53', 23);
  refuses('{{counter_reset_hint:yes}}', `must be unknown, reset, not_reset, gauge, got ${shown('yes')}`, 21);
  refuses('{{}}+1x2', `must be a histogram, got ${shown('1x2')}`, 5);
  refuses('{{}}+{{}}', 'must be x and a number of repetitions, got nothing', 9);
  refuses('{{}}y', `must be x and a number of repetitions, got ${shown('y')}`, 4);
  refuses('{{schema:1}}+{{schema:0}}x2', 'a step of schema 0 does not fit into schema 1', 13);
  refuses('{{}}+{{schema:-53}}x2', 'exponential and custom buckets do not add up', 5);
  refuses(
    '{{schema:-53 custom_values:[1]}}+{{schema:-53 custom_values:[2]}}x2',
    'the custom_values of a step must be those of its base',
    33,
  );
});
