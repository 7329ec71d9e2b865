import type { SampleBatch } from '../src/engine/batch.ts';
import type { Engine } from '../src/engine/engine.ts';
import type { IngestOutcome } from '../src/engine/outcome.ts';
import { Kernel } from '../src/ingest/kernel.ts';
import { RemoteWriteReceiver } from '../src/ingest/receive.ts';
import { ROUND_MS, START_MS } from './corpus.ts';
import { Hash } from './harness.ts';

/** What became of a request. */
export interface Applied {
  readonly batch: SampleBatch;
  readonly outcome: IngestOutcome;
  readonly nowMs: number;
}

/** The same rounds again, an hour later each time: values and timestamps that move on as real ones do. */
export class Story {
  readonly engine: Engine;
  readonly #receiver: RemoteWriteReceiver;
  readonly #rounds: readonly (readonly Uint8Array[])[];
  #played = 0;

  constructor(engine: Engine, rounds: readonly (readonly Uint8Array[])[]) {
    this.engine = engine;
    this.#receiver = new RemoteWriteReceiver(engine, {}, null, Kernel.load());
    this.#rounds = rounds;
  }

  decode(): void {
    for (const round of this.#rounds) for (const body of round) this.#receiver.read(body);
  }

  play(): void {
    for (const _ of this.requests());
  }

  /** Plays a request at a time. What it yields is valid until the next one. */
  *requests(): Generator<Applied> {
    const shiftMs = this.#played++ * 3_600_000;
    for (const [i, round] of this.#rounds.entries()) {
      const nowMs = START_MS + shiftMs + (i + 1) * ROUND_MS;
      for (const body of round) {
        const { batch } = this.#receiver.read(body);
        shift(batch, shiftMs);
        yield { batch, outcome: this.engine.ingest(batch, nowMs), nowMs };
      }
    }
  }

  hash(): number {
    const hash = new Hash();
    const nowMs = START_MS + this.#played * 3_600_000;
    for (const { events } of this.engine.states(nowMs)) {
      hash.double(events.good);
      hash.double(events.bad);
    }
    return hash.value;
  }
}

function shift(batch: SampleBatch, ms: number): void {
  const { timestampsMs, length } = batch;
  for (let row = 0; row < length; row++) timestampsMs[row]! += ms;
}
