import { FUTURE_MAX_MS } from '../engine/batch.ts';
import { timeOfSeconds, timeOfText } from '../engine/instant.ts';
import type { Group } from '../engine/ledger.ts';
import { type PushedEvents, takesPushes } from '../engine/pushes.ts';
import type { Slo } from '../engine/slo.ts';

/**
 * Pushed events from JSON: `[{"slo": "svc/name", "group": {…}, "good": n, "bad": n, "timestamp": …, "id": …}]`. Either all of
 * a request is good or nothing of it is used, and every problem is said with its place.
 */

export const EVENTS_PER_REQUEST_MAX = 10_000;
export const EVENT_ID_CHARS_MAX = 128;
const GROUP_VALUE_CHARS_MAX = 1024;
const PROBLEMS_MAX = 10;

const KEYS: readonly string[] = ['slo', 'group', 'good', 'bad', 'timestamp', 'id'];
/** Sums of whole numbers up to here are exact. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/** What the reader asks about SLOs. */
export interface PushTarget {
  readonly slos: readonly Slo[];
  hasGroup(id: string, group: Group): boolean;
  groupsLeft(id: string): number;
}

/** What is wrong with the events of a request, each problem with its place: `events[3].good: …`. */
export class EventProblems extends Error {
  constructor(problems: readonly string[], more: number) {
    super(problems.join('; ') + (more > 0 ? `; and ${more} more` : ''));
  }
}

export class EventReader {
  readonly #target: PushTarget;
  readonly #slos: ReadonlyMap<string, Slo>;

  constructor(target: PushTarget) {
    this.#target = target;
    this.#slos = new Map(target.slos.map((slo) => [slo.id, slo]));
  }

  /** The events of a body that was parsed. Throws `EventProblems` when anything is wrong with any of them. */
  read(body: unknown, nowMs: number): PushedEvents[] {
    const problems: string[] = [];
    let more = 0;
    const report = (path: string, message: string): void => {
      if (problems.length < PROBLEMS_MAX) problems.push(`${path}: ${message}`);
      else more++;
    };
    const newGroups = new Map<string, Set<string>>();
    const events: PushedEvents[] = [];
    if (!Array.isArray(body)) report('events', `must be a list, got ${kindOf(body)}`);
    else if (body.length > EVENTS_PER_REQUEST_MAX) {
      report('events', `must be at most ${EVENTS_PER_REQUEST_MAX}, got ${body.length}`);
    } else {
      body.forEach((item: unknown, i) => {
        const event = this.#event(item, `events[${i}]`, nowMs, newGroups, report);
        if (event !== null) events.push(event);
      });
    }
    if (problems.length > 0) throw new EventProblems(problems, more);
    return events;
  }

