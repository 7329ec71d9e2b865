import { dirname, isAbsolute, join } from 'node:path';
import { readDocuments, type SourceFile } from './definitions/document.ts';
import { type Address, FORMS, type Form, parseAddress, parseSize } from './definitions/forms.ts';
import { readText } from './definitions/load.ts';
import { anyOf, type Problem, shown } from './definitions/problem.ts';
import type { SecretSource } from './definitions/secret.ts';
import {
  LOG_LEVELS,
  type LogLevel,
  type ReadServerFile,
  readServerFile,
  type ServerFile,
} from './definitions/server-file.ts';
import type { Alerting } from './engine/alerting.ts';
import { parseDuration } from './engine/duration.ts';

/** Server file, environment and flags to one frozen `Config`: a flag wins over its variable, and both win over the file. */

export interface Config {
  readonly configFile: string | null;
  readonly listen: Address;
  readonly dataDir: string;
  /** Files, folders and globs. */
  readonly sloPaths: readonly string[];
  readonly evaluationIntervalMs: number;
  readonly settleMs: number;
  readonly staleAfterMs: number;
  readonly snapshotIntervalMs: number;
  /** The window of SLOs whose format has none. */
  readonly slothPeriodMs: number;
  readonly otlp: {
    /** Of a port of its own; null without one. */
    readonly http: Address | null;
    readonly grpc: Address | null;
    /** Keys of resource attributes that become labels. */
    readonly promoteResourceAttributes: readonly string[];
  };
  /** Null when no replica is elected. */
  readonly ha: { readonly clusterLabel: string; readonly replicaLabel: string; readonly failoverMs: number } | null;
  readonly log: { readonly level: LogLevel; readonly format: 'json' };
  readonly limits: Limits;
  /** Of the server file; null when it says nothing. An alerting file among the definitions says the same. */
  readonly alerting: Alerting | null;
}

export interface Limits {
  readonly bodyBytesMax: number;
  readonly decodedBytesMax: number;
  readonly jsonBytesMax: number;
  readonly seriesMax: number;
  readonly seriesPerRequestMax: number;
  readonly samplesPerRequestMax: number;
  readonly symbolsPerRequestMax: number;
  readonly labelsMax: number;
  readonly labelNameBytesMax: number;
  readonly labelValueBytesMax: number;
  readonly histogramBucketsMax: number;
  readonly connectionsMax: number;
  readonly journalQueueBytesMax: number;
  /** Of all requests that are not answered yet. */
  readonly inflightBytesMax: number;
  readonly eventLoopDelayMaxMs: number;
  /** Of the head of a request. */
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Of a body, in each period. */
  readonly sendingBytesPerSecondMin: number;
  readonly sendingPeriodMs: number;
  /** Bodies that are decompressed at a time. */
  readonly gunzipsMax: number;
  /** Notifications that wait for one receiver. */
  readonly outboxMax: number;
  /** Alerts that are over and kept. */
  readonly alertHistoryMax: number;
  readonly silencesMax: number;
}

export interface LoadedConfig {
  /** Null when there is a problem. */
  readonly config: Config | null;
  readonly problems: readonly Problem[];
}

/** A flag of `serve`, and the variable that stands for it. */
interface Flag {
  readonly flag: string;
  readonly variable: string;
  readonly value: string;
  readonly default: string;
  readonly description: string;
  /** A form, or the words to choose from; null when any text will do. */
  readonly form: Form | readonly string[] | null;
}

