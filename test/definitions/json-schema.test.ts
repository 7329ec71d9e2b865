import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AnySchemaObject, ErrorObject } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { DEMO_SLOS } from '../../src/cli/demo/slos.ts';
import { FORMS } from '../../src/definitions/forms.ts';
import { jsonSchema, SCHEMA_NAMES, type SchemaName } from '../../src/definitions/json-schema.ts';
import { readDefinitions } from '../../src/definitions/load.ts';
import { formatPath } from '../../src/definitions/problem.ts';

/** As an editor holds files against the printed schemas: by JSON Schema alone, of values as YAML reads them. */
const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
const validators = new Map(SCHEMA_NAMES.map((name) => [name, ajv.compile(jsonSchema(name))]));

const ROOT = resolve(import.meta.dirname, '../..');

/** The paths at which a file is marked. */
function marked(name: SchemaName, text: string): string[] {
  const validate = validators.get(name)!;
  const value = parse(text) as unknown;
  return validate(value) ? [] : validate.errors!.flatMap((error) => pathOf(error, value) ?? []);
}

/** What an `if` and the alternatives of a `oneOf` say beside it is no mark of its own. */
function pathOf(
  { instancePath, keyword, params, propertyName, schemaPath }: ErrorObject,
  root: unknown,
): string | null {
  if (keyword === 'if' || keyword === 'propertyNames' || /\/oneOf\/\d/.test(schemaPath)) return null;
  const repeated = keyword === 'uniqueItems' ? Math.max(params['i'], params['j']) : undefined;
  const last = params['additionalProperty'] ?? params['missingProperty'] ?? propertyName ?? repeated;
  const parts = [...instancePath.split('/').slice(1), ...(last === undefined ? [] : [String(last)])];
  let value = root;
  const path = parts.map((part) => {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    const isItem = Array.isArray(value);
    value = (value as Record<string, unknown> | undefined)?.[key];
    return isItem ? Number(key) : key;
  });
  return formatPath(path);
}

/** The paths of what `check` reports. */
function checked(text: string): string[] {
  return readDefinitions([{ file: 'a.yaml', text }]).problems.map(({ path }) => path);
}

/** The YAML blocks of a document that are whole files. */
function blocks(document: string, isWanted: RegExp): string[] {
  const text = readFileSync(resolve(ROOT, document), 'utf8');
  return [...text.matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, block]) => block!)
    .filter((block) => isWanted.test(block));
}

const fixture = (name: string) => readFileSync(resolve(ROOT, 'test/fixtures/definitions', name), 'utf8');

const NATIVE = fixture('api.yaml');
const SERVICES = fixture('services.yml');
const SERVER = fixture('server.yaml');

test('what the project shows as an example is not marked', () => {
  const good = (name: SchemaName, texts: readonly string[]) => {
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) {
      for (const document of text.split(/^---$/m)) expect(marked(name, document), document).toEqual([]);
    }
  };
  good('native', [
    NATIVE,
    DEMO_SLOS,
    ...blocks('README.md', /^apiVersion:/),
    ...blocks('docs/definitions.md', /^apiVersion:/),
  ]);
  good('service-list', [
    SERVICES,
    ...blocks('README.md', /^services:/),
    ...blocks('docs/definitions.md', /^services:/),
  ]);
  good('server', [SERVER, ...blocks('README.md', /^slos: \[/)]);
});

const EVERYTHING = `
apiVersion: slipstream/v1
service: 010
owner:
labels: {release: 1.10, paged: yes}
slos:
  - name: 1.10
    description: true
    objective: 99.9
    window: {calendar: month, timezone: Europe/Madrid}
    groupBy: [region]
    maxGroups: 5
    owner: team-a
    runbook: https://runbooks.example
    sli:
      events: {total: ['a{job="x"}', 'b{job="x"}'], bad: 'a{job="x",code="500"}'}
    slice: 1m
    emptySlice: bad
    budgeting: timeslices
    sliceTarget: 95
    alerts:
      policy: [{name: fast, severity: page, factor: 10, long: 1h, short: 5m, for: 0}]
      minBadEvents: 3
  - {name: latency, objective: 99, window: 28d, sli: {latency: {histogram: 'h{job="x"}', threshold: 200ms}}}
  - {name: probe, objective: 99, sli: {probe: {gauge: 'g{job="x"}'}}, alerts: {policy: pyrra}}
  - {name: fresh, objective: 99, sli: {freshness: {age: 'g{job="x"}', threshold: 1h, aggregate: min}}}
  - {name: rate, objective: 99, sli: {throughput: {counter: 'c{job="x"}', min: 600/m}}}
  - {name: depth, objective: 99, sli: {threshold: {gauge: 'g{job="x"}', op: lte, value: -1.5}}}
  - {name: pushed, objective: 99, sli: {push: {}}}
`;

test('every key of the native format is known, and text may look like anything', () => {
  expect(checked(EVERYTHING)).toEqual([]);
  expect(marked('native', EVERYTHING)).toEqual([]);
});