  #event(
    item: unknown,
    path: string,
    nowMs: number,
    newGroups: Map<string, Set<string>>,
    report: Report,
  ): PushedEvents | null {
    if (!isMapping(item)) {
      report(path, `must be an object, got ${kindOf(item)}`);
      return null;
    }
    for (const key of Object.keys(item)) {
      if (!KEYS.includes(key)) report(`${path}.${shortened(key)}`, `unknown key; there are ${KEYS.join(', ')}`);
    }
    const slo = this.#slo(item['slo'], path, report);
    const group = slo === null ? null : this.#group(slo, item['group'], path, newGroups, report);
    if (item['good'] === undefined && item['bad'] === undefined) report(path, 'must have good, bad or both');
    const good = count(item['good'], `${path}.good`, report);
    const bad = count(item['bad'], `${path}.bad`, report);
    const tMs = time(item['timestamp'], `${path}.timestamp`, nowMs, report);
    const id = idOf(item['id'], `${path}.id`, report);
    return slo === null ? null : { sloId: slo.id, group, tMs, good, bad, id };
  }

  #slo(id: unknown, path: string, report: Report): Slo | null {
    if (typeof id !== 'string') {
      report(`${path}.slo`, id === undefined ? 'is required' : `must be text, got ${kindOf(id)}`);
      return null;
    }
    const slo = this.#slos.get(id);
    if (slo === undefined) {
      report(`${path}.slo`, `there is no SLO ${shortened(id)}`);
      return null;
    }
    if (takesPushes(slo)) return slo;
    report(`${path}.slo`, `${id} is of kind ${slo.sli.kind}; events are taken by SLOs of kind events and push`);
    return null;
  }

  #group(slo: Slo, value: unknown, path: string, newGroups: Map<string, Set<string>>, report: Report): Group | null {
    const { id, groupBy } = slo;
    if (groupBy.length === 0) {
      if (value !== undefined) report(`${path}.group`, `the SLO ${id} is not grouped`);
      return null;
    }
    if (value === undefined) {
      report(`${path}.group`, `is required: the SLO ${id} is grouped by ${groupBy.join(', ')}`);
      return null;
    }
    if (!isMapping(value)) {
      report(`${path}.group`, `must be an object of ${groupBy.join(', ')}, got ${kindOf(value)}`);
      return null;
    }
    for (const name of Object.keys(value)) {
      if (groupBy.includes(name)) continue;
      report(`${path}.group.${shortened(name)}`, `the SLO ${id} is grouped by ${groupBy.join(', ')}`);
    }
    let good = true;
    const labels: [string, string][] = groupBy.map((name) => {
      const text = Object.hasOwn(value, name) ? value[name] : undefined;
      const wrong = wrongText(text, 0, GROUP_VALUE_CHARS_MAX);
      if (wrong === null) return [name, text as string];
      report(`${path}.group.${name}`, wrong);
      good = false;
      return [name, ''];
    });
    if (!good) return null;
    const group = Object.fromEntries(labels);
    if (!this.#target.hasGroup(id, group)) {
      const news = newGroups.get(id) ?? new Set<string>();
      newGroups.set(id, news.add(JSON.stringify(labels)));
      if (news.size > this.#target.groupsLeft(id)) {
        report(`${path}.group`, `the SLO ${id} has as many groups as it may, ${slo.groupsMax}`);
      }
    }
    return group;
  }
}

type Report = (path: string, message: string) => void;

function count(value: unknown, path: string, report: Report): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && value >= 0 && value <= COUNT_MAX) return value;
  const got = typeof value === 'number' ? String(value) : kindOf(value);
  report(path, `must be a number from 0 to ${COUNT_MAX}, got ${got}`);
  return 0;
}

function time(value: unknown, path: string, nowMs: number, report: Report): number {
  if (value === undefined) return nowMs;
  const ms = timeOf(value);
  if (Number.isNaN(ms)) {
    const got = typeof value === 'number' || typeof value === 'string' ? shortened(String(value)) : kindOf(value);
    report(path, `must be a time in RFC 3339 or Unix seconds, got ${got}`);
  } else if (ms > nowMs + FUTURE_MAX_MS) {
    const ahead = `${new Date(ms).toISOString()} is more than 10 minutes ahead of the server`;
    report(path, `${ahead}${typeof value === 'number' ? ', if it is in Unix seconds' : ''}`);
  }
  return ms;
}

function timeOf(value: unknown): number {
  if (typeof value === 'number') return timeOfSeconds(value);
  return typeof value === 'string' ? timeOfText(value) : Number.NaN;
}

function idOf(value: unknown, path: string, report: Report): string | null {
  if (value === undefined) return null;
  const wrong = wrongText(value, 1, EVENT_ID_CHARS_MAX);
  if (wrong === null) return value as string;
  report(path, wrong);
  return null;
}

function wrongText(value: unknown, charsMin: number, charsMax: number): string | null {
  if (value === undefined) return 'is required';
  if (typeof value !== 'string') return `must be text, got ${kindOf(value)}`;
  if (value.length < charsMin) return 'must not be empty';
  if (value.length > charsMax) return `must have at most ${charsMax} characters, got ${value.length}`;
  // Half of a surrogate pair has no UTF-8 form: another text would come back from disk.
  return /\p{Cs}/u.test(value) ? 'must be Unicode text' : null;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return { object: 'an object', string: 'text', number: 'a number', boolean: String(value) }[typeof value as string]!;
}

/** For messages; nothing in it can move a cursor or begin a new line. */
function shortened(text: string): string {
  const head = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return head.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
