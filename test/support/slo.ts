import { duration } from '../../src/engine/duration.ts';
import type { Matcher, Selector, Slo } from '../../src/engine/slo.ts';
import { policyAlerts } from '../../src/engine/windows.ts';

/** Selectors for engine tests without a parser: `counter('requests', {job: 'api', code: /5../})`. */
export function counter(name: string, matchers: Record<string, string | RegExp> = {}): Selector {
  const all: Matcher[] = [equal('__name__', name)];
  for (const [label, value] of Object.entries(matchers)) {
    all.push(typeof value === 'string' ? equal(label, value) : regex(label, value));
  }
  return { text: `${name}${JSON.stringify(matchers)}`, matchers: all };
}

function equal(name: string, value: string): Matcher {
  return { name, op: '=', value, matches: (text) => text === value };
}

function regex(name: string, value: RegExp): Matcher {
  const anchored = new RegExp(`^(?:${value.source})$`, 's');
  return { name, op: '=~', value: value.source, matches: (text) => anchored.test(text) };
}

export const TOTAL = counter('requests', { job: 'api' });
export const BAD = counter('requests', { job: 'api', code: /5../ });

/** An availability SLO of 99.9 % over 30 days with the default policy; any field may be replaced. */
export function anSlo(fields: Partial<Slo> = {}, window = '30d'): Slo {
  const length = duration(window);
  return {
    id: 'api/availability',
    service: 'api',
    name: 'availability',
    origin: 'slipstream',
    description: '',
    owner: '',
    runbook: '',
    labels: {},
    objective: 0.999,
    errorBudget: 0.001,
    window: { kind: 'rolling', duration: length },
    groupBy: [],
    groupsMax: 1000,
    sli: { kind: 'events', total: [TOTAL], given: 'bad', selectors: [BAD] },
    slice: null,
    emptySlice: 'ignore',
    budgeting: 'occurrences',
    sliceTarget: null,
    alerts: {
      name: 'google-30d',
      burnRateAlerts: policyAlerts('google-30d', length.ms),
      budgetExhausted: true,
      minBadEvents: 0,
    },
    ...fields,
  };
}
