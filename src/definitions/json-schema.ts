import type { AnySchemaObject } from 'ajv';
import { DURATION } from '../engine/duration.ts';
import { ADDRESS, type Form, ID_LENGTH_MAX, PERCENT, RATE, SIZE } from './forms.ts';
import { NativeSchema } from './native.ts';
import { ServerSchema } from './server-file.ts';
import { ServiceListSchema } from './service-list.ts';

/**
 * The schemas that files are held against, in words that every editor understands: JSON Schema, draft 2020-12. What only a
 * reader can tell, such as a wrong selector, is left to `slipstream check`; what that accepts is not marked, except a name that
 * reads `null`.
 */

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

const SCHEMAS = { native: NativeSchema, 'service-list': ServiceListSchema, server: ServerSchema };
export type SchemaName = keyof typeof SCHEMAS;
export const SCHEMA_NAMES = Object.keys(SCHEMAS) as readonly SchemaName[];

export function jsonSchema(name: SchemaName): AnySchemaObject {
  const { title, ...schema } = SCHEMAS[name] as AnySchemaObject;
  return { $schema: DIALECT, title, ...(published(schema) as AnySchemaObject) };
}

/** Text stays as it is written, where YAML reads a number, a truth value or nothing. */
const TEXT = ['string', 'number', 'boolean'];
const duration = { pattern: DURATION.source, minLength: 1 };

/** Of a form what a pattern can say. */
const SHAPES: Partial<Record<Form, object>> = {
  id: { type: TEXT, minLength: 1, maxLength: ID_LENGTH_MAX, pattern: '^[^/\\u0000-\\u001f\\u007f-\\u009f]*$' },
  labelName: { type: TEXT, minLength: 1, not: { const: '__name__' } },
  duration,
  delay: { ...duration, type: ['string', 'integer'], pattern: `^0$|${DURATION.source}`, minimum: 0, maximum: 0 },
  alertWindow: duration,
  rollingWindow: duration,
  slice: duration,
  rate: { pattern: RATE.source },
  percent: { pattern: PERCENT.source },
  size: { type: ['string', 'integer'], pattern: SIZE.source, minimum: 1 },
  address: { pattern: ADDRESS.source },
  timeZone: { pattern: '^[A-Za-z]' },
  selector: { minLength: 1 },
  selectorTemplate: { minLength: 1 },
};

function published(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(published);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { form, exactlyOneOf, expects, range, examples, ...standard } = schema as AnySchemaObject;
  const children = Object.entries(standard).map(([key, value]) => [key, published(value)]);
  const own = Object.fromEntries(children) as AnySchemaObject;
  if (form !== undefined) return { ...own, ...SHAPES[form as Form] };
  if (own['type'] === 'string' && own['enum'] === undefined) return { ...own, type: [...TEXT, 'null'] };
  if (exactlyOneOf === undefined) return own;
  return { ...own, oneOf: (exactlyOneOf as string[]).map((key) => ({ required: [key] })) };
}
