/** The bytes by which something of OTLP is found again: a number of what it belongs to, then bytes of the request. */

export const KEY_BYTES_MAX = 1024 * 1024;
export const KEY_NUMBER_BYTES = 4;
const KEY_BYTES_INITIAL = 4096;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

export class OtlpKey {
  bytes = new Uint8Array(KEY_BYTES_INITIAL);
  length = 0;

  begin(id: number): void {
    this.length = 0;
    this.addNumber(id);
  }

  addNumber(value: number): void {
    this.#reserve(KEY_NUMBER_BYTES);
    for (let i = 0; i < KEY_NUMBER_BYTES; i++) this.bytes[this.length++] = (value >>> (8 * i)) & 0xff;
  }

  addDouble(value: number): void {
    double[0] = value;
    this.#reserve(8);
    for (let i = 0; i < 8; i++) this.bytes[this.length++] = doubleBytes[i]!;
  }

  add(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    const key = this.bytes;
    let to = this.length;
    for (let i = start; i < end; i++) key[to++] = from[i]!;
    this.length = to;
  }

  /** Gives back what one request alone has needed. */
  trim(): void {
    if (this.bytes.length > KEY_BYTES_MAX) this.bytes = new Uint8Array(KEY_BYTES_INITIAL);
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const key = new Uint8Array(2 * (this.length + size));
    key.set(this.bytes.subarray(0, this.length));
    this.bytes = key;
  }
}
