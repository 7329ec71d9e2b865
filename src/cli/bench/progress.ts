import type { Io } from '../io.ts';
import type { Load } from './load.ts';
import { shortNumber } from './numbers.ts';

/** How far a run has come: a bar on a terminal, else a line now and then. */

const BAR_CHARACTERS = 30;
const BAR_MS = 200;
const LINE_MS = 10_000;
const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  readonly #io: Io;
  readonly #isBar: boolean;
  readonly #durationMs: number;
  readonly #load: Load;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor(io: Io, isTerminal: boolean, durationMs: number, load: Load) {
    this.#io = io;
    this.#isBar = isTerminal && !io.env['NO_COLOR'];
    this.#durationMs = durationMs;
    this.#load = load;
    this.#timer = setInterval(() => this.#show(), this.#isBar ? BAR_MS : LINE_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#isBar) this.#io.err(CLEAR_LINE);
  }

  #show(): void {
    const passedMs = performance.now() - this.#startedMs;
    const seconds = `${Math.round(passedMs / 1_000)} s of ${Math.round(this.#durationMs / 1_000)} s`;
    const p99Ms = this.#load.latency.percentile(0.99).toFixed(1);
    const text = `${seconds}, ${shortNumber(this.#load.samples)} samples, p99 ${p99Ms} ms`;
    if (!this.#isBar) {
      this.#io.err(`${text}\n`);
      return;
    }
    const done = Math.min(Math.round((passedMs / this.#durationMs) * BAR_CHARACTERS), BAR_CHARACTERS);
    this.#io.err(`${CLEAR_LINE}[${'#'.repeat(done)}${'.'.repeat(BAR_CHARACTERS - done)}] ${text}`);
  }
}
