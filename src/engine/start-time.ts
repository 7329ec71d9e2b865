/**
 * What a start timestamp says about a reset, as Prometheus's isStartTimestampReset judges it (ingest.md, rows 2 to 6).
 * 0 is unknown, and so is a start at or after its own sample.
 */
export function startsAnew(previousStartMs: number, previousMs: number, startMs: number, tMs: number): boolean {
  if (startMs === 0 || startMs >= tMs) return false;
  if (startMs < previousMs) return false;
  if (startMs > previousMs) return true;
  // Equal to the previous sample's time: a counter that began anew, unless that sample's own start was unknown.
  return previousStartMs !== 0 && previousStartMs < previousMs;
}

/** The same known start as the previous sample's: whatever fell, nothing began anew. */
export function isSameStart(previousStartMs: number, startMs: number, tMs: number): boolean {
  return startMs !== 0 && startMs < tMs && startMs === previousStartMs;
}

/** A later start than the previous sample's, yet before that sample: two writers of one series. */
export function overlaps(previousStartMs: number, previousMs: number, startMs: number): boolean {
  return previousStartMs !== 0 && previousStartMs < startMs && startMs < previousMs;
}

/** Whether a cumulative value began again from zero between two samples. */
export function isReset(
  previousStartMs: number,
  previousMs: number,
  startMs: number,
  tMs: number,
  fell: boolean,
): boolean {
  if (startsAnew(previousStartMs, previousMs, startMs, tMs)) return true;
  return fell && !isSameStart(previousStartMs, startMs, tMs);
}
