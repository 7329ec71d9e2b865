import fc from 'fast-check';
import { compressSync, uncompressSync } from 'snappy';
import { compress as compressJs } from 'snappyjs';
import { expect, test } from 'vitest';
import { IngestError } from '../../src/ingest/errors.ts';
import { Kernel } from '../../src/ingest/kernel.ts';
import { SnappyDecoder } from '../../src/ingest/snappy.ts';

const MEBIBYTE = 1024 * 1024;

const kernel = Kernel.load()!;

/** In TypeScript and in the kernel, which reads the same bytes or refuses the same bodies. */
function decode(body: Uint8Array, limit = MEBIBYTE): Uint8Array {
  const decoder = new SnappyDecoder(limit);
  const inKernel = kernel.decode(body, limit);
  let length = -1;
  try {
    length = decoder.decode(body);
  } finally {
    expect(inKernel).toBe(length);
  }
  const bytes = decoder.output.slice(0, length);
  expect(Buffer.compare(kernel.decoded.subarray(0, length), bytes)).toBe(0);
  return bytes;
}

function error(body: Uint8Array, limit?: number): [code: string, message: string] {
  try {
    decode(body, limit);
  } catch (thrown) {
    if (thrown instanceof IngestError) return [thrown.code, thrown.message];
    throw thrown;
  }
  throw new Error('the body was accepted');
}

test('the empty message is a single zero byte', () => {
  expect(decode(new Uint8Array([0]))).toEqual(new Uint8Array(0));
});

test('a copy may overlap what it writes', () => {
  expect([...decode(new Uint8Array([9, 0, 7, 0b10001, 1]))]).toEqual(Array(9).fill(7));
  expect([...decode(new Uint8Array([8, 4, 7, 8, 0b01001, 2]))]).toEqual([7, 8, 7, 8, 7, 8, 7, 8]);
});

test('a copy with a four-byte offset is read', () => {
  expect(new TextDecoder().decode(decode(new Uint8Array([6, 8, 0x61, 0x62, 0x63, 0x0b, 3, 0, 0, 0])))).toBe('abcabc');
});

test('malformed bodies are refused with the byte at which reading stopped', () => {
  const f = (body: number[], message: string) =>
    expect(error(new Uint8Array(body))).toEqual(['malformed_snappy', message]);
  f([], 'malformed snappy at byte 0: the body is empty');
  f([0x80], 'malformed snappy at byte 1: the declared length is cut off');
  f([0x80, 0x80, 0x80, 0x80, 0x80, 0], 'malformed snappy at byte 0: the declared length has more than 5 bytes');
  f([0xff, 0xff, 0xff, 0xff, 0x7f], 'malformed snappy at byte 0: the declared length has more than 32 bits');
  f([1], 'malformed snappy at byte 1: 0 bytes where 1 were declared');
  f([1, 0], 'malformed snappy at byte 1: a literal of 1 bytes, 0 are left');
  f([1, 4, 1, 2], 'malformed snappy at byte 1: more than the declared 1 bytes');
  f([9, 0xf4, 1], 'malformed snappy at byte 1: the length of a literal is cut off');
  f([9, 0, 7, 1, 0], 'malformed snappy at byte 3: a copy from 0 bytes back, 1 are written');
  f([9, 0, 7, 1, 2], 'malformed snappy at byte 3: a copy from 2 bytes back, 1 are written');
  f([9, 0, 7, 1], 'malformed snappy at byte 3: a copy is cut off');
  f([9, 0, 7, 2, 1], 'malformed snappy at byte 3: a copy is cut off');
  f([9, 0, 7, 3, 1, 0, 0], 'malformed snappy at byte 3: a copy is cut off');
  f([9, 0, 7, 0xff, 1, 0, 0, 0x80], 'malformed snappy at byte 3: a copy from 2147483649 bytes back, 1 are written');
  f([4, 0, 7, 1, 1], 'malformed snappy at byte 3: more than the declared 4 bytes');
});

