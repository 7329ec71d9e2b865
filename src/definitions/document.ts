import {
  type Alias,
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Node as YamlNode,
  type Scalar as YamlScalar,
} from 'yaml';
import { formatPath, type Path, type Problem, shown } from './problem.ts';

export { formatProblem, type Problem } from './problem.ts';

/**
 * YAML (and so JSON) read into a small tree in which everything knows where it stands. Nothing is interpreted here: a
 * scalar keeps the text that the file has, beside the value that YAML 1.2 gives it, and the schema decides between them.
 *
 * Limits: 1 MiB a file, 1 MiB after aliases are expanded, 64 levels. The depth is measured on the token tree, which the
 * parser builds without recursion: the composer recurses, and a regular expression that V8 compiles close to the end of
 * the stack aborts the process, past every `catch` (seen with 50,000 times `[`).
 */

export const FILE_BYTES_MAX = 1_048_576;
const DEPTH_MAX = 64;
/** Far more than a file of the greatest depth needs, so that a megabyte of brackets costs nothing. */
const OPEN_TOKENS_MAX = 4 * DEPTH_MAX;
/** None of them is allowed in YAML, whose parser has a use of its own for some. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f]/;
const SYNTAX_PROBLEMS_MAX = 20;

export interface Scalar {
  readonly kind: 'scalar';
  /** As written: `1.10`, `yes`, `010`; of a quoted or block scalar its content. */
  readonly text: string;
  /** As YAML 1.2 reads it. */
  readonly value: unknown;
  readonly quoted: boolean;
  readonly start: number;
  /** Where the content begins and ends in the file. */
  readonly contentStart: number;
  readonly contentEnd: number;
}

export interface Entry {
  readonly keyStart: number;
  readonly value: Tree;
}

export interface Mapping {
  readonly kind: 'mapping';
  readonly entries: ReadonlyMap<string, Entry>;
  readonly start: number;
}

export interface Sequence {
  readonly kind: 'sequence';
  readonly items: readonly Tree[];
  readonly start: number;
}

export type Tree = Scalar | Mapping | Sequence;

export interface SourceFile {
  readonly file: string;
  readonly text: string;
}

/** One document of a file. */
export class DefinitionDocument {
  readonly file: string;
  readonly root: Tree;
  readonly #source: Source;
  readonly #problems: Problem[];
  /** Where the root stands in the document that it is an item of. */
  readonly #base: Path;

  constructor(source: Source, root: Tree, problems: Problem[], base: Path = []) {
    this.file = source.file;
    this.root = root;
    this.#source = source;
    this.#problems = problems;
    this.#base = base;
  }

  /** A list of objects, which say themselves of what version they are, is as many documents. */
  items(): DefinitionDocument[] {
    const items = this.root.kind === 'sequence' ? this.root.items : [];
    const areObjects = items.every((item) => item.kind === 'mapping' && item.entries.has('apiVersion'));
    if (items.length === 0 || !areObjects) return [this];
    return items.map((item, i) => new DefinitionDocument(this.#source, item, this.#problems, [i]));
  }

  /** The tree at a path; null when there is none. */
  at(path: Path): Tree | null {
    let tree: Tree = this.root;
    for (const part of path) {
      const next: Tree | undefined =
        tree.kind === 'mapping'
          ? tree.entries.get(String(part))?.value
          : tree.kind === 'sequence'
            ? tree.items[Number(part)]
            : undefined;
      if (next === undefined) return null;
      tree = next;
    }
    return tree;
  }

  /** The line on which the value at a path begins. */
  line(path: Path): number {
    return this.#source.position((this.at(path) ?? this.root).start).line;
  }

  keyLine(path: Path): number {
    return this.#source.position(this.#keyOffset(path)).line;
  }

  /** A problem of the value at a path, or, with `index`, of that character of its text. */
  error(path: Path, message: string, index?: number): void {
    this.#report('error', path, this.#valueOffset(path, index), message);
  }

  warning(path: Path, message: string): void {
    this.#report('warning', path, this.#valueOffset(path), message);
  }

  /** A problem of the key that a path ends in. */
  keyError(path: Path, message: string): void {
    this.#report('error', path, this.#keyOffset(path), message);
  }

  keyWarning(path: Path, message: string): void {
    this.#report('warning', path, this.#keyOffset(path), message);
  }

  /** A field that is not there stands at the mapping that lacks it. */
  missing(path: Path, message = 'is missing'): void {
    this.#report('error', path, this.#valueOffset(path.slice(0, -1)), message);
  }

  #valueOffset(path: Path, index?: number): number {
    const tree = this.at(path) ?? this.root;
    return index === undefined || tree.kind !== 'scalar' ? tree.start : this.#source.locate(tree, index);
  }

  #keyOffset(path: Path): number {
    const parent = this.at(path.slice(0, -1));
    const entry = parent?.kind === 'mapping' ? parent.entries.get(String(path.at(-1))) : undefined;
    return entry?.keyStart ?? this.#valueOffset(path);
  }

