import type { Engine } from '../engine/engine.ts';
import { decodeLabels, formatSeries } from '../engine/label-set.ts';
import type { IngestOutcome } from '../engine/outcome.ts';
import type { OtlpEncoding, OtlpResult } from '../ingest/otlp-receive.ts';
import type { WriteCounters } from './counters.ts';
import type { Intake } from './intake.ts';
import type { Hold } from './pressure.ts';

/** OTLP metrics, whichever way they come: what both transports do with a request, and what they say of it. */

export interface OtlpIntakeOptions {
  readonly intake: Intake;
  readonly counters: WriteCounters;
}

/** Some data points were rejected; all others were applied. A sender must not send them again. */
export interface PartialSuccess {
  readonly rejectedDataPoints: number;
  readonly errorMessage: string;
}

const EXAMPLES_MAX = 5;

export class OtlpIntake {
  readonly #options: OtlpIntakeOptions;

  constructor(options: OtlpIntakeOptions) {
    this.#options = options;
  }

  /** Throws when the request had better come again later. */
  admit(contentLength: string | undefined): Hold {
    return this.#options.intake.admit(contentLength);
  }

  /** Resolves when a request is applied and committed, with null when all of it was. Throws an ApiError. */
  apply(body: Uint8Array<ArrayBuffer>, encoding: OtlpEncoding): Promise<PartialSuccess | null> {
    const { intake, counters } = this.#options;
    return intake.apply(({ otlp }) => otlp.read(body, encoding), counters, partialSuccess);
  }
}

function partialSuccess(result: OtlpResult, outcome: IngestOutcome, engine: Engine): PartialSuccess | null {
  const { rejections, pointCount } = result;
  const counts = new Map<string, number>(Object.entries(rejections.samples).filter(([, points]) => points > 0));
  const examples = [...rejections.examples];
  let rejected = rejections.total;
  let lastPoint = -1;
  let gap = 0;
  let taken = 0;
  outcome.lostRows.forEach((row, i) => {
    for (; outcome.gaps[gap]! <= row; gap += 2) taken += outcome.gaps[gap + 1]!;
    const point = pointOf(row + taken, result, Math.max(lastPoint, 0));
    if (point === lastPoint) return;
    lastPoint = point;
    rejected++;
    const reason = outcome.lostReasons[i]!;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
    if (examples.length < EXAMPLES_MAX) examples.push(`${reason}: ${sampleText(row, result, engine)}`);
  });
  if (rejected === 0) return null;
  const reasons = [...counts].map(([reason, points]) => `${points} ${reason}`).join(', ');
  const total = rejections.total + pointCount;
  const summary = `${rejected} of ${total} data points rejected: ${reasons}; all others were applied`;
  return { rejectedDataPoints: rejected, errorMessage: [summary, ...examples].join('\n') };
}

/** The data point that a row of the request belongs to, which is not before `from`. */
function pointOf(row: number, { pointCount, pointRows }: OtlpResult, from: number): number {
  let point = from;
  while (point + 1 < pointCount && pointRows[point + 1]! <= row) point++;
  return point;
}

function sampleText(row: number, { batch }: OtlpResult, engine: Engine): string {
  const labels = engine.table.labelBytes(batch.seriesIds[row]!);
  const time = new Date(batch.timestampsMs[row]!).toISOString();
  return `${formatSeries(decodeLabels(labels, 0, labels.length))} at ${time}`;
}
