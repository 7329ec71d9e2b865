import type { LabelSet } from './label-set.ts';
import { labelValue } from './label-set.ts';
import type { Matcher, Selector, Slo } from './slo.ts';

/**
 * Which SLOs a series feeds, and how. Asked once for each new series, so it may be slow, but not in proportion to the number
 * of SLOs: selectors are found by their metric name and job, which nearly all of them state.
 */

/** The increase `d` of a counter adds `good * d` good and `bad * d` bad events to an SLO. */
export interface Feed {
  readonly slo: number;
  readonly good: number;
  readonly bad: number;
}

const IN_TOTAL = 1;
const IN_GIVEN = 2;

interface Entry {
  readonly slo: number;
  readonly role: number;
  readonly matchers: readonly Matcher[];
}

export class SloIndex {
  readonly #slos: readonly Slo[];
  readonly #byNameAndJob = new Map<string, Entry[]>();
  readonly #byName = new Map<string, Entry[]>();
  readonly #rest: Entry[] = [];

  constructor(slos: readonly Slo[]) {
    this.#slos = slos;
    slos.forEach((slo, index) => {
      if (slo.sli.kind !== 'events') throw new Error(`BUG: ${slo.id}: SLI kind ${slo.sli.kind} cannot be evaluated`);
      for (const selector of slo.sli.total) this.#add({ slo: index, role: IN_TOTAL, matchers: selector.matchers });
      for (const selector of slo.sli.selectors) this.#add({ slo: index, role: IN_GIVEN, matchers: selector.matchers });
    });
  }

  #add(entry: Entry): void {
    const name = exact(entry.matchers, '__name__');
    const job = exact(entry.matchers, 'job');
    if (name === null) this.#rest.push(entry);
    else if (job === null) push(this.#byName, name, entry);
    else push(this.#byNameAndJob, key(name, job), entry);
  }

  /** What a series feeds: each SLO once, its selectors taken together. */
  feeds(labels: LabelSet): Feed[] {
    const name = labelValue(labels, '__name__');
    const roles = new Map<number, number>();
    const collect = (entries: readonly Entry[] | undefined): void => {
      for (const entry of entries ?? []) {
        const seen = roles.get(entry.slo) ?? 0;
        if ((seen & entry.role) !== 0) continue;
        if (matches(entry.matchers, labels)) roles.set(entry.slo, seen | entry.role);
      }
    };
    collect(this.#byNameAndJob.get(key(name, labelValue(labels, 'job'))));
    collect(this.#byName.get(name));
    collect(this.#rest);
    return [...roles].map(([slo, role]) => ({ slo, ...weights(this.#slos[slo]!, role) }));
  }
}

/**
 * Good and bad from total and the one that is given: `bad = total - good`, `good = total - bad`. As both are sums of
 * increments, each series adds to them by itself, whichever arrives first.
 */
function weights(slo: Slo, role: number): { good: number; bad: number } {
  const given = (role & IN_GIVEN) === 0 ? 0 : 1;
  const other = ((role & IN_TOTAL) === 0 ? 0 : 1) - given;
  return slo.sli.kind === 'events' && slo.sli.given === 'bad'
    ? { good: other, bad: given }
    : { good: given, bad: other };
}

export function matches(matchers: readonly Matcher[], labels: LabelSet): boolean {
  return matchers.every((matcher) => matcher.matches(labelValue(labels, matcher.name)));
}

/** The one value that a selector admits for a label, or null. */
function exact(matchers: readonly Matcher[], name: string): string | null {
  return matchers.find((matcher) => matcher.name === name && matcher.op === '=')?.value ?? null;
}

/** The metric name a selector asks for, or null when it asks for none in particular. */
export function metricName(selector: Selector): string | null {
  return exact(selector.matchers, '__name__');
}

function key(name: string, job: string): string {
  return `${name}\0${job}`;
}

function push(map: Map<string, Entry[]>, at: string, entry: Entry): void {
  const entries = map.get(at);
  if (entries === undefined) map.set(at, [entry]);
  else entries.push(entry);
}
