import type { Slo } from '../engine/slo.ts';

/** The PromQL to look further with: what the SLO counts, as a Prometheus that has the same series shows it. */

const WINDOW = '5m';

/** Null for an SLO that no query can show. */
export function diagnosticQuery({ sli, groupBy, objective }: Slo): string | null {
  const by = (labels: readonly string[]): string =>
    labels.length === 0 ? '' : ` by (${labels.map(label).join(', ')})`;
  const rate = (selector: string): string => `sum${by(groupBy)} (rate(${selector}[${WINDOW}]))`;
  switch (sli.kind) {
    case 'events': {
      const given = sli.selectors.map(({ text }) => rate(text)).join(' + ');
      const total = sli.total.map(({ text }) => rate(text)).join(' + ');
      return sli.given === 'bad' ? `(${given}) / (${total})` : `1 - (${given}) / (${total})`;
    }
    case 'latency': {
      const buckets = sli.histogram.text.replace(/^[a-zA-Z_:][a-zA-Z0-9_:]*/, (name) => `${name}_bucket`);
      const sum = `sum${by(['le', ...groupBy])} (rate(${buckets}[${WINDOW}]))`;
      return `histogram_quantile(${Number(objective.toPrecision(12))}, ${sum})`;
    }
    case 'probe':
      return `avg_over_time(${sli.gauge.text}[${WINDOW}])`;
    case 'freshness':
      return sli.source === 'timestamp' ? `time() - ${sli.selector.text}` : sli.selector.text;
    case 'throughput':
      return rate(sli.counter.text);
    case 'threshold':
      return sli.gauge.text;
    case 'push':
      return null;
  }
}

function label(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
}
