import { statSync } from 'node:fs';
import { findFiles } from './paths.ts';

/**
 * Notices that files have changed, by looking: notifications of the file system miss network mounts, folders that appear, and
 * a ConfigMap of Kubernetes, whose files change when a link to their folder is swapped.
 */

/** Between two looks. */
const LOOK_MS = 2_000;
/** What was changed is looked at again after this long, until nothing more changes: an editor or a checkout may be at work. */
const SETTLE_MS = 300;
/** At most one part in so many of the time is spent with looking. */
const COST_RATIO = 100;

/** Stands for what the paths lead to: it changes when a file appears, goes, is written or replaced. */
export function fingerprintOf(paths: readonly string[]): string {
  const { files, failed } = findFiles(paths);
  const states = files.map((file) => {
    const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
    return stats && [file, stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
  });
  return [...states, ...failed.map(({ path, message }) => `${path} ${message}`)].join('\n');
}

export interface Watched {
  readonly paths: readonly string[];
  /** The fingerprint of what was read last. */
  readonly seen: string;
}

export class FileWatch {
  readonly #files: Watched;
  readonly #changed: () => Promise<unknown>;
  readonly #lookMs: number;
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;
  #unsettled: string | null = null;

  /** `changed` reads the files again; when it fails it is asked again only if it has not read them. */
  constructor(files: Watched, changed: () => Promise<unknown>, lookMs = LOOK_MS) {
    this.#files = files;
    this.#changed = changed;
    this.#lookMs = lookMs;
    this.#lookAfter(lookMs);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #lookAfter(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    const started = performance.now();
    const present = fingerprintOf(this.#files.paths);
    const costMs = performance.now() - started;
    if (present === this.#files.seen) this.#unsettled = null;
    else if (present !== this.#unsettled) {
      this.#unsettled = present;
      this.#lookAfter(Math.max(SETTLE_MS, costMs));
      return;
    } else {
      this.#unsettled = null;
      await this.#changed().catch(() => {});
    }
    this.#lookAfter(Math.max(this.#lookMs, costMs * COST_RATIO));
  }
}
