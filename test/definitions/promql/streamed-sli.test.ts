import { expect, test } from 'vitest';
import type { Dialect } from '../../../src/definitions/promql/query.ts';
import {
  type EventsQueries,
  readEventsQueries,
  readRatioQuery,
  type StreamedSli,
} from '../../../src/definitions/promql/streamed-sli.ts';
import { isFault } from '../../../src/definitions/promql/syntax.ts';
import { nativeSli } from '../../../src/definitions/sli.ts';

const W = '[{{.window}}]';

/** `R(x)`: what every query is made of. */
function R(selector: string): string {
  return `sum(rate(${selector}${W}))`;
}

function understood(read: StreamedSli): object {
  return { ...nativeSli(read.sli), ...(read.groupBy.length === 0 ? {} : { groupBy: read.groupBy }) };
}

function reads(bad: string, total: string, expected: object, given: EventsQueries['given'] = 'bad'): void {
  const read = readEventsQueries({ given, events: bad, total }, 'sloth');
  expect(isFault(read) ? read : understood(read), `${bad} over ${total}`).toEqual(expected);
}

function ratio(text: string, expected: object, given: EventsQueries['given'] = 'bad'): void {
  const read = readRatioQuery(given, text, 'sloth');
  expect(isFault(read) ? read : understood(read), text).toEqual(expected);
}

/** A query with a `^` before the character at which it is refused. */
function refuses(marked: string, total: string, message: string, dialect: Dialect = 'sloth'): void {
  const at = marked.indexOf('^');
  const read = readEventsQueries({ given: 'bad', events: marked.replace('^', ''), total }, dialect);
  expect(read, marked).toEqual({ query: 'events', at, message });
}

function refusesRatio(marked: string, message: string): void {
  const at = marked.indexOf('^');
  expect(readRatioQuery('bad', marked.replace('^', ''), 'sloth'), marked).toEqual({ at, message });
}

test('a sum of a rate is the selector', () => {
  const expected = { events: { total: 'x{job="a"}', bad: 'x{job="a",code=~"5.."}' } };
  reads(R('x{job="a",code=~"5.."}'), R('x{job="a"}'), expected);
  reads(
    'sum(increase(x{job="a",code=~"5.."}[{{ .window }}]))',
    'sum(increase(x{job="a"}[ {{.window}} ])) # all',
    expected,
  );
  reads('(\n  sum(\n    rate(x{job="a",code=~"5.."}[{{.window}}])\n  )\n)\n', `((${R('x{job="a"}')}))`, expected);
  reads(R('x{job="a",code="200"}'), R('x'), { events: { total: 'x', good: 'x{job="a",code="200"}' } }, 'good');
});

test('the labels of sum by are those of the groups', () => {
  const by = (labels: string, selector: string): string => `sum by (${labels}) (rate(${selector}${W}))`;
  const events = { total: 'x', bad: 'x{e="1"}' };
  reads(by('a', 'x{e="1"}'), `sum(rate(x${W})) by (a)`, { events, groupBy: ['a'] });
  reads(by('b, a, a', 'x{e="1"}'), by('a, b', 'x'), { events, groupBy: ['a', 'b'] });
  reads(by('"a.b"', 'x{e="1"}'), by('"a.b"', 'x'), { events, groupBy: ['a.b'] });
  reads(by('', 'x{e="1"}'), R('x'), { events });
  reads(`sum by (a) (${by('a, b', 'x{e="1"}')})`, by('a', 'x'), { events, groupBy: ['a'] });
  ratio(`${by('a', 'x{e="1"}')} / on (a) ${by('a', 'x')}`, { events, groupBy: ['a'] });
  ratio(`${by('a', 'x{e="1"}')} / ignoring (b) ${by('a', 'x')}`, { events, groupBy: ['a'] });
});

test('what is added up is a list of selectors, and what is taken away from the total leaves the good ones', () => {
  reads(`${R('x{c="500"}')} + ${R('x{c=~"4.."}')}`, R('x'), {
    events: { total: 'x', bad: ['x{c="500"}', 'x{c=~"4.."}'] },
  });
  reads(R('bad'), `${R('good')} + ${R('bad')}`, { events: { total: ['good', 'bad'], bad: 'bad' } });
  reads(`${R('x')} - ${R('x{c="200"}')}`, R('x'), { events: { total: 'x', good: 'x{c="200"}' } });
  reads(`${R('x{a="1",b="2"}')} - ${R('x{a="1",b="2",c="200"}')}`, R('x{b="2", a="1"}'), {
    events: { total: 'x{b="2", a="1"}', good: 'x{a="1",b="2",c="200"}' },
  });
  reads(`${R('x')} - (${R('x{c="200"}')} + ${R('x{c="204"}')})`, R('x'), {
    events: { total: 'x', good: ['x{c="200"}', 'x{c="204"}'] },
  });
  reads(`${R('x')} + ${R('y')} - ${R('x')}`, R('x'), { events: { total: 'x', bad: 'y' } });
});

