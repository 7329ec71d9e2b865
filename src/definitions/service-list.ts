import { type Static, Type } from 'typebox';
import type { Sli, Slo } from '../engine/slo.ts';
import { DEFAULT_POLICY, impossibleAlerts, namedPolicy } from './alerts.ts';
import { percentToRatio, restOfPercent } from './decimal.ts';
import type { DefinitionDocument } from './document.ts';
import { FORMS, fillService, parsePercent } from './forms.ts';
import type { Found } from './found.ts';
import { type Checked, checkDocument, described, mapping, text } from './schema.ts';
import { isFault, readSelector } from './selector.ts';
import { DEFAULT_SLICE, DEFAULTS, isSliced, MetricSchemas, readSli, type SliDefinition } from './sli.ts';

/** The service list: `services:` with a few numbers each, and the metrics that everybody calls the same. */

/** More than this many SLIs and nobody looks at any of them. */
const SLIS_MAX = 5;
const FRESHNESS_OBJECTIVE = 99;

const ServiceSchema = mapping(
  {
    slo_error_rate: described('Requests without an error: 99.9%.', Type.Optional(text('percent'))),
    slo_availability: described('Successful probes: 99.95%.', Type.Optional(text('percent'))),
    slo_freshness: described('Age of the last success: 1h.', Type.Optional(text('duration'))),
    slo_success_rate: described('Runs of a job without a failure: 99%.', Type.Optional(text('percent'))),
  },
  {
    patternProperties: {
      '^slo_latency_p[0-9]+$': described('So many percent of requests take at most as long: 200ms.', text('duration')),
    },
    examples: ['slo_latency_p99'],
  },
);

const MetricsSchema = mapping({
  error_rate: Type.Optional(MetricSchemas.events),
  latency: Type.Optional(MetricSchemas.latency),
  availability: Type.Optional(MetricSchemas.probe),
  freshness: Type.Optional(MetricSchemas.freshness),
  success_rate: Type.Optional(MetricSchemas.events),
});
type Metrics = Required<Static<typeof MetricsSchema>>;

export const ServiceListSchema = mapping(
  {
    services: described(
      'The SLOs of each service, by its name.',
      Type.Unsafe<Record<string, Record<string, string>>>({
        type: 'object',
        propertyNames: { type: 'string', form: 'id' },
        additionalProperties: ServiceSchema,
      }),
    ),
    metrics: described('Metrics that differ from the conventional ones.', Type.Optional(MetricsSchema)),
  },
  { title: 'Services and their SLOs' },
);
type ServiceList = Static<typeof ServiceListSchema>;

const DEFAULT_METRICS: Metrics = {
  error_rate: {
    total: 'http_requests_total{job="{{service}}"}',
    bad: ['http_requests_total{job="{{service}}",status=~"5.."}', 'http_requests_total{job="{{service}}",code=~"5.."}'],
  },
  latency: { histogram: 'http_request_duration_seconds{job="{{service}}"}' },
  availability: { gauge: 'probe_success{job="{{service}}"}' },
  freshness: { timestamp: 'last_success_timestamp_seconds{job="{{service}}"}' },
  success_rate: {
    total: 'job_runs_total{job="{{service}}"}',
    bad: 'job_runs_total{job="{{service}}",outcome!="success"}',
  },
};

/** What one key asks for: `slo_latency_p99: "200ms"`. */
interface Wanted {
  readonly name: string;
  readonly objective: number;
  readonly metric: keyof Metrics;
  /** The SLI over that metric. */
  readonly sli: (metrics: Metrics) => SliDefinition;
}

export function readServiceList(document: DefinitionDocument): Found[] {
  const checked = checkDocument(ServiceListSchema, document);
  const services = document.at(['services']);
  if (services?.kind !== 'mapping') return [];
  const found: Found[] = [];
  for (const [service, { value }] of services.entries) {
    if (value.kind !== 'mapping') continue;
    const keys = [...value.entries.keys()].filter((key) => key.startsWith('slo_'));
    if (keys.length > SLIS_MAX) {
      document.keyWarning(
        ['services', service],
        `has ${keys.length} SLIs: more than ${SLIS_MAX} are hard to keep in view`,
      );
    }
    for (const key of keys) {
      const slo = readKey(checked, service, key);
      if (slo !== null) found.push({ slo, document, path: ['services', service, key], keyed: true });
    }
  }
  return found;
}

