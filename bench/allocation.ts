import type { RemoteWriteProtocol } from '../src/ingest/content-type.ts';
import { Kernel } from '../src/ingest/kernel.ts';
import { RemoteWriteReceiver } from '../src/ingest/receive.ts';
import { corpus } from './corpus.ts';
import { allocatedBytes, benchOptions } from './harness.ts';
import { TableResolver } from './table-resolver.ts';

/**
 * The guard of the decode: what a sample of a known series may leave on the JavaScript heap. Unlike a time it does not
 * depend on the machine. Exits 1 when the limit is exceeded.
 *
 *     node --expose-gc dist/bench/allocation.js
 */

/** A request is allowed a few small objects, some hundred bytes; one object a sample would be 72. */
export const BYTES_PER_SAMPLE_MAX = 1;

const options = benchOptions();
const repetitions = options.smoke ? 5 : 10;

function bytesPerSampleOf(protocol: RemoteWriteProtocol): { samples: number; bytesPerSample: number } {
  const { rounds, samplesPerRound } = corpus({ series: options.smoke ? 10_000 : 40_000, rounds: 3, protocol });
  const receiver = new RemoteWriteReceiver(new TableResolver(), {}, null, Kernel.load());
  const bodies = rounds.flat();
  for (let i = 0; i < 20; i++) {
    for (const body of bodies) receiver.read(body, protocol);
  }
  const round = bodies.map((body) => () => void receiver.read(body, protocol));
  const samples = repetitions * samplesPerRound * rounds.length;
  return { samples, bytesPerSample: allocatedBytes(Array.from({ length: repetitions }, () => round).flat()) / samples };
}

const { samples, bytesPerSample } = bytesPerSampleOf('rw1');
const { bytesPerSample: bytesPerSample2 } = bytesPerSampleOf('rw2');
// The method itself is checked against something that is known to allocate: arrays of a thousand elements.
let kept: number[] = [];
const known = Array.from({ length: 100 }, () => () => {
  kept = new Array<number>(1_000).fill(kept.length);
});
const checkBytes = allocatedBytes(known) / known.length;

if (options.json)
  console.log(JSON.stringify({ samples, bytesPerSample, bytesPerSample2, max: BYTES_PER_SAMPLE_MAX, checkBytes }));
else {
  const both = `${bytesPerSample.toFixed(3)} and ${bytesPerSample2.toFixed(3)} bytes a sample of remote write 1.0 and 2.0`;
  console.log(`allocation: ${both} over ${samples} samples each (limit 1)`);
}
if (Math.max(bytesPerSample, bytesPerSample2) > BYTES_PER_SAMPLE_MAX) process.exitCode = 1;
