import type { ReadOptions } from '../../definitions/readers.ts';
import type { Slo } from '../../engine/slo.ts';
import { EXIT, type Io } from '../io.ts';
import { readSlos } from '../slos.ts';
import { nativeFile, notInNative } from './native.ts';
import { notInRules, prometheusRules } from './prometheus-rules.ts';

/** `slipstream convert PATH…`: definition files of any format to the native one, or to Prometheus rules. */

interface Target {
  /** Why it cannot say the same as an SLO; null when it can. */
  readonly refusal: (slo: Slo) => string | null;
  readonly write: (slos: readonly Slo[], version: string) => string;
}

const TARGETS = {
  slipstream: { refusal: notInNative, write: nativeFile },
  'prometheus-rules': { refusal: notInRules, write: prometheusRules },
} as const satisfies Record<string, Target>;

export const CONVERT_TARGETS = Object.keys(TARGETS) as readonly (keyof typeof TARGETS)[];

export interface ConvertOptions extends Partial<ReadOptions> {
  readonly to: keyof typeof TARGETS;
  readonly version: string;
}

/** Writes all SLOs, or says of each that cannot be said why, and writes none. */
export function convertCommand(paths: readonly string[], { to, version, ...options }: ConvertOptions, io: Io): number {
  const slos = readSlos(paths, io, options);
  if (typeof slos === 'number') return slos;
  const { refusal, write }: Target = TARGETS[to];
  const refused = slos.flatMap((slo) => {
    const why = refusal(slo);
    return why === null ? [] : [`${slo.id}: ${why}\n`];
  });
  if (refused.length > 0) {
    io.err(refused.join(''));
    return EXIT.no;
  }
  io.out(write(slos, version));
  return EXIT.yes;
}
