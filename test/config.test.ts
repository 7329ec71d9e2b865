import path from 'node:path';
import { expect, test } from 'vitest';
import { loadConfig, readConfig, SERVE_FLAGS, type ServeFlags } from '../src/config.ts';
import { formatProblem } from '../src/definitions/document.ts';

const SERVER_FILE = path.resolve(import.meta.dirname, 'fixtures/definitions/server.yaml');
const MIB = 1024 * 1024;

test('without a file, a flag or a variable every setting has its default', () => {
  expect(readConfig(null, {}, {})).toEqual({
    problems: [],
    config: {
      configFile: null,
      listen: { host: '127.0.0.1', port: 9490 },
      dataDir: './data',
      sloPaths: [],
      evaluationIntervalMs: 10_000,
      settleMs: 5_000,
      staleAfterMs: 300_000,
      snapshotIntervalMs: 300_000,
      slothPeriodMs: 2_592_000_000,
      otlp: { http: null, grpc: null, promoteResourceAttributes: [] },
      ha: { clusterLabel: 'cluster', replicaLabel: '__replica__', failoverMs: 30_000 },
      log: { level: 'info', format: 'json' },
      limits: {
        bodyBytesMax: 32 * MIB,
        decodedBytesMax: 64 * MIB,
        jsonBytesMax: 16 * MIB,
        seriesMax: 2_000_000,
        seriesPerRequestMax: 100_000,
        samplesPerRequestMax: 1_000_000,
        symbolsPerRequestMax: 1_000_000,
        histogramBucketsMax: 4096,
        labelsMax: 64,
        labelNameBytesMax: 1024,
        labelValueBytesMax: 4096,
        connectionsMax: 1024,
        journalQueueBytesMax: 64 * MIB,
        inflightBytesMax: 256 * MIB,
        eventLoopDelayMaxMs: 1_000,
        headTimeoutMs: 10_000,
        idleTimeoutMs: 150_000,
        sendingBytesPerSecondMin: 1024,
        sendingPeriodMs: 5_000,
        gunzipsMax: 4,
        outboxMax: 10_000,
        alertHistoryMax: 100_000,
        silencesMax: 1_000,
      },
      alerting: null,
    },
  });
});

test('a server file sets everything, its paths relative to itself', () => {
  const { config, problems } = loadConfig({ config: SERVER_FILE }, {});
  const folder = path.dirname(SERVER_FILE);
  expect(problems).toEqual([]);
  expect(config).toMatchObject({
    configFile: SERVER_FILE,
    listen: { host: '0.0.0.0', port: 9490 },
    dataDir: path.join(folder, 'state'),
    sloPaths: [path.join(folder, 'slos/*.yaml'), '/etc/slos'],
    evaluationIntervalMs: 15_000,
    settleMs: 0,
    staleAfterMs: 600_000,
    snapshotIntervalMs: 60_000,
    otlp: { http: { host: '0.0.0.0', port: 4318 }, grpc: { host: '::1', port: 4317 } },
    ha: { clusterLabel: 'dc', replicaLabel: '__replica__', failoverMs: 60_000 },
    log: { level: 'warn', format: 'json' },
    limits: { bodyBytesMax: MIB, decodedBytesMax: 64 * MIB, seriesMax: 1000, labelNameBytesMax: 512 },
    alerting: { route: { receiver: 'chat' }, receivers: [{ name: 'chat', integrations: [] }] },
  });
});

test('a flag wins over its variable, and both win over the file', () => {
  const file = {
    file: '/etc/slipstream.yaml',
    text: 'listen: :1\ndata: /file\nsettle: 1s\nslos: [a]\nlog: {level: error}\n',
  };
  const env = {
    SLIPSTREAM_LISTEN: ':2',
    SLIPSTREAM_DATA: 'env',
    SLIPSTREAM_SLOS: 'b/{c,d}.yaml, e',
    SLIPSTREAM_SETTLE: '',
  };
  const flags: ServeFlags = { listen: '[::1]:0', logLevel: 'debug' };
  expect(readConfig(file, flags, env).config).toMatchObject({
    listen: { host: '::1', port: 0 },
    dataDir: 'env',
    sloPaths: ['b/{c,d}.yaml', 'e'],
    settleMs: 1000,
    log: { level: 'debug' },
  });
  expect(readConfig(file, { ...flags, slos: ['x', 'y'] }, env).config!.sloPaths).toEqual(['x', 'y']);
  expect(loadConfig({}, { SLIPSTREAM_CONFIG: SERVER_FILE }).config!.configFile).toBe(SERVER_FILE);
});

