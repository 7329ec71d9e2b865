import { gzipSync } from 'node:zlib';
import { ApiError } from '../../src/api/errors.ts';
import { eventsOf, parsedEvents } from '../../src/api/events.ts';
import { Gunzips } from '../../src/api/gunzip.ts';
import { Pressure } from '../../src/api/pressure.ts';
import { Engine } from '../../src/engine/engine.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { IngestError } from '../../src/ingest/errors.ts';
import { Kernel } from '../../src/ingest/kernel.ts';
import { OtlpReceiver } from '../../src/ingest/otlp-receive.ts';
import { EventReader } from '../../src/ingest/pushed-events.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { scrape } from '../api/server.ts';
import { anSlo, counter } from '../support/slo.ts';
import { corpus, NOON_MS, PROTOCOLS, type Protocol } from './corpus.ts';
import { mutated, Random } from './mutate.ts';

/** Broken bodies through a receiver into an engine, while another SLO counts what it is sent. */

export interface Fuzzed {
  readonly read: number;
  readonly refused: number;
  readonly slowestMs: number;
}

/** SLOs of each kind that a body of the corpus feeds, and one that none does. */
export const SLOS: readonly Slo[] = [
  anSlo(),
  victim('events', {
    kind: 'events',
    total: [counter('victim')],
    given: 'bad',
    selectors: [counter('victim', { code: /5../ })],
  }),
  victim('otlp', { kind: 'events', total: [counter('victim_total')], given: 'bad', selectors: [counter('none')] }),
  victim('latency', { kind: 'latency', histogram: counter('seconds'), thresholdSeconds: 1 }),
  victim('pushed', { kind: 'push' }),
  { ...victim('regions', { kind: 'push' }), groupBy: ['region'] },
  victim('exponential', { kind: 'latency', histogram: counter('exponential'), thresholdSeconds: 1 }),
];

function victim(name: string, sli: Slo['sli']): Slo {
  return anSlo({ id: `victim/${name}`, service: 'victim', name, sli });
}

/**
 * Broken bodies without end, the same for the same seed. Of remote write a quarter is broken after its compression, and of gzip
 * half.
 */
export function* bodies(protocol: Protocol, seed: number): Generator<Uint8Array<ArrayBuffer>> {
  const random = new Random(seed);
  const valid = corpus(protocol);
  const all = PROTOCOLS.flatMap(corpus);
  const isCompressed = protocol === 'rw1' || protocol === 'rw2';
  const plain = corpus('otlp-protobuf');
  for (;;) {
    const body = random.of(valid);
    const others = random.below(4) === 0 ? all : valid;
    if (protocol === 'otlp-gzip' && random.below(2) === 0) {
      yield new Uint8Array(gzipSync(mutated(random.of(plain), plain, false, random)));
    } else if (isCompressed && random.below(4) === 0) yield mutated(compress(body), others, false, random);
    else {
      const bytes = mutated(body, others, protocol === 'otlp-json' || protocol === 'events', random);
      yield isCompressed ? new Uint8Array(compress(bytes)) : bytes;
    }
  }
}

const CONTROL_EVERY = 250;
const GUNZIP_BYTES_MAX = 1_000_000;

export class Fuzzer {
  readonly #engine = new Engine(SLOS, { seriesMax: 50_000 });
  readonly #remoteWrite = new RemoteWriteReceiver(this.#engine, {}, null, Kernel.load());
  readonly #otlp = new OtlpReceiver({ resolver: this.#engine, streamsMax: 50_000 });
  readonly #events = new EventReader(this.#engine);
  readonly #gunzips = new Gunzips(1);
  readonly #pressure = new Pressure({ inflightBytesMax: 2_000_000, loopDelayMaxMs: 1_000, loopDelayMs: () => 0 });
  #nowMs = NOON_MS;
  #scrapes = 0;

  /** Throws when a body does what none may do, naming it. */
  async run(protocol: Protocol, seed: number, rounds: number): Promise<Fuzzed> {
    const broken = bodies(protocol, seed);
    let read = 0;
    let slowestMs = 0;
    for (let round = 0; round < rounds; round++) {
      if (round % CONTROL_EVERY === 0) this.control();
      const body = broken.next().value as Uint8Array<ArrayBuffer>;
      const started = performance.now();
      try {
        if (protocol === 'otlp-gzip') this.#ingest('otlp-protobuf', await this.#gunzipped(body));
        else this.#ingest(protocol, body);
        read++;
      } catch (error) {
        if (!(error instanceof IngestError || error instanceof ApiError))
          throw named(error, protocol, seed, round, body);
      }
      const tookMs = performance.now() - started;
      slowestMs = Math.max(slowestMs, tookMs);
      if (tookMs > 1_000) throw named(new Error(`it took ${tookMs} ms`), protocol, seed, round, body);
    }
    this.control();
    return { read, refused: rounds - read, slowestMs };
  }

  /** A scrape of the SLO that nobody attacks, which must count it and nothing else. */
  control(): void {
    this.#nowMs += 100;
    const counts = { 200: 1_000 + 50 * this.#scrapes, 500: 2 * this.#scrapes };
    const body = compress(encodeWriteRequest(scrape(this.#nowMs, counts)));
    this.#engine.ingest(this.#remoteWrite.read(body, 'rw1').batch, this.#nowMs);
    const nowMs = this.#nowMs + 5_000;
    this.#engine.evaluate(nowMs);
    const states = JSON.stringify(this.#engine.states(nowMs));
    if (/"(total|good|bad)":-/.test(states)) throw new Error(`there are negative numbers of events: ${states}`);
    const { good, bad } = this.#engine.state('api/availability', nowMs)!.events;
    if (good !== 50 * this.#scrapes || bad !== 2 * this.#scrapes) {
      throw new Error(`after ${this.#scrapes} scrapes there are ${good} good and ${bad} bad events`);
    }
    this.#scrapes++;
  }

  async #gunzipped(body: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    const hold = this.#pressure.admit(0);
    try {
      return (await this.#gunzips.decompress(body, GUNZIP_BYTES_MAX, hold)) as Buffer<ArrayBuffer>;
    } finally {
      hold.release();
    }
  }

  #ingest(protocol: Protocol, body: Uint8Array<ArrayBuffer>): void {
    if (protocol === 'events') {
      this.#engine.push(eventsOf(parsedEvents(body), this.#events, this.#nowMs), this.#nowMs);
      return;
    }
    const { batch } =
      protocol === 'rw1' || protocol === 'rw2'
        ? this.#remoteWrite.read(body, protocol)
        : this.#otlp.read(body, protocol === 'otlp-json' ? 'json' : 'protobuf');
    this.#engine.ingest(batch, this.#nowMs);
  }
}

function named(cause: unknown, protocol: Protocol, seed: number, round: number, body: Uint8Array): Error {
  const hex = Buffer.from(body).toString('hex');
  return new Error(`${protocol}, seed ${seed}, round ${round}: ${cause}; the body in hex: ${hex}`, { cause });
}
