import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Exposition, labelText } from '../../src/api/exposition.ts';
import type { Slo } from '../../src/engine/slo.ts';
import { FAILURES } from '../../src/notify/delivery.ts';
import { alertingOf } from '../support/alerting.ts';
import { anSlo } from '../support/slo.ts';
import { MIDNIGHT_MS } from '../support/time.ts';
import { scrape, TestServer } from './server.ts';

const NOON_MS = MIDNIGHT_MS + 12 * 3_600_000;
const DOCUMENT = readFileSync(resolve(import.meta.dirname, '../../docs/self-metrics.md'), 'utf8');

const ALERTING = alertingOf(`
route: {receiver: mail}
receivers: [{name: mail, email_configs: [{to: a@b.example, from: c@d.example, smarthost: '127.0.0.1:25'}]}]
`);

let server: TestServer;

beforeEach(async () => {
  const slos = [
    anSlo({ labels: { tier: 'gold', 'pyrra.dev/team': 'edge "a"' } }),
    anSlo({ id: 'api/by-code', name: 'by-code', groupBy: ['code'] }),
  ];
  server = await TestServer.start(NOON_MS, slos, {}, undefined, undefined, ALERTING);
});

afterEach(() => server.stop());

async function scraped(): Promise<string[]> {
  const response = await server.get('/metrics');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return (await response.text()).split('\n').filter((line) => line !== '');
}

/** Everything that can be there is there: samples were received, a snapshot was saved, a request was counted. */
async function busy(): Promise<string[]> {
  for (const counts of [
    { 200: 1000, 500: 0 },
    { 200: 1998, 500: 2 },
  ]) {
    server.nowMs += 15_000;
    await server.write(scrape(server.nowMs, counts));
  }
  await server.service.snapshot();
  server.nowMs += 5_000;
  await scraped();
  return await scraped();
}

function families(lines: readonly string[]): Map<string, string> {
  const types = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' '));
  return new Map(types.map(([, , name, type]) => [name!, type!]));
}

