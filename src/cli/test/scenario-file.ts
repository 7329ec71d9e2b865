import { readOnlyDocument } from '../../definitions/document.ts';
import type { GatePolicyFile } from '../../definitions/gate-policy.ts';
import { type Problem, shown, sortProblems } from '../../definitions/problem.ts';
import { parseDuration } from '../../engine/duration.ts';
import type { GatePolicy } from '../../engine/gate-policy.ts';
import { Replicas } from '../../engine/replicas.ts';
import type { CalendarUnit, Duration, Slo } from '../../engine/slo.ts';
import type { AlertStateName, SloHealth, VerdictName } from '../../engine/state.ts';
import { FieldReader, type Fields, type Value } from './fields.ts';
import { NotationError } from './number-notation.ts';
import {
  ABSENT,
  type Action,
  type Expectation,
  type Expected,
  type ExpectedMap,
  type InputSeries,
  type Scenario,
  type ScenarioTest,
} from './scenario.ts';
import { type LabelPair, readSeriesName } from './series-name.ts';
import { readSeriesValues } from './series-values.ts';

/** Reads scenario files. Whatever is wrong is a problem with its position; a file with a problem gives no scenario. */

export interface ScenarioFile {
  /** Null when there are problems. */
  readonly scenario: Scenario | null;
  readonly problems: readonly Problem[];
}

/** Reads the definitions that a scenario names; the paths are as the scenario writes them. */
export type LoadDefinitions = (paths: readonly string[]) => {
  readonly slos: readonly Slo[];
  readonly problems: readonly Problem[];
  /** The paths that lead to no file. */
  readonly missing: readonly string[];
};

/** Reads a gate policy that a scenario names; null when the path leads to no file. */
export type LoadPolicy = (path: string) => GatePolicyFile | null;

const TOP_KEYS = ['definitions', 'evaluation_interval', 'settle', 'stale_after', 'tolerance', 'tests'];
const TEST_KEYS = ['name', 'interval', 'start', 'input_series', 'actions', 'expect', 'tolerance'];
const SERIES_KEYS = ['series', 'values', 'interval', 'delay', 'start_time', 'temporality'];
const ACTION_KEYS = ['at', 'do', 'definitions'];

const DEFAULT_START_MS = Date.UTC(2026, 0, 1);
const DEFAULT_EVALUATION_INTERVAL_MS = 10_000;
const DEFAULT_SETTLE_MS = 0;
const DEFAULT_STALE_AFTER_MS = 300_000;
const DEFAULT_TOLERANCE = 1e-9;

/** What may be written for a field of a state. */
type Shape = 'number' | 'text' | 'time' | { readonly oneOf: readonly string[] } | { readonly keys: Shapes } | MapShape;
type Shapes = Readonly<Record<string, Shape>>;
/** A map whose keys are the user's: windows, label names. */
interface MapShape {
  readonly each: Shape;
  readonly windows: boolean;
}

const BURN_RATES: Shape = { each: 'number', windows: true };
const HEALTH: readonly SloHealth[] = ['healthy', 'at_risk', 'exhausted', 'no_data'];
const VERDICTS: readonly VerdictName[] = ['allow', 'warn', 'block', 'unknown'];
const ALERT_STATES: readonly AlertStateName[] = ['pending', 'firing'];
const TEMPORALITIES = ['cumulative', 'delta'];
/** A calendar window's burn rate goes by the name of its unit. */
const CALENDAR_WINDOWS: readonly string[] = ['week', 'month', 'quarter', 'year'] satisfies CalendarUnit[];

/** The labels by which a sender of an HA pair is known. */
const CLUSTER_LABEL = 'cluster';
const REPLICA_LABEL = '__replica__';

