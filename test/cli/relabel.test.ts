import { expect, test } from 'vitest';
import { relabelSnippet } from '../../src/cli/relabel.ts';
import { duration } from '../../src/engine/duration.ts';
import type { Matcher, Selector, Sli, Slo } from '../../src/engine/slo.ts';

const URL = 'http://slipstream:9490/api/v1/write';

function selector(op: Matcher['op'], name: string): Selector {
  return { text: `{__name__${op}"${name}"}`, matchers: [{ name: '__name__', op, value: name, matches: () => true }] };
}

function slo(sli: Sli): Slo {
  return {
    id: 'shop/availability',
    service: 'shop',
    name: 'availability',
    origin: 'slipstream',
    description: '',
    owner: '',
    runbook: '',
    labels: {},
    objective: 0.999,
    errorBudget: 0.001,
    window: { kind: 'rolling', duration: duration('30d') },
    groupBy: [],
    groupsMax: 1000,
    sli,
    slice: null,
    emptySlice: 'ignore',
    budgeting: 'occurrences',
    sliceTarget: null,
    alerts: { name: 'none', burnRateAlerts: [], budgetExhausted: false, minBadEvents: 0 },
  };
}

const events = (total: Selector, bad: Selector): Slo =>
  slo({ kind: 'events', total: [total], given: 'bad', selectors: [bad] });

test('every metric that a selector names is kept, once and in order, and up as a sign of life', () => {
  const slos = [
    events(selector('=', 'http_requests_total'), selector('=', 'http_errors_total')),
    events(selector('=', 'http_requests_total'), selector('=', "it's.total")),
  ];
  expect(relabelSnippet(slos, URL)).toBe(`remote_write:
  - name: slipstream
    url: http://slipstream:9490/api/v1/write
    write_relabel_configs:
      - source_labels: [__name__]
        regex: 'http_errors_total|http_requests_total|it''s\\.total|up'
        action: keep
`);
});

test('a histogram is kept with the series that belong to it', () => {
  const latency = slo({ kind: 'latency', histogram: selector('=', 'request_seconds'), thresholdSeconds: 0.2 });
  expect(relabelSnippet([latency], URL)).toContain(
    "'request_seconds|request_seconds_bucket|request_seconds_count|request_seconds_sum|up'",
  );
});

test('a selector that names no single metric means that everything is sent', () => {
  const slos = [events(selector('=', 'http_requests_total'), selector('=~', 'http_.*'))];
  expect(relabelSnippet(slos, URL)).toBe(`# Everything is sent, because these selectors do not name one metric:
#   shop/availability: {__name__=~"http_.*"}
remote_write:
  - name: slipstream
    url: http://slipstream:9490/api/v1/write
`);
});
