import fc from 'fast-check';
import { expect, test } from 'vitest';
import { msOfNanos } from '../../src/ingest/nanos.ts';

test('nanoseconds become milliseconds as a BigInt has them', () => {
  const check = (ns: bigint): void => {
    expect(msOfNanos(Number(ns >> 32n), Number(ns & 0xffffffffn))).toBe(Number(ns / 1_000_000n));
  };
  for (const ns of [0n, 1n, 999_999n, 1_000_000n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n, 2n ** 64n - 1n]) check(ns);
  check(1_544_712_660_300_000_000n);
  check(1_544_712_660_299_999_999n);
  fc.assert(fc.property(fc.bigInt(0n, 2n ** 64n - 1n), check), { numRuns: 10_000 });
  const aroundAMillisecond = fc
    .tuple(fc.bigInt(0n, 2n ** 43n), fc.bigInt(-2n, 2n))
    .map(([ms, off]) => ms * 1_000_000n + off)
    .filter((ns) => ns >= 0n);
  fc.assert(fc.property(aroundAMillisecond, check), { numRuns: 10_000 });
});
