import type { Attainment, Incident, Report, ServiceReport, SloReport } from '../engine/report.ts';
import { sloText } from '../engine/verdict.ts';

/** A report as JSON, as text for a terminal, as Markdown for a wiki, and as CSV for a spreadsheet. */

/** With their content types. */
export const REPORT_FORMATS = {
  json: 'application/json; charset=utf-8',
  text: 'text/plain; charset=utf-8',
  markdown: 'text/markdown; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
} as const;
export type ReportFormat = keyof typeof REPORT_FORMATS;

export function renderReport(report: Report, format: ReportFormat): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(report)}\n`;
    case 'text':
      return asText(report);
    case 'markdown':
      return asMarkdown(report);
    case 'csv':
      return asCsv(report);
  }
}

function asText({ from, to, services }: Report): string {
  const lines = [`From ${from} to ${to}`];
  for (const service of services) {
    const { service: name, slo, met, slos, incidents } = service;
    lines.push('', `${name}: ${headline(service)}`);
    if (slo !== null)
      lines.push(`  judged by ${slo}, ${met === true ? 'all objectives met' : 'not all objectives met'}`);
    const rows = slos.map((each) => [sloText(each), ...cells(each)]);
    lines.push(...table([['SLO', ...COLUMNS], ...rows]).map((row) => `  ${row}`));
    if (incidents.length > 0) lines.push('  worst incidents');
    lines.push(...table(incidents.map(incidentCells)).map((row) => `    ${row}`));
  }
  return `${lines.join('\n')}\n`;
}

const COLUMNS = ['objective', 'SLI', 'bad', 'events', 'budget spent', 'met'];

/** `99.95 %, up 0.02 points from 99.93 %`. */
function headline({ attainment, previous }: ServiceReport): string {
  if (attainment === null) return 'no events';
  return [percent(attainment), ...trend(attainment, previous)].join(', ');
}

function trend(attainment: number, { attainment: before }: Attainment): string[] {
  if (before === null) return [];
  const points = 100 * (attainment - before);
  const rounded = Number(points.toFixed(4));
  if (rounded === 0) return ['as in the period before'];
  return [`${rounded > 0 ? 'up' : 'down'} ${Math.abs(rounded)} points from ${percent(before)}`];
}

function cells({ objective, sli, events, errorBudget, met }: SloReport): string[] {
  return [
    percent(objective),
    sli === null ? 'no events' : percent(sli),
    number(events.bad),
    number(events.total),
    percent(errorBudget.consumed),
    met === null ? '' : met ? 'yes' : 'no',
  ];
}

function incidentCells(incident: Incident): string[] {
  const { slo: id, group, from, to, bad, budgetSpent } = incident;
  return [sloText({ id, group }), from, to, `${number(bad)} bad`, `${percent(budgetSpent)} of the budget`];
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
}

function asMarkdown({ from, to, services }: Report): string {
  const lines = ['# Reliability', '', `From ${from} to ${to}.`];
  for (const service of services) {
    const { service: name, slos, incidents } = service;
    lines.push('', `## ${escapeMarkdown(name)}: ${headline(service)}`, '');
    lines.push(row(['SLO', ...COLUMNS]), row(['---', '---:', '---:', '---:', '---:', '---:', '---']));
    for (const slo of slos) lines.push(row([sloText(slo), ...cells(slo)]));
    if (incidents.length > 0) lines.push('', 'Worst incidents:', '');
    for (const incident of incidents) {
      const [slo, since, until, ...cost] = incidentCells(incident);
      lines.push(`* ${escapeMarkdown(slo!)}, ${since} to ${until}: ${cost.join(', ')}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function row(texts: readonly string[]): string {
  return `| ${texts.map(escapeMarkdown).join(' | ')} |`;
}

function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\|*_`<>[\]]/g, String.raw`\$&`);
}

const CSV_COLUMNS = ['service', 'slo', 'objective', 'sli', 'good', 'bad', 'total', 'budget_consumed', 'met'];

function asCsv({ services }: Report): string {
  const rows = services.flatMap(({ service, slos }) =>
    slos.map((slo) => {
      const { good, bad, total } = slo.events;
      return [service, sloText(slo), slo.objective, slo.sli, good, bad, total, slo.errorBudget.consumed, slo.met];
    }),
  );
  return [CSV_COLUMNS, ...rows].map((cells) => `${cells.map(csvCell).join(',')}\n`).join('');
}

/** What a spreadsheet would take for a formula is made text. */
function csvCell(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function percent(ratio: number): string {
  return `${number(100 * ratio)} %`;
}

function number(value: number): string {
  return String(Number(value.toFixed(4)));
}
