import type { AnySchemaObject, ErrorObject } from 'ajv';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type Static, type TSchema, Type } from 'typebox';
import type { DefinitionDocument, Tree } from './document.ts';
import { FORMS, type Form } from './forms.ts';
import { anyOf, nearest, type Path, shown } from './problem.ts';

/**
 * A document held against a schema: typebox gives the type and the JSON schema, ajv finds what is wrong, and here it gets
 * its place in the file and words a person would use. Beside JSON schema's own there are these keywords:
 *
 * - `form`: a text of a form of its own (forms.ts), so that an expression is checked in the same pass as all else;
 * - `advised`: a form that it is only a warning not to have;
 * - `exactlyOneOf`: of these keys one and only one;
 * - `unknownKeys`: `warning` where a key that is not known does no harm;
 * - `expects`: what to write, in words; `range`: the same for the bounds of a number.
 *
 * A union is told apart by the kind of its value (`either`), never by `anyOf`, whose failure says nothing.
 */

/** What a mapping may hold, and nothing else. */
export function mapping<T extends Record<string, TSchema>>(fields: T, options: object = {}) {
  return Type.Object(fields, { additionalProperties: false, ...options });
}

/** A mapping of another tool's format: an unknown key is a warning, and a key without a value is one that is not there. */
export function foreign<T extends Record<string, TSchema>>(fields: T, options: object = {}) {
  return mapping(fields, { unknownKeys: 'warning', ...options });
}

export function text(form: Form, options: object = {}) {
  return Type.String({ form, ...options });
}

export function oneOf<const T extends string[]>(...values: T) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values });
}

/** A mapping (or list), or else something that is none. */
export function either<A extends TSchema, B extends TSchema>(kind: 'object' | 'array', compound: A, simple: B) {
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON schema
  return Type.Unsafe<Static<A> | Static<B>>({ if: { type: kind }, then: compound, else: simple });
}

/** The same schema with words for whoever writes the file; editors show them. */
export function described<T extends TSchema>(description: string, schema: T): T {
  const properties = Object.getOwnPropertyDescriptors(schema);
  return Object.defineProperties({}, { ...properties, description: { value: description, enumerable: true } }) as T;
}

/** Text by text: labels; the options are those of the values. */
export function textMap(options: object = {}) {
  return Type.Unsafe<Record<string, string>>({
    type: 'object',
    propertyNames: { type: 'string', form: 'labelName' },
    additionalProperties: { type: 'string', ...options },
  });
}

/** Compiled on first use: a command that reads no definitions does not pay for it. */
let ajv: Ajv2020 | undefined;
const validators = new WeakMap<TSchema, ValidateFunction>();

function validator(schema: TSchema): ValidateFunction {
  let validate = validators.get(schema);
  if (validate === undefined) {
    ajv ??= newAjv();
    validate = ajv.compile(schema);
    validators.set(schema, validate);
  }
  return validate;
}

function newAjv(): Ajv2020 {
  const made = new Ajv2020({ allErrors: true, verbose: true, strictTypes: false });
  for (const keyword of ['expects', 'range', 'unknownKeys']) made.addKeyword({ keyword, schemaType: 'string' });
  made.addKeyword({
    keyword: 'exactlyOneOf',
    type: 'object',
    schemaType: 'array',
    errors: true,
    validate: (keys: string[], data: object, parent?: AnySchemaObject) => {
      const present = Object.keys(data);
      const count = present.filter((key) => keys.includes(key)).length;
      if (count !== 0 || isForeign(parent!)) return count === 1;
      // A misspelt key is one mistake, and it is reported as an unknown key.
      return present.some((key) => !Object.hasOwn(parent!['properties'], key));
    },
  });
  for (const keyword of ['form', 'advised']) {
    made.addKeyword({
      keyword,
      type: 'string',
      schemaType: 'string',
      errors: true,
      validate: (form: Form, data: string) => FORMS[form](data) === null,
    });
  }
  return made;
}

/** A document as its schema sees it. Where something is wrong the value is not to be trusted, see `clean`. */
export class Checked<T> {
  readonly document: DefinitionDocument;
  readonly value: T;
  readonly #tainted: ReadonlySet<string>;

  constructor(document: DefinitionDocument, value: T, tainted: ReadonlySet<string>) {
    this.document = document;
    this.value = value;
    this.#tainted = tainted;
  }

  /** Whether nothing is wrong with the value at the path, nor with anything in it. */
  clean(...path: Path): boolean {
    return this.document.at(path) !== null && !this.#tainted.has(pointer(path));
  }

  /** Whether the value at the path, if it is there, is as it should be: what is missing has its default. */
  usable(...path: Path): boolean {
    return !this.#tainted.has(pointer(path));
  }
}

/** Holds a document against a schema and reports everything that is wrong with it. */
export function checkDocument<S extends TSchema>(schema: S, document: DefinitionDocument): Checked<Static<S>> {
  const value = plain(document.root, schema as AnySchemaObject);
  const tainted = new Set<string>();
  const validate = validator(schema);
  if (!validate(value)) {
    for (const error of validate.errors!) {
      if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
      const path = pathOf(error.instancePath, document);
      report(error, path, document);
      if (isHarmless(error)) continue;
      for (let depth = 0; depth <= path.length; depth++) tainted.add(pointer(path.slice(0, depth)));
      const unknown = error.params['additionalProperty'];
      if (unknown !== undefined) tainted.add(pointer([...path, unknown]));
    }
  }
  return new Checked(document, value as Static<S>, tainted);
}

