import type { Fleet } from './fleet.ts';
import { wholeNumber } from './numbers.ts';
import type { Metrics } from './server.ts';
import { type BenchSlo, type Events, eventsOf } from './slos.ts';

/** Whether the server counted what was sent. */

export interface Accuracy {
  readonly ok: boolean;
  /** Over the whole run, with its warm-up. */
  readonly samplesSent: number;
  readonly samplesCounted: number;
  readonly slosChecked: number;
  readonly slosExact: number;
  readonly goodExpected: number;
  readonly goodCounted: number;
  readonly totalExpected: number;
  readonly totalCounted: number;
  /** Each a sentence. */
  readonly problems: readonly string[];
}

/** Events of SLOs once their watermarks had reached what was sent; null for one whose watermark did not. */
export type Balances = ReadonlyMap<string, Events | null>;

/** Reasons for which samples are ignored though nothing is wrong: no SLO wants them, or they were sent again. */
const HARMLESS = ['unmatched', 'duplicate'];
const RECEIVED = 'slipstream_samples_received_total';

/** Before the run and after it, as the server tells; `protocolLabel` is the protocol's label in its metrics. */
export function accuracyOf(
  sent: { readonly samples: number; readonly fleet: Fleet; readonly slos: readonly BenchSlo[] },
  protocolLabel: string,
  metrics: { readonly before: Metrics; readonly after: Metrics },
  balances: { readonly before: Balances; readonly after: Balances },
): Accuracy {
  const problems: string[] = [];
  const label = `protocol="${protocolLabel}"`;
  const reasons = (name: string): [reason: string, samples: number][] => {
    const before = metrics.before.by(name, 'reason', label);
    const after = [...metrics.after.by(name, 'reason', label)];
    return after
      .map(([reason, samples]): [string, number] => [reason, samples - (before.get(reason) ?? 0)])
      .filter(([, samples]) => samples > 0);
  };
  const ignored = reasons('slipstream_samples_ignored_total');
  const resent = ignored.find(([reason]) => reason === 'duplicate')?.[1] ?? 0;
  const samplesCounted = metrics.after.sum(RECEIVED, label) - metrics.before.sum(RECEIVED, label) - resent;
  if (samplesCounted !== sent.samples) {
    const counted = `${wholeNumber(samplesCounted)} samples were counted and ${wholeNumber(sent.samples)} sent`;
    problems.push(`${counted}: does somebody else send to this server, or was it restarted?`);
  }
  const lost = ignored.filter(([reason]) => !HARMLESS.includes(reason));
  for (const [reason, samples] of [...lost, ...reasons('slipstream_samples_rejected_total')])
    problems.push(`${wholeNumber(samples)} samples were not applied: ${reason}`);

  const sum = { goodExpected: 0, goodCounted: 0, totalExpected: 0, totalCounted: 0 };
  let slosExact = 0;
  for (const slo of sent.slos) {
    const expected = eventsOf(slo, sent.fleet);
    const before = balances.before.get(slo.id);
    const after = balances.after.get(slo.id);
    if (before == null || after == null) {
      problems.push(`${slo.id}: its watermark has not reached what was sent`);
      continue;
    }
    const good = after.good - before.good;
    const total = after.total - before.total;
    sum.goodExpected += expected.good;
    sum.goodCounted += good;
    sum.totalExpected += expected.total;
    sum.totalCounted += total;
    if (good === expected.good && total === expected.total) slosExact++;
    else problems.push(`${slo.id}: ${good} good of ${total} events, sent were ${expected.good} of ${expected.total}`);
  }
  const { samples: samplesSent, slos } = sent;
  return {
    ok: problems.length === 0,
    samplesSent,
    samplesCounted,
    slosChecked: slos.length,
    slosExact,
    ...sum,
    problems,
  };
}
