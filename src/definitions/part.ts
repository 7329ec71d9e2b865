import type { Path } from './problem.ts';
import type { Checked } from './schema.ts';

/** What a key holds when it is there. */
type Held<T, K extends keyof T> = Exclude<T[K], undefined>;

/**
 * A piece of a checked document: what it says and where it stands. A piece that is written in place and one in another file that
 * is referred to are read alike.
 */
export class Part<T> {
  readonly value: T;
  readonly path: Path;
  readonly #checked: Checked<unknown>;

  private constructor(checked: Checked<unknown>, value: T, path: Path) {
    this.#checked = checked;
    this.value = value;
    this.path = path;
  }

  static whole<T>(checked: Checked<T>): Part<T> {
    return new Part(checked, checked.value, []);
  }

  get document() {
    return this.#checked.document;
  }

  /** What a key holds, right or wrong; null when there is no such key. */
  at<K extends keyof T & string>(key: K): Part<Held<T, K>> | null {
    const { value } = this;
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return null;
    return new Part(this.#checked, value[key] as Held<T, K>, [...this.path, key]);
  }

  /** `file:line`. */
  place(): string {
    return `${this.document.file}:${this.document.line(this.path)}`;
  }

  /** The items of a list; none when it is no list. */
  items(): Part<T extends readonly (infer Item)[] ? Item : never>[] {
    if (!Array.isArray(this.value)) return [];
    return this.value.map((item, i) => new Part(this.#checked, item, [...this.path, i]));
  }

  /** Whether the schema has found nothing wrong in it. */
  sound(): boolean {
    return this.#checked.usable(...this.path);
  }

  /** The value at a key when nothing is wrong with it. */
  get<K extends keyof T & string>(key: K): Held<T, K> | null {
    const held = this.at(key);
    return held?.sound() ? held.value : null;
  }

  error(message: string, index?: number): null {
    this.document.error(this.path, message, index);
    return null;
  }

  warning(message: string): void {
    this.document.warning(this.path, message);
  }

  missing(key: string, message?: string): null {
    this.document.missing([...this.path, key], message);
    return null;
  }
}
