#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { PROTOCOLS } from './cli/bench/protocols.ts';
import { ORDERS } from './cli/bench/shard.ts';
import { BENCH_FORMATS, type BenchOptions, benchCommand } from './cli/bench.ts';
import { CHECK_FORMATS, type CheckOptions, checkCommand } from './cli/check.ts';
import { CONVERT_TARGETS, type ConvertOptions, convertCommand } from './cli/convert/command.ts';
import type { DemoFlags } from './cli/demo.ts';
import { GATE_FORMATS, type GateOptions, gateCommand, ON_NO_DATA, ON_UNAVAILABLE } from './cli/gate.ts';
import { EXIT, type Io } from './cli/io.ts';
import { relabelSnippet } from './cli/relabel.ts';
import { REPORT_FORMATS, type ReportOptions, reportCommand } from './cli/report.ts';
import { schemaCommand } from './cli/schema.ts';
import { type Running, serveCommand } from './cli/serve.ts';
import { readSlos } from './cli/slos.ts';
import { SERVE_FLAGS, type ServeFlags } from './config.ts';
import { FORMS } from './definitions/forms.ts';
import { SCHEMA_NAMES, type SchemaName } from './definitions/json-schema.ts';
import { DAY_MS, HOUR_MS, parseDuration } from './engine/duration.ts';

/** The process: command line, signals and the clock. What a command does is in cli/, one file each. */

const PACKAGE = new URL('../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };

const io: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
};
const context = { io, version, clock: () => Date.now() };

const EXIT_CODES = `
Exit codes: 0 yes, 1 no (invalid file, blocked gate, failed test), 2 wrong usage, 3 unknown (no data),
4 server unreachable. Data goes to stdout, logs and progress to stderr.`;

/** Timers count at most 2^31 - 1 ms. */
const DURATION_MAX_MS = 24 * DAY_MS;

function durationMs(text: string): number {
  const duration = parseDuration(text);
  if (duration === null) throw new InvalidArgumentError('It must be a duration such as 30s, 5m or 1h30m.');
  if (duration.ms > DURATION_MAX_MS) throw new InvalidArgumentError('It must be at most 24d.');
  return duration.ms;
}

function wholeNumber(min: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= Number.MAX_SAFE_INTEGER) return value;
    throw new InvalidArgumentError(`It must be a whole number of at least ${min}.`);
  };
}

function share(text: string): number {
  const value = Number(text);
  if (/^[\d.]+$/.test(text) && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a number from 0 to 1.');
}

function httpUrl(text: string): string {
  const isHttp = URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
  if (!isHttp) throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:9490.');
  return text;
}

/** Runs a server until a signal ends it. A server that did not come up has its exit code already. */
async function untilSignal(start: () => Promise<Running | number>): Promise<number> {
  let running: Running | number | null = null;
  const log = (message: string): void => {
    if (running !== null && typeof running !== 'number') running.logger.warn(message);
  };
  const stopped = new Promise<void>((resolve) => {
    let stopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      if (stopping) {
        log(`${signal} again: gone at once, without a snapshot`);
        process.exit(EXIT.no);
      }
      stopping = true;
      log(`${signal}: draining`);
      resolve();
    };
    // Before the start, which may take a while: a signal that comes meanwhile is obeyed after it.
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // What comes of a reload is logged, and a start that failed says so itself.
    process.on('SIGHUP', () => {
      const reloaded = started.then((server) => (typeof server === 'number' ? null : server.reload()));
      reloaded.catch(() => {});
    });
  });
  const started = start();
  running = await started;
  if (typeof running === 'number') return running;
  await stopped;
  await running.close();
  return EXIT.yes;
}