test('factors that cancel do not matter', () => {
  const events = { total: 'x', bad: 'y' };
  reads(`100 * ${R('y')}`, `${R('x')} * 100`, { events });
  reads(`${R('y')} / 49 * 49`, R('x'), { events });
  reads(`-(-${R('y')})`, R('x'), { events });
  ratio(`(${R('y')} * 60) / (60 * ${R('x')})`, { events });
  ratio(`1 - (100 - 100 * ${R('y')} / ${R('x')}) / 100`, { events });
});

test('a ratio is its two sums, whichever way it is turned', () => {
  const events = { total: 'x', good: 'y' };
  ratio(`1 - ${R('y')} / ${R('x')}`, { events });
  ratio(`1 - (${R('y')} / (${R('x')} > 0))`, { events });
  ratio(`(${R('x')} - ${R('y')}) / ${R('x')}`, { events });
  ratio(`-(${R('y')} / ${R('x')}) + 1`, { events });
  ratio(`${R('y')} / ${R('x')}`, { events }, 'good');
  ratio(`${R('a')} / ${R('x')} + ${R('b')} / ${R('x')}`, { events: { total: 'x', bad: ['a', 'b'] } });
  ratio(`${R('bad')} / (${R('good')} + ${R('bad')})`, { events: { total: ['good', 'bad'], bad: 'bad' } });
});

test('a default that stands for no events at all changes nothing', () => {
  const events = { total: 'x', bad: 'y' };
  reads(`${R('y')} or vector(0)`, `${R('x')} > 0`, { events });
  reads(`${R('y')} or 0 * ${R('x')}`, `(${R('x')} != 0) or on() vector(0)`, { events });
  ratio(`(${R('y')} or vector(0)) / (${R('x')} > 0)`, { events });
  ratio(`${R('y')} / ${R('x')} or on() vector(0)`, { events });
  ratio(`1 - ((${R('z')} / (${R('x')} > 0)) OR on() vector(1))`, { events: { total: 'x', good: 'z' } });
});

test('count minus bucket is a latency', () => {
  const bad = (le: string): string => `${R('h_seconds_count{v!="W"}')} - ${R(`h_seconds_bucket{le="${le}",v!="W"}`)}`;
  const total = R('h_seconds_count{v!="W"}');
  const latency = (threshold: string): object => ({ latency: { histogram: 'h_seconds{v!="W"}', threshold } });
  reads(bad('0.4'), total, latency('400ms'));
  reads(bad('1.0'), total, latency('1s'));
  reads(bad('5e-2'), total, latency('50ms'));
  reads(
    R('h_seconds_bucket{le="0.3"}'),
    R('h_seconds_count'),
    { latency: { histogram: 'h_seconds', threshold: '300ms' } },
    'good',
  );
  ratio(`1 - ((${R('{"h.x_seconds_bucket", le="2"}')}/(${R('{"h.x_seconds_count"}')} > 0)) OR on() vector(1))`, {
    latency: { histogram: '{"h.x_seconds"}', threshold: '2s' },
  });
});

test('a bucket is counted as it is where it is no latency in whole milliseconds', () => {
  const f = (bucket: string, count: string): void =>
    reads(`${R(count)} - ${R(bucket)}`, R(count), { events: { total: count, good: bucket } });
  f('h_seconds_bucket{le="0.0005"}', 'h_seconds_count');
  f('h_seconds_bucket{le="+Inf"}', 'h_seconds_count');
  f('h_milliseconds_bucket{le="250"}', 'h_milliseconds_count');
  f('h_seconds_bucket{le="0.3",code!="404"}', 'h_seconds_count');
  f('h_seconds_bucket{le="0.3"}', 'other_seconds_count');
  f('h_seconds_bucket{le="0.3"}', 'h_seconds_bucket{le="+Inf"}');
});

test('the mean of a gauge makes each of its samples an event', () => {
  const sum = `sum(sum_over_time(g{a="b"}${W}))`;
  const count = `sum(count_over_time(g{a="b"}${W}))`;
  const probe = { gauge: 'g{a="b"}' };
  ratio(`1 - (\n  ${sum}\n  /\n  ${count}\n)\n`, { probe });
  reads(`${count} - ${sum}`, count, { probe });
  const by = (text: string): string => text.replace('sum(', 'sum by (l) (');
  ratio(`1 - ${by(sum)} / ${by(count)}`, { probe, groupBy: ['l'] });
});

