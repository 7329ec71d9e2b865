import type { RemoteWriteProtocol } from '../src/ingest/content-type.ts';
import { Kernel } from '../src/ingest/kernel.ts';
import { RemoteWriteReceiver } from '../src/ingest/receive.ts';
import { SnappyDecoder } from '../src/ingest/snappy.ts';
import { corpus } from './corpus.ts';
import { type Bench, benchOptions, Hash, measure, report } from './harness.ts';
import { TableResolver } from './table-resolver.ts';

/** A compressed body to rows of a batch, for series that are known; and snappy alone, the floor under it. */

const options = benchOptions();

function decodeBenches(
  name: string,
  protocol: RemoteWriteProtocol,
  series: number,
  rounds: number,
  repetitions: number,
): Bench[] {
  const { rounds: requests, samplesPerRound } = corpus({ series, rounds, protocol });
  const bodies = requests.flat();
  const unitsPerRun = samplesPerRound * rounds;
  const receiver = new RemoteWriteReceiver(new TableResolver(), {}, null, Kernel.load());
  const snappy = new SnappyDecoder(64 * 1024 * 1024);
  return [
    {
      name: `${name} snappy alone`,
      unit: 'sample',
      unitsPerRun,
      repetitions,
      run: () => {
        for (const body of bodies) snappy.decode(body);
      },
      hash: () => {
        const hash = new Hash();
        for (const body of bodies) {
          const length = snappy.decode(body);
          for (let i = 0; i < length; i++) hash.word(snappy.output[i]!);
        }
        return hash.value;
      },
    },
    {
      name: `${name} snappy and walk`,
      unit: 'sample',
      unitsPerRun,
      repetitions,
      run: () => {
        for (const body of bodies) receiver.read(body, protocol);
      },
      hash: () => {
        const hash = new Hash();
        for (const body of bodies) {
          const { batch } = receiver.read(body, protocol);
          for (let row = 0; row < batch.length; row++) {
            hash.word(batch.seriesIds[row]!);
            hash.double(batch.timestampsMs[row]!);
            hash.double(batch.values[row]!);
          }
        }
        return hash.value;
      },
    },
  ];
}

/** First sight: every body goes to a receiver that has met nothing. */
function firstSightBench(name: string, protocol: RemoteWriteProtocol, series: number, repetitions: number): Bench {
  const { rounds, seriesCount } = corpus({ series, rounds: 1, protocol });
  const bodies = rounds.flat();
  return {
    name: `${name} first sight`,
    unit: 'series',
    unitsPerRun: seriesCount,
    repetitions,
    run: () => {
      const receiver = new RemoteWriteReceiver(new TableResolver(), {}, null, Kernel.load());
      for (const body of bodies) receiver.read(body, protocol);
    },
  };
}

const benches = options.smoke
  ? [
      ...decodeBenches('2k series', 'rw1', 2_000, 2, 3),
      firstSightBench('2k series', 'rw1', 2_000, 3),
      ...decodeBenches('2k series, 2.0', 'rw2', 2_000, 2, 3),
      firstSightBench('2k series, 2.0', 'rw2', 2_000, 3),
    ]
  : [
      ...decodeBenches('20k series', 'rw1', 20_000, 8, 15),
      ...decodeBenches('20k series, 2.0', 'rw2', 20_000, 8, 15),
      ...decodeBenches('200k series', 'rw1', 200_000, 3, 7),
      ...decodeBenches('200k series, 2.0', 'rw2', 200_000, 3, 7),
      firstSightBench('20k series', 'rw1', 20_000, 7),
      firstSightBench('20k series, 2.0', 'rw2', 20_000, 7),
    ];
report('decode: remote write 1.0 and 2.0', measure(benches), options);
