/** Midnight in UTC: every slot of every tier ends there. */
export const MIDNIGHT_MS = Date.UTC(2026, 0, 1);
