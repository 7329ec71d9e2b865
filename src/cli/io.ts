/** What a command may touch of its process, so that a test can stand in for it. */
export interface Io {
  /** Data. */
  readonly out: (text: string) => void;
  /** Progress and complaints. */
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Exit codes: yes, no (invalid file, blocked gate, failed test), wrong usage, unknown (no data), server unreachable. */
export const EXIT = { yes: 0, no: 1, usage: 2, unknown: 3, unreachable: 4 } as const;
