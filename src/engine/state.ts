import type { Outlook } from './outlook.ts';

/** The shapes the engine answers with; they are the JSON of the API, field by field (contract: SloState, Verdict). */

export type SloHealth = 'healthy' | 'at_risk' | 'exhausted' | 'no_data';
export type AlertStateName = 'inactive' | 'pending' | 'firing';

export interface AlertState {
  name: string;
  severity: string;
  state: AlertStateName;
  /** Event time (RFC 3339) at which the present state began; null while inactive. */
  since: string | null;
  /** Absent on `error-budget-exhausted`, which has no windows. */
  long?: string;
  short?: string;
  factor?: number;
}

export type WindowState =
  | { kind: 'rolling'; duration: string }
  | { kind: 'calendar'; unit: string; timezone: string; start: string; end: string };

export interface SloState {
  id: string;
  service: string;
  name: string;
  group?: Record<string, string>;
  owner: string;
  labels: Record<string, string>;
  description: string;
  runbook: string;
  sliKind: string;
  objective: number;
  window: WindowState;
  /** The watermark; null while nothing was ever observed. */
  asOf: string | null;
  state: SloHealth;
  coverage: number;
  sli: number | null;
  /** The SLI from the buckets on either side of a latency threshold that is no bucket boundary. */
  approximate?: { lower: number; upper: number };
  events: { good: number; bad: number; total: number };
  errorBudget: {
    remaining: number | null;
    consumed: number | null;
    /** Calendar windows: what is left of the whole period's budget, were its events to go on coming as they have. */
    remainingOfProjected?: number | null;
    allowedBad: number;
    remainingBad: number;
    exhaustedAt: string | null;
  };
  burnRates: Record<string, number | null>;
  alerts: AlertState[];
}

export type VerdictName = 'allow' | 'warn' | 'block' | 'unknown';

export interface GateCheck {
  slo: string;
  check: string;
  passed: boolean;
  action: 'block_deploy' | 'warn_only';
  observed: Record<string, number | string | null>;
}

export interface Verdict {
  verdict: VerdictName;
  ok: boolean;
  asOf: string | null;
  service: string;
  reasons: string[];
  checks: GateCheck[];
  /** It was asked what the verdict would be, and `ok` is true whatever it is. */
  dryRun?: true;
  /** Where a time was asked about. */
  outlook?: Outlook;
}

export interface AlertTransition {
  sloId: string;
  group: Readonly<Record<string, string>> | null;
  alert: string;
  severity: string;
  from: AlertStateName;
  to: AlertStateName;
  /** Event time of the transition, Unix milliseconds. */
  atMs: number;
}
