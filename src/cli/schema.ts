import { jsonSchema, type SchemaName } from '../definitions/json-schema.ts';
import { EXIT, type Io } from './io.ts';

/** `slipstream schema [native|service-list|server]`: the JSON Schema of a file, for editors. */
export function schemaCommand(name: SchemaName, io: Pick<Io, 'out'>): number {
  io.out(`${JSON.stringify(jsonSchema(name), null, 2)}\n`);
  return EXIT.yes;
}
