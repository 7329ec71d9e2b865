import { JOB_NAMESPACE, SERIES_PER_TARGET, serviceName, TARGETS_PER_SERVICE } from '../src/cli/bench/fleet.ts';
import { duration } from '../src/engine/duration.ts';
import type { Matcher, Slo } from '../src/engine/slo.ts';
import { policyAlerts } from '../src/engine/windows.ts';

/** One availability SLO of 99.9 % for each service of the corpus (12 targets each), or as many as are asked for. */
export function slosOf(services: number, window = '30d'): Slo[] {
  return Array.from({ length: services }, (_, i) => availability(serviceName(i), window));
}

/** How many services a corpus of so many series has. */
export function servicesOf(series: number): number {
  return Math.ceil(series / SERIES_PER_TARGET / TARGETS_PER_SERVICE);
}

function availability(service: string, window: string): Slo {
  const period = duration(window);
  const total = [equal('__name__', 'http_requests_total'), equal('job', `${JOB_NAMESPACE}/${service}`)];
  const failed: Matcher = { name: 'code', op: '=~', value: '5..', matches: (code) => /^5..$/s.test(code) };
  return {
    id: `${service}/availability`,
    service,
    name: 'availability',
    origin: 'slipstream',
    description: '',
    owner: '',
    runbook: '',
    labels: {},
    objective: 0.999,
    errorBudget: 0.001,
    window: { kind: 'rolling', duration: period },
    groupBy: [],
    groupsMax: 1000,
    sli: {
      kind: 'events',
      total: [{ text: 'total', matchers: total }],
      given: 'bad',
      selectors: [{ text: 'bad', matchers: [...total, failed] }],
    },
    slice: null,
    emptySlice: 'ignore',
    budgeting: 'occurrences',
    sliceTarget: null,
    alerts: {
      name: 'google-30d',
      burnRateAlerts: policyAlerts('google-30d', period.ms),
      budgetExhausted: true,
      minBadEvents: 0,
    },
  };
}

function equal(name: string, value: string): Matcher {
  return { name, op: '=', value, matches: (text) => text === value };
}