function commandLine(exit: (code: number) => void): Command {
  const program = new Command('slipstream')
    .description('Exact error budgets and burn rates from Prometheus remote write, answered in constant time.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain the command and its flags')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', EXIT_CODES)
    .exitOverride();

  const serve = program
    .command('serve')
    .description('receive samples and keep the budgets; every flag also as a variable');
  for (const { flag, value, description, variable, default: otherwise } of Object.values(SERVE_FLAGS)) {
    serve.option(`${flag} <${value}>`, `${description} (${variable}; default: ${otherwise})`);
  }
  serve.action(async (flags: ServeFlags) => exit(await untilSignal(() => serveCommand(flags, context))));

  program
    .command('demo')
    .description('serve example SLOs and send to them, so that there is something to see within seconds')
    .option('--listen <host:port>', 'address to listen on (default: 127.0.0.1:9490)')
    .option('--data <dir>', 'folder to keep the state in (default: a temporary one)')
    .addOption(durationOption('--duration <duration>', 'how long to send', HOUR_MS, '1h'))
    .action(async ({ duration, ...flags }: Omit<DemoFlags, 'durationMs'> & { duration: number }) => {
      // What only this command needs would be 8 MB of every server: the encoder of its sender.
      const { demoCommand } = await import('./cli/demo.ts');
      exit(await untilSignal(() => demoCommand({ ...flags, durationMs: duration }, context)));
    });

  program
    .command('check')
    .description('validate definition files; every problem on its own line, then what was understood')
    .argument('<path...>', 'files, folders or globs')
    .addOption(new Option('--format <format>', 'how to print').choices(CHECK_FORMATS).default('text'))
    .option('--strict', 'count warnings as errors', false)
    .addOption(slothPeriodOption())
    .action((paths: string[], { slothPeriod, ...options }: Pick<CheckOptions, 'format' | 'strict'> & SlothPeriod) =>
      exit(checkCommand(paths, { ...options, slothPeriodMs: slothPeriod }, io)),
    );

  program
    .command('convert')
    .description('print definition files of any format in the native one, or as Prometheus rules')
    .argument('<path...>', 'files, folders or globs')
    .addOption(new Option('--to <format>', 'what to print').choices(CONVERT_TARGETS).default('slipstream'))
    .addOption(slothPeriodOption())
    .action((paths: string[], { to, slothPeriod }: Pick<ConvertOptions, 'to'> & SlothPeriod) =>
      exit(convertCommand(paths, { to, version, slothPeriodMs: slothPeriod }, io)),
    );

  program
    .command('test')
    .description('run unit tests for SLOs on the real engine in simulated time')
    .argument('<scenario...>', 'scenario files')
    .action(async (files: string[]) => {
      const { testCommand } = await import('./cli/test/command.ts');
      exit(testCommand(files, io));
    });

  program
    .command('gate')
    .description('ask a server whether a service may be deployed; the exit code is the answer')
    .addOption(new Option('--url <url>', 'the server').argParser(httpUrl).makeOptionMandatory())
    .addOption(new Option('--service <service>', 'the service to be deployed').conflicts('policy'))
    .addOption(
      new Option('--slo <name>', 'judge by this SLO alone (default: all SLOs of the service)').conflicts('policy'),
    )
    .option('--policy <file>', 'judge by this gate policy (default: by the built-in one)')
    .addOption(
      new Option('--on-no-data <verdict>', 'what an unknown verdict counts as').choices(ON_NO_DATA).default('unknown'),
    )
    .addOption(
      new Option(
        '--on-unavailable <verdict>',
        'what a server without an answer counts as (default: exit code 4)',
      ).choices(ON_UNAVAILABLE),
    )
    .addOption(
      durationOption('--wait <duration>', 'ask again until the verdict is allow or warn, for so long', 0, '0s'),
    )
    .addOption(new Option('--format <format>', 'how to print').choices(GATE_FORMATS).default('text'))
    .action(async ({ wait, ...options }: Omit<GateOptions, 'waitMs'> & { wait: number }, command: Command) => {
      if (options.service === undefined && options.policy === undefined) {
        command.error("error: one of the options '--service <service>' and '--policy <file>' must be specified");
      }
      exit(await gateCommand({ ...options, waitMs: wait }, io));
    });

  program
    .command('report')
    .description('tell how reliable the services were: one number each, the budget spent, the worst incidents')
    .addOption(new Option('--url <url>', 'the server').argParser(httpUrl).makeOptionMandatory())
    .option('--service <service>', 'of this service alone (default: of all)')
    .addOption(new Option('--month <yyyy-mm>', 'a month of UTC (default: the last full one)').conflicts(['from', 'to']))
    .option('--from <time>', 'RFC 3339 or Unix seconds (default: the beginning of the month)')
    .option('--to <time>', 'RFC 3339 or Unix seconds (default: now)')
    .addOption(new Option('--format <format>', 'how to print').choices(REPORT_FORMATS).default('text'))
    .action(async (options: ReportOptions) => exit(await reportCommand(options, io)));

  program
    .command('bench')
    .description('load a server with realistic samples: what it can take, and whether it counts what it takes')
    .option('--url <url>', 'the server', httpUrl)
    .addOption(numberOption('--series <n>', 'series to send, in whole targets of 218', 1, 200_000))
    .addOption(numberOption('--slos <n>', 'SLOs of the synthetic services to check; the server has to have them', 0, 0))
    .option('--print-slos', 'print the definitions of these SLOs for the server, and do nothing else', false)
    .addOption(
      new Option('--rate <r>', 'samples a second (default: what the series send when scraped every 15 s)')
        .argParser(wholeNumber(1))
        .conflicts('max'),
    )
    .option('--max', 'as many samples a second as the server takes', false)
    .addOption(durationOption('--duration <duration>', 'how long to measure, after 2 s of warm-up', 30_000, '30s'))
    .addOption(new Option('--protocol <protocol>', 'how to send').choices(PROTOCOLS).default('rw1'))
    .addOption(numberOption('--connections <n>', 'connections to send over', 1, 4))
    .addOption(numberOption('--samples-per-request <n>', 'samples a request; OTLP takes whole targets', 1, 2_000))
    .addOption(new Option('--order <order>', 'order of the series in the requests').choices(ORDERS).default('friendly'))
    .addOption(
      new Option('--churn <share>', 'share of the targets replaced in a round, 0 to 1').argParser(share).default(0),
    )
    .addOption(numberOption('--seed <n>', 'another seed sends other values and pods', 0, 1))
    .addOption(new Option('--format <format>', 'how to print').choices(BENCH_FORMATS).default('text'))
    .action(async ({ duration, ...options }: Omit<BenchOptions, 'durationMs'> & { duration: number }) => {
      const isTerminal = process.stderr.isTTY === true;
      exit(await benchCommand({ ...options, durationMs: duration }, { ...context, isTerminal }));
    });

  program
    .command('schema')
    .description('print the JSON Schema of a file, so that editors complete and mark')
    .addArgument(new Argument('[file]', 'which file').choices(SCHEMA_NAMES).default('native'))
    .action((name: SchemaName) => exit(schemaCommand(name, io)));

  program
    .command('relabel')
    .description('print the remote_write section of a Prometheus that sends what the SLOs need and nothing else')
    .argument('<path...>', 'definition files, folders or globs')
    .addOption(new Option('--url <url>', 'the server').argParser(httpUrl).default('http://127.0.0.1:9490'))
    .action((paths: string[], { url }: { url: string }) => {
      const slos = readSlos(paths, io);
      if (typeof slos === 'number') return exit(slos);
      io.out(relabelSnippet(slos, `${url.replace(/\/+$/, '')}/api/v1/write`));
    });

  return program;
}

