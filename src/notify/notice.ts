import type { ActiveAlert } from '../engine/alert.ts';
import { prometheusLabelName } from '../engine/label-set.ts';
import type { Slo } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import type { AlertRecord, Labels, ToldStatus } from '../store/alert-log.ts';
import { description, noDataSummary, summary } from './wording.ts';

/** An alert as receivers see it. */
export interface Notice {
  /** Of its record. */
  readonly id: number;
  readonly status: ToldStatus;
  readonly sloId: string;
  readonly severity: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly link: string;
  /** Event time at which it fired, Unix milliseconds. */
  readonly startsMs: number;
  /** Null while it fires. */
  readonly endsMs: number | null;
}

export const NO_DATA = 'no-data';

/**
 * The labels of an alert: who it is, and what routes it. Names are those that every receiver can read, as on `/metrics`; an SLO's
 * own label cannot displace one that identifies the alert. An empty label is no label.
 */
export function alertLabels({
  slo,
  group,
  name,
  severity,
  rule,
}: Omit<ActiveAlert, 'state' | 'sinceMs' | 'isFrozen'>): Labels {
  const imported = name === NO_DATA ? undefined : slo.alerts.notifications;
  return labelsOf(
    { alertname: imported?.alertname ?? name, service: slo.service, slo: slo.name },
    imported?.bySeverity[severity]?.labels ?? {},
    { owner: slo.owner, severity, long: rule?.long.text ?? '', short: rule?.short.text ?? '' },
    group ?? {},
    slo.labels,
  );
}

/** Of two sets with the same name the first has it. */
export function labelsOf(...sets: readonly Labels[]): Labels {
  const labels = new Map<string, string>();
  for (const set of sets) {
    for (const [raw, value] of Object.entries(set)) {
      const name = prometheusLabelName(raw);
      if (name !== '' && value !== '' && !labels.has(name)) labels.set(name, value);
    }
  }
  return Object.fromEntries(labels);
}

export function alertAnnotations(alert: ActiveAlert, state: SloState, link: string): Labels {
  const { slo, severity, rule } = alert;
  const burns =
    rule === null
      ? {}
      : {
          burn_rate_long: plain(state.burnRates[rule.long.text]),
          burn_rate_short: plain(state.burnRates[rule.short.text]),
        };
  return annotationsOf(slo, severity, {
    summary: summary(alert, state),
    description: description(alert, state, link),
    ...burns,
    error_budget_remaining: plain(state.errorBudget.remaining),
  });
}

export function noDataAnnotations(slo: Slo, asOf: string | null, link: string): Labels {
  const lines = [
    'Nothing that any of its targets sends has arrived. While there is no data its alerts neither fire nor resolve, and the gate says that it does not know.',
    ...(slo.runbook === '' ? [] : [`Runbook: ${slo.runbook}`]),
    `Dashboard: ${link}`,
  ];
  const own = { summary: noDataSummary(slo, asOf), description: lines.join('\n') };
  return slo.runbook === '' ? own : { ...own, runbook_url: slo.runbook };
}

/** What an imported file wants said stands beside what is said of every alert. */
function annotationsOf(slo: Slo, severity: string, own: Labels): Labels {
  const runbook: Labels = slo.runbook === '' ? {} : { runbook_url: slo.runbook };
  return { ...slo.alerts.notifications?.bySeverity[severity]?.annotations, ...own, ...runbook };
}

function plain(value: number | null | undefined): string {
  return value === null || value === undefined ? 'null' : String(value);
}

/** A page to read about an SLO on. */
export function sloLink(externalUrl: string, sloId: string): string {
  return `${externalUrl}/?slo=${encodeURIComponent(sloId)}`;
}

export function noticeOf(record: AlertRecord, annotations: Labels = record.annotations): Notice {
  const { id, sloId, severity, labels, link, sinceMs, endedAtMs } = record;
  return {
    id,
    status: endedAtMs === null ? 'firing' : 'resolved',
    sloId,
    severity,
    labels,
    annotations,
    link,
    startsMs: sinceMs,
    // Of a clock that was set back: nothing ends before it began.
    endsMs: endedAtMs === null ? null : Math.max(endedAtMs, sinceMs),
  };
}
