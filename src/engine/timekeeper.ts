import type { Scope } from './scope.ts';

/**
 * By what an SLO keeps time: by the targets that its selectors could match; as long as none of them was ever heard, by what is
 * pushed to it.
 */
export class Timekeeper {
  readonly targets: Scope;
  /** What was pushed while no target had been heard; null before the first push. */
  pushes: Scope | null = null;

  constructor(targets: Scope) {
    this.targets = targets;
  }

  get scope(): Scope {
    return this.pushes === null || this.targets.hasReported ? this.targets : this.pushes;
  }

  /** A ledger has slices, the first of which is still to be found. */
  awaitSlices(): void {
    this.targets.nextSliceEndMs = Number.NEGATIVE_INFINITY;
    if (this.pushes !== null) this.pushes.nextSliceEndMs = Number.NEGATIVE_INFINITY;
  }
}
