import type { EventsSli, LatencySli, ProbeSli, Selector } from '../../engine/slo.ts';
import { latencyOf } from '../histogram.ts';
import { selectorKey } from '../selector-key.ts';
import { areDisjoint } from './disjoint.ts';
import { type Dialect, type Ratio, readQuery } from './query.ts';
import { added, commonCoefficient, groupingText, isGroupedAlike, type Sum, scaled, type Term } from './sum.ts';
import { type Fault, isFault, orFault, PromqlError } from './syntax.ts';

/**
 * Queries to the SLI that counts the same events as samples arrive. A query that has no such SLI is refused, with the
 * character, the reason and what to write instead.
 */

export interface StreamedSli {
  readonly sli: EventsSli | LatencySli | ProbeSli;
  readonly groupBy: readonly string[];
}

export interface EventsQueries {
  /** What `events` counts. */
  readonly given: 'good' | 'bad';
  readonly events: string;
  readonly total: string;
}

/** A fault of one of the two queries; `at` is a character of that one. */
export interface QueryFault extends Required<Fault> {
  readonly query: 'events' | 'total';
}

/** Two queries: the good or bad events, and all of them. */
export function readEventsQueries(queries: EventsQueries, dialect: Dialect): StreamedSli | QueryFault {
  let query: QueryFault['query'] = 'events';
  const read = orFault(() => {
    const events = sumOf(queries.events, dialect);
    query = 'total';
    const total = totalOf(queries.total, dialect);
    query = 'events';
    return streamed(queries.given, events, total);
  });
  return isFault(read) ? { ...read, query } : read;
}

/** What is wrong with the query of the total alone, whatever is wrong with the other. */
export function totalFault(text: string, dialect: Dialect): Required<Fault> | null {
  const read = orFault(() => totalOf(text, dialect));
  return isFault(read) ? read : null;
}

/** One query: the share of the good or the bad events. */
export function readRatioQuery(given: 'good' | 'bad', text: string, dialect: Dialect): StreamedSli | Required<Fault> {
  return orFault(() => {
    const ratio = readQuery(text, dialect);
    if (ratio.kind === 'sum')
      throw new PromqlError(ratio.at, 'a ratio is one sum divided by another; divide it by the total');
    checkTotal(ratio.divisor);
    checkEmpty(given, ratio);
    return streamed(given, ratio.numerator, ratio.divisor);
  });
}

function totalOf(text: string, dialect: Dialect): Sum {
  const total = sumOf(text, dialect);
  checkTotal(total);
  return total;
}

function sumOf(text: string, dialect: Dialect): Sum {
  const value = readQuery(text, dialect);
  if (value.kind === 'ratio')
    throw new PromqlError(value.at, 'a ratio counts no events; write its two sums as the two queries');
  // A selector alone stands for all its series together.
  const isCounter = [...value.terms.values()].every(({ counted }) => counted === 'counter');
  if (value.by === null && !isCounter) {
    throw new PromqlError(value.at, 'every series would be for itself; write sum(…) around it');
  }
  return value.by === null ? { ...value, by: [] } : value;
}

/** Events nobody has made are good ones to a stream, or rather none. */
function checkEmpty(given: 'good' | 'bad', { empty }: Ratio): void {
  const harmless = given === 'good' ? 1 : 0;
  if (empty === null || Math.abs(empty.value - harmless) < EPSILON) return;
  throw new PromqlError(
    empty.at,
    `without traffic the ratio would be ${empty.value}, which a stream takes for ${harmless}; write a default that gives ${harmless}`,
  );
}

/** Coefficients that rounding has touched: 1 / 49 * 49. */
const EPSILON = 1e-9;

function isUnit(sum: Sum): boolean {
  return sum.terms.size > 0 && [...sum.terms.values()].every(({ coefficient }) => Math.abs(coefficient - 1) < EPSILON);
}

