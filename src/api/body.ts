import type { IncomingMessage } from 'node:http';

/** A body went over its limit. The rest of it is read and dropped, so that the client gets to see the answer. */
export class BodyTooLarge extends Error {}

/** So much of a body that is too large is dropped quietly; then the connection is cut. */
const DROPPED_SHARE = 4;

/** The whole body, or null when the client went away before its end. Counts what arrives, whatever was declared. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bytesMax) {
        chunks.push(chunk);
        return;
      }
      chunks = [];
      reject(new BodyTooLarge());
      if (length > bytesMax * DROPPED_SHARE) request.destroy();
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', () => resolve(null));
    request.on('close', () => resolve(null));
  });
}