test('a literal of 2 GiB that is not there is refused at once', () => {
  const body = new Uint8Array([0x01, 0xfc, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00]);
  expect(error(body)).toEqual([
    'malformed_snappy',
    'malformed snappy at byte 1: a literal of 2147483649 bytes, 2 are left',
  ]);
});

test('a declared length over the limit is refused before anything is allocated', () => {
  const decoder = new SnappyDecoder(64 * MEBIBYTE);
  const before = decoder.output;
  expect(() => decoder.decode(new Uint8Array([0xff, 0xff, 0xff, 0xff, 0x0f, 0]))).toThrow(
    'the decompressed body would have 4294967295 bytes, the limit is 67108864',
  );
  expect(() => decoder.decode(new Uint8Array([0x80, 0x80, 0x80, 0x20, 0]))).toThrow(
    'malformed snappy at byte 0: a body of 5 bytes cannot hold the declared 67108864 bytes',
  );
  expect(decoder.output).toBe(before);
  expect(error(new Uint8Array([0x81, 0x08, 0]), 1024)[0]).toBe('decoded_too_large');
});

test('the framed format is recognised', () => {
  const body = new Uint8Array([0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59, 0x00]);
  const message = 'malformed snappy at byte 0: the body is in the framed format, the block format is wanted';
  expect(error(body)).toEqual(['malformed_snappy', message]);
});

test('the most compressible body passes the ratio that guards against bombs', () => {
  const zeros = new Uint8Array(MEBIBYTE);
  expect(Buffer.compare(decode(compressJs(zeros)), zeros)).toBe(0);
});

test('the memory of a giant request is given back', () => {
  const decoder = new SnappyDecoder(64 * MEBIBYTE);
  decoder.decode(compressJs(new Uint8Array(20 * MEBIBYTE)));
  expect(decoder.output.length).toBeGreaterThan(20 * MEBIBYTE);
  decoder.trim();
  expect(decoder.output.length).toBeLessThan(8 * MEBIBYTE);
  expect(decoder.decode(compressJs(new Uint8Array(3 * MEBIBYTE)))).toBe(3 * MEBIBYTE);
  expect(decoder.view.buffer).toBe(decoder.output.buffer);
});

const word = fc.constantFrom('a', 'ab', 'http_requests_total', 'instance', '10.0.0.1:8080', '\u0000', 'é');
const text = fc.array(word, { maxLength: 300 }).map((words) => new TextEncoder().encode(words.join('')));
const noise = fc.uint8Array({ maxLength: 300 });

test('what the native compressor and snappyjs write is read', () => {
  fc.assert(
    fc.property(fc.oneof(text, noise), (bytes) => {
      expect(decode(compressSync(Buffer.from(bytes)))).toEqual(bytes);
      expect(decode(compressJs(bytes))).toEqual(bytes);
    }),
  );
});

test('mutated and truncated bodies are accepted and refused as the native decoder does, with the same bytes', () => {
  const mutation = fc.tuple(fc.nat(), fc.nat(255));
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(text, noise),
      fc.array(mutation, { maxLength: 3 }),
      fc.option(fc.nat()),
      (bytes, mutations, cut) => {
        let body = new Uint8Array(compressSync(Buffer.from(bytes)));
        for (const [at, byte] of mutations) body[at % body.length] = byte;
        if (cut !== null) body = body.slice(0, (cut % body.length) + 1);
        let ours: Uint8Array | null = null;
        try {
          ours = decode(body);
        } catch (thrown) {
          if (!(thrown instanceof IngestError)) throw thrown;
          // The native decoder would allocate what is declared.
          if (thrown.code === 'decoded_too_large') return;
        }
        let theirs: Uint8Array | null = null;
        try {
          theirs = new Uint8Array(uncompressSync(Buffer.from(body)) as Buffer);
        } catch {}
        expect(ours).toEqual(theirs);
        if (ours !== null) accepted++;
      },
    ),
    { numRuns: 2_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