test('in OpenSLO a selector alone is its counter, and ranges are durations that are all the same', () => {
  const f = (good: string, total: string, expected: object): void => {
    const read = readEventsQueries({ given: 'good', events: good, total }, 'openslo');
    expect(isFault(read) ? read : understood(read), good).toEqual(expected);
  };
  const events = { total: 'x', good: 'y' };
  f('y', 'x', { events });
  f('sum(y)', 'sum(x)', { events });
  f('sum by (l) (y)', 'sum by (l) (x)', { events, groupBy: ['l'] });
  f('sum(rate(y[5m]))', 'sum(rate(x[300s]))', { events });
  f(R('y'), R('x'), { events });
  refuses('^y', 'sum(rate(x[5m]))', 'counter and rate do not count alike; write the same for both', 'openslo');
  refuses(
    'sum(rate(x[5m])) + sum(rate(y[^10m]))',
    'z',
    'the ranges differ: 10m here and 5m before; write the same everywhere',
    'openslo',
  );
});

test('what a stream cannot do is refused at its character, with what to write', () => {
  const x = R('x');
  refuses('^', x, 'the query ends too early');
  refuses('sum(rate(y[^5m]))', x, "the range must be {{.window}}: the SLO has its windows, got '5m'");
  refuses('sum(rate(y^))', x, 'rate takes a range; write rate(y[{{.window}}])');
  refuses('sum(^y)', x, 'a selector alone counts no events; write sum(rate(y[{{.window}}]))');
  refuses(`^y${W}`, x, 'a range stands in rate(…) or increase(…); write sum(rate(y[{{.window}}]))');
  refuses(`^rate(y${W})`, x, 'every series would be for itself; write sum(…) around it');
  refuses(`^rate(y${W}) / rate(x${W})`, x, 'every series would be matched by itself; write sum(…) around it');
  refuses(`sum(rate(y${W} ^offset 5m))`, x, 'offset looks back at the past of a stream; leave it out');
  refuses(`sum(rate(y${W})) ^@ 1000`, x, '@ looks back at the past of a stream; leave it out');
  refuses(
    'sum_over_time((count(y < 5))^[{{.window}}:])',
    x,
    'a subquery asks again at steps of its own, which a stream does not have; write a rate of the series themselves, ' +
      'or sum(sum_over_time(…)) / sum(count_over_time(…)) of a gauge between 0 and 1',
  );
  refuses(`sum(^irate(y${W}))`, x, 'irate looks at the last two samples only; write rate');
  refuses(
    `sum(^avg_over_time(y${W}))`,
    x,
    'avg_over_time weighs every series the same, however many samples it has; write sum(sum_over_time(…)) / sum(count_over_time(…))',
  );
  refuses(`^max(rate(y${W}))`, x, 'max does not add up events; write sum(…) of a rate');
  refuses(
    `sum(^label_replace(rate(y${W}), "a", "b", "c", "d"))`,
    x,
    'label_replace cannot be streamed; of functions rate, increase, sum_over_time or count_over_time of a selector are understood',
  );
  refuses(
    `sum(rate(y${W})) ^without (pod)`,
    x,
    'without leaves open which labels there are; write sum by (…) with those to keep',
  );
  refuses(`^sum by (a) (rate(y${W}))`, x, 'grouped by a, and the total over everything; group both by the same labels');
  refuses(`${R('y')} ^* ${R('z')}`, x, 'one rate times another counts no events; multiply by numbers only');
  refuses(`${R('y')} ^+ 1`, x, 'a rate, a ratio and a number cannot be added to one another; add rates to rates');
  refuses(`${R('y')} > ^bool 0`, x, 'bool makes 0 and 1 of a rate, which counts no events; leave it out');
  refuses(
    `${R('y')} ^> 5`,
    x,
    'of comparisons > 0 after a divisor is understood; leave it out, or write a rate of the series that are bad',
  );
  refuses(
    `${R('y')} ^and ${R('z')}`,
    x,
    'and cannot be streamed; of operators +, -, *, /, or vector(0), and > 0 after a divisor are understood',
  );
  refuses(
    `${R('y')} ^or vector(1)`,
    x,
    'or is understood with vector(0) after a sum, or with vector(…) after a ratio; add sums with +',
  );
  refuses('^vector(0)', x, 'a constant counts no events; write a rate');
  refuses('^"y"', x, `'"y"' counts no events; write a rate`);
  refuses(`^${R('y')} / ${R('x')}`, x, 'a ratio counts no events; write its two sums as the two queries');
  refuses(`sum(rate(y{a="^{{.window}}"}${W}))`, x, '{{.window}} is understood between [ and ] only');
});

