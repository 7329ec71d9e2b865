import { accessSync, constants, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Secret } from '../engine/alerting.ts';

/** Secrets of an alerting file: a text, in which `${NAME}` is a variable of the environment, or the content of a file. */

/** Where secrets are found; null when a file is only checked, as on a machine that does not have them. */
export interface SecretSource {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Files are relative to it. */
  readonly folder: string;
}

/** A secret that cannot be had: never says more of it than where it was looked for. */
export interface MissingSecret {
  readonly missing: string;
}

const VARIABLE = /\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

export function hasVariables(text: string): boolean {
  return text.search(VARIABLE) !== -1;
}

export function textSecret(text: string, source: SecretSource | null): Secret | MissingSecret {
  if (source === null) return () => text;
  for (const [, name] of text.matchAll(VARIABLE)) {
    if (!source.env[name!]) return { missing: `the environment variable ${name} is not set` };
  }
  const value = text.replaceAll(VARIABLE, (_, name: string) => source.env[name]!);
  return () => value;
}

export function fileSecret(file: string, source: SecretSource | null): Secret | MissingSecret {
  if (source === null) return () => '';
  const path = isAbsolute(file) ? file : join(source.folder, file);
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    return { missing: `the file ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}` };
  }
  return () => {
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (error) {
      throw new Error(`the secret in ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
    }
  };
}