test('every problem of the file, the environment and the flags is reported', () => {
  const text = `listen: localhost
evaluation_intervall: 10s
slos: slos/*.yaml
settle: soon
stale_after: 0
otlp: {http: 70000}
ha: {replica_label: ""}
log: {level: loud}
limits: {body_bytes: 32 MiBs, series: 0}
alerting: none
`;
  const { config, problems } = readConfig(
    { file: 's.yaml', text },
    { data: '' },
    { SLIPSTREAM_SETTLE: '5', SLIPSTREAM_LOG_LEVEL: 'x' },
  );
  expect(config).toBeNull();
  expect(problems.map(formatProblem).sort()).toEqual([
    '--data: must not be empty',
    "SLIPSTREAM_LOG_LEVEL: must be debug, info, warn or error, got 'x'",
    "SLIPSTREAM_SETTLE: must be a duration such as 5m or 1h30m, got '5'",
    "s.yaml:10:11: alerting: must be a mapping, got 'none'",
    "s.yaml:1:9: listen: must be HOST:PORT such as 127.0.0.1:9490, got 'localhost'",
    's.yaml:2:1: evaluation_intervall: unknown key; did you mean evaluation_interval?',
    "s.yaml:3:7: slos: must be a list, got 'slos/*.yaml'",
    "s.yaml:4:9: settle: must be a duration such as 5m or 1h30m, got 'soon'",
    's.yaml:5:14: stale_after: must be at least 1ms, got 0',
    "s.yaml:6:14: otlp.http: must be HOST:PORT such as 127.0.0.1:9490, got '70000'",
    's.yaml:7:21: ha.replica_label: a label name must not be empty',
    "s.yaml:8:14: log.level: must be debug, info, warn or error, got 'loud'",
    "s.yaml:9:22: limits.body_bytes: must be a size such as 32MiB, got '32 MiBs'",
    's.yaml:9:39: limits.series: must be at least 1, got 0',
  ]);
});

test('nothing is timed for longer than a timer can be', () => {
  const f = (text: string, problem: string | null): void =>
    expect(readConfig({ file: 's.yaml', text }, {}, {}).problems.map(({ message }) => message)).toEqual(
      problem === null ? [] : [problem],
    );
  for (const key of ['evaluation_interval', 'snapshot_interval']) {
    f(`${key}: 24d`, null);
    f(`${key}: 25d`, 'must be at most 24d, got 25d');
  }
  for (const key of ['head_timeout', 'idle_timeout', 'sending_period']) {
    f(`limits: {${key}: 24d}`, null);
    f(`limits: {${key}: 25d}`, 'must be at most 24d, got 25d');
  }
  const flags = readConfig(null, { snapshotInterval: '30d' }, {}).problems.map(formatProblem);
  expect(flags).toEqual(['--snapshot-interval: must be at most 24d, got 30d']);
});

test('a file that is not there, not one document or no mapping is refused', () => {
  const f = (text: string, problem: string): void =>
    expect(readConfig({ file: 's.yaml', text }, {}, {}).problems.map(formatProblem)).toEqual([problem]);
  expect(loadConfig({ config: 'nothing.yaml' }, {}).problems.map(formatProblem)).toEqual([
    'nothing.yaml: no such file',
  ]);
  f('listen: :1\n---\nlisten: :2\n', 's.yaml:3:1: document: a server file is one document');
  f('[a]', 's.yaml:1:1: document: must be a mapping, got a list');
  f(
    'listen: [',
    's.yaml:1:10: document: invalid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
  );
  expect(readConfig({ file: 's.yaml', text: '# all defaults\n' }, {}, {}).problems).toEqual([]);
});

test('an address is HOST:PORT, :PORT or [IPv6]:PORT', () => {
  const f = (text: string, host: string, port: number): void =>
    expect(readConfig(null, { listen: text }, {}).config!.listen, text).toEqual({ host, port });
  f('localhost:80', 'localhost', 80);
  f(':0', '0.0.0.0', 0);
  f('[::1]:9490', '::1', 9490);
  for (const text of ['', ':', '::1:9490', 'a:b', 'host', 'host:65536', '[::1]', 'a b:1']) {
    expect(readConfig(null, { listen: text }, {}).config, text).toBeNull();
  }
});

test('a configuration cannot be changed', () => {
  const { config } = loadConfig({ config: SERVER_FILE }, {});
  expect(Object.isFrozen(config)).toBe(true);
  expect(Object.isFrozen(config!.limits)).toBe(true);
  expect(Object.isFrozen(config!.alerting)).toBe(true);
});

test('a flag and its variable have the same name', () => {
  for (const { flag, variable } of Object.values(SERVE_FLAGS)) {
    expect(variable).toBe(`SLIPSTREAM_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`);
  }
});
