import { prometheusLabelName } from '../engine/label-set.ts';

/** Prometheus text format 0.0.4: families of samples, each family's lines together under its HELP and TYPE. */

export const EXPOSITION_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'summary';

/** A label set that is already text: `{job="api",slo="availability"}`, or nothing. */
export type LabelText = string;

/** The sum of measurements and their number. */
export class Summary {
  sum = 0;
  count = 0;

  observe(value: number): void {
    this.sum += value;
    this.count++;
  }
}

export class Family {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Rendered lines. */
  readonly lines: string[];

  constructor(name: string, type: MetricType, help: string) {
    this.name = name;
    this.type = type;
    this.help = help;
    this.lines = [];
  }

  /** A value that is not known is absent: never NaN. */
  add(value: number | null, labels: LabelText = ''): void {
    if (value === null || Number.isNaN(value)) return;
    this.lines.push(`${this.name}${labels} ${numberText(value)}`);
  }

  /** A summary without quantiles: what was measured in all, and how often. */
  addSummary({ sum, count }: Readonly<{ sum: number; count: number }>, labels: LabelText = ''): void {
    this.lines.push(`${this.name}_sum${labels} ${numberText(sum)}`, `${this.name}_count${labels} ${count}`);
  }
}

/** The families of one scrape, in the order in which they were first asked for. */
export class Exposition {
  readonly #families = new Map<string, Family>();

  family(name: string, type: MetricType, help: string): Family {
    let family = this.#families.get(name);
    if (family === undefined) {
      family = new Family(name, type, help);
      this.#families.set(name, family);
    }
    return family;
  }

  counter(name: string, help: string): Family {
    return this.family(name, 'counter', help);
  }

  gauge(name: string, help: string): Family {
    return this.family(name, 'gauge', help);
  }

  summary(name: string, help: string): Family {
    return this.family(name, 'summary', help);
  }

  render(): string {
    const parts: string[] = [];
    for (const { name, type, help, lines } of this.#families.values()) {
      if (lines.length === 0) continue;
      parts.push(`# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`);
    }
    return parts.join('');
  }
}

/**
 * Label names that this format cannot carry are rewritten (`pyrra.dev/team` is `pyrra_dev_team`). Where two names meet
 * the first one stays, so that an SLO's own labels cannot displace those that identify it; `__` names are Prometheus's.
 */
export function labelText(...sets: readonly (Readonly<Record<string, string>> | undefined)[]): LabelText {
  const seen = new Set<string>();
  const parts: string[] = [];
  for (const set of sets) {
    if (set === undefined) continue;
    for (const [rawName, value] of Object.entries(set)) {
      const name = prometheusLabelName(rawName);
      if (name === '' || name.startsWith('__') || value === '' || seen.has(name)) continue;
      seen.add(name);
      parts.push(`${name}="${escapeLabelValue(value)}"`);
    }
  }
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

/**
 * Labels of a group's series. Where the name of a group's label is taken it is `exported_<name>`, as Prometheus has it: without
 * it two groups would be one series.
 */
export function groupedLabelText(
  fixed: Readonly<Record<string, string>>,
  group: Readonly<Record<string, string>> = {},
  labels: Readonly<Record<string, string>> = {},
): LabelText {
  const all: Record<string, string> = { ...fixed };
  for (const [rawName, value] of Object.entries(group)) {
    let name = prometheusLabelName(rawName);
    while (Object.hasOwn(all, name) || name.startsWith('__')) name = `exported_${name}`;
    all[name] = value;
  }
  return labelText(all, labels);
}

function escapeLabelValue(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`));
}

function escapeHelp(help: string): string {
  return help.replace(/[\\\n]/g, (char) => (char === '\n' ? '\\n' : '\\\\'));
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
