import type { LabelSet } from './label-set.ts';
import { labelValue } from './label-set.ts';
import type { Matcher, Selector, Slo } from './slo.ts';

/**
 * Which SLOs a series is wanted by, and as what. Asked once for each new series, so it may be slow, but not in proportion to
 * the number of SLOs: selectors are found by their metric name, their job or both, of which nearly all of them state one.
 */

/** What a series is to an SLO; the numbers are bits, because a series may be in total and in bad at once. */
export const IN_TOTAL = 1;
/** Selected by `good` or `bad`, whichever the SLO gives. */
export const IN_GIVEN = 2;
/** A bucket or the count of a classic histogram, or a native histogram. */
export const LATENCY_BUCKET = 4;
export const LATENCY_COUNT = 8;
export const LATENCY_NATIVE = 16;
/** A gauge whose samples are the SLI, or the counter of a throughput SLI. */
export const GAUGE = 32;
export const RATE_COUNTER = 64;

export interface Match {
  /** Index of the SLO. */
  readonly slo: number;
  readonly roles: number;
}

interface Entry {
  readonly slo: number;
  readonly role: number;
  readonly matchers: readonly Matcher[];
}

export class SloIndex {
  readonly #byNameAndJob = new Map<string, Entry[]>();
  readonly #byName = new Map<string, Entry[]>();
  readonly #byJob = new Map<string, Entry[]>();
  readonly #rest: Entry[] = [];

  constructor(slos: readonly Slo[]) {
    slos.forEach((slo, index) => {
      for (const { role, matchers } of wanted(slo)) this.#add({ slo: index, role, matchers });
    });
  }

  #add(entry: Entry): void {
    const name = exact(entry.matchers, '__name__');
    const job = exact(entry.matchers, 'job');
    // What a series is found by need not be tested again.
    const left = { ...entry, matchers: entry.matchers.filter((matcher) => matcher !== name && matcher !== job) };
    if (name !== null && job !== null) push(this.#byNameAndJob, key(name.value, job.value), left);
    else if (name !== null) push(this.#byName, name.value, left);
    else if (job !== null) push(this.#byJob, job.value, left);
    else this.#rest.push(entry);
  }

  /** The SLOs that want a series, each once, with everything it is to them; `read` are the label sets it can be taken for. */
  matches(read: readonly LabelSet[]): Match[] {
    const roles = new Map<number, number>();
    for (const labels of read) {
      const collect = (entries: readonly Entry[] | undefined): void => {
        for (const entry of entries ?? []) {
          const seen = roles.get(entry.slo) ?? 0;
          if ((seen & entry.role) !== 0) continue;
          if (matches(entry.matchers, labels)) roles.set(entry.slo, seen | entry.role);
        }
      };
      const name = labelValue(labels, '__name__');
      const job = labelValue(labels, 'job');
      collect(this.#byNameAndJob.get(key(name, job)));
      collect(this.#byName.get(name));
      collect(this.#byJob.get(job));
      collect(this.#rest);
    }
    return [...roles].map(([slo, seen]) => ({ slo, roles: seen }));
  }
}

/** What an SLO looks for. */
export interface Wanted {
  readonly role: number;
  /** What the series is to the SLO, in words. */
  readonly as: string;
  /** The selector as the definition file writes it. */
  readonly text: string;
  readonly matchers: readonly Matcher[];
}

export function wanted(slo: Slo): Wanted[] {
  const { sli } = slo;
  switch (sli.kind) {
    case 'events':
      return [
        ...sli.total.map((selector) => ({ role: IN_TOTAL, as: 'total', ...selector })),
        ...sli.selectors.map((selector) => ({ role: IN_GIVEN, as: sli.given, ...selector })),
      ];
    case 'latency': {
      const { histogram } = sli;
      return [
        { role: LATENCY_BUCKET, as: 'bucket', ...histogram, matchers: suffixed(histogram, '_bucket') },
        { role: LATENCY_COUNT, as: 'count', ...histogram, matchers: suffixed(histogram, '_count') },
        { role: LATENCY_NATIVE, as: 'native histogram', ...histogram },
      ];
    }
    case 'probe':
    case 'threshold':
      return [{ role: GAUGE, as: 'gauge', ...sli.gauge }];
    case 'freshness':
      return [{ role: GAUGE, as: sli.source, ...sli.selector }];
    case 'throughput':
      return [{ role: RATE_COUNTER, as: 'counter', ...sli.counter }];
    case 'push':
      return [];
  }
}

/** The same selector of the series that a classic histogram consists of. */
function suffixed(selector: Selector, suffix: string): Matcher[] {
  return selector.matchers.map((matcher) => {
    if (matcher.name !== '__name__') return matcher;
    const { matches: test } = matcher;
    const value = matcher.op === '=' ? `${matcher.value}${suffix}` : matcher.value;
    return { ...matcher, value, matches: (name) => name.endsWith(suffix) && test(name.slice(0, -suffix.length)) };
  });
}

/**
 * What the increase `d` of a counter adds to an SLO of kind events: `good * d` good and `bad * d` bad events. As `bad = total -
 * good` and `good = total - bad`, and all of them are sums of increments, each series adds by itself, whichever comes first.
 */
export function eventWeights(given: 'good' | 'bad', roles: number): { good: number; bad: number } {
  const mine = (roles & IN_GIVEN) === 0 ? 0 : 1;
  const other = ((roles & IN_TOTAL) === 0 ? 0 : 1) - mine;
  return given === 'bad' ? { good: other, bad: mine } : { good: mine, bad: other };
}

export function matches(matchers: readonly Matcher[], labels: LabelSet): boolean {
  return matchers.every((matcher) => matcher.matches(labelValue(labels, matcher.name)));
}

/** The matcher that admits one value of a label, or null. */
function exact(matchers: readonly Matcher[], name: string): Matcher | null {
  return matchers.find((matcher) => matcher.name === name && matcher.op === '=') ?? null;
}

function key(name: string, job: string): string {
  return `${name}\0${job}`;
}

function push(map: Map<string, Entry[]>, at: string, entry: Entry): void {
  const entries = map.get(at);
  if (entries === undefined) map.set(at, [entry]);
  else entries.push(entry);
}
