/** A declared delta is late when its series has told of a later time already, or of a part of its time. */
export type LostReason = 'too_new' | 'conflict' | 'late_delta';

/** What became of the samples of one batch. One object is reused for all of them. */
export class IngestOutcome {
  /** Rows of the batch. */
  samples = 0;
  /** Samples that an SLO wants and that moved its series on, changed value or not. */
  accepted = 0;
  /** Same timestamp and value as the last sample: nothing to do. */
  duplicate = 0;
  /** Same timestamp, another value: the first is kept. */
  conflict = 0;
  /** Older than the last sample of its series: a cumulative series has already told more. */
  outOfOrder = 0;
  stale = 0;
  /** NaN, infinite or negative counter values. */
  invalidValue = 0;
  /** No SLO wants the series. */
  unmatched = 0;
  /** Older than every SLO window: moves the series on, adds no event. */
  tooOld = 0;
  /** Too far in the future: refused. */
  tooNew = 0;
  /** Samples of a replica that is not elected. */
  haReplica = 0;
  /** Where they stood in the batch, from which they were taken: before which of the rows that are left, and how many, in turn. */
  readonly gaps: number[] = [];
  /** A decrease, or an overlapping start timestamp, that no reset explains: two writers of one series. */
  writerConflict = 0;
  /** Decreases and start timestamps taken for a counter reset. */
  resets = 0;
  /** First samples that counted in full. */
  newborn = 0;
  /** First samples that counted nothing. */
  openingBalance = 0;
  /** Rows whose sender had better know that they were not applied, in their order, and why. */
  readonly lostRows: number[] = [];
  readonly lostReasons: LostReason[] = [];
  /** Rows that changed something and therefore belong in the journal. */
  changedRows = new Uint32Array(4096);
  changedCount = 0;

  lose(row: number, reason: LostReason): void {
    this.lostRows.push(row);
    this.lostReasons.push(reason);
  }

  begin(samples: number): void {
    this.samples = samples;
    this.accepted = 0;
    this.duplicate = 0;
    this.conflict = 0;
    this.outOfOrder = 0;
    this.stale = 0;
    this.invalidValue = 0;
    this.unmatched = 0;
    this.tooOld = 0;
    this.tooNew = 0;
    this.haReplica = 0;
    this.gaps.length = 0;
    this.writerConflict = 0;
    this.resets = 0;
    this.newborn = 0;
    this.openingBalance = 0;
    this.lostRows.length = 0;
    this.lostReasons.length = 0;
    this.changedCount = 0;
    if (this.changedRows.length < samples) this.changedRows = new Uint32Array(2 * samples);
  }
}
