import { Type } from 'typebox';
import { parseDuration } from '../engine/duration.ts';
import type { AlertPolicy, BurnRateAlert, SloWindow } from '../engine/slo.ts';
import {
  BUDGET_EXHAUSTED,
  highestBurnRate,
  nominalPeriodMs,
  POLICY_NAMES,
  type PolicyName,
  policyAlerts,
} from '../engine/windows.ts';
import { described, either, mapping, oneOf, text, textMap } from './schema.ts';

/** `alerts` of a native SLO: a policy by its name, or a list of its own. */

export const SEVERITIES = ['page', 'ticket', 'critical', 'warning'] as const;

const AlertSchema = mapping({
  name: described('<severity>-<long> by default.', Type.Optional(text('id'))),
  severity: described('page and critical wake somebody.', oneOf(...SEVERITIES)),
  factor: described(
    'Burn rate that both windows have to exceed.',
    Type.Number({ exclusiveMinimum: 0, range: 'above 0' }),
  ),
  long: described('The window that the budget is judged by.', text('alertWindow')),
  short: described('The window that tells whether it still burns.', text('alertWindow')),
  for: described('How long both have to burn; 0s by default.', Type.Optional(text('delay'))),
});

const texts = Type.Optional(
  mapping({
    labels: described('Labels that are sent with them.', Type.Optional(textMap())),
    annotations: described('Annotations that are sent with them.', Type.Optional(textMap())),
  }),
);

export const AlertsSchema = mapping({
  policy: described(
    'A table by its name, or a list of alerts; google-30d by default.',
    Type.Optional(either('array', Type.Array(AlertSchema), oneOf(...POLICY_NAMES))),
  ),
  minBadEvents: described(
    'With fewer bad events in the long window no alert fires; 0 by default.',
    Type.Optional(Type.Number({ minimum: 0, range: 'at least 0' })),
  ),
  alertname: described(
    'What the alerts are called where they are sent; by default each by its own name.',
    Type.Optional(Type.String({ minLength: 1, range: 'some text' })),
  ),
  bySeverity: described(
    'Labels and annotations of the alerts of a severity.',
    Type.Optional(mapping({ page: texts, ticket: texts, critical: texts, warning: texts })),
  ),
});

export type AlertDefinition = Type.Static<typeof AlertSchema>;

export const DEFAULT_POLICY: PolicyName = 'google-30d';

/** One of a file that is not native, whose severity may be any text. */
export interface CustomAlert extends Omit<AlertDefinition, 'severity'> {
  readonly severity: string;
}

export function defaultAlertName(severity: string, long: string): string {
  return `${severity}-${long}`;
}

export function alertName({ name, severity, long }: Pick<CustomAlert, 'name' | 'severity' | 'long'>): string {
  return name ?? defaultAlertName(severity, long);
}

/** What notifications shall say, as the keys beside the policy have it. */
export function notificationTexts({
  alertname,
  bySeverity,
}: Type.Static<typeof AlertsSchema>): Pick<AlertPolicy, 'notifications'> {
  if (alertname === undefined && bySeverity === undefined) return {};
  const texts = Object.entries(bySeverity ?? {}).map(([severity, { labels = {}, annotations = {} }]) => [
    severity,
    { labels, annotations },
  ]);
  return { notifications: { alertname: alertname ?? null, bySeverity: Object.fromEntries(texts) } };
}

export function namedPolicy(name: PolicyName, window: SloWindow, minBadEvents = 0): AlertPolicy {
  const burnRateAlerts = policyAlerts(name, nominalPeriodMs(window));
  return { name, burnRateAlerts, budgetExhausted: name !== 'none', minBadEvents };
}

export function customPolicy(alerts: readonly CustomAlert[], minBadEvents = 0): AlertPolicy {
  const burnRateAlerts = alerts.map((alert) => ({
    name: alertName(alert),
    severity: alert.severity,
    factor: alert.factor,
    long: parseDuration(alert.long)!,
    short: parseDuration(alert.short)!,
    forMs: parseDuration(alert.for ?? '0')!.ms,
  }));
  return { name: 'custom', burnRateAlerts, budgetExhausted: true, minBadEvents };
}

/** A burn rate is never above that of an outage, so that an alert which waits for more never fires. */
export function isImpossible(factor: number, errorBudget: number): boolean {
  return factor >= highestBurnRate(errorBudget);
}

/** Of a named policy: the alerts that can never fire, in one sentence; null when every one can. */
export function impossibleAlerts(policy: AlertPolicy, errorBudget: number): string | null {
  const impossible = policy.burnRateAlerts.filter(({ factor }) => isImpossible(factor, errorBudget));
  if (impossible.length === 0) return null;
  const names = impossible.map(({ name, factor }: BurnRateAlert) => `${name} (factor ${short(factor)})`).join(', ');
  return `of the policy ${policy.name} these alerts can never fire: ${names}; the highest possible burn rate is ${short(highestBurnRate(errorBudget))}`;
}

export function impossibleFactor(factor: number, errorBudget: number): string {
  return `must be below ${short(highestBurnRate(errorBudget))}, the highest possible burn rate, got ${factor}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** The name that every policy but `none` uses itself. */
export const RESERVED_ALERT_NAME = BUDGET_EXHAUSTED.name;
