import { lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join, parse, sep } from 'node:path';

/** Files, folders and globs to files. */

const DEFINITION_FILE = /\.(?:yaml|yml|json)$/i;
const MAGIC = /[*?{]/;

export interface FoundFiles {
  /** Each once, whatever the number of ways that lead to it. */
  readonly files: readonly string[];
  /** Paths that name no file, globs that match none, folders that may not be read. */
  readonly failed: readonly { readonly path: string; readonly message: string }[];
}

/**
 * A file as it is; a folder with all its `*.yaml`, `*.yml` and `*.json`; a glob of `*`, `**`, `?` and `{a,b}`. Names that
 * begin with a dot are skipped unless they are written out: a mounted Kubernetes ConfigMap keeps a second copy of every
 * file under `..data`.
 */
export function findFiles(paths: readonly string[]): FoundFiles {
  const byRealPath = new Map<string, string>();
  const failed: { path: string; message: string }[] = [];
  for (const path of paths) {
    try {
      const found = filesAt(path);
      if (found === null) failed.push({ path, message: 'no such file' });
      for (const file of found ?? []) {
        const real = realPath(file);
        if (!byRealPath.has(real)) byRealPath.set(real, file);
      }
    } catch (error) {
      const { path: where } = error as NodeJS.ErrnoException;
      failed.push({ path: where ?? path, message: whyUnreadable(error) });
    }
  }
  return { files: [...byRealPath.values()], failed };
}

/** What the system says of a file or folder, without its code: `cannot be read: permission denied`. */
export function whyUnreadable(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return `cannot be read: ${/^[A-Z]+: ([^,]+)/.exec(message)?.[1] ?? code ?? message}`;
}

/** A link that leads nowhere stands for itself: whoever reads it says so. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

function filesAt(path: string): string[] | null {
  const kind = kindOf(path);
  if (kind === 'folder') return folderFiles(path, new Set());
  if (kind !== null) return [path];
  if (!MAGIC.test(path)) return null;
  const matched = new Set(expandBraces(path).flatMap(globFiles));
  return matched.size === 0 ? null : [...matched].sort();
}

function kindOf(path: string): 'file' | 'folder' | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  return stats.isDirectory() ? 'folder' : 'file';
}

/** Of what is found in a folder: a link that leads nowhere, or in a circle, is a file that cannot be read. */
function entryKind(path: string): 'file' | 'folder' | null {
  try {
    const kind = kindOf(path);
    if (kind !== null) return kind;
  } catch {
    // It is there, and reading it says what is wrong with it.
  }
  return lstatSync(path, { throwIfNoEntry: false }) === undefined ? null : 'file';
}

function names(folder: string): string[] {
  return readdirSync(folder === '' ? '.' : folder).sort();
}

/** `visited` keeps a link to a folder above from being followed for ever. */
function folderFiles(folder: string, visited: Set<string>): string[] {
  if (!enter(folder, visited)) return [];
  return names(folder)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => {
      const path = join(folder, name);
      const kind = entryKind(path);
      if (kind === 'folder') return folderFiles(path, visited);
      return kind === 'file' && DEFINITION_FILE.test(name) ? [path] : [];
    });
}

function enter(folder: string, visited: Set<string>): boolean {
  const real = realpathSync(folder === '' ? '.' : folder);
  if (visited.has(real)) return false;
  visited.add(real);
  return true;
}

/** `a{b,c{d,e}}` to `ab`, `acd`, `ace`. A brace that is not closed stands for itself. */
function expandBraces(glob: string): string[] {
  const open = innermostBrace(glob);
  if (open === null) return [glob];
  const [from, to] = open;
  const alternatives = glob.slice(from + 1, to).split(',');
  return alternatives.flatMap((text) => expandBraces(glob.slice(0, from) + text + glob.slice(to + 1)));
}

function innermostBrace(glob: string): [from: number, to: number] | null {
  const to = glob.indexOf('}');
  const from = to === -1 ? -1 : glob.lastIndexOf('{', to);
  return from === -1 ? null : [from, to];
}

function globFiles(glob: string): string[] {
  const { root } = parse(glob);
  const segments = glob
    .slice(root.length)
    .split(sep === '\\' ? /[\\/]+/ : /\/+/)
    .filter((segment, i, all) => segment !== '' && !(segment === '**' && all[i - 1] === '**'));
  return match(root, segments);
}

function match(folder: string, segments: readonly string[]): string[] {
  const [segment, ...rest] = segments;
  if (segment === undefined) return [];
  if (segment === '**') return matchAnyDepth(folder, rest.length === 0 ? ['*'] : rest, new Set());
  if (!MAGIC.test(segment)) return step(join(folder, segment), rest);
  if (kindOf(folder === '' ? '.' : folder) !== 'folder') return [];
  const pattern = segmentPattern(segment);
  return names(folder)
    .filter((name) => pattern.test(name) && (!name.startsWith('.') || segment.startsWith('.')))
    .flatMap((name) => step(join(folder, name), rest));
}

function step(path: string, rest: readonly string[]): string[] {
  const kind = entryKind(path);
  if (rest.length === 0) return kind === 'file' ? [path] : [];
  return kind === 'folder' ? match(path, rest) : [];
}

function matchAnyDepth(folder: string, rest: readonly string[], visited: Set<string>): string[] {
  if (kindOf(folder === '' ? '.' : folder) !== 'folder' || !enter(folder, visited)) return [];
  const here = match(folder, rest);
  const below = names(folder)
    .filter((name) => !name.startsWith('.') && entryKind(join(folder, name)) === 'folder')
    .flatMap((name) => matchAnyDepth(join(folder, name), rest, visited));
  return [...here, ...below];
}

function segmentPattern(segment: string): RegExp {
  const source = segment.replaceAll(/[\s\S]/gu, (character) => {
    if (character === '*') return '[^/]*';
    if (character === '?') return '[^/]';
    return character.replaceAll(/[\\^$.|+()[\]{}]/g, String.raw`\$&`);
  });
  return new RegExp(`^${source.replaceAll(/(?:\[\^\/\]\*)+/g, '[^/]*')}$`, 'u');
}
