import { expect, test } from 'vitest';
import { WireCursor } from '../../src/ingest/wire.ts';

function cursor(...bytes: number[]): WireCursor {
  const c = new WireCursor();
  c.reset(new Uint8Array(bytes), 0, bytes.length);
  return c;
}

test('an int64 of any sign is read into two halves', () => {
  const f = (bytes: number[], expected: number) => {
    const c = cursor(...bytes);
    c.varint();
    expect([c.hi * 2 ** 32 + (c.lo >>> 0), c.position]).toEqual([expected, bytes.length]);
  };
  f([0], 0);
  f([0x7f], 127);
  f([0x80, 0x01], 128);
  f([0xff, 0xff, 0xff, 0xff, 0x0f], 2 ** 32 - 1);
  f([0x80, 0x80, 0x80, 0x80, 0x10], 2 ** 32);
  f([0x80, 0xd0, 0x95, 0xff, 0xbc, 0x31], 1_700_000_000_000);
  f([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 2 ** 63);
  f([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1);
  f([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], -(2 ** 63));
  f([0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 5);
});

test('malformed fields are refused with the byte at which they begin', () => {
  const f = (read: (c: WireCursor) => void, bytes: number[], message: string) =>
    expect(() => read(cursor(...bytes))).toThrow(message);
  const varint = (c: WireCursor) => c.varint();
  const tag = (c: WireCursor) => void c.tag();
  const length = (c: WireCursor) => void c.length();
  const field = (c: WireCursor) => c.skip(c.tag());
  f(varint, [], 'malformed protobuf at byte 0: a varint is cut off');
  f(varint, [0x80, 0x80], 'malformed protobuf at byte 0: a varint is cut off');
  f(varint, [...Array(9).fill(0xff), 0x02], 'malformed protobuf at byte 0: a varint has more than 64 bits');
  f(varint, [...Array(10).fill(0x80), 0x00], 'malformed protobuf at byte 0: a varint has more than 64 bits');
  f(tag, [0x02], 'malformed protobuf at byte 0: field number 0');
  f(tag, [0x82, 0x00], 'malformed protobuf at byte 0: field number 0');
  f(tag, [0xff, 0xff, 0xff, 0xff, 0x1f], 'malformed protobuf at byte 0: a field number has more than 29 bits');
  f(length, [2, 0], 'malformed protobuf at byte 0: a length of 2, 1 bytes are left');
  f(
    length,
    [0xff, 0xff, 0xff, 0xff, 0x0f, 0],
    'malformed protobuf at byte 0: a length of 4294967295, 1 bytes are left',
  );
  f(length, [0x80, 0x80, 0x80, 0x80, 0x10], 'malformed protobuf at byte 0: a length of 4294967296, 0 bytes are left');
  f(field, [0x0b, 0x0c], 'malformed protobuf at byte 1: wire type 3');
  f(field, [0x0c], 'malformed protobuf at byte 1: wire type 4');
  f(field, [0x0e], 'malformed protobuf at byte 1: wire type 6');
  f(field, [0x0f], 'malformed protobuf at byte 1: wire type 7');
  f(field, [0x09, 0, 0, 0, 0, 0, 0, 0], 'malformed protobuf at byte 1: a fixed value is cut off');
  f(field, [0x0d, 0, 0, 0], 'malformed protobuf at byte 1: a fixed value is cut off');
});

test('unknown fields of every other wire type are skipped', () => {
  const f = (...bytes: number[]) => {
    const c = cursor(...bytes);
    c.skip(c.tag());
    expect(c.position).toBe(bytes.length);
  };
  f(0x78, 0x80, 0x01);
  f(0x79, 1, 2, 3, 4, 5, 6, 7, 8);
  f(0x7a, 2, 1, 2);
  f(0x7d, 1, 2, 3, 4);
  f(0xfa, 0xff, 0xff, 0xff, 0x0f, 0);
});
