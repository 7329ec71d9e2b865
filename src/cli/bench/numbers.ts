/** Numbers as an operator reads them. */

const UNITS = [
  [1e9, ' G'],
  [1e6, ' M'],
  [1e3, ' k'],
] as const;

/** Two digits or three: 1.2 M, 13 k, 860. */
export function shortNumber(value: number): string {
  for (const [size, unit] of UNITS) {
    const scaled = value / size;
    if (scaled >= 0.9995) return `${scaled < 9.95 ? scaled.toFixed(1) : Math.round(scaled)}${unit}`;
  }
  return String(Math.round(value));
}

export function wholeNumber(value: number): string {
  return Math.round(value).toLocaleString('en');
}