/** By the name under which a command line gives it. */
export const SERVE_FLAGS = {
  config: {
    flag: '--config',
    variable: 'SLIPSTREAM_CONFIG',
    value: 'FILE',
    default: 'none',
    description: 'server file',
    form: null,
  },
  slos: {
    flag: '--slos',
    variable: 'SLIPSTREAM_SLOS',
    value: 'GLOB...',
    default: 'slos of the server file',
    description: 'definition files, folders and globs; several are separated by commas in the variable',
    form: null,
  },
  listen: {
    flag: '--listen',
    variable: 'SLIPSTREAM_LISTEN',
    value: 'HOST:PORT',
    default: '127.0.0.1:9490',
    description: 'address of the HTTP server; port 0 takes a free one',
    form: 'address',
  },
  data: {
    flag: '--data',
    variable: 'SLIPSTREAM_DATA',
    value: 'DIR',
    default: './data',
    description: 'folder for all state',
    form: null,
  },
  evaluationInterval: {
    flag: '--evaluation-interval',
    variable: 'SLIPSTREAM_EVALUATION_INTERVAL',
    value: 'DURATION',
    default: '10s',
    description: 'how often alerts are judged',
    form: 'timer',
  },
  settle: {
    flag: '--settle',
    variable: 'SLIPSTREAM_SETTLE',
    value: 'DURATION',
    default: '5s',
    description: 'time that a scrape gets to arrive completely',
    form: 'delay',
  },
  staleAfter: {
    flag: '--stale-after',
    variable: 'SLIPSTREAM_STALE_AFTER',
    value: 'DURATION',
    default: '5m',
    description: 'silence after which an SLO has no data',
    form: 'duration',
  },
  snapshotInterval: {
    flag: '--snapshot-interval',
    variable: 'SLIPSTREAM_SNAPSHOT_INTERVAL',
    value: 'DURATION',
    default: '5m',
    description: 'how often the state is saved as a whole',
    form: 'timer',
  },
  slothPeriod: {
    flag: '--sloth-period',
    variable: 'SLIPSTREAM_SLOTH_PERIOD',
    value: 'DURATION',
    default: '30d',
    description: 'window of Sloth SLOs, whose files have none',
    form: 'rollingWindow',
  },
  logLevel: {
    flag: '--log-level',
    variable: 'SLIPSTREAM_LOG_LEVEL',
    value: 'LEVEL',
    default: 'info',
    description: anyOf(LOG_LEVELS),
    form: LOG_LEVELS,
  },
} as const satisfies Record<string, Flag>;

type FlagName = keyof typeof SERVE_FLAGS;
export type ServeFlags = { readonly [K in Exclude<FlagName, 'slos'>]?: string } & { readonly slos?: readonly string[] };
export type Environment = Readonly<Record<string, string | undefined>>;

const MIB = 1024 * 1024;

const DEFAULT_LIMITS: Limits = {
  bodyBytesMax: 32 * MIB,
  decodedBytesMax: 64 * MIB,
  jsonBytesMax: 16 * MIB,
  seriesMax: 2_000_000,
  seriesPerRequestMax: 100_000,
  samplesPerRequestMax: 1_000_000,
  symbolsPerRequestMax: 1_000_000,
  labelsMax: 64,
  labelNameBytesMax: 1024,
  labelValueBytesMax: 4096,
  histogramBucketsMax: 4096,
  connectionsMax: 1024,
  journalQueueBytesMax: 64 * MIB,
  inflightBytesMax: 256 * MIB,
  eventLoopDelayMaxMs: 1_000,
  headTimeoutMs: 10_000,
  // Prometheus sends every 5 s at the least, and proxies keep connections for a minute: never be the one that hangs up first.
  idleTimeoutMs: 150_000,
  sendingBytesPerSecondMin: 1024,
  sendingPeriodMs: 5_000,
  gunzipsMax: 4,
  outboxMax: 10_000,
  alertHistoryMax: 100_000,
  silencesMax: 1_000,
};

const DEFAULT_HA = { clusterLabel: 'cluster', replicaLabel: '__replica__', failover: '30s' };

/** Reads the server file that the flags or the environment name, if they name one. */
export function loadConfig(flags: ServeFlags, env: Environment): LoadedConfig {
  const file = flags.config ?? variable(env, 'config');
  if (file === undefined) return readConfig(null, flags, env);
  const text = readText(file);
  return typeof text === 'string' ? readConfig({ file, text }, flags, env) : { config: null, problems: [text] };
}

