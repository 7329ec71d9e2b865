import type { IncomingMessage } from 'node:http';
import type { Hold } from './pressure.ts';

/** A body went over its limit. The rest of it is read and dropped, so that the client gets to see the answer. */
export class BodyTooLarge extends Error {}

/** So much of a body that is too large is dropped quietly; then the connection is cut. */
const DROPPED_SHARE = 4;

/**
 * The whole body, or null when the client went away before its end. Counts what arrives, whatever was declared, and throws
 * when it is more than `hold` has room for.
 */
export function readBody(request: IncomingMessage, bytesMax: number, hold: Hold): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    let isRefused = false;
    const keep = (chunk: Buffer): void => {
      try {
        if (length > bytesMax) throw new BodyTooLarge();
        hold.add(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        isRefused = true;
        chunks = [];
        reject(error);
      }
    };
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (!isRefused) keep(chunk);
      if (length > bytesMax * DROPPED_SHARE) request.destroy();
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', () => resolve(null));
    request.on('close', () => resolve(null));
  });
}
