import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { Gunzips } from '../../src/api/gunzip.ts';
import { Pressure } from '../../src/api/pressure.ts';

const BOMB_BYTES = 10_000_000;
const BOMB = gzipSync(new Uint8Array(BOMB_BYTES));

function pressureOf(inflightBytesMax: number): Pressure {
  return new Pressure({ inflightBytesMax, loopDelayMaxMs: 1_000, loopDelayMs: () => 0 });
}

test('so many bodies are decompressed at a time and no more, whatever becomes of them', async () => {
  const pressure = pressureOf(2 ** 30);
  const gunzips = new Gunzips(3);
  const counts: number[] = [];
  // What grows is what is being decompressed.
  const growing = new Set<number>();
  const bodies = [
    BOMB,
    gzipSync('small'),
    BOMB.subarray(0, 5_000),
    Buffer.from('none'),
    BOMB,
    gzipSync(''),
    BOMB,
    BOMB,
  ];
  const done = bodies.map(async (body, i) => {
    const hold = pressure.admit(0);
    const add = (bytes: number): void => {
      growing.add(i);
      counts.push(growing.size, gunzips.running);
      hold.add(bytes);
    };
    return gunzips.decompress(body, BOMB_BYTES, { add, release: hold.release }).then(
      ({ length }) => growing.delete(i) && length,
      (error: Error) => growing.delete(i) && error.message.split(':')[0],
    );
  });
  expect(gunzips.running).toBe(3);
  const lengths = await Promise.all(done);
  expect(lengths.filter((length) => length === BOMB_BYTES)).toHaveLength(4);
  expect(Math.max(...counts)).toBe(3);
  expect(gunzips.running).toBe(0);
});

test('a bomb is given up where it passes its limit, and where all requests together pass theirs', async () => {
  const f = async (bytesMax: number, inflightBytesMax: number, message: RegExp, heldMax: number) => {
    const pressure = pressureOf(inflightBytesMax);
    const hold = pressure.admit(0);
    await expect(new Gunzips(1).decompress(BOMB, bytesMax, hold)).rejects.toThrow(message);
    expect(pressure.inflightBytes).toBeLessThanOrEqual(heldMax);
  };
  await f(1_000_000, 2 ** 30, /^the decompressed body would have more than 1000000 bytes$/, 1_100_000);
  await f(BOMB_BYTES, 500_000, /^requests would hold \d{6} bytes, more than 500000; try again$/, 500_000);
  await f(BOMB_BYTES - 1, 2 ** 30, /more than 9999999 bytes/, BOMB_BYTES + 4_096);
});

test('bombs from many at once together hold what all requests may, and those that wait hold what was sent', async () => {
  const pressure = pressureOf(25_000_000);
  const gunzips = new Gunzips(4);
  let highest = 0;
  const results = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const hold = pressure.admit(0);
      hold.add(BOMB.length);
      const add = (bytes: number): void => {
        hold.add(bytes);
        highest = Math.max(highest, pressure.inflightBytes);
      };
      try {
        await gunzips.decompress(BOMB, BOMB_BYTES, { add, release: hold.release });
        return hold;
      } catch {
        hold.release();
        return null;
      }
    }),
  );
  expect(highest).toBeLessThanOrEqual(25_000_000);
  const whole = results.filter((hold) => hold !== null);
  expect([1, 2]).toContain(whole.length);
  for (const { release } of whole) release();
  expect(pressure.inflightBytes).toBe(0);
});
