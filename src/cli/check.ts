import { ratioToPercent } from '../definitions/decimal.ts';
import { formatProblem, type Problem } from '../definitions/document.ts';
import { type LoadedDefinitions, loadDefinitions } from '../definitions/load.ts';
import type { ReadOptions } from '../definitions/readers.ts';
import { nativeSli } from '../definitions/sli.ts';
import type { Alerting } from '../engine/alerting.ts';
import { formatDuration } from '../engine/duration.ts';
import type { Slo, SloWindow } from '../engine/slo.ts';
import { EXIT, type Io } from './io.ts';

/** `slipstream check PATH…`: every problem of the files, and what was understood. */

export const CHECK_FORMATS = ['text', 'json'] as const;

export interface CheckOptions extends Partial<ReadOptions> {
  readonly format: (typeof CHECK_FORMATS)[number];
  /** A warning counts as an error. */
  readonly strict?: boolean;
}

export function checkCommand(
  paths: readonly string[],
  { format, strict = false, ...options }: CheckOptions,
  io: Pick<Io, 'out'>,
): number {
  if (paths.length === 0) {
    io.out('check needs a path: slipstream check [--strict] [--format text|json] PATH...\n');
    return EXIT.usage;
  }
  const definitions = loadDefinitions(paths, options);
  const valid = definitions.problems.every(({ severity }) => severity === 'warning' && !strict);
  io.out(format === 'json' ? asJson(definitions, valid) : asText(definitions));
  if (definitions.missing.length > 0) return EXIT.usage;
  return valid ? EXIT.yes : EXIT.no;
}

function asText({ slos, alerting, problems, files }: LoadedDefinitions): string {
  const lines = [
    ...problems.map(formatProblem),
    ...slos.map(
      (slo) => `${slo.id}: ${slo.sli.kind}, ${ratioToPercent(slo.objective)}% over ${windowText(slo.window)}`,
    ),
    ...(alerting === null ? [] : [alertingText(alerting)]),
    `${counted(files.length, 'file')}: ${counted(slos.length, 'SLO')}, ${tally(problems)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function alertingText({ alertmanagers, receivers, remediations }: Alerting): string {
  const replicas = alertmanagers.flatMap(({ urls }) => urls);
  const parts = [counted(receivers.length, 'receiver'), counted(replicas.length, 'Alertmanager')];
  if (remediations.length > 0) parts.push(counted(remediations.length, 'remediation'));
  return `alerting: ${parts.join(', ')}`;
}

function windowText(window: SloWindow): string {
  return window.kind === 'rolling' ? window.duration.text : `a calendar ${window.unit} in ${window.timezone}`;
}

function tally(problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  return `${counted(errors, 'error')}, ${counted(problems.length - errors, 'warning')}`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function asJson({ slos, sources, problems }: LoadedDefinitions, valid: boolean): string {
  const understood = slos.map((slo) => understoodSlo(slo, sources.get(slo.id)!));
  return `${JSON.stringify({ valid, slos: understood, problems }, null, 2)}\n`;
}

function understoodSlo(slo: Slo, { file, line }: { file: string; line: number }): object {
  return {
    id: slo.id,
    service: slo.service,
    name: slo.name,
    file,
    line,
    owner: slo.owner,
    labels: slo.labels,
    description: slo.description,
    runbook: slo.runbook,
    objective: slo.objective,
    window:
      slo.window.kind === 'rolling'
        ? { kind: 'rolling', duration: slo.window.duration.text }
        : { kind: 'calendar', unit: slo.window.unit, timezone: slo.window.timezone },
    sliKind: slo.sli.kind,
    sli: nativeSli(slo.sli),
    groupBy: slo.groupBy,
    slice: slo.slice?.text ?? null,
    emptySlice: slo.emptySlice,
    budgeting: slo.budgeting,
    sliceTarget: slo.sliceTarget,
    alerts: slo.alerts.burnRateAlerts.map((alert) => ({
      name: alert.name,
      severity: alert.severity,
      factor: alert.factor,
      long: alert.long.text,
      short: alert.short.text,
      for: formatDuration(alert.forMs),
    })),
  };
}
