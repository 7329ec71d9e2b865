import { expect, test } from 'vitest';
import { NotationError } from '../../src/cli/test/number-notation.ts';
import { readSeriesName } from '../../src/cli/test/series-name.ts';
import { shown } from '../../src/definitions/problem.ts';

function reads(text: string, expected: Record<string, string>): void {
  expect(Object.fromEntries(readSeriesName(text)), text).toEqual(expected);
}

function refuses(text: string, message: string, offset: number): void {
  let error: unknown;
  try {
    readSeriesName(text);
  } catch (caught) {
    error = caught;
  }
  expect(error, text).toBeInstanceOf(NotationError);
  const { message: got, offset: at } = error as NotationError;
  expect([got, at]).toEqual([message, offset]);
}

test('a series is read with its labels', () => {
  reads('up', { __name__: 'up' });
  reads('up{}', { __name__: 'up' });
  reads('job:up:sum', { __name__: 'job:up:sum' });
  reads('up{job="api",instance="a:80"}', { __name__: 'up', job: 'api', instance: 'a:80' });
  reads(' up { job = "api" , } ', { __name__: 'up', job: 'api' });
  reads('{__name__="up",job="api"}', { __name__: 'up', job: 'api' });
});

test('names beyond the classic ones are quoted', () => {
  reads('{"http.requests", "service.name"="api"}', { __name__: 'http.requests', 'service.name': 'api' });
  reads('up{"größe"="1"}', { __name__: 'up', größe: '1' });
});

test('all quotes and escapes of PromQL are read', () => {
  reads(`up{a="x\\ny",b='it"s',c=\`\\n\`}`, { __name__: 'up', a: 'x\ny', b: 'it"s', c: '\\n' });
  reads('up{a="\\x41\\102\\u00e9\\U0001f600\\\\"}', { __name__: 'up', a: 'ABé😀\\' });
});

test('what is not a series is refused at the offending character', () => {
  refuses('', 'must be a series such as name{label="value"}, got nothing', 0);
  refuses('up{job="api"', 'must be , or }, got nothing', 12);
  refuses('up{job}', `must be =, got ${shown('}')}`, 6);
  refuses('up{job=api}', `must be a quoted value, got ${shown('api}')}`, 7);
  refuses('up{job=~"api"}', `must be a quoted value, got ${shown('~"api"}')}`, 7);
  refuses('up{a="b" c="d"}', `must be , or }, got ${shown('c="d"}')}`, 9);
  refuses('up{a="b",a="c"}', 'the label a is given twice', 9);
  refuses('up{"down"}', 'the label __name__ is given twice', 3);
  refuses('up{1="b"}', `must be a label or }, got ${shown('1="b"}')}`, 3);
  refuses('up[5m]', `must be the end of the series, got ${shown('[5m]')}`, 2);
  refuses('{job="api"}', 'must have a metric name', 0);
  refuses('up{a="\\q"}', 'unknown escape', 6);
});
