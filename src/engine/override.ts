/** Somebody has decided that a service may be deployed although the gate blocks it, and answers for it by name. */
export interface Override {
  readonly id: number;
  readonly service: string;
  /** Of who decided. */
  readonly name: string;
  readonly reason: string;
  readonly createdMs: number;
  readonly expiresMs: number;
  /** Null while nobody has taken it back. */
  readonly revokedMs: number | null;
}

/** The override of a service that is active; null when there is none. */
export type OverrideOf = (service: string) => Override | null;

export const NO_OVERRIDES: OverrideOf = () => null;

export function isActive({ expiresMs, revokedMs }: Override, nowMs: number): boolean {
  return revokedMs === null && nowMs < expiresMs;
}
