/**
 * Unix nanoseconds need 64 bits; they come as two unsigned halves of 32 bits and become milliseconds without a BigInt. 2^32 ns are
 * 4294 ms and 967,296 ns, so that no term here leaves the whole numbers below 2^53.
 */
export function msOfNanos(hi: number, lo: number): number {
  return hi * 4294 + Math.floor((hi * 967_296 + lo) / 1e6);
}
