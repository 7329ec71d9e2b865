import { duration } from '../src/engine/duration.ts';
import type { Matcher, Slo } from '../src/engine/slo.ts';
import { policyAlerts } from '../src/engine/windows.ts';
import { HANDLERS } from './corpus.ts';

/** One availability SLO of 99.9 % for each service of the corpus (12 targets each), or as many as are asked for. */
export function slosOf(services: number, window = '30d'): Slo[] {
  return Array.from({ length: services }, (_, i) => availability(`service-${i}`, window));
}

/** How many services a corpus of so many series has. */
export function servicesOf(series: number, seriesPerTarget: number): number {
  return Math.ceil(series / seriesPerTarget / 12);
}

function availability(service: string, window: string): Slo {
  const period = duration(window);
  const total = [equal('__name__', 'http_requests_total'), equal('job', `kubernetes-pods/${service}`)];
  const failed: Matcher = { name: 'code', op: '=~', value: '5..', matches: (code) => /^5..$/s.test(code) };
  return {
    id: `${service}/availability`,
    service,
    name: 'availability',
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

/**
 * Definition files for the services of a corpus: of each service one SLO over all its requests, and for each handler one of
 * availability and one of latency; as many as are asked for, in turn.
 */
export function definitionsOf(services: number, slos: number): object[] {
  return Array.from({ length: services }, (_, i) => {
    const selector = (name: string, ...matchers: string[]): string =>
      `${name}{${[`job="kubernetes-pods/service-${i}"`, ...matchers].join()}}`;
    const events = (...matchers: string[]): object => ({
      events: {
        total: selector('http_requests_total', ...matchers),
        bad: selector('http_requests_total', ...matchers, 'code=~"5.."'),
      },
    });
    const all = [{ name: 'availability', objective: 99.9, sli: events() }];
    for (const [handler, path] of HANDLERS.entries()) {
      const matcher = `handler="${path}"`;
      const latency = { histogram: selector('http_request_duration_seconds', matcher), threshold: '250ms' };
      all.push({ name: `availability-${handler}`, objective: 99.9, sli: events(matcher) });
      all.push({ name: `latency-${handler}`, objective: 99, sli: { latency } });
    }
    const mine = Math.floor(((i + 1) * slos) / services) - Math.floor((i * slos) / services);
    if (mine > all.length) throw new Error(`a service has at most ${all.length} SLOs`);
    return { apiVersion: 'slipstream/v1', service: `service-${i}`, slos: all.slice(0, mine) };
  });
}
