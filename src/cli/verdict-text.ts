import type { Verdict } from '../engine/state.ts';

/** A verdict for people. */

/** `checkout: block`; of a policy without checks, which is about no service, the verdict alone. */
export function verdictTitle({ verdict, service }: Verdict): string {
  return service === '' ? verdict : `${service}: ${verdict}`;
}

export function headline(verdict: Verdict): string {
  return [verdictTitle(verdict), ...verdict.reasons.slice(0, 1)].join(': ');
}

export function textReport(verdict: Verdict): string {
  const { asOf, reasons, checks } = verdict;
  const lines = [`${verdictTitle(verdict)}${asOf === null ? '' : ` (as of ${asOf})`}`];
  for (const reason of reasons) lines.push(`  ${reason}`);
  for (const { slo, check, passed } of checks) lines.push(`  ${passed ? 'passed' : 'failed'}: ${slo}: ${check}`);
  return `${lines.join('\n')}\n`;
}
