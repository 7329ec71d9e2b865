/** Decimal arithmetic on what a file says, so that 99.9 leaves a budget of 0.001 and not of 0.0010000000000000009. */

interface Decimal {
  readonly digits: bigint;
  /** The value is `digits * 10^exponent`. */
  readonly exponent: number;
}

const DECIMAL = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/;

/** The shortest decimal that reads back as this number: what the file says, up to 15 digits. */
function decimal(value: number): Decimal {
  const match = DECIMAL.exec(String(value));
  if (match === null) throw new Error(`BUG: not a positive number: ${value}`);
  const [, whole, fraction = '', power = '0'] = match;
  return { digits: BigInt(whole! + fraction), exponent: Number(power) - fraction.length };
}

function scaled({ digits, exponent }: Decimal, power: number): number {
  return Number(`${digits}e${exponent + power}`);
}

/** 99.9 -> 0.999. */
export function percentToRatio(percent: number): number {
  return scaled(decimal(percent), -2);
}

/** 0.999 -> 99.9. */
export function ratioToPercent(ratio: number): number {
  return scaled(decimal(ratio), 2);
}

/** What is left of 100 percent, as a ratio: 99.9 -> 0.001. */
export function restOfPercent(percent: number): number {
  const { digits, exponent } = decimal(percent);
  if (exponent >= 0) return scaled({ digits: 100n - digits * 10n ** BigInt(exponent), exponent: 0 }, -2);
  return scaled({ digits: 10n ** BigInt(2 - exponent) - digits, exponent }, -2);
}