/** The fields of SloState in snake case, and three short names. */
const FIELDS: Shapes = {
  id: 'text',
  service: 'text',
  name: 'text',
  owner: 'text',
  labels: { each: 'text', windows: false },
  description: 'text',
  runbook: 'text',
  sli_kind: 'text',
  objective: 'number',
  window: { keys: { kind: 'text', duration: 'text', unit: 'text', timezone: 'text', start: 'time', end: 'time' } },
  as_of: 'time',
  state: { oneOf: HEALTH },
  coverage: 'number',
  sli: 'number',
  approximate: { keys: { lower: 'number', upper: 'number' } },
  events: { keys: { good: 'number', bad: 'number', total: 'number' } },
  error_budget: {
    keys: {
      remaining: 'number',
      consumed: 'number',
      remaining_of_projected: 'number',
      allowed_bad: 'number',
      remaining_bad: 'number',
      exhausted_at: 'time',
    },
  },
  burn_rates: BURN_RATES,
  burn_rate: BURN_RATES,
  budget_remaining: 'number',
  gate: { oneOf: VERDICTS },
};
const EXPECT_KEYS = ['at', 'slo', 'group', 'alerts', 'policy', ...Object.keys(FIELDS)];

export function readScenario(file: string, text: string, load: LoadDefinitions, loadPolicy: LoadPolicy): ScenarioFile {
  const problems: Problem[] = [];
  const document = readOnlyDocument({ file, text }, 'scenario', problems);
  if (document === null) return { scenario: null, problems };
  const noted = <T extends { readonly problems: readonly Problem[] } | null>(loaded: T): T => {
    problems.push(...(loaded?.problems ?? []));
    return loaded;
  };
  const reader = new ScenarioReader(
    new FieldReader(document),
    (paths) => noted(load(paths)),
    (path) => noted(loadPolicy(path)),
  );
  const scenario = reader.read({ path: [], tree: document.root });
  const failed = problems.some(({ severity }) => severity === 'error');
  const files = [...new Set(problems.map((problem) => problem.file))];
  return { scenario: failed ? null : scenario, problems: sortProblems(problems, files) };
}

class ScenarioReader {
  readonly file: FieldReader;
  readonly load: LoadDefinitions;
  readonly loadPolicy: LoadPolicy;
  /** Of every definition the file names; null while some of them could not be read. */
  sloIds: Set<string> | null = new Set();
  evaluationIntervalMs = DEFAULT_EVALUATION_INTERVAL_MS;
  tolerance = DEFAULT_TOLERANCE;
  /** Of the test that is read, to know when there are too many. */
  replicas = new Replicas(0);

  constructor(file: FieldReader, load: LoadDefinitions, loadPolicy: LoadPolicy) {
    this.file = file;
    this.load = load;
    this.loadPolicy = loadPolicy;
  }

  read(root: Value): Scenario | null {
    const top = this.file.fields(root, TOP_KEYS);
    if (top === null) return null;
    const definitions = this.file.required(top, 'definitions');
    const slos = definitions === null ? this.#unknownSlos() : this.#definitions(definitions);
    this.evaluationIntervalMs = this.#positive(top, 'evaluation_interval', DEFAULT_EVALUATION_INTERVAL_MS);
    this.tolerance = this.#readTolerance(top, DEFAULT_TOLERANCE);
    const settleMs = this.#notNegative(top, 'settle', DEFAULT_SETTLE_MS);
    const staleAfterMs = this.#positive(top, 'stale_after', DEFAULT_STALE_AFTER_MS);

    const tests = this.file.required(top, 'tests');
    const items = tests === null ? null : this.file.items(tests);
    if (tests !== null && items?.length === 0) this.file.fail(tests, 'must hold at least one test');
    return {
      slos: slos ?? [],
      evaluationIntervalMs: this.evaluationIntervalMs,
      settleMs,
      staleAfterMs,
      tests: this.#inUse(items ?? [], (item) => this.#test(item)),
    };
  }

