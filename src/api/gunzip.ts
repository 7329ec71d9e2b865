import { createGunzip } from 'node:zlib';
import { ApiError, apiError } from './errors.ts';
import type { Hold } from './pressure.ts';

/** What is decompressed at a time: so many bodies and no more, each of them counted as it grows. */

const CHUNK_BYTES = 64 * 1024;

export class Gunzips {
  readonly #simultaneousMax: number;
  readonly #waiting: (() => void)[] = [];
  running = 0;

  constructor(simultaneousMax: number) {
    this.#simultaneousMax = simultaneousMax;
  }

  /**
   * The decompressed body, when its turn has come. Throws an ApiError when the body is malformed, when it would have more than
   * `bytesMax` bytes, and when it has more than `hold` has room for: as soon as it has, so that a bomb never goes off.
   */
  async decompress(body: Uint8Array, bytesMax: number, hold: Hold): Promise<Buffer> {
    if (this.running >= this.#simultaneousMax) await new Promise<void>((turn) => this.#waiting.push(turn));
    else this.running++;
    try {
      return await decompressed(body, bytesMax, hold);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}

async function decompressed(body: Uint8Array, bytesMax: number, hold: Hold): Promise<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const chunks: Buffer[] = [];
  let length = 0;
  gunzip.end(body);
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytesMax) {
        const detail = `the decompressed body would have more than ${bytesMax} bytes`;
        throw apiError('decoded_too_large', { detail });
      }
      hold.add(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw apiError('malformed_gzip', { detail: `malformed gzip: ${(error as Error).message}` });
  }
  return Buffer.concat(chunks, length);
}
