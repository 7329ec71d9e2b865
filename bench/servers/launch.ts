import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { benchSlos, definitionsOf } from '../../src/cli/bench/slos.ts';
import type { Launch } from '../server-process.ts';

/** How each of the servers under comparison is started, on loopback, with its default settings. */

type Launcher = (folder: string, port: number) => Launch;

const program = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export interface SlipstreamOptions {
  /** Of those that `slipstream bench` prints. */
  readonly slos: number;
  /** How many services the fleet has. */
  readonly services: number;
  /** Native definitions of more SLOs. */
  readonly definitions?: string;
  readonly flags?: readonly string[];
  /** Text of a server file. */
  readonly serverFile?: string;
}

/** As the container starts it. */
const SERVE_FLAGS = ['--single-threaded-gc', '--max-semi-space-size=2'];

export function slipstream({ slos, services, definitions, flags = [], serverFile }: SlipstreamOptions): Launcher {
  return (folder, port) => {
    const files = {
      'slos.yaml': definitionsOf(benchSlos(slos, services)),
      'more.yaml': definitions ?? '',
      'server.yaml': serverFile ?? '',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const args = [
      ...SERVE_FLAGS,
      program('../../src/main.js'),
      'serve',
      '--listen',
      `127.0.0.1:${port}`,
      '--data',
      join(folder, 'data'),
    ];
    if (serverFile !== undefined) args.push('--config', join(folder, 'server.yaml'));
    args.push(...flags, '--slos', join(folder, 'slos.yaml'));
    if (definitions !== undefined) args.push(join(folder, 'more.yaml'));
    return { command: process.execPath, args, readyPath: '/-/ready' };
  };
}

export function naive(slos: number, services: number): Launcher {
  return (_, port) => {
    const args = [
      program('./naive.js'),
      '--port',
      String(port),
      '--slos',
      String(slos),
      '--services',
      String(services),
    ];
    return { command: process.execPath, args, readyPath: '/-/ready' };
  };
}

export const prometheus: Launcher = (folder, port) => {
  const config = join(folder, 'prometheus.yml');
  writeFileSync(config, 'global: {scrape_interval: 15s}\n');
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--storage.tsdb.retention.time=60d',
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    '--log.level=error',
  ];
  return { command: 'prometheus', args, readyPath: '/-/ready' };
};

export const victoriaMetrics: Launcher = (folder, port) => {
  const args = [
    `-storageDataPath=${join(folder, 'data')}`,
    '-retentionPeriod=3',
    `-httpListenAddr=127.0.0.1:${port}`,
    '-loggerLevel=ERROR',
  ];
  return { command: 'victoria-metrics', args, readyPath: '/health' };
};

/** The version of a Debian package's program, `''` when that is unknown; null when the program is not installed. */
export function versionOf(command: string): string | null {
  const said = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    said(command, command === 'victoria-metrics' ? '-version' : '--version');
  } catch {
    return null;
  }
  try {
    return /^\d+\.\d+\.\d+/.exec(said('dpkg-query', '--show', '--showformat', `\${Version}`, command))?.[0] ?? '';
  } catch {
    return '';
  }
}