/** The pure part of `loadConfig`. */
export function readConfig(source: SourceFile | null, flags: ServeFlags, env: Environment): LoadedConfig {
  const problems: Problem[] = [];
  const folder = source === null ? '' : dirname(source.file);
  const { file, alerting } = source === null ? NO_FILE : readFile(source, { env, folder }, problems);
  const text = settings(flags, env, problems);
  if (problems.some(({ severity }) => severity === 'error')) return { config: null, problems };

  const durationMs = (name: FlagName, ofFile: string | undefined): number =>
    parseDuration(text(name) ?? ofFile ?? SERVE_FLAGS[name].default)!.ms;
  const config: Config = {
    configFile: source?.file ?? null,
    listen: parseAddress(text('listen') ?? file.listen ?? SERVE_FLAGS.listen.default)!,
    dataDir: text('data') ?? (file.data === undefined ? SERVE_FLAGS.data.default : below(folder, file.data)),
    sloPaths: sloPaths(flags, env) ?? (file.slos ?? []).map((path) => below(folder, path)),
    evaluationIntervalMs: durationMs('evaluationInterval', file.evaluation_interval),
    settleMs: durationMs('settle', file.settle),
    staleAfterMs: durationMs('staleAfter', file.stale_after),
    snapshotIntervalMs: durationMs('snapshotInterval', file.snapshot_interval),
    slothPeriodMs: durationMs('slothPeriod', file.sloth_period),
    otlp: {
      http: address(file.otlp?.http),
      grpc: address(file.otlp?.grpc),
      promoteResourceAttributes: file.otlp?.promote_resource_attributes ?? [],
    },
    ha: readHa(file.ha ?? {}),
    log: {
      level: (text('logLevel') ?? file.log?.level ?? SERVE_FLAGS.logLevel.default) as LogLevel,
      format: file.log?.format ?? 'json',
    },
    limits: readLimits(file.limits ?? {}),
    alerting,
  };
  return { config: frozen(config), problems };
}

/** What only a start applies, by its key in the server file. */
const AT_START = {
  listen: 'listen',
  dataDir: 'data',
  evaluationIntervalMs: 'evaluation_interval',
  snapshotIntervalMs: 'snapshot_interval',
  otlp: 'otlp',
  ha: 'ha',
  log: 'log',
  limits: 'limits',
} as const satisfies Partial<Record<keyof Config, string>>;

/** What a reload applies as well. */
const AT_RELOAD = {
  sloPaths: 'slos',
  settleMs: 'settle',
  staleAfterMs: 'stale_after',
  slothPeriodMs: 'sloth_period',
  alerting: 'alerting',
} as const satisfies Record<Exclude<keyof Config, keyof typeof AT_START | 'configFile'>, string>;

export interface Reconfigured {
  readonly config: Config;
  /** Keys of the server file that differ: those that are applied, and those that wait for the next start. */
  readonly applied: readonly string[];
  readonly waiting: readonly string[];
}

/** What a running server takes over of a configuration that was read again. */
export function reconfigured(running: Config, read: Config): Reconfigured {
  const differing = (settings: Partial<Record<keyof Config, string>>): string[] =>
    Object.entries(settings).flatMap(([name, key]) => {
      const [before, after] = [running, read].map((config) => JSON.stringify(config[name as keyof Config]));
      return before === after ? [] : [key];
    });
  const kept = Object.fromEntries(Object.keys(AT_START).map((name) => [name, running[name as keyof Config]]));
  return { config: { ...read, ...kept }, applied: differing(AT_RELOAD), waiting: differing(AT_START) };
}

const NO_FILE: ReadServerFile = { file: {}, alerting: null };

function readFile(source: SourceFile, secrets: SecretSource, problems: Problem[]): ReadServerFile {
  const [document, second] = readDocuments(source, problems);
  if (document === undefined) return NO_FILE;
  second?.error([], 'a server file is one document');
  return readServerFile(document, secrets);
}

/** The text of a setting that a flag or a variable gives; one that is wrong is a problem that names it. */
function settings(flags: ServeFlags, env: Environment, problems: Problem[]): (name: FlagName) => string | undefined {
  const texts = new Map<FlagName, string>();
  for (const name of Object.keys(SERVE_FLAGS) as FlagName[]) {
    if (name === 'config' || name === 'slos') continue;
    const text = flags[name] ?? variable(env, name);
    if (text === undefined) continue;
    const { flag, variable: variableName, form }: Flag = SERVE_FLAGS[name];
    const message = wrong(text, form);
    if (message === null) texts.set(name, text);
    else {
      const file = flags[name] === undefined ? variableName : flag;
      problems.push({ severity: 'error', file, line: 0, column: 0, path: '', message });
    }
  }
  return (name) => texts.get(name);
}

function wrong(text: string, form: Flag['form']): string | null {
  if (form === null) return text === '' ? 'must not be empty' : null;
  if (typeof form === 'string') return FORMS[form](text)?.message ?? null;
  return form.includes(text) ? null : `must be ${anyOf(form)}, got ${shown(text)}`;
}

