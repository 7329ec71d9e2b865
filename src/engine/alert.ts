import type { Group } from './ledger.ts';
import type { BurnRateAlert, Slo } from './slo.ts';
import type { AlertStateName } from './state.ts';

/** An alert that is pending or firing, and what it is judged by. */
export interface ActiveAlert {
  readonly slo: Slo;
  readonly group: Group | null;
  readonly name: string;
  readonly severity: string;
  /** Null of `error-budget-exhausted`, which has no windows. */
  readonly rule: BurnRateAlert | null;
  readonly state: 'pending' | 'firing';
  /** Event time at which the state began. */
  readonly sinceMs: number;
  /** There is no data: the state is the last one known. */
  readonly isFrozen: boolean;
}

/** Which alert, and how it stands: what has to outlive the process. */
export interface SavedAlert {
  readonly sloId: string;
  readonly group: Group | null;
  readonly name: string;
  readonly state: ActiveAlert['state'];
  readonly sinceMs: number;
}

/**
 * One alert: inactive -> pending -> firing -> inactive (resolved). Times are event time. While there is no data the alert is
 * frozen: it neither fires nor resolves, and the frozen time does not count for its `for`.
 */
export class Alert {
  readonly forMs: number;
  state: AlertStateName = 'inactive';
  /** Event time at which the present state began; NaN while inactive. */
  sinceMs = Number.NaN;

  constructor(forMs: number) {
    this.forMs = forMs;
  }

  /** Judges the condition as of `asOfMs`; true when the state changed. */
  step(condition: boolean, asOfMs: number): boolean {
    const before = this.state;
    if (!condition) {
      this.state = 'inactive';
      this.sinceMs = Number.NaN;
      return before !== 'inactive';
    }
    if (before === 'firing') return false;
    if (before === 'inactive') this.sinceMs = asOfMs;
    if (asOfMs - this.sinceMs >= this.forMs) {
      this.state = 'firing';
      this.sinceMs = asOfMs;
    } else {
      this.state = 'pending';
    }
    return this.state !== before;
  }

  load(state: AlertStateName, sinceMs: number): void {
    this.state = state;
    this.sinceMs = sinceMs;
  }

  /** `frozenMs` of event time went by without data. */
  thaw(frozenMs: number): void {
    if (this.state === 'pending') this.sinceMs += frozenMs;
  }
}