function isForeign(schema: AnySchemaObject): boolean {
  return schema['unknownKeys'] === 'warning';
}

function isHarmless({ keyword, parentSchema }: ErrorObject): boolean {
  return keyword === 'advised' || (keyword === 'additionalProperties' && isForeign(parentSchema as AnySchemaObject));
}

function pointer(path: Path): string {
  return JSON.stringify(path);
}

function pathOf(instancePath: string, document: DefinitionDocument): Path {
  const parts = instancePath.split('/').slice(1);
  const path: (string | number)[] = [];
  for (const part of parts) {
    const isItem = document.at(path)?.kind === 'sequence';
    path.push(isItem ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return path;
}

/** The tree as plain values: text where the schema wants text, as it is written, and what YAML says everywhere else. */
function plain(tree: Tree, schema: AnySchemaObject): unknown {
  const chosen = branch(tree, schema);
  if (tree.kind === 'scalar') return chosen['type'] === 'string' ? tree.text : tree.value;
  if (tree.kind === 'sequence') return tree.items.map((item) => plain(item, chosen['items'] ?? {}));
  const fields: [string, unknown][] = [];
  for (const [key, { value }] of tree.entries) {
    if (!isForeign(chosen) || !isNull(value)) fields.push([key, plain(value, fieldSchema(chosen, key))]);
  }
  return Object.fromEntries(fields);
}

function isNull(tree: Tree): boolean {
  return tree.kind === 'scalar' && tree.value === null && !tree.quoted;
}

function branch(tree: Tree, schema: AnySchemaObject): AnySchemaObject {
  if (schema['if'] === undefined) return schema;
  const kind = { mapping: 'object', sequence: 'array', scalar: 'scalar' }[tree.kind];
  return branch(tree, schema['if'].type === kind ? schema['then'] : schema['else']);
}

function fieldSchema(schema: AnySchemaObject, key: string): AnySchemaObject {
  if (Object.hasOwn(schema['properties'] ?? {}, key)) return schema['properties'][key];
  for (const [pattern, inner] of Object.entries<AnySchemaObject>(schema['patternProperties'] ?? {})) {
    if (new RegExp(pattern, 'u').test(key)) return inner;
  }
  return typeof schema['additionalProperties'] === 'object' ? schema['additionalProperties'] : {};
}

function report(error: ErrorObject, path: Path, document: DefinitionDocument): void {
  const { keyword, params, propertyName, schema } = error;
  const parent = error.parentSchema as AnySchemaObject;
  if (propertyName !== undefined) {
    const wrong = FORMS[parent['form'] as Form](propertyName);
    document.keyError([...path, propertyName], wrong?.message ?? 'is not a valid name');
    return;
  }
  switch (keyword) {
    case 'additionalProperties':
      document[isForeign(parent) ? 'keyWarning' : 'keyError'](
        [...path, params['additionalProperty']],
        unknownKey(params['additionalProperty'], parent),
      );
      return;
    case 'required':
      document.missing([...path, params['missingProperty']], 'is required');
      return;
    case 'exactlyOneOf':
      document.error(path, `must have exactly one of ${anyOf(schema as string[])}`);
      return;
    case 'form': {
      const wrong = FORMS[schema as Form](error.data as string)!;
      document.error(path, wrong.message, wrong.at);
      return;
    }
    case 'advised':
      document.warning(path, FORMS[schema as Form](error.data as string)!.message);
      return;
    case 'uniqueItems':
      document.error([...path, Math.max(params['i'], params['j'])], 'is there twice');
      return;
    case 'minItems':
      document.error(path, 'must not be empty');
      return;
    case 'enum':
      document.error(path, `must be ${anyOf(schema as string[])}, got ${got(document.at(path))}`);
      return;
    case 'type':
      document.error(
        path,
        `must be ${parent['expects'] ?? typeInWords(schema as string)}, got ${got(document.at(path))}`,
      );
      return;
    default:
      document.error(path, `must be ${parent['range'] ?? error.message}, got ${got(document.at(path))}`);
  }
}

function unknownKey(key: string, schema: AnySchemaObject): string {
  const known = [...Object.keys(schema['properties'] ?? {}), ...((schema['examples'] as string[] | undefined) ?? [])];
  if (known.length === 0) return 'unknown key; there are none';
  const meant = nearest(key, known);
  return meant === null ? `unknown key; there are ${known.join(', ')}` : `unknown key; did you mean ${meant}?`;
}

const TYPES_IN_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
};

function typeInWords(type: string): string {
  return TYPES_IN_WORDS[type] ?? type;
}

function got(tree: Tree | null): string {
  if (tree === null) return 'nothing';
  if (tree.kind === 'mapping') return 'a mapping';
  if (tree.kind === 'sequence') return 'a list';
  if (isNull(tree)) return tree.text === '' ? 'nothing' : tree.text;
  return typeof tree.value === 'string' ? shown(tree.text) : tree.text;
}