test('docs/self-metrics.md lists what a scrape has, with type and labels', async () => {
  const lines = await busy();
  const isOwn = (name: string) => /^(slipstream|process|nodejs)_/.test(name);
  const got = [...families(lines)]
    .filter(([name]) => isOwn(name))
    .map(([name, type]) => {
      const sample = lines.find((line) => new RegExp(`^${name}(_sum)?[{ ]`).test(line))!;
      const labels = [...sample.matchAll(/[{,](\w+)="/g)].map((match) => `\`${match[1]}\``);
      return [name, type, labels.join(', ')];
    });
  const documented = [...DOCUMENT.matchAll(/^\| `(\w+)` \| (counter|gauge|summary) \| ?(.*?) \| /gm)];
  expect(documented.map((row) => [row[1], row[2], row[3]?.replace(/^\|$/, '')])).toEqual(got);
});

test('docs/self-metrics.md lists the series of SLOs', async () => {
  const section = DOCUMENT.split('## What it says about SLOs')[1]!;
  const documented = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((row) => row[1]!);
  const own = [...families(await busy()).keys()].filter((name) => !/^(slipstream|process|nodejs)_/.test(name));
  const names = own.map((name) => name.replace(/^(slo:sli_error:ratio_rate).*/, '$1<W>'));
  expect(documented.toSorted()).toEqual([...new Set(names)].toSorted());
});

test('docs/self-metrics.md explains every reason for which a sample is ignored', async () => {
  const lines = await scraped();
  const reasons = lines.flatMap((line) => /^slipstream_samples_ignored_total\{.*reason="(\w+)"/.exec(line)?.[1] ?? []);
  const section = DOCUMENT.split('## Why a sample is ignored')[1]!.split('\n## ')[0]!;
  expect([...section.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1])).toEqual([...new Set(reasons)]);
});

test('docs/self-metrics.md explains every reason for which somebody could not be told', () => {
  const section = DOCUMENT.split('## Why somebody could not be told')[1]!.split('\n## ')[0]!;
  expect([...section.matchAll(/^\| `(\w+)` \|/gm)].map((row) => row[1])).toEqual([...FAILURES]);
});

test('an SLO is there under the names of Sloth, Pyrra and the article', async () => {
  const lines = await busy();
  const sloth = 'sloth_id="api-availability",sloth_service="api",sloth_slo="availability"';
  const own = 'tier="gold",pyrra_dev_team="edge \\"a\\""';
  const has = (line: string) => expect(lines).toContain(line);
  for (const window of ['5m', '30m', '1h', '2h', '6h', '1d', '3d', '30d']) {
    has(`slo:sli_error:ratio_rate${window}{${sloth},sloth_window="${window}",${own}} 0.002`);
  }
  has(`slo:objective:ratio{${sloth},${own}} 0.999`);
  has(`slo:error_budget:ratio{${sloth},${own}} 0.001`);
  has(`slo:time_period:days{${sloth},${own}} 30`);
  has(`slo:current_burn_rate:ratio{${sloth},${own}} 2`);
  has(`slo:period_burn_rate:ratio{${sloth},${own}} 2`);
  has(`slo:period_error_budget_remaining:ratio{${sloth},${own}} -1`);
  has(
    `sloth_slo_info{${sloth},sloth_version="1.2.3",sloth_mode="slipstream",sloth_spec="slipstream/v1",` +
      `sloth_objective="99.9",${own}} 1`,
  );
  has(`pyrra_objective{slo="api-availability",${own}} 0.999`);
  has(`pyrra_window{slo="api-availability",${own}} 2592000`);
  has(`pyrra_availability{slo="api-availability",${own}} 0.998`);
  has(`pyrra_requests:rate5m{slo="api-availability",${own}} ${1000 / 300}`);
  has(`pyrra_errors:rate5m{slo="api-availability",${own}} ${2 / 300}`);
  has(`job:slo_availability:ratio_rate5m{job="api",slo="availability",${own}} 0.998`);
  has(`job:slo_error_budget_remaining:ratio{job="api",slo="availability",${own}} -1`);
  has('slipstream_slo_watermark_lag_seconds{slo="api/availability"} 5');
  has('slipstream_samples_accepted_total{protocol="remote_write_1"} 4');
});

test('an SLO of Pyrra has its name there, unless another one has it already', async () => {
  await server.stop();
  const named = (service: string): Slo => anSlo({ id: `${service}/errors`, service, name: 'errors', origin: 'pyrra' });
  server = await TestServer.start(NOON_MS, [named('shop'), named('search'), anSlo()]);
  const names = (await scraped()).flatMap((line) => /^pyrra_objective\{slo="([^"]+)"/.exec(line)?.[1] ?? []);
  expect(names).toEqual(['errors', 'search-errors', 'api-availability']);
});

test('the window of an SLO is named as Prometheus names it, and once', async () => {
  await server.stop();
  const named = (window: string) => anSlo({ id: `api/${window}`, name: window }, window);
  server = await TestServer.start(NOON_MS, [named('28d'), named('3d'), named('7d')]);
  const windows = (await busy()).flatMap(
    (line) => /^slo:sli_error:ratio_rate(\w+)\{.*sloth_slo="(.*?)"/.exec(line)?.slice(1, 3).join(' of ') ?? [],
  );
  expect(windows.filter((each) => each.startsWith('4w'))).toEqual(['4w of 28d']);
  expect(windows.filter((each) => each.startsWith('1w'))).toEqual(['1w of 7d']);
  expect(windows.filter((each) => each.startsWith('3d'))).toEqual(['3d of 28d', '3d of 3d', '3d of 7d']);
});

test('what is not known is absent', async () => {
  const lines = await scraped();
  expect(lines.filter((line) => /NaN|null|undefined/.test(line))).toEqual([]);
  expect(lines.some((line) => line.startsWith('slo:objective:ratio'))).toBe(true);
  expect(lines.some((line) => line.startsWith('slo:period_error_budget_remaining:ratio'))).toBe(false);
});

test('the text format is what Prometheus reads', () => {
  const out = new Exposition();
  const family = out.gauge('a_b', 'Help with a \\ and\na line.');
  family.add(
    1.5,
    labelText({ x: 'a"b\\c\nd', empty: '', 'no.dots': 'é', '0': 'digit' }, { x: 'later', __name__: 'no' }),
  );
  out.counter('nothing_total', 'Without samples it is left out.');
  family.add(Number.POSITIVE_INFINITY);
  family.add(null);
  family.add(Number.NaN);
  out.summary('s_seconds', 'Sum and count.').addSummary({ sum: 0.25, count: 2 });
  expect(out.render()).toBe(
    '# HELP a_b Help with a \\\\ and\\na line.\n# TYPE a_b gauge\n' +
      'a_b{_0="digit",x="a\\"b\\\\c\\nd",no_dots="é"} 1.5\na_b +Inf\n' +
      '# HELP s_seconds Sum and count.\n# TYPE s_seconds summary\ns_seconds_sum 0.25\ns_seconds_count 2\n',
  );
});