test('what is wrong with a file is marked where check reports it', () => {
  const broken = (name: SchemaName, good: string) => (from: string, to: string) => {
    expect(good).toContain(from);
    const text = good.replace(from, to);
    const expected = [...new Set(checked(text))].sort();
    expect(expected.length, to).toBeGreaterThan(0);
    expect([...new Set(marked(name, text))].sort(), to).toEqual(expected);
  };
  const native = broken('native', EVERYTHING);
  native('slipstream/v1', 'slipstream/v2');
  native('service: 010', 'service: a/b');
  native('service: 010', `service: ${'x'.repeat(129)}`);
  native('service: 010\n', '');
  native('service: 010', 'service: [api]');
  native('owner:', 'ownr:');
  native('release: 1.10', '__name__: 1');
  native('release: 1.10', 'release: {}');
  native('objective: 99.9', 'objective: 100');
  native('objective: 99.9', 'objective: "99.9"');
  native('objective: 99.9', 'objectve: 99.9');
  native('calendar: month', 'calendar: fortnight');
  native('timezone: Europe/Madrid', 'timezone: +01:00');
  native('[region]', '[region, region]');
  native('[region]', 'region');
  native('maxGroups: 5', 'maxGroups: 0');
  native('maxGroups: 5', 'maxGroups: 1.5');
  native('sliceTarget: 95', 'sliceTarget: 101');
  native('slice: 1m', 'slice: 60');
  native('emptySlice: bad', 'emptySlice: worse');
  native('severity: page', 'severity: phone');
  native('factor: 10', 'factor: 0');
  native('long: 1h, ', '');
  native('for: 0', 'for: 5 minutes');
  native('for: 0', 'for: 5');
  native('minBadEvents: 3', 'minBadEvents: -1');
  native('window: 28d', 'window: 28 days');
  native('window: 28d', 'window: [28d]');
  native('threshold: 200ms', 'threshold: 0.2');
  native('policy: pyrra', 'policy: pyra');
  native('{push: {}}', '{}');
  native('{push: {}}', '{push: {}, probe: {gauge: \'g{job="x"}\'}}');
  native('min: 600/m', 'min: 600');
  native('min: 600/m', 'min: 600/m, max: 700/m');
  native('op: lte', 'op: below');
  native('value: -1.5', 'value: low');
  native('total: [\'a{job="x"}\', \'b{job="x"}\']', 'total: []');

  const services = broken('service-list', SERVICES);
  services('"200ms"', '200');
  services('"99.9%"', '99.9');
  services('"99.9%"', '"high"');
  services('slo_latency_p99', 'slo_latency_pX');
  services('  checkout:', '  a/b:');
  services('services:', 'metrics: {latency: {}}\nservices:');

  const server = broken('server', SERVER);
  server('0.0.0.0:9490', '9490');
  server('data: state', 'data: ""');
  server('settle: 0s', 'settle: soon');
  server('dc, failover', 'dc, fail_over');
  server('level: warn', 'level: loud');
  server('1MiB', '1 mebibyte');
  server('1MiB', '0');
  server('series: 1000', 'series: 0');
  server('slos: [slos/*.yaml, /etc/slos]', 'slos: slos/*.yaml');
  server('ha: {cluster_label: dc, failover: 1m}', 'ha: on');
});

test('what a form takes is not marked', () => {
  const takes = (form: keyof typeof FORMS, schema: AnySchemaObject, ...texts: (string | number)[]) => {
    const validate = ajv.compile(schema);
    for (const text of texts) {
      expect(FORMS[form](String(text)), `${form} ${text}`).toBeNull();
      expect(validate(text), `${form} ${text}`).toBe(true);
    }
  };
  const { properties: ofServer } = jsonSchema('server');
  const { properties: ofFile } = jsonSchema('native');
  const { properties: ofSlo } = ofFile.slos.items;
  const { throughput } = ofSlo.sli.properties;
  takes('id', ofFile.service, 'a b', 'ünï', '日本', '1', '💡'.repeat(128), 7);
  takes('labelName', ofSlo.groupBy.items, 'a.b', 'k8s.io/name', '1');
  takes('delay', ofServer.settle, '0', 0, '0s', '1h30m', '1y2w3d4h5m6s7ms');
  takes('rollingWindow', ofSlo.window.else, '1h', '400d', '4w', '1d12h');
  takes('slice', ofSlo.slice, '1s', '1d', '90s');
  takes('rate', throughput.properties.min, '10/s', '1.5e-3 / M', '1E6/D');
  takes('size', ofServer.limits.properties.body_bytes, '1', 1024, '32MiB', '1.5 kB', '2GB');
  takes('address', ofServer.listen, ':0', 'localhost:9490', '[::1]:80', '10.0.0.1:65535');
  takes('timeZone', ofSlo.window.then.properties.timezone, 'UTC', 'Etc/GMT+1', 'America/Port-au-Prince');
  const { '^slo_latency_p[0-9]+$': latency } =
    jsonSchema('service-list').properties.services.additionalProperties.patternProperties;
  takes('duration', latency, '1ms', '10y');
});

test('everything that can be written is explained', () => {
  const silent: string[] = [];
  const walk = (schema: AnySchemaObject, path: string) => {
    for (const [key, inner] of Object.entries<AnySchemaObject>(schema['properties'] ?? {})) {
      const isPlain = inner['enum'] !== undefined || inner['properties'] !== undefined || inner['items'] !== undefined;
      if (inner['description'] === undefined && !isPlain) silent.push(`${path}${key}`);
      walk(inner, `${path}${key}.`);
    }
    for (const key of ['items', 'then', 'else', 'additionalProperties']) {
      if (typeof schema[key] === 'object') walk(schema[key], path);
    }
  };
  for (const name of SCHEMA_NAMES) {
    const schema = jsonSchema(name);
    expect(schema['title']).toMatch(/^[A-Z]/);
    walk(schema, `${name}: `);
  }
  expect(silent).toEqual([]);
});
