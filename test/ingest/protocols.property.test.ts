import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Engine } from '../../src/engine/engine.ts';
import type { RemoteWriteProtocol } from '../../src/ingest/content-type.ts';
import { RemoteWriteReceiver } from '../../src/ingest/receive.ts';
import { encodeRequest2 } from '../../src/ingest/remote-write-2-schema.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../src/ingest/remote-write-schema.ts';
import type { Sample } from '../support/feed.ts';
import { anSlo } from '../support/slo.ts';
import { type Delivery, STORY } from '../support/story.ts';

/** What arrives says the same in whichever protocol: a budget must not depend on it, to the last bit. */

function wireSeries({ labels, tMs, value }: Sample): WireSeries {
  const stale = value === 'stale';
  return {
    labels: Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)),
    samples: [{ value: stale ? 0 : value, timestampMs: tMs, stale }],
  };
}

function statesOf(story: readonly Delivery[], protocols: readonly RemoteWriteProtocol[]): string {
  const engine = new Engine([anSlo()]);
  const receiver = new RemoteWriteReceiver(engine);
  let states = '';
  story.forEach(({ arrivedMs, samples }, i) => {
    const protocol = protocols[i % protocols.length]!;
    const series = samples.map(wireSeries);
    const raw = protocol === 'rw1' ? encodeWriteRequest(series) : encodeRequest2(series);
    engine.ingest(receiver.read(compress(raw), protocol).batch, arrivedMs);
    states += JSON.stringify(engine.states(arrivedMs + 5_000));
  });
  return states;
}

test('the same story gives the same states by remote write 1.0, by 2.0, and by both in turn', () => {
  fc.assert(
    fc.property(STORY, (story) => {
      const expected = statesOf(story, ['rw1']);
      expect(statesOf(story, ['rw2'])).toBe(expected);
      expect(statesOf(story, ['rw1', 'rw2', 'rw2'])).toBe(expected);
    }),
    { numRuns: 60 },
  );
});
