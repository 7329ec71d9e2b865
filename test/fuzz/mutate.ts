/** A generator of numbers that a seed repeats (mulberry32), and what it does to bytes. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, and without, `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** What breaks readers: edges of varints, doubles, times, lengths; and of JSON. */
const BINARY_EDGES: readonly (readonly number[])[] = [
  [0],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80, 0x08],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0, 0, 0, 0, 0, 0, 0xf0, 0x7f],
  [2, 0, 0, 0, 0, 0, 0xf0, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff],
  [0, 0, 0, 0, 0, 0, 0, 0x80],
  [0x0a, 0],
  [0x0b],
  [0xed, 0xa0, 0x80],
];
const TEXT_EDGES = [
  '[',
  '{',
  ']}',
  '"',
  '\\ud800',
  '\\u0000',
  '1e999',
  '-0',
  '18446744073709551616',
  'null',
  '{"__proto__":[]}',
  '"NaN"',
  '""',
  ',',
].map((text) => [...new TextEncoder().encode(text)]);

/** One to four changes of a valid body; `others` are there to be mixed in. */
export function mutated(
  body: Uint8Array,
  others: readonly Uint8Array[],
  isText: boolean,
  random: Random,
): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(body);
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    bytes = changed(bytes, others, isText && random.below(2) === 0 ? TEXT_EDGES : BINARY_EDGES, random);
  }
  return bytes;
}

function changed(
  bytes: Uint8Array<ArrayBuffer>,
  others: readonly Uint8Array[],
  edges: readonly (readonly number[])[],
  random: Random,
): Uint8Array<ArrayBuffer> {
  const at = random.below(bytes.length + 1);
  const end = Math.min(at + random.below(32), bytes.length);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(end));
    case 3:
      return joined(bytes.subarray(0, end), bytes.subarray(at));
    case 4:
      return joined(bytes.subarray(0, at));
    case 5:
      return joined(bytes.subarray(0, at), Uint8Array.from(random.of(edges)), bytes.subarray(at));
    case 6: {
      const edge = random.of(edges);
      return joined(bytes.subarray(0, at), Uint8Array.from(edge), bytes.subarray(at + edge.length));
    }
    default: {
      const other = random.of(others);
      const from = random.below(other.length + 1);
      return joined(bytes.subarray(0, at), other.subarray(from, from + random.below(256)), bytes.subarray(end));
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