/** An empty variable is one that is not set. */
function variable(env: Environment, name: FlagName): string | undefined {
  return env[SERVE_FLAGS[name].variable] || undefined;
}

function sloPaths(flags: ServeFlags, env: Environment): readonly string[] | null {
  if (flags.slos !== undefined && flags.slos.length > 0) return flags.slos;
  const text = variable(env, 'slos');
  if (text === undefined) return null;
  // Commas separate, except those inside the braces of a glob.
  const paths = text.match(/(?:\{[^}]*\}|[^,])+/g) ?? [];
  return paths.map((path) => path.trim()).filter((path) => path !== '');
}

function below(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

function address(text: string | undefined): Address | null {
  return text === undefined ? null : parseAddress(text);
}

function readHa(ha: NonNullable<ServerFile['ha']>): Config['ha'] {
  if (ha === 'off') return null;
  return {
    clusterLabel: ha.cluster_label ?? DEFAULT_HA.clusterLabel,
    replicaLabel: ha.replica_label ?? DEFAULT_HA.replicaLabel,
    failoverMs: parseDuration(ha.failover ?? DEFAULT_HA.failover)!.ms,
  };
}

function readLimits(limits: NonNullable<ServerFile['limits']>): Limits {
  const bytes = (text: string | undefined, otherwise: number): number =>
    text === undefined ? otherwise : parseSize(text)!;
  const ms = (text: string | undefined, otherwise: number): number =>
    text === undefined ? otherwise : parseDuration(text)!.ms;
  return {
    bodyBytesMax: bytes(limits.body_bytes, DEFAULT_LIMITS.bodyBytesMax),
    decodedBytesMax: bytes(limits.decoded_bytes, DEFAULT_LIMITS.decodedBytesMax),
    jsonBytesMax: bytes(limits.json_bytes, DEFAULT_LIMITS.jsonBytesMax),
    seriesMax: limits.series ?? DEFAULT_LIMITS.seriesMax,
    seriesPerRequestMax: limits.series_per_request ?? DEFAULT_LIMITS.seriesPerRequestMax,
    samplesPerRequestMax: limits.samples_per_request ?? DEFAULT_LIMITS.samplesPerRequestMax,
    symbolsPerRequestMax: limits.symbols_per_request ?? DEFAULT_LIMITS.symbolsPerRequestMax,
    labelsMax: limits.labels ?? DEFAULT_LIMITS.labelsMax,
    labelNameBytesMax: bytes(limits.label_name_bytes, DEFAULT_LIMITS.labelNameBytesMax),
    labelValueBytesMax: bytes(limits.label_value_bytes, DEFAULT_LIMITS.labelValueBytesMax),
    histogramBucketsMax: limits.histogram_buckets ?? DEFAULT_LIMITS.histogramBucketsMax,
    connectionsMax: limits.connections ?? DEFAULT_LIMITS.connectionsMax,
    journalQueueBytesMax: bytes(limits.journal_queue_bytes, DEFAULT_LIMITS.journalQueueBytesMax),
    inflightBytesMax: bytes(limits.inflight_bytes, DEFAULT_LIMITS.inflightBytesMax),
    eventLoopDelayMaxMs: ms(limits.event_loop_delay, DEFAULT_LIMITS.eventLoopDelayMaxMs),
    headTimeoutMs: ms(limits.head_timeout, DEFAULT_LIMITS.headTimeoutMs),
    idleTimeoutMs: ms(limits.idle_timeout, DEFAULT_LIMITS.idleTimeoutMs),
    sendingBytesPerSecondMin: bytes(limits.sending_bytes_per_second, DEFAULT_LIMITS.sendingBytesPerSecondMin),
    sendingPeriodMs: ms(limits.sending_period, DEFAULT_LIMITS.sendingPeriodMs),
    gunzipsMax: limits.gunzips ?? DEFAULT_LIMITS.gunzipsMax,
    outboxMax: limits.outbox_notifications ?? DEFAULT_LIMITS.outboxMax,
    alertHistoryMax: limits.alert_history ?? DEFAULT_LIMITS.alertHistoryMax,
    silencesMax: limits.silences ?? DEFAULT_LIMITS.silencesMax,
  };
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) frozen(inner);
    Object.freeze(value);
  }
  return value;
}
