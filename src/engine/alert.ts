import type { AlertStateName } from './state.ts';

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

  /** `frozenMs` of event time went by without data. */
  thaw(frozenMs: number): void {
    if (this.state === 'pending') this.sinceMs += frozenMs;
  }
}
