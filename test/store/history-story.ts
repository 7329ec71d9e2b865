import { MIDNIGHT_MS } from '../support/time.ts';

/** What the writer of history-kill.test.ts receives, so that the test knows it without asking. */

/** Scrapes are numbered from 1. */
export function scrapeMs(number: number): number {
  return MIDNIGHT_MS + number * 15_000;
}

/** Values of the two counters at a scrape. */
export function counterAt(number: number): { good: number; bad: number } {
  return { good: 10 * number + (number % 4), bad: Math.floor(number / 3) };
}
