import type { DefinitionDocument, Mapping, Tree } from '../../definitions/document.ts';
import { anyOf, nearest, type Path, shown } from '../../definitions/problem.ts';
import { parseDuration } from '../../engine/duration.ts';
import type { Duration } from '../../engine/slo.ts';

/** A value of a document and how it is reached. */
export interface Value {
  readonly path: Path;
  readonly tree: Tree;
}

/** A mapping's entries. */
export class Fields {
  readonly path: Path;
  readonly #mapping: Mapping;

  constructor(path: Path, mapping: Mapping) {
    this.path = path;
    this.#mapping = mapping;
  }

  get(key: string): Value | undefined {
    const entry = this.#mapping.entries.get(key);
    return entry === undefined ? undefined : { path: [...this.path, key], tree: entry.value };
  }

  entries(): [key: string, value: Value][] {
    return [...this.#mapping.entries.keys()].map((key) => [key, this.get(key)!]);
  }
}

/** Reads the values of a document; whatever does not fit becomes a problem at its place and reads as null. */
export class FieldReader {
  readonly document: DefinitionDocument;

  constructor(document: DefinitionDocument) {
    this.document = document;
  }

  /** `at` is the offending character of the value's text. */
  fail(value: Value, message: string, at?: number): null {
    this.document.error(value.path, message, at);
    return null;
  }

  /** A mapping's entries; every key must be among `known`, unless that is null. */
  fields({ path, tree }: Value, known: readonly string[] | null): Fields | null {
    if (tree.kind !== 'mapping') return this.fail({ path, tree }, `must be a mapping, got ${got(tree)}`);
    for (const key of known === null ? [] : tree.entries.keys()) {
      if (known!.includes(key)) continue;
      const meant = nearest(key, known!);
      const hint = meant === null ? `there are ${known!.join(', ')}` : `did you mean ${meant}?`;
      this.document.keyError([...path, key], `unknown key; ${hint}`);
    }
    return new Fields(path, tree);
  }

  required(fields: Fields, key: string): Value | null {
    const value = fields.get(key);
    if (value === undefined) this.document.missing([...fields.path, key], 'is required');
    return value ?? null;
  }

  items({ path, tree }: Value): Value[] | null {
    if (tree.kind !== 'sequence') return this.fail({ path, tree }, `must be a list, got ${got(tree)}`);
    return tree.items.map((item, i) => ({ path: [...path, i], tree: item }));
  }

  isNull({ tree }: Value): boolean {
    return tree.kind === 'scalar' && tree.value === null;
  }

  /** As the file writes it (`1.10`, `yes`, `010`); null, without a problem, when there is no text. */
  scalarText(value: Value): string | null {
    return value.tree.kind === 'scalar' && !this.isNull(value) ? value.tree.text : null;
  }

  text(value: Value): string | null {
    return this.scalarText(value) ?? this.fail(value, `must be text, got ${got(value.tree)}`);
  }

  number(value: Value): number | null {
    const { tree } = value;
    if (tree.kind === 'scalar' && typeof tree.value === 'number') return tree.value;
    return this.fail(value, `must be a number, got ${got(tree)}`);
  }

  duration(value: Value): Duration | null {
    const text = this.scalarText(value);
    const duration = text === null ? null : parseDuration(text);
    return duration ?? this.fail(value, `must be a duration such as 1h30m, got ${got(value.tree)}`);
  }

  oneOf(value: Value, known: readonly string[]): string | null {
    const text = this.scalarText(value);
    if (text !== null && known.includes(text)) return text;
    return this.fail(value, `must be ${anyOf(known)}, got ${got(value.tree)}`);
  }
}

/** What is there instead, in words. */
function got(tree: Tree): string {
  if (tree.kind === 'mapping') return 'a mapping';
  if (tree.kind === 'sequence') return 'a list';
  if (tree.value === null) return 'nothing';
  return typeof tree.value === 'string' ? shown(tree.text) : tree.text;
}
