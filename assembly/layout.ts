/**
 * Where things are in the kernel's memory, which begins with zeros.
 *
 * Reads and writes of 16 bytes may go past the end of what is meant, so every region has slop behind it.
 */

export const SLOP_BYTES: usize = 64;

/** What the walk is told and tells: see `walk.ts`. */
export const STATE: usize = 1024;

export const BODY: usize = 4096;
export const BODY_BYTES_MAX: usize = 1 << 20;

export const DECODED: usize = BODY + BODY_BYTES_MAX + 4096;
export const DECODED_BYTES_MAX: usize = 4 << 20;

/** The columns of a SampleBatch. */
export const ROWS_MAX: usize = 1 << 15;
export const TIMESTAMPS: usize = DECODED + DECODED_BYTES_MAX + 4096;
export const VALUES: usize = TIMESTAMPS + 8 * ROWS_MAX;
export const SERIES_IDS: usize = VALUES + 8 * ROWS_MAX;
export const KINDS: usize = SERIES_IDS + 4 * ROWS_MAX;

/** By form: what follows it. Behind the last one are the label bytes in which a form differs from the one before it. */
export const EDGES: usize = KINDS + ROWS_MAX + 4096;
