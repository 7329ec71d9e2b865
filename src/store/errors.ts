import Database from 'better-sqlite3';

/** Why the data directory cannot be used; the message says what to do about it. */
export type StoreErrorCode = 'in_use' | 'not_writable' | 'damaged' | 'newer_schema' | 'failed';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** Nothing of the group was committed. Its records are still queued, in order, and will be tried again. */
export class CommitError extends Error {
  override readonly name = 'CommitError';

  constructor(cause: unknown) {
    super(`the journal could not be written: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

const NOT_WRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'SQLITE_CANTOPEN', 'SQLITE_READONLY']);

/** What an operator can do about an error of SQLite or of the file system; any other error is returned as it is. */
export function readable(error: unknown, dir: string): unknown {
  if (!(error instanceof Error && 'code' in error)) return error;
  const fromFileSystem = 'syscall' in error;
  if (!(error instanceof Database.SqliteError) && !fromFileSystem) return error;
  // SQLITE_READONLY_DIRECTORY and its like are cases of SQLITE_READONLY.
  const code = String(error.code).match(/^(?:SQLITE_)?[A-Z]+/)![0];
  if (code === 'SQLITE_BUSY') {
    return new StoreError(
      'in_use',
      `data directory ${dir} is in use by another slipstream process; stop it, or choose another directory with --data`,
      error,
    );
  }
  if (code === 'SQLITE_CORRUPT' || code === 'SQLITE_NOTADB') return damaged(dir, error.message, error);
  if (NOT_WRITABLE.has(code)) {
    return new StoreError(
      'not_writable',
      `data directory ${dir} cannot be written (${error.message}); make it a directory that this user may write to, ` +
        'or choose another with --data',
      error,
    );
  }
  return new StoreError('failed', `data directory ${dir} cannot be used: ${error.message}`, error);
}

export function damaged(dir: string, what: string, cause?: unknown): StoreError {
  return new StoreError(
    'damaged',
    `data directory ${dir} is damaged (${what}); restore a backup, or move the directory away to start without its history`,
    cause,
  );
}
