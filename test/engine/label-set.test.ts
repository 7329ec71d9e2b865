import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  compareUtf8,
  decodeLabels,
  encodeLabels,
  formatSeries,
  labelSet,
  labelValue,
  repeatedName,
} from '../../src/engine/label-set.ts';

test('labels are sorted by name and empty values are dropped', () => {
  const labels = labelSet([
    ['job', 'api'],
    ['empty', ''],
    ['__name__', 'up'],
    ['Zone', 'b'],
  ]);
  expect(labels).toEqual({ names: ['Zone', '__name__', 'job'], values: ['b', 'up', 'api'] });
});

test('the value of an absent label is the empty text', () => {
  const labels = labelSet([['job', 'api']]);
  expect(labelValue(labels, 'job')).toBe('api');
  expect(labelValue(labels, 'instance')).toBe('');
  expect(labelValue(labels, 'constructor')).toBe('');
});

test('names are ordered by their UTF-8 bytes and not by UTF-16 units', () => {
  const astral = '\u{1f600}';
  const privateUse = '\ue000';
  expect(astral < privateUse).toBe(true);
  const labels = labelSet([
    [astral, '1'],
    [privateUse, '2'],
  ]);
  expect(labels.names).toEqual([privateUse, astral]);
});

test('compareUtf8 orders as the bytes do', () => {
  const text = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(compareUtf8(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
    }),
  );
});

test('a repeated name is found', () => {
  expect(repeatedName(['a', 'b', 'a'])).toBe('a');
  expect(repeatedName(['a', 'b'])).toBe(null);
  expect(repeatedName(['__proto__', 'constructor'])).toBe(null);
});

test('the canonical bytes are the label fields of a remote write 1.0 series', () => {
  const bytes = encodeLabels(labelSet([['b', 'é'], ['a', '1']])); // biome-ignore format: pairs
  expect([...bytes]).toEqual([
    ...[0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x31],
    ...[0x0a, 7, 0x0a, 1, 0x62, 0x12, 2, 0xc3, 0xa9],
  ]);
});

test('a length of more than 127 bytes takes a varint of two', () => {
  const bytes = encodeLabels(labelSet([['a', 'x'.repeat(200)]]));
  expect([...bytes.subarray(0, 9)]).toEqual([0x0a, 0xce, 0x01, 0x0a, 1, 0x61, 0x12, 0xc8, 0x01]);
  expect(bytes.length).toBe(9 + 200);
});

test('labels survive the canonical bytes', () => {
  const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(text, text), { selector: ([name]) => name, maxLength: 6 }), (pairs) => {
      const labels = labelSet(pairs);
      const bytes = encodeLabels(labels);
      const padded = new Uint8Array([9, 9, ...bytes, 9]);
      expect(decodeLabels(padded, 2, padded.length - 1)).toEqual(labels);
    }),
  );
});

test('a byte order mark is part of a label', () => {
  const labels = labelSet([['a', '\ufeffb']]);
  const bytes = encodeLabels(labels);
  expect(decodeLabels(bytes, 0, bytes.length)).toEqual(labels);
});

test('bytes that are not canonical labels are a bug', () => {
  expect(() => decodeLabels(new Uint8Array([0x12, 0]), 0, 2)).toThrow(
    'BUG: byte 0 is not the tag of a canonical label',
  );
  expect(() => decodeLabels(new Uint8Array([0x0a, 9]), 0, 2)).toThrow('BUG: a canonical label ends after byte 2');
});

test('series are written as PromQL writes them', () => {
  const f = (pairs: [string, string][], expected: string) => expect(formatSeries(labelSet(pairs))).toBe(expected);
  f([['__name__', 'up'], ['job', 'api'], ['a', 'b']], 'up{a="b", job="api"}'); // biome-ignore format: one line
  f([['__name__', 'up']], 'up');
  f([['job', 'api']], '{job="api"}');
  f([], '{}');
  f([['__name__', 'http.requests'], ['k8s.pod', 'x']], '{"http.requests", "k8s.pod"="x"}'); // biome-ignore format: one line
});

test('control characters and quotes in a series are escaped', () => {
  const f = (value: string, expected: string) =>
    expect(formatSeries(labelSet([['a', value]]))).toBe(`{a="${expected}"}`);
  f('line\nbreak', 'line\\u000abreak');
  f('\u001b[31m', '\\u001b[31m');
  f('"\\', '\\"\\\\');
  f('\u202e', '\\u202e');
  f('\u2028', '\\u2028');
  f('é😀', 'é😀');
});
