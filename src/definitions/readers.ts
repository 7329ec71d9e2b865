import { DAY_MS } from '../engine/duration.ts';
import type { DefinitionDocument } from './document.ts';
import { type Format, UNKNOWN_FORMAT } from './format.ts';
import type { Found } from './found.ts';
import { readGatePolicy } from './gate-policy.ts';
import { readNative } from './native.ts';
import { readOpenSlo } from './openslo/reader.ts';
import { readPyrra } from './pyrra.ts';
import type { SecretSource } from './secret.ts';
import { readServerFile } from './server-file.ts';
import { readServiceList } from './service-list.ts';
import { readSloth } from './sloth.ts';

/** Who reads which format. */

/** What a reader is told that no file says. */
export interface ReadOptions {
  /** The window of Sloth SLOs, whose files have none. */
  readonly slothPeriodMs: number;
  /** The environment that secrets of an alerting file are found in; null when they are not looked for. */
  readonly env: SecretSource['env'] | null;
}

export const DEFAULT_READ_OPTIONS: ReadOptions = { slothPeriodMs: 30 * DAY_MS, env: null };

/** Reads all documents of a format together, because they may refer to each other. */
type Reader = (documents: readonly DefinitionDocument[], options: ReadOptions) => readonly Found[];

/** Of every format that SLOs may stand in, or that is refused. */
export const READERS: Readonly<Record<Exclude<Format, 'alerting'>, Reader>> = {
  native: (documents) => documents.flatMap(readNative),
  'service-list': (documents) => documents.flatMap(readServiceList),
  server: (documents) => {
    for (const document of documents) readServerFile(document, null);
    return [];
  },
  scenario: refused("this is a scenario file: run it with 'slipstream test'"),
  sloth: (documents, { slothPeriodMs }) => readSloth(documents, slothPeriodMs),
  pyrra: (documents) => documents.flatMap(readPyrra),
  openslo: readOpenSlo,
  gate: (documents) => {
    documents.forEach(readGatePolicy);
    return [];
  },
  unknown: refused(UNKNOWN_FORMAT),
};

function refused(message: string): Reader {
  return (documents) => {
    for (const document of documents) document.error([], message);
    return [];
  };
}