  #report(severity: Problem['severity'], path: Path, offset: number, message: string): void {
    this.#problems.push(this.#source.problem(severity, [...this.#base, ...path], offset, message));
  }
}

/** The documents of a file; empty ones are left out. What cannot be read is added to `problems`. */
export function readDocuments({ file, text }: SourceFile, problems: Problem[]): DefinitionDocument[] {
  const source = new Source(file, text.startsWith('\ufeff') ? text.slice(1) : text);
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) {
    problems.push(source.problem('error', [], 0, 'the file is larger than 1 MiB'));
    return [];
  }
  const control = CONTROL.exec(source.text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).padStart(2, '0');
    const message = `the control character \\x${code} may not stand in a file; in double quotes it is written so`;
    problems.push(source.problem('error', [], control.index, message));
    return [];
  }
  const tokens = tokensOf(source.text);
  const tooDeep = deeperThan(DEPTH_MAX, tokens);
  if (tooDeep !== null) {
    problems.push(source.problem('error', [], tooDeep, `nested deeper than ${DEPTH_MAX} levels`));
    return [];
  }
  const composer = new Composer({ version: '1.2', schema: 'core', prettyErrors: false, uniqueKeys: false });
  const documents: DefinitionDocument[] = [];
  for (const document of composer.compose(tokens, true, source.text.length)) {
    const root = readDocument(source, document, problems);
    if (root !== null) documents.push(new DefinitionDocument(source, root, problems));
  }
  return documents;
}

/** The token tree, up to where it is so deep that there is no use in reading on. */
function tokensOf(text: string): CST.Token[] {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > OPEN_TOKENS_MAX) break;
  }
  tokens.push(...parser.end());
  return tokens;
}

/** The document of a file that must hold one `what` and nothing else; null when it does not, which is a problem. */
export function readOnlyDocument(source: SourceFile, what: string, problems: Problem[]): DefinitionDocument | null {
  const problemCount = problems.length;
  const [document, ...others] = readDocuments(source, problems);
  if (document !== undefined && others.length === 0) return document;
  if (problems.length === problemCount) {
    const message = document === undefined ? `holds no ${what}` : 'must be a single YAML document';
    problems.push({ severity: 'error', file: source.file, line: 1, column: 1, path: '', message });
  }
  return null;
}

/** The offset of the first token below `depthMax` collections; null when there is none. */
function deeperThan(depthMax: number, tokens: readonly CST.Token[]): number | null {
  const open: [token: CST.Token, depth: number][] = tokens.toReversed().map((token) => [token, 0]);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [token, depth] = next;
    if (depth > depthMax) return token.offset;
    if (token.type === 'document' && token.value !== undefined) open.push([token.value, depth]);
    if (!('items' in token)) continue;
    for (let i = token.items.length - 1; i >= 0; i--) {
      const { key, value } = token.items[i]!;
      if (value) open.push([value, depth + 1]);
      if (key) open.push([key, depth + 1]);
    }
  }
  return null;
}

