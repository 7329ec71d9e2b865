import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Alerting } from '../engine/alerting.ts';
import type { Slo } from '../engine/slo.ts';
import { readAlertingFile } from './alerting.ts';
import { type DefinitionDocument, FILE_BYTES_MAX, readDocuments, type SourceFile } from './document.ts';
import { type Format, recognise } from './format.ts';
import type { Found } from './found.ts';
import { type GatePolicyFile, readGatePolicyFile } from './gate-policy.ts';
import { findFiles, whyUnreadable } from './paths.ts';
import { type Problem, sortProblems } from './problem.ts';
import { DEFAULT_READ_OPTIONS, READERS, type ReadOptions } from './readers.ts';

/** Definition files to SLOs. All files are one set; the same files give the same SLOs in the same order. */

export interface SloSource {
  readonly file: string;
  readonly line: number;
}

export interface Definitions {
  readonly slos: readonly Slo[];
  /** By the id of the SLO. */
  readonly sources: ReadonlyMap<string, SloSource>;
  /** Null without an alerting file, and when something is wrong with it. */
  readonly alerting: Alerting | null;
  /** By file, line and column. Without an error among them every SLO of the files is in `slos`. */
  readonly problems: readonly Problem[];
}

export interface LoadedDefinitions extends Definitions {
  readonly files: readonly string[];
  /** The paths that led to no file; each is a problem too. */
  readonly missing: readonly string[];
}

/** Reads files, folders and globs. */
export function loadDefinitions(paths: readonly string[], options: Partial<ReadOptions> = {}): LoadedDefinitions {
  const { files, failed } = findFiles(paths);
  const problems = failed.map(({ path, message }) => noSuchFile(path, message));
  const sources: SourceFile[] = [];
  for (const file of files) {
    const read = readText(file);
    if (typeof read === 'string') sources.push({ file, text: read });
    else problems.push(read);
  }
  const definitions = readDefinitions(sources, options);
  return {
    ...definitions,
    problems: [...problems, ...definitions.problems],
    files,
    missing: failed.map(({ path }) => path),
  };
}

/** The pure part: texts to SLOs. */
export function readDefinitions(files: readonly SourceFile[], options: Partial<ReadOptions> = {}): Definitions {
  const problems: Problem[] = [];
  const slos: Slo[] = [];
  const sources = new Map<string, SloSource>();
  const documents = parse(files, problems);
  const alertingDocuments = documents.filter(({ root }) => recognise(root) === 'alerting');
  const allOptions = { ...DEFAULT_READ_OPTIONS, ...options };
  for (const found of readAll(documents, allOptions)) {
    const { slo, document } = found;
    const first = sources.get(slo.id);
    if (first === undefined) {
      slos.push(slo);
      sources.set(slo.id, { file: document.file, line: lineOf(found) });
    } else reportDuplicate(found, first);
  }
  return {
    slos,
    sources,
    alerting: readAlertings(alertingDocuments, allOptions),
    problems: sortProblems(
      problems,
      files.map(({ file }) => file),
    ),
  };
}

/** There is one, or none. */
function readAlertings([first, second]: readonly DefinitionDocument[], { env }: ReadOptions): Alerting | null {
  if (first === undefined) return null;
  second?.error([], `alerting is already defined in ${first.file}:${first.line([])}`);
  return readAlertingFile(first, env === null ? null : { env, folder: dirname(first.file) });
}

function parse(files: readonly SourceFile[], problems: Problem[]): DefinitionDocument[] {
  return files.flatMap((file) => {
    const problemCount = problems.length;
    const documents = readDocuments(file, problems);
    if (documents.length === 0 && problems.length === problemCount) {
      problems.push({ ...fileProblem(file.file, 'the file is empty'), severity: 'warning' });
    }
    return documents.flatMap((document) => document.items());
  });
}

/** In the order of the documents. */
function readAll(documents: readonly DefinitionDocument[], options: ReadOptions): Found[] {
  const byFormat = new Map<Format, DefinitionDocument[]>();
  for (const document of documents) {
    const format = recognise(document.root);
    const group = byFormat.get(format);
    if (group === undefined) byFormat.set(format, [document]);
    else group.push(document);
  }
  const place = new Map(documents.map((document, i) => [document, i]));
  return [...byFormat]
    .flatMap(([format, group]) => (format === 'alerting' ? [] : READERS[format](group, options)))
    .sort((a, b) => place.get(a.document)! - place.get(b.document)!);
}

function lineOf({ document, path, keyed }: Found): number {
  return keyed ? document.keyLine(path) : document.line(path);
}

function reportDuplicate({ slo, document, path, keyed }: Found, first: SloSource): void {
  const message = `the SLO ${slo.id} is already defined in ${first.file}:${first.line}`;
  if (keyed) document.keyError(path, message);
  else document.error(path, message);
}

/** Null when there is no such file. */
export function loadGatePolicy(file: string): GatePolicyFile | null {
  const text = readText(file);
  if (typeof text === 'string') return readGatePolicyFile({ file, text });
  return text.line === 0 ? null : { policy: null, problems: [text] };
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The text of a file, or why it cannot be read. */
export function readText(file: string): string | Problem {
  try {
    const stats = statSync(file);
    // Opening a pipe waits for its writer, for ever if there is none.
    if (!stats.isFile()) return fileProblem(file, 'is not a file');
    if (stats.size > FILE_BYTES_MAX) return fileProblem(file, 'the file is larger than 1 MiB');
    return decoder.decode(readFileSync(file));
  } catch (error) {
    if (error instanceof TypeError) return fileProblem(file, 'is not UTF-8 text');
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? noSuchFile(file) : fileProblem(file, whyUnreadable(error));
  }
}

function fileProblem(file: string, message: string): Problem {
  return { severity: 'error', file, line: 1, column: 1, path: '', message };
}

function noSuchFile(path: string, message = 'no such file'): Problem {
  return { severity: 'error', file: path, line: 0, column: 0, path: '', message };
}