  #definitions(value: Value): readonly Slo[] | null {
    const items = this.file.items(value);
    if (items === null) return this.#unknownSlos();
    const paths = this.#inUse(items, (item) => this.file.text(item));
    if (paths.length === 0) {
      this.file.fail(value, 'must name at least one file');
      return this.#unknownSlos();
    }
    const { slos, problems, missing } = this.load(paths);
    for (const item of items) {
      if (missing.includes(this.file.scalarText(item) ?? '')) this.file.fail(item, 'no such file');
    }
    if (missing.length > 0 || problems.some(({ severity }) => severity === 'error')) return this.#unknownSlos();
    for (const { id } of slos) this.sloIds?.add(id);
    return slos;
  }

  #unknownSlos(): null {
    this.sloIds = null;
    return null;
  }

  #test(value: Value): ScenarioTest | null {
    const { file } = this;
    const test = file.fields(value, TEST_KEYS);
    if (test === null) return null;
    const name = file.required(test, 'name');
    const startMs = this.#start(test);
    const intervalMs = this.#positive(test, 'interval', this.evaluationIntervalMs);
    const inputs = this.#list(test, 'input_series');
    this.replicas = new Replicas(0);
    const series = this.#inUse(inputs, (item) => this.#series(item, intervalMs, startMs));
    this.#refuseRepeated(inputs, series);
    const actions = this.#inUse(this.#list(test, 'actions'), (item) => this.#action(item, startMs));
    const expect = file.required(test, 'expect');
    const items = expect === null ? null : file.items(expect);
    if (expect !== null && items?.length === 0) file.fail(expect, 'must hold at least one expectation');
    const expectations = this.#inUse(items ?? [], (item) => this.#expectation(item, startMs));
    return {
      name: (name === null ? null : file.text(name)) ?? '',
      startMs,
      tolerance: this.#readTolerance(test, this.tolerance),
      series,
      actions: actions.sort((a, b) => a.atMs - b.atMs),
      expectations: expectations.sort((a, b) => a.atMs - b.atMs),
    };
  }

  #start(test: Fields): number {
    const value = test.get('start');
    return value === undefined ? DEFAULT_START_MS : (this.#time(value)?.getTime() ?? DEFAULT_START_MS);
  }

  #series(value: Value, testIntervalMs: number, testStartMs: number): InputSeries | null {
    const { file } = this;
    const fields = file.fields(value, SERIES_KEYS);
    if (fields === null) return null;
    const name = file.required(fields, 'series');
    const named = this.#notation(name, readSeriesName);
    const values = file.required(fields, 'values');
    const runs = this.#notation(values, readSeriesValues);
    const intervalMs = this.#positive(fields, 'interval', testIntervalMs);
    const delayMs = this.#notNegative(fields, 'delay', 0);
    const startTime = fields.get('start_time');
    const startMs = startTime === undefined ? null : this.#startTime(startTime, testStartMs);
    const temporality = fields.get('temporality');
    const delta = temporality !== undefined && file.oneOf(temporality, TEMPORALITIES) === 'delta';
    if (values !== null && delta && runs?.some(({ kind }) => kind === 'histogram')) {
      file.fail(values, 'a native histogram is cumulative: leave temporality out');
    }
    if (named === null || runs === null) return null;
    const { labels, sender } = senderOf(named);
    if (sender !== null && this.replicas.senderOf(sender.cluster, sender.replica) === -1) {
      file.fail(name!, 'is of more HA clusters than are told apart');
    }
    return { labels, runs, intervalMs, delayMs, startMs, delta, sender };
  }

  /** A time, or a duration since the start of the test; with a minus before it. */
  #startTime(value: Value, testStartMs: number): number | null {
    const text = this.file.text(value);
    if (text === null) return null;
    const since = parseDuration(text.replace(/^-/, ''));
    if (since !== null) return testStartMs + (text.startsWith('-') ? -since.ms : since.ms);
    const ms = timeOf(text);
    if (!Number.isNaN(ms)) return ms;
    return this.file.fail(
      value,
      `must be a time such as 2026-01-01T00:00:00Z or a duration since the start such as 10m or -1h, got ${shown(text)}`,
    );
  }

  /** Text in a notation of its own, whose errors say at which character. */
  #notation<T>(value: Value | null, read: (text: string) => T): T | null {
    const text = value === null ? null : this.file.text(value);
    if (value === null || text === null) return null;
    try {
      return read(text);
    } catch (error) {
      if (!(error instanceof NotationError)) throw error;
      return this.file.fail(value, error.message, error.offset);
    }
  }

  /** Two series with the same labels would be one series with two values at a time. */
  #refuseRepeated(inputs: readonly Value[], series: readonly InputSeries[]): void {
    if (inputs.length !== series.length) return;
    const seen = new Set<string>();
    series.forEach(({ labels, sender }, i) => {
      const key = JSON.stringify([labels.filter(([, value]) => value !== '').sort(), sender]);
      if (seen.has(key)) this.file.fail(inputs[i]!, 'the same series is given twice');
      seen.add(key);
    });
  }

  #action(value: Value, startMs: number): Action | null {
    const { file } = this;
    const fields = file.fields(value, ACTION_KEYS);
    if (fields === null) return null;
    const at = this.#instant(fields);
    const what = file.required(fields, 'do');
    const kind = what === null ? null : file.oneOf(what, ['restart', 'reload']);
    const definitions = fields.get('definitions');
    if (kind === 'restart' && definitions !== undefined) file.fail(definitions, 'only a reload has definitions');
    let slos: readonly Slo[] | null = null;
    if (kind === 'reload') {
      const named = file.required(fields, 'definitions');
      slos = named === null ? null : this.#definitions(named);
    }
    return at === null ? null : { atMs: startMs + at.ms, slos };
  }

  #expectation(value: Value, startMs: number): Expectation | null {
    const { file } = this;
    const fields = file.fields(value, EXPECT_KEYS);
    if (fields === null) return null;
    const at = this.#instant(fields);
    const sloValue = file.required(fields, 'slo');
    const slo = sloValue === null ? null : file.text(sloValue);
    if (sloValue !== null && slo !== null && this.sloIds !== null && !this.sloIds.has(slo)) {
      file.fail(sloValue, `there is no SLO ${shown(slo)}; there are ${[...this.sloIds].sort().join(', ')}`);
    }
    const policyFile = fields.get('policy');
    const policy = policyFile === undefined ? null : this.#policy(policyFile);

    const expected: Record<string, Expected> = {};
    for (const [name, shape] of Object.entries(FIELDS)) {
      const stated = fields.get(name);
      if (stated !== undefined) expected[name] = this.#expected(stated, shape);
    }
    const group = this.#group(fields.get('group'));
    if (group === ABSENT) expected['group'] = ABSENT;
    const alerts = fields.get('alerts');
    if (Object.keys(expected).length === 0 && alerts === undefined) file.fail(value, 'must state what is expected');
    if (policyFile !== undefined && expected['gate'] === undefined) {
      file.document.missing([...value.path, 'gate'], 'is required: a policy is what the gate judges by');
    }
    if (at === null || slo === null) return null;
    return {
      at: at.text,
      atMs: startMs + at.ms,
      slo,
      group: group === ABSENT ? null : group,
      policy,
      fields: expected,
      alerts: alerts === undefined ? null : this.#textMap(alerts, (item) => file.oneOf(item, ALERT_STATES)),
    };
  }

  #policy(value: Value): GatePolicy | null {
    const path = this.file.text(value);
    if (path === null) return null;
    const read = this.loadPolicy(path);
    return read === null ? this.file.fail(value, 'no such file') : read.policy;
  }

  #group(value: Value | undefined): Record<string, string> | null | typeof ABSENT {
    if (value === undefined) return null;
    if (this.file.scalarText(value) === 'absent') return ABSENT;
    return this.#textMap(value, (item) => this.file.text(item));
  }

  #textMap(value: Value, read: (item: Value) => string | null): Record<string, string> | null {
    const fields = this.file.fields(value, null);
    if (fields === null) return null;
    const map: Record<string, string> = {};
    for (const [name, item] of fields.entries()) map[name] = read(item) ?? '';
    return map;
  }

  #expected(value: Value, shape: Shape): Expected {
    const { file } = this;
    if (file.isNull(value)) return null;
    if (file.scalarText(value) === 'absent') return ABSENT;
    if (shape === 'number') return file.number(value);
    if (shape === 'text') return file.text(value);
    if (shape === 'time') return this.#time(value);
    if ('oneOf' in shape) return file.oneOf(value, shape.oneOf);
    return this.#expectedMap(value, shape);
  }

  #expectedMap(value: Value, shape: { readonly keys: Shapes } | MapShape): ExpectedMap | null {
    const fields = this.file.fields(value, 'keys' in shape ? Object.keys(shape.keys) : null);
    if (fields === null) return null;
    const map: Record<string, Expected> = {};
    for (const [name, item] of fields.entries()) {
      const itemShape = 'keys' in shape ? shape.keys[name] : shape.each;
      // An unknown key: a problem already.
      if (itemShape === undefined) continue;
      if ('each' in shape && shape.windows && parseDuration(name) === null && !CALENDAR_WINDOWS.includes(name)) {
        this.file.document.keyError(item.path, `must be a window such as 5m, got ${shown(name)}`);
      }
      map[name] = this.#expected(item, itemShape);
    }
    return map;
  }

  #instant(fields: Fields): Duration | null {
    const value = this.file.required(fields, 'at');
    return value === null ? null : this.file.duration(value);
  }

  #time(value: Value): Date | null {
    const text = this.file.text(value);
    if (text === null) return null;
    const ms = timeOf(text);
    if (!Number.isNaN(ms)) return new Date(ms);
    return this.file.fail(value, `must be a time such as 2026-01-01T00:00:00Z, got ${shown(text)}`);
  }

  #readTolerance(fields: Fields, fallback: number): number {
    const value = fields.get('tolerance');
    const tolerance = value === undefined ? fallback : this.file.number(value);
    if (value !== undefined && tolerance !== null && !(tolerance >= 0 && tolerance < 1)) {
      this.file.fail(value, `must be at least 0 and below 1, got ${tolerance}`);
    }
    return tolerance ?? fallback;
  }

  #positive(fields: Fields, key: string, fallbackMs: number): number {
    const ms = this.#notNegative(fields, key, fallbackMs);
    if (ms > 0) return ms;
    this.file.fail(fields.get(key)!, 'must be longer than 0');
    return fallbackMs;
  }

  #notNegative(fields: Fields, key: string, fallbackMs: number): number {
    const value = fields.get(key);
    return value === undefined ? fallbackMs : (this.file.duration(value)?.ms ?? fallbackMs);
  }

  #list(fields: Fields, key: string): Value[] {
    const value = fields.get(key);
    return value === undefined ? [] : (this.file.items(value) ?? []);
  }

  /** What could be read of every item; the rest are problems. */
  #inUse<T>(items: readonly Value[], read: (item: Value) => T | null): T[] {
    return items.map(read).filter((item): item is NonNullable<typeof item> => item !== null);
  }
}

/** RFC 3339, Unix milliseconds; NaN when the text is no such time. */
function timeOf(text: string): number {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/.test(text);
  return isTime ? Date.parse(text) : Number.NaN;
}

/** A series with the labels of an HA pair is sent by one of it, and loses the label that says by which. */
function senderOf(labels: readonly LabelPair[]): Pick<InputSeries, 'labels' | 'sender'> {
  const label = (wanted: string): string => labels.find(([name]) => name === wanted)?.[1] ?? '';
  const cluster = label(CLUSTER_LABEL);
  const replica = label(REPLICA_LABEL);
  if (cluster === '' || replica === '') return { labels, sender: null };
  return { labels: labels.filter(([name]) => name !== REPLICA_LABEL), sender: { cluster, replica } };
}
