import type { GatePolicy } from '../../engine/gate-policy.ts';
import type { Slo } from '../../engine/slo.ts';
import type { LabelPair } from './series-name.ts';
import type { ValueRun } from './series-values.ts';

/** What a scenario file says, once it has been read: plain data, times in Unix milliseconds. */

export interface InputSeries {
  /** Without the label of its replica. */
  readonly labels: readonly LabelPair[];
  readonly runs: readonly ValueRun[];
  readonly intervalMs: number;
  /** How long after its timestamp a sample arrives. */
  readonly delayMs: number;
  /** Start timestamp; null when it has none. */
  readonly startMs: number | null;
  /** Whether the values are increments as they stand. */
  readonly delta: boolean;
  /** Who sends it, when it is of an HA pair. */
  readonly sender: { readonly cluster: string; readonly replica: string } | null;
}

/** A snapshot, from which a new engine goes on: with the same SLOs (restart) or with others (reload). */
export interface Action {
  readonly atMs: number;
  readonly slos: readonly Slo[] | null;
}

/** Expected to be missing from the state; written `absent`. */
export const ABSENT = Symbol('absent');

/** An expected value. Of a map only the stated keys are compared. */
export type Expected = number | string | null | typeof ABSENT | Date | ExpectedMap;
export interface ExpectedMap {
  readonly [key: string]: Expected;
}

export interface Expectation {
  /** As the file writes it, for messages. */
  readonly at: string;
  readonly atMs: number;
  readonly slo: string;
  readonly group: Readonly<Record<string, string>> | null;
  /** What the gate judges by; null: by the built-in policy. */
  readonly policy: GatePolicy | null;
  /** By the names of the file: `budget_remaining`, `error_budget`, … */
  readonly fields: ExpectedMap;
  /** Exactly the alerts that are not inactive; null when the file does not say. */
  readonly alerts: Readonly<Record<string, string>> | null;
}

export interface ScenarioTest {
  readonly name: string;
  readonly startMs: number;
  /** Relative; absolute where zero is expected. */
  readonly tolerance: number;
  readonly series: readonly InputSeries[];
  /** In the order of their instants, as are the expectations. */
  readonly actions: readonly Action[];
  readonly expectations: readonly Expectation[];
}

export interface Scenario {
  readonly slos: readonly Slo[];
  readonly evaluationIntervalMs: number;
  readonly settleMs: number;
  readonly staleAfterMs: number;
  readonly tests: readonly ScenarioTest[];
}
