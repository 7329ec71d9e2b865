import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeriesTable, type SeriesTableOptions } from '../../src/engine/series-table.ts';

function table(options: Partial<SeriesTableOptions> = {}): SeriesTable {
  return new SeriesTable({ seriesMax: 100, aliasesMax: 10, seed: 7, ...options });
}

const bytesOf = (text: string) => new TextEncoder().encode(text);
const find = (t: SeriesTable, text: string) => t.find(bytesOf(text), 0, text.length);
const insert = (t: SeriesTable, text: string) => t.insert(bytesOf(text), 0, text.length);
const alias = (t: SeriesTable, text: string, id: number) => t.alias(bytesOf(text), 0, text.length, id);

test('series get the ids 0, 1, 2 in the order of insertion', () => {
  const t = table();
  expect(['a', 'bb', 'ccc'].map((text) => insert(t, text))).toEqual([0, 1, 2]);
  expect(['ccc', 'bb', 'a', 'aa', ''].map((text) => find(t, text))).toEqual([2, 1, 0, -1, -1]);
  expect(t.size).toBe(3);
});

test('bytes are found in the middle of a buffer', () => {
  const t = table();
  insert(t, 'series-1');
  expect(t.find(bytesOf('xxseries-1yy'), 2, 10)).toBe(0);
  expect(t.matches(0, bytesOf('xxseries-1yy'), 2, 10)).toBe(true);
  expect(t.matches(0, bytesOf('xxseries-1yy'), 2, 11)).toBe(false);
});

test('a full table inserts nothing', () => {
  const t = table({ seriesMax: 2 });
  expect([insert(t, 'a'), insert(t, 'b'), insert(t, 'c')]).toEqual([0, 1, -1]);
  expect([t.size, find(t, 'b'), find(t, 'c')]).toEqual([2, 1, -1]);
});

test('a table whose label bytes are used up inserts nothing', () => {
  const t = table({ labelBytesMax: 10 });
  expect([insert(t, 'abcdef'), insert(t, 'ghi'), insert(t, 'jk')]).toEqual([0, -1, 1]);
});

test('an alias means the series and is not counted as one', () => {
  const t = table({ aliasesMax: 1 });
  insert(t, 'canonical');
  expect(alias(t, 'other', 0)).toBe(true);
  expect([t.size, t.aliasCount, find(t, 'other')]).toEqual([1, 1, 0]);
  expect(t.matches(0, bytesOf('other'), 0, 5)).toBe(false);
  expect(insert(t, 'next')).toBe(1);
  expect(alias(t, 'another', 1)).toBe(false);
  expect(find(t, 'another')).toBe(-1);
});

test('the label bytes of a series are a copy of its canonical form', () => {
  const t = table();
  insert(t, 'first');
  alias(t, 'alias', 0);
  insert(t, 'second');
  expect(new TextDecoder().decode(t.labelBytes(1))).toBe('second');
  t.labelBytes(1).fill(0);
  expect(find(t, 'second')).toBe(1);
});

test('an unknown id is a bug', () => {
  expect(() => table().labelBytes(0)).toThrow('BUG: there is no series 0');
  expect(() => alias(table(), 'a', 0)).toThrow('BUG: alias of the unknown series 0');
});

test('series inserted one after the other are predicted to follow each other, aliases among them', () => {
  const t = table();
  insert(t, 'a');
  insert(t, 'b');
  alias(t, 'b2', 1);
  expect([t.predicted(-1), t.predicted(0), t.predicted(1), t.predicted(2)]).toEqual([-1, 1, 2, -1]);
  expect(t.seriesOf[2]).toBe(1);
});

test('values that differ only as -0 and 0, or as two NaNs, are different bytes', () => {
  const t = table();
  const zero = new Uint8Array(8);
  const minusZero = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0x80]);
  const stale = new Uint8Array([2, 0, 0, 0, 0, 0, 0xf0, 0x7f]);
  const nan = new Uint8Array([1, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
  expect([zero, minusZero, stale, nan].map((bytes) => t.insert(bytes, 0, 8))).toEqual([0, 1, 2, 3]);
  expect([zero, minusZero, stale, nan].map((bytes) => t.find(bytes, 0, 8))).toEqual([0, 1, 2, 3]);
});

test('ten thousand series with long labels are all found after the table has grown', () => {
  const t = table({ seriesMax: 10_000 });
  const text = (i: number) => `http_requests_total{instance="10.0.0.1:8080", handler="/api/v1/${i}"}`;
  for (let i = 0; i < 10_000; i++) expect(insert(t, text(i))).toBe(i);
  for (let i = 0; i < 10_000; i++) expect(find(t, text(i))).toBe(i);
  expect(find(t, text(10_000))).toBe(-1);
  expect(t.byteSize).toBeGreaterThan(500_000);
});

test('series whose hashes collide are told apart by their bytes', () => {
  // Of so many hashes of 32 bits, some ten pairs are equal.
  const count = 300_000;
  const t = table({ seriesMax: count });
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  const wrong: number[] = [];
  for (let i = 0; i < count; i++) {
    view.setInt32(0, i);
    if (t.find(bytes, 0, 8) !== -1) wrong.push(i);
    t.insert(bytes, 0, 8);
  }
  for (let i = 0; i < count; i++) {
    view.setInt32(0, i);
    if (t.find(bytes, 0, 8) !== i) wrong.push(i);
  }
  expect(wrong).toEqual([]);
});

test('the table does what a Map does, whatever its seed', () => {
  const text = fc.string({ maxLength: 9 });
  const steps = fc.array(fc.tuple(fc.constantFrom('insert', 'alias', 'find'), text, fc.nat(20)), { maxLength: 200 });
  fc.assert(
    fc.property(steps, fc.maxSafeNat(), (operations, seed) => {
      const t = new SeriesTable({ seriesMax: 20, aliasesMax: 5, seed });
      const model = new Map<string, number>();
      let series = 0;
      for (const [operation, string, n] of operations) {
        const bytes = bytesOf(string);
        const known = model.get(string) ?? -1;
        expect(t.find(bytes, 0, bytes.length)).toBe(known);
        if (known !== -1) continue;
        if (operation === 'insert') {
          const id = series < 20 ? series++ : -1;
          expect(t.insert(bytes, 0, bytes.length)).toBe(id);
          if (id !== -1) model.set(string, id);
        } else if (operation === 'alias' && series > 0) {
          const fits = model.size - series < 5;
          expect(t.alias(bytes, 0, bytes.length, n % series)).toBe(fits);
          if (fits) model.set(string, n % series);
        }
      }
      expect([t.size, t.aliasCount]).toEqual([series, model.size - series]);
    }),
  );
});
