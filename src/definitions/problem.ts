/** What is wrong with a file, and where: the one shape in which every reader reports. */

export interface Problem {
  readonly severity: 'error' | 'warning';
  /** The file, or the flag or variable (`--listen`, `SLIPSTREAM_LISTEN`) when `line` is 0. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  /** `slos[2].objective`; empty for the document as a whole. */
  readonly path: string;
  readonly message: string;
}

export type Path = readonly (string | number)[];

/** `file:line:column: path: message`. */
export function formatProblem(problem: Problem): string {
  const { file, line } = problem;
  return line === 0 ? `${file}: ${severityText(problem)}` : `${file}:${formatPlaced(problem)}`;
}

/** `line:column: path: message`, where it is plain which file is meant. */
export function formatPlaced(problem: Problem): string {
  const { line, column, path } = problem;
  return `${line}:${column}: ${path === '' ? 'document' : path}: ${severityText(problem)}`;
}

function severityText({ severity, message }: Problem): string {
  return severity === 'warning' ? `warning: ${message}` : message;
}

const PLAIN_KEY = /^[\p{L}_][\p{L}\p{N}_/-]*$/u;

/** `slos[2].objective`; a key that could be misread is quoted: `labels["a.b"]`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (!PLAIN_KEY.test(part)) text += `[${JSON.stringify(part)}]`;
    else text += text === '' ? part : `.${part}`;
  }
  return text;
}

/** In the order in which a reader meets them, each once. */
export function sortProblems(problems: readonly Problem[], files: readonly string[]): Problem[] {
  const rank = new Map(files.map((file, i) => [file, i]));
  const once = new Map(problems.map((problem) => [formatProblem(problem), problem]));
  return [...once.values()].sort(
    (a, b) => (rank.get(a.file) ?? 0) - (rank.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  );
}

const SHOWN_MAX = 60;
const CONTROL = /\p{Cc}/gu;

/** A text of the user's, quoted, on one line and short. */
export function shown(text: string): string {
  const short = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  return `'${short.replaceAll(CONTROL, (character) => JSON.stringify(character).slice(1, -1))}'`;
}

/** `a`, `a or b`, `a, b or c`. */
export function anyOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

const NEAREST_LENGTH_MAX = 64;

/** The known word that the user most likely meant, or null. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (word.length > NEAREST_LENGTH_MAX) return null;
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(normal(word), normal(candidate));
    if (distance < bestDistance && distance < candidate.length) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `group_by` and `groupBy` are the same word to somebody who guesses. */
function normal(word: string): string {
  return word.toLowerCase().replaceAll(/[_-]/g, '');
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