/** The SLO of one key; null when something is wrong with it. */
function readKey(checked: Checked<ServiceList>, service: string, key: string): Slo | null {
  const { document } = checked;
  const path = ['services', service, key];
  if (!checked.clean(...path)) return null;
  const wanted = want(key, checked.value.services[service]![key]!);
  if (wanted === null) {
    document.keyError(path, 'must ask for a percentile above p0 and below p100');
    return null;
  }
  const metrics = filledMetrics(checked, wanted.metric, service);
  if (metrics === null || FORMS.id(service) !== null) return null;
  const slo = newSlo(service, wanted, readSli(wanted.sli(metrics)));
  const impossible = impossibleAlerts(slo.alerts, slo.errorBudget);
  if (impossible !== null) document.warning(path, impossible);
  return slo;
}

function want(key: string, value: string): Wanted | null {
  const objective = parsePercent(value) ?? 0;
  switch (key) {
    case 'slo_error_rate':
      return { name: 'error-rate', objective, metric: 'error_rate', sli: (m) => ({ events: m.error_rate }) };
    case 'slo_success_rate':
      return { name: 'success-rate', objective, metric: 'success_rate', sli: (m) => ({ events: m.success_rate }) };
    case 'slo_availability':
      return { name: 'availability', objective, metric: 'availability', sli: (m) => ({ probe: m.availability }) };
    case 'slo_freshness': {
      const sli = (m: Metrics) => ({ freshness: { ...m.freshness, threshold: value } });
      return { name: 'freshness', objective: FRESHNESS_OBJECTIVE, metric: 'freshness', sli };
    }
    default: {
      const percentile = key.slice('slo_latency_'.length);
      const percent = percentileToPercent(percentile.slice(1));
      if (percent === null) return null;
      const sli = (m: Metrics) => ({ latency: { ...m.latency, threshold: value } });
      return { name: `latency-${percentile}`, objective: percent, metric: 'latency', sli };
    }
  }
}

/** p99 is 99 percent and p999 is 99.9: what follows the second digit is the fraction. */
function percentileToPercent(digits: string): number | null {
  const percent = digits === '100' ? 100 : Number(`${digits.slice(0, 2)}.${digits.slice(2)}0`);
  return percent > 0 && percent < 100 ? percent : null;
}

/** The metrics of a service; null when the one that is wanted is of no use to it. */
function filledMetrics(checked: Checked<ServiceList>, metric: keyof Metrics, service: string): Metrics | null {
  if (!checked.usable('metrics', metric)) return null;
  const own = checked.value.metrics?.[metric];
  const filled = fill(own ?? DEFAULT_METRICS[metric], service);
  for (const [field, texts] of Object.entries(filled)) {
    if (field === 'aggregate') continue;
    for (const selector of [texts].flat() as string[]) {
      const read = readSelector(selector);
      if (!isFault(read)) continue;
      checked.document.error(['metrics', metric, field], `for the service ${service}: ${read.message}`);
      return null;
    }
  }
  return { ...DEFAULT_METRICS, [metric]: filled };
}

function fill<T>(template: T, service: string): T {
  if (typeof template === 'string') return fillService(template, service) as T;
  if (Array.isArray(template)) return template.map((item) => fill(item, service)) as T;
  return Object.fromEntries(Object.entries(template as object).map(([key, item]) => [key, fill(item, service)])) as T;
}

function newSlo(service: string, { name, objective }: Wanted, sli: Sli): Slo {
  return {
    ...DEFAULTS,
    id: `${service}/${name}`,
    service,
    name,
    objective: percentToRatio(objective),
    errorBudget: restOfPercent(objective),
    sli,
    slice: isSliced(sli.kind) ? DEFAULT_SLICE : null,
    alerts: namedPolicy(DEFAULT_POLICY, DEFAULTS.window),
  };
}