function readDocument(source: Source, document: Document.Parsed, problems: Problem[]): Tree | null {
  const faults = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  const linesSeen = new Set<number>();
  for (const fault of faults) {
    // One broken line makes a cascade of faults, of which the first is the one that helps.
    const problem = source.problem(
      'error',
      [],
      Math.min(fault.pos[0], source.text.length),
      syntaxMessage(fault.message),
    );
    if (linesSeen.has(problem.line) || linesSeen.size === SYNTAX_PROBLEMS_MAX) continue;
    linesSeen.add(problem.line);
    problems.push(problem);
  }
  if (faults.length > 0) return null;
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null && (contents.source ?? '') === ''))
    return null;
  return new TreeBuilder(source, problems).build(contents);
}

function syntaxMessage(message: string): string {
  const line = message.split('\n', 1)[0]!;
  return `invalid YAML: ${line.charAt(0).toLowerCase()}${line.slice(1)}`;
}

/** What is known of a tree beside its content: how large it is with aliases expanded, and how deep. */
interface Extent {
  readonly bytes: number;
  readonly height: number;
}

class TreeBuilder {
  readonly #source: Source;
  readonly #problems: Problem[];
  readonly #built = new Map<YamlNode, Tree>();
  readonly #extents = new Map<Tree, Extent>();
  readonly #open = new Set<YamlNode>();
  /** The latest node of each anchor so far. The library's own `resolve` walks the whole document for every alias. */
  readonly #anchors = new Map<string, YamlNode>();
  #refused = false;

  constructor(source: Source, problems: Problem[]) {
    this.#source = source;
    this.#problems = problems;
  }

  build(contents: YamlNode): Tree | null {
    const root = this.#tree(contents, []);
    const { bytes, height } = this.#extents.get(root)!;
    // The extents of a document without aliases are at most those that have been checked before.
    if (bytes > FILE_BYTES_MAX) this.#refuse([], root.start, 'the aliases expand past 1 MiB');
    else if (height > DEPTH_MAX + 1) this.#refuse([], root.start, `nested deeper than ${DEPTH_MAX} levels`);
    return this.#refused ? null : root;
  }

  #tree(node: YamlNode, path: Path): Tree {
    if (isAlias(node)) return this.#alias(node, path);
    this.#open.add(node);
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const tree = isMap(node)
      ? this.#mapping(node, path)
      : isSeq(node)
        ? this.#sequence(node, path)
        : this.#scalar(node);
    this.#open.delete(node);
    this.#built.set(node, tree);
    return tree;
  }

  /** An alias is the very tree of its anchor, so that expanding it costs nothing. */
  #alias(node: Alias, path: Path): Tree {
    const target = this.#anchors.get(node.source);
    const tree = target === undefined ? undefined : this.#built.get(target);
    if (tree !== undefined) return tree;
    const why = target !== undefined && this.#open.has(target) ? 'refers to itself' : 'refers to no anchor above it';
    this.#refuse(path, node.range![0], `the alias *${node.source} ${why}`);
    return this.#empty(node.range![0]);
  }

  #mapping(node: Extract<YamlNode, { items: unknown }>, path: Path): Mapping {
    const entries = new Map<string, Entry>();
    let bytes = 1;
    let height = 0;
    for (const pair of node.items as { key: YamlNode; value: YamlNode | null }[]) {
      const keyNode = isAlias(pair.key) ? this.#anchors.get(pair.key.source) : pair.key;
      const keyStart = pair.key?.range?.[0] ?? node.range![0];
      if (!isScalar(keyNode)) {
        this.#problem(path, keyStart, 'a key must be text');
        continue;
      }
      if (keyNode.anchor !== undefined) this.#anchors.set(keyNode.anchor, keyNode);
      const key = scalarText(keyNode);
      const value = pair.value === null ? this.#empty(keyStart) : this.#tree(pair.value, [...path, key]);
      const extent = this.#extents.get(value)!;
      bytes += key.length + extent.bytes;
      height = Math.max(height, extent.height);
      if (entries.has(key)) this.#problem([...path, key], keyStart, `the key ${shown(key)} is there twice`);
      else entries.set(key, { keyStart, value });
    }
    return this.#measured({ kind: 'mapping', entries, start: node.range![0] }, bytes, height + 1);
  }

  #sequence(node: Extract<YamlNode, { items: unknown }>, path: Path): Sequence {
    let bytes = 1;
    let height = 0;
    const items = (node.items as YamlNode[]).map((item, i) => {
      const tree = this.#tree(item, [...path, i]);
      const extent = this.#extents.get(tree)!;
      bytes += extent.bytes;
      height = Math.max(height, extent.height);
      return tree;
    });
    return this.#measured({ kind: 'sequence', items, start: node.range![0] }, bytes, height + 1);
  }

  #scalar(node: Exclude<YamlNode, Alias>): Scalar {
    const scalar = node as YamlScalar;
    const [start, end] = scalar.range!;
    const { text } = this.#source;
    const block = scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED';
    const quoted = scalar.type === 'QUOTE_DOUBLE' || scalar.type === 'QUOTE_SINGLE';
    const contentStart = block ? Math.max(text.indexOf('\n', start), start) : start + (quoted ? 1 : 0);
    return this.#measured(
      {
        kind: 'scalar',
        text: scalarText(scalar),
        value: scalar.value,
        quoted: quoted || block,
        start,
        contentStart,
        contentEnd: quoted ? end - 1 : end,
      },
      scalarText(scalar).length + 1,
      0,
    );
  }

  #empty(start: number): Scalar {
    const empty = { value: null, text: '', quoted: false, start, contentStart: start, contentEnd: start } as const;
    return this.#measured({ kind: 'scalar', ...empty }, 1, 0);
  }

  #measured<T extends Tree>(tree: T, bytes: number, height: number): T {
    this.#extents.set(tree, { bytes, height });
    return tree;
  }

  #refuse(path: Path, offset: number, message: string): void {
    this.#refused = true;
    this.#problem(path, offset, message);
  }

  #problem(path: Path, offset: number, message: string): void {
    this.#problems.push(this.#source.problem('error', path, offset, message));
  }
}

