/** Lets a sender that is refused again and again fill a line of the log every ten seconds for each code, not one a request. */
export class RefusalLog {
  readonly #everyMs: number;
  readonly #entries = new Map<string, { untilMs: number; suppressed: number }>();

  constructor(everyMs = 10_000) {
    this.#everyMs = everyMs;
  }

  /** How many lines of this code were left out since the last, or null when this one is left out as well. */
  admit(code: string, nowMs: number): number | null {
    const entry = this.#entries.get(code);
    if (entry !== undefined && nowMs < entry.untilMs) {
      entry.suppressed++;
      return null;
    }
    this.#entries.set(code, { untilMs: nowMs + this.#everyMs, suppressed: 0 });
    return entry?.suppressed ?? 0;
  }
}
