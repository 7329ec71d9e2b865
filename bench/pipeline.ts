import type { SampleBatch } from '../src/engine/batch.ts';
import { Engine } from '../src/engine/engine.ts';
import { RemoteWriteReceiver } from '../src/ingest/receive.ts';
import { corpus, ROUND_MS, START_MS } from './corpus.ts';
import { type Bench, benchOptions, Hash, measure, report } from './harness.ts';
import { servicesOf, slosOf } from './slos.ts';

/** A compressed body to events of SLOs: decode, and decode + engine. One availability SLO a service. */

const options = benchOptions();

/** The same rounds again, an hour later each time: values and timestamps that move on as real ones do. */
class Story {
  readonly engine: Engine;
  readonly #receiver: RemoteWriteReceiver;
  readonly #rounds: readonly (readonly Uint8Array[])[];
  #played = 0;

  constructor(engine: Engine, rounds: readonly (readonly Uint8Array[])[]) {
    this.engine = engine;
    this.#receiver = new RemoteWriteReceiver(engine);
    this.#rounds = rounds;
  }

  decode(): void {
    for (const round of this.#rounds) for (const body of round) this.#receiver.read(body);
  }

  play(): void {
    const shiftMs = this.#played++ * 3_600_000;
    this.#rounds.forEach((round, i) => {
      const nowMs = START_MS + shiftMs + (i + 1) * ROUND_MS;
      for (const body of round) {
        const { batch } = this.#receiver.read(body);
        shift(batch, shiftMs);
        this.engine.ingest(batch, nowMs);
      }
    });
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

function benches(series: number, rounds: number, repetitions: number): Bench[] {
  const { rounds: bodies, samplesPerRound } = corpus({ series, rounds });
  const slos = slosOf(servicesOf(series));
  const story = new Story(new Engine(slos), bodies);
  const name = `${series / 1000}k series, ${slos.length} SLOs`;
  const common = { unit: 'sample', unitsPerRun: samplesPerRound * rounds, repetitions, warmUps: 2 };
  return [
    { ...common, name: `${name}: decode`, run: () => story.decode() },
    { ...common, name: `${name}: decode + engine`, run: () => story.play(), hash: () => story.hash() },
  ];
}

const all = options.smoke ? benches(2_000, 2, 3) : [...benches(20_000, 8, 15), ...benches(200_000, 3, 7)];
report('pipeline: remote write 1.0 to events', measure(all), options);
