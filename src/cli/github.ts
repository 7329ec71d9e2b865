import { appendFileSync } from 'node:fs';
import type { Verdict } from '../engine/state.ts';
import { verdictTitle } from './verdict-text.ts';

/** A verdict for GitHub Actions: an annotation, the step's outputs, and a table in the job summary. */

const LEVEL = { allow: 'notice', warn: 'warning', block: 'error', unknown: 'error' } as const;

type Environment = Readonly<Record<string, string | undefined>>;

/** Workflow commands end at a line's end; GitHub undoes these three escapes. */
function escapeCommand(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

function escapeCell(text: string): string {
  return text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/\|/g, '\\|')
    .replace(/[\r\n]+/g, ' ');
}

export function githubAnnotation(verdict: Verdict): string {
  return `::${LEVEL[verdict.verdict]}::${escapeCommand([verdictTitle(verdict), ...verdict.reasons].join('\n'))}\n`;
}

export function githubOutput({ verdict, ok }: Verdict, env: Environment): void {
  append(env['GITHUB_OUTPUT'], `verdict=${verdict}\nok=${ok}\n`);
}

export function githubSummary(answer: Verdict, env: Environment): void {
  const { verdict, service, asOf, reasons, checks } = answer;
  const lines = [`### Error budget gate: ${escapeCell(verdictTitle(answer))}`, ''];
  if (asOf !== null) lines.push(`As of ${asOf}.`, '');
  for (const reason of reasons) lines.push(`- ${escapeCell(reason)}`);
  if (reasons.length > 0) lines.push('');
  lines.push('| SLO | check | observed | result |', '| --- | --- | --- | --- |');
  for (const { slo, check, observed, passed, action } of checks) {
    const values = Object.entries(observed).map(([name, value]) => `${name} = ${value}`);
    const cells = [slo, check, values.join(', '), passed ? 'passed' : `failed (${action})`];
    lines.push(`| ${cells.map(escapeCell).join(' | ')} |`);
  }
  if (checks.length === 0) lines.push(`| ${escapeCell(service)} | | | ${verdict} |`);
  append(env['GITHUB_STEP_SUMMARY'], `${lines.join('\n')}\n\n`);
}

function append(file: string | undefined, text: string): void {
  if (file !== undefined && file !== '') appendFileSync(file, text);
}
