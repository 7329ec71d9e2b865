import type { Selector, Sli, Slo } from '../engine/slo.ts';

/**
 * Prometheus writes this one at the end of each scrape. It shows that a target is being received before the target has
 * counted anything, so that the first error of a fresh series is known for what it is.
 */
const SIGN_OF_LIFE = 'up';

/**
 * The part of a Prometheus configuration that sends Slipstream the series its SLOs need and nothing else.
 * `writeUrl` is the address of the write endpoint.
 */
export function relabelSnippet(slos: readonly Slo[], writeUrl: string): string {
  const names = new Set<string>();
  const nameless: string[] = [];
  for (const slo of slos) {
    for (const { selector, suffixes } of selectorsOf(slo.sli)) {
      const name = metricName(selector);
      if (name === null) nameless.push(`#   ${slo.id}: ${selector.text}`);
      else for (const suffix of suffixes) names.add(name + suffix);
    }
  }

  const remote = ['remote_write:', '  - name: slipstream', `    url: ${writeUrl}`];
  if (nameless.length > 0) {
    remote.unshift('# Everything is sent, because these selectors do not name one metric:', ...nameless);
  } else if (names.size > 0) {
    const regex = [...names, SIGN_OF_LIFE].sort().map(escaped).join('|');
    remote.push(
      '    write_relabel_configs:',
      '      - source_labels: [__name__]',
      `        regex: '${regex.replaceAll("'", "''")}'`,
      '        action: keep',
    );
  }
  return `${remote.join('\n')}\n`;
}

interface Wanted {
  readonly selector: Selector;
  /** What the series' names have after the selector's name. */
  readonly suffixes: readonly string[];
}

const AS_NAMED = [''];

function selectorsOf(sli: Sli): Wanted[] {
  switch (sli.kind) {
    case 'events':
      return [...sli.total, ...sli.selectors].map((selector) => ({ selector, suffixes: AS_NAMED }));
    case 'latency':
      // A native histogram is one series under the plain name, a classic one is several.
      return [{ selector: sli.histogram, suffixes: ['', '_bucket', '_count', '_sum'] }];
    case 'probe':
    case 'threshold':
      return [{ selector: sli.gauge, suffixes: AS_NAMED }];
    case 'freshness':
      return [{ selector: sli.selector, suffixes: AS_NAMED }];
    case 'throughput':
      return [{ selector: sli.counter, suffixes: AS_NAMED }];
    case 'push':
      return [];
  }
}

function metricName(selector: Selector): string | null {
  return selector.matchers.find(({ name, op }) => name === '__name__' && op === '=')?.value ?? null;
}

/** Names may hold any UTF-8 character; those that a regular expression reads otherwise are escaped. */
function escaped(name: string): string {
  return name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