function scalarText(scalar: YamlScalar): string {
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value ?? ''));
}

/** The text of a file, and which line and column an offset is. */
class Source {
  readonly file: string;
  readonly text: string;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#lines.addNewLine(0);
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) this.#lines.addNewLine(at + 1);
  }

  position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col };
  }

  problem(severity: Problem['severity'], path: Path, offset: number, message: string): Problem {
    return { severity, file: this.file, ...this.position(offset), path: formatPath(path), message };
  }

  /**
   * Where character `index` of a scalar's text stands in the file. The two are walked side by side: escapes are longer in
   * the file, and where a scalar is folded or indented a run of white space stands for another.
   */
  locate(scalar: Scalar, index: number): number {
    const { text: file } = this;
    const { text: value, contentEnd } = scalar;
    const quote = scalar.quoted ? file[scalar.start] : '';
    let at = scalar.contentStart;
    let i = 0;
    while (at < contentEnd) {
      const spaces = leadingSpaces(file, at, contentEnd);
      if (spaces.includes('\n')) {
        const valueSpaces = leadingSpaces(value, i, value.length).length;
        if (index < i + valueSpaces) return at;
        i += valueSpaces;
        at += spaces.length;
        continue;
      }
      if (i >= index) break;
      const [fileLength, valueLength] = step(file, at, quote);
      at += fileLength;
      i += valueLength;
    }
    return Math.min(at, contentEnd);
  }
}

function leadingSpaces(text: string, from: number, end: number): string {
  let to = from;
  while (to < end && /\s/.test(text[to]!)) to++;
  return text.slice(from, to);
}

const ESCAPE_LENGTHS: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

/** How many characters of the file make how many of the text. */
function step(file: string, at: number, quote: string | undefined): [fileLength: number, valueLength: number] {
  if (quote === "'" && file.startsWith("''", at)) return [2, 1];
  if (quote !== '"' || file[at] !== '\\') return [1, 1];
  if (file[at + 1] === '\n') return [2 + leadingSpaces(file, at + 2, file.length).length, 0];
  const length = ESCAPE_LENGTHS[file[at + 1] ?? ''] ?? 2;
  return [length, Number.parseInt(file.slice(at + 2, at + length), 16) > 0xffff ? 2 : 1];
}
