import type { PushedEvents } from '../../src/engine/pushes.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';

/** What the writer of push-kill.test.ts takes, so that the test knows it without asking. */

/** Requests are numbered from 1. */
export function pushMs(number: number): number {
  return MIDNIGHT_MS + number * 1000;
}

export function requestOf(number: number): PushedEvents[] {
  if (number === 0) return [];
  const event = { sloId: anSlo().id, group: null, tMs: pushMs(number) };
  return [
    { ...event, good: number, bad: 0, id: `good-${number}` },
    { ...event, good: 0, bad: 1, id: `bad-${number}` },
  ];
}