function checkTotal(total: Sum): void {
  const coefficient = commonCoefficient(total);
  if (coefficient === null || coefficient < 0) {
    const odd = [...total.terms.values()].find((term) => term.coefficient < 0) ?? [...total.terms.values()].at(-1);
    throw new PromqlError(
      odd?.at ?? total.at,
      'a total is a sum in which every event counts once; leave events out by a matcher, such as path!="/healthz"',
    );
  }
  checkDisjoint(total);
}

function checkDisjoint(sum: Sum): void {
  const terms = [...sum.terms.values()];
  terms.forEach(({ selector, at }, i) => {
    const other = terms.slice(0, i).find((earlier) => !areDisjoint(earlier.selector, selector));
    if (other === undefined) return;
    throw new PromqlError(
      at,
      `a series that matches both this and ${other.selector.text} would count twice; write matchers that exclude each other`,
    );
  });
}

function streamed(given: 'good' | 'bad', eventsAsWritten: Sum, totalAsWritten: Sum): StreamedSli {
  if (!isGroupedAlike(eventsAsWritten, totalAsWritten)) {
    throw new PromqlError(
      eventsAsWritten.at,
      `grouped ${groupingText(eventsAsWritten.by!)}, and the total ${groupingText(totalAsWritten.by!)}; group both by the same labels`,
    );
  }
  const unit = 1 / commonCoefficient(totalAsWritten)!;
  const events = scaled(eventsAsWritten, unit);
  const total = scaled(totalAsWritten, unit);
  const others = added(total, events, -1);
  if (events.terms.size === 0) throw new PromqlError(eventsAsWritten.at, 'counts nothing');
  if (others.terms.size === 0) throw new PromqlError(eventsAsWritten.at, 'counts the same events as the total');
  const groupBy = totalAsWritten.by!;
  if (isUnit(events)) return { sli: sliOf(given, events, total), groupBy };
  if (isUnit(others)) return { sli: sliOf(given === 'good' ? 'bad' : 'good', others, total), groupBy };
  throw new PromqlError(
    eventsAsWritten.at,
    `must be ${given} events that each count once, or the total without the ${given === 'good' ? 'bad' : 'good'} ones`,
  );
}

function sliOf(given: 'good' | 'bad', events: Sum, total: Sum): StreamedSli['sli'] {
  checkDisjoint(events);
  const counted = [...total.terms.values()][0]!.counted;
  const other = [...total.terms.values(), ...events.terms.values()].find((term) => term.counted !== counted);
  if (counted === 'count_over_time' || counted === 'sum_over_time') return probe(given, events, total);
  if (other !== undefined) {
    throw new PromqlError(events.at, `${other.counted} and ${counted} do not count alike; write the same for both`);
  }
  const bucket = given === 'good' ? only(events) : null;
  const count = only(total);
  const latency = bucket && count && latencyOf(bucket.selector.matchers, count.selector.matchers);
  return latency ?? { kind: 'events', total: selectors(total), given, selectors: selectors(events) };
}

function selectors(sum: Sum): Selector[] {
  return [...sum.terms.values()].map(({ selector }) => selector);
}

/** The mean of a gauge between 0 and 1: each of its samples is an event. */
function probe(given: 'good' | 'bad', events: Sum, total: Sum): ProbeSli {
  const [sum, count] = [only(events), only(total)];
  const isMean =
    sum?.counted === 'sum_over_time' &&
    count?.counted === 'count_over_time' &&
    selectorKey(sum.selector.matchers) === selectorKey(count.selector.matchers);
  if (!isMean) {
    throw new PromqlError(
      events.at,
      'of gauges the mean is understood: sum(sum_over_time(…)) / sum(count_over_time(…)) of one and the same selector',
    );
  }
  if (given === 'bad') {
    throw new PromqlError(
      events.at,
      'a gauge that is 1 when something is bad cannot be counted; use one that is 1 when all is good',
    );
  }
  return { kind: 'probe', gauge: sum.selector };
}

function only(sum: Sum): Term | null {
  return sum.terms.size === 1 ? [...sum.terms.values()][0]! : null;
}
