import { Fleet } from '../src/cli/bench/fleet.ts';
import type { Protocol } from '../src/cli/bench/protocols.ts';
import { type Order, shardsOf } from '../src/cli/bench/shard.ts';

/** The requests that `slipstream bench` sends, in memory: seeded, so that two runs and two revisions read the same bytes. */

export interface CorpusOptions {
  /** Rounded up to whole targets. */
  readonly series: number;
  readonly rounds: number;
  readonly samplesPerRequest?: number;
  readonly protocol?: Protocol;
  readonly order?: Order;
  readonly seed?: number;
}

export interface Corpus {
  readonly seriesCount: number;
  /** By round: its requests, compressed. */
  readonly rounds: readonly (readonly Uint8Array[])[];
  readonly samplesPerRound: number;
  /** All rounds. */
  readonly rawBytes: number;
  readonly compressedBytes: number;
}

export const START_MS = 1_767_225_600_000;
export const ROUND_MS = 15_000;
/** Of a sender of the order `sharded`. */
const SHARDS = 4;

export function corpus(options: CorpusOptions): Corpus {
  const { samplesPerRequest = 2_000, protocol = 'rw1', order = 'friendly', seed = 1 } = options;
  const fleet = new Fleet({ series: options.series, seed });
  const shards = shardsOf(fleet, order === 'sharded' ? SHARDS : 1, { protocol, order, samplesPerRequest, seed });
  let rawBytes = 0;
  let compressedBytes = 0;
  const rounds = Array.from({ length: options.rounds }, (_, round) => {
    const requests = Math.max(...shards.map((shard) => shard.requests(round)));
    const bodies: Uint8Array[] = [];
    for (let i = 0; i < requests; i++) {
      for (const shard of shards.filter((each) => i < each.requests(round))) {
        const template = shard.template(round, i, START_MS + Math.floor((round + i / requests) * ROUND_MS));
        const body = template.fill(fleet).slice();
        rawBytes += template.rawBytes;
        compressedBytes += body.length;
        bodies.push(body);
      }
    }
    return bodies;
  });
  return { seriesCount: fleet.seriesCount, rounds, samplesPerRound: fleet.seriesCount, rawBytes, compressedBytes };
}