interface SlothPeriod {
  readonly slothPeriod: number;
}

function slothPeriodOption(): Option {
  const { flag, description, default: otherwise } = SERVE_FLAGS.slothPeriod;
  return new Option(`${flag} <duration>`, description)
    .argParser(rollingWindowMs)
    .default(rollingWindowMs(otherwise), otherwise);
}

function rollingWindowMs(text: string): number {
  const wrong = FORMS.rollingWindow(text);
  if (wrong !== null) throw new InvalidArgumentError(`It ${wrong.message}.`);
  return parseDuration(text)!.ms;
}

function numberOption(flags: string, description: string, min: number, otherwise: number): Option {
  return new Option(flags, description).argParser(wholeNumber(min)).default(otherwise);
}

function durationOption(flags: string, description: string, defaultMs: number, defaultText: string): Option {
  return new Option(flags, description).argParser(durationMs).default(defaultMs, defaultText);
}

/** One line for what an operator can put right; a bug keeps its stack. */
function complaint(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return `${error.message}: choose another address with --listen`;
  const isOperators = syscall !== undefined || error.name === 'StoreError' || error.name === 'CorruptRecordError';
  return isOperators ? error.message : (error.stack ?? error.message);
}

let exitCode: number = EXIT.yes;
try {
  const program = commandLine((code) => {
    exitCode = code;
  });
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // It has printed its message already. Help that was asked for is no wrong usage.
    exitCode = error.exitCode === 0 ? EXIT.yes : EXIT.usage;
  } else {
    io.err(`slipstream: ${complaint(error)}\n`);
    exitCode = EXIT.no;
  }
}
// Not process.exit: what was written to a pipe must reach it.
process.exitCode = exitCode;
