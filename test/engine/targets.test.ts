import { expect, test } from 'vitest';
import { Targets } from '../../src/engine/targets.ts';

const SINCE_EVER = Number.NEGATIVE_INFINITY;

/** A target that reported at each of these seconds. */
function heardAt(...seconds: number[]): { targets: Targets; newbornAt: (second: number, since?: number) => boolean } {
  const targets = new Targets();
  const id = targets.add('api', 'a', []);
  for (const second of seconds) targets.advance(id, second * 1000);
  return {
    targets,
    newbornAt: (second, since = SINCE_EVER) => targets.wasReceivedBefore(id, second * 1000, since),
  };
}

test('a series in the first scrape of a target is not newborn', () => {
  expect(heardAt(15).newbornAt(15)).toBe(false);
});

test('a series that appears in the second scrape is newborn', () => {
  expect(heardAt(15, 30).newbornAt(30)).toBe(true);
});

test('a silence of three intervals is no hole, one of more is', () => {
  expect(heardAt(0, 15, 30, 75).newbornAt(75)).toBe(true);
  expect(heardAt(0, 15, 30, 76).newbornAt(76)).toBe(false);
});

test('after a hole the next scrape is a base again', () => {
  expect(heardAt(0, 15, 30, 300, 315).newbornAt(315)).toBe(true);
});

test('a missed scrape is forgotten after two regular ones', () => {
  expect(heardAt(0, 15, 30, 60, 75, 90, 140).newbornAt(140)).toBe(false);
});

test('a target that reports each scrape at several timestamps keeps its interval', () => {
  expect(heardAt(0, 1, 2, 15, 16, 17, 30, 31, 32, 45, 46, 47, 60).newbornAt(60)).toBe(true);
});

test('a new rhythm is learnt from two equal silences', () => {
  expect(heardAt(0, 15, 30, 330, 630).newbornAt(630)).toBe(true);
});

test('silences of very different length are no rhythm', () => {
  expect(heardAt(0, 1_000_000, 1_000_015, 1_000_030, 1_000_630).newbornAt(1_000_630)).toBe(false);
});

test('a second report more than five minutes after the first is taken for a hole', () => {
  expect(heardAt(0, 300).newbornAt(300)).toBe(true);
  expect(heardAt(0, 301).newbornAt(301)).toBe(false);
});

test('a series that arrives after its target moved on is judged at its own time', () => {
  expect(heardAt(0, 15, 30).newbornAt(15)).toBe(true);
  expect(heardAt(0, 15, 30).newbornAt(0)).toBe(false);
});

test('somebody who began to listen after the last report cannot know a newborn series', () => {
  expect(heardAt(0, 15, 30).newbornAt(30, 15_000)).toBe(true);
  expect(heardAt(0, 15, 30).newbornAt(30, 15_001)).toBe(false);
});