test('what would count wrongly is refused', () => {
  const x = R('x');
  refuses(`^2 * ${R('y')}`, x, 'must be bad events that each count once, or the total without the good ones');
  refuses(`^${R('y')} - ${R('z')}`, x, 'must be bad events that each count once, or the total without the good ones');
  refuses(`^sum(increase(y${W}))`, x, 'increase and rate do not count alike; write the same for both');
  refuses(`^${R('x{}')}`, x, 'counts the same events as the total');
  refuses(`^0 * ${R('y')}`, x, 'counts nothing');
  refuses(
    `${R('x{a=~".*1"}')} + sum(rate(^x{b="2"}${W}))`,
    x,
    'a series that matches both this and x{a=~".*1"} would count twice; write matchers that exclude each other',
  );
  refuses(
    `(${R('y')} ^> 0) + ${R('z')}`,
    x,
    'a filter is understood on what is divided by and nowhere else; leave it out',
  );
  const total = readEventsQueries({ given: 'bad', events: R('y'), total: `${x} - ${R('x{path="/h"}')}` }, 'sloth');
  expect(total).toEqual({
    query: 'total',
    at: x.length + ' - sum(rate('.length,
    message:
      'a total is a sum in which every event counts once; leave events out by a matcher, such as path!="/healthz"',
  });
});

test('a ratio that is none is refused', () => {
  refusesRatio(`^${R('y')}`, 'a ratio is one sum divided by another; divide it by the total');
  refusesRatio(
    `${R('y')} / ${R('x')} ^or vector(1)`,
    'without traffic the ratio would be 1, which a stream takes for 0; write a default that gives 0',
  );
  refusesRatio(
    `${R('y')} or vector(0) ^/ ${R('x')}`,
    '/ binds tighter than or, so that the constant alone is divided; write (… or vector(0)) / …',
  );
  refusesRatio(
    `(${R('y')} ^> 0) / ${R('x')}`,
    'a filter is understood on what is divided by and nowhere else; leave it out',
  );
  refusesRatio(
    `^100 * ${R('y')} / ${R('x')}`,
    'must be bad events that each count once, or the total without the good ones',
  );
  refusesRatio(
    `sum by (a) (rate(y${W})) / on (a) ^group_left ${R('x')}`,
    'group_left joins sums that are grouped differently; group both by the same labels',
  );
  refusesRatio(
    `sum by (a) (rate(y${W})) ^/ sum by (b) (rate(x${W}))`,
    'grouped by a on the left and by b on the right; group both by the same labels',
  );
  refusesRatio(
    `^sum(sum_over_time(g${W})) / sum(count_over_time(g${W}))`,
    'a gauge that is 1 when something is bad cannot be counted; use one that is 1 when all is good',
  );
  refusesRatio(
    `^sum(sum_over_time(g${W})) / sum(sum_over_time(h${W}))`,
    'of gauges the mean is understood: sum(sum_over_time(…)) / sum(count_over_time(…)) of one and the same selector',
  );
});

test('what is no PromQL is refused where it ends to be it', () => {
  const f = (marked: string, message: string): void => refuses(marked, R('x'), message);
  f('sum(rate(x[5m]^', 'the query ends too early');
  f('^histogram_share(0.3, x)', 'histogram_share is not a function of PromQL');
  f(`sum(rate(x${W})) ^§`, "unexpected '§' in the query");
  f(`sum(rate(x[^$__interval]))`, "unexpected '$' in the query");
  f(`sum(rate(x{a=~"5^("}${W}))`, 'invalid regular expression: missing closing ): `5(`');
  f(
    `sum(rate(^{a=~".*"}${W}))`,
    'the selector matches every series: it needs a metric name or a matcher that excludes the empty string',
  );
});

test('no depth of parentheses or operators leads to the end of the stack', () => {
  const f = (text: string, message: string): void => {
    const read = readEventsQueries({ given: 'bad', events: text, total: R('x') }, 'sloth');
    expect(read).toMatchObject({ message });
  };
  f('('.repeat(300) + R('x') + ')'.repeat(300), 'nested deeper than 200 levels');
  f(`${R('x')} + `.repeat(201) + R('x'), 'nested deeper than 200 levels');
  // Here the parser itself has had enough, and is not asked any more.
  f('('.repeat(10_000) + R('x') + ')'.repeat(10_000), "unexpected '(' in the query");
  f('('.repeat(100_000) + R('x') + ')'.repeat(100_000), 'the query is longer than 32768 characters');
});
