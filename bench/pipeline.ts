import { Engine } from '../src/engine/engine.ts';
import { corpus } from './corpus.ts';
import { type Bench, benchOptions, measure, report } from './harness.ts';
import { servicesOf, slosOf } from './slos.ts';
import { Story } from './story.ts';

/** A compressed body to events of SLOs: decode, and decode + engine. One availability SLO a service. */

const options = benchOptions();

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
