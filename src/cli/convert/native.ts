import { stringify } from 'yaml';
import { DEFAULT_POLICY, defaultAlertName, isImpossible, namedPolicy, SEVERITIES } from '../../definitions/alerts.ts';
import { ratioToPercent } from '../../definitions/decimal.ts';
import { NATIVE_API_VERSION } from '../../definitions/native.ts';
import { shown } from '../../definitions/problem.ts';
import { DEFAULT_SLICE, DEFAULTS, nativeSli } from '../../definitions/sli.ts';
import { formatDuration } from '../../engine/duration.ts';
import type { AlertPolicy, BurnRateAlert, NotificationTexts, Slo, SloWindow } from '../../engine/slo.ts';
import { POLICY_NAMES, type PolicyName } from '../../engine/windows.ts';

/** SLOs as native documents: one for each run of SLOs of the same service, so that their order stays. */

export function nativeFile(slos: readonly Slo[]): string {
  return runs(slos)
    .map((ofService) => stringify(document(ofService), { lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

function runs(slos: readonly Slo[]): Slo[][] {
  const found: Slo[][] = [];
  for (const slo of slos) {
    const run = found.at(-1);
    if (run !== undefined && run[0]!.service === slo.service) run.push(slo);
    else found.push([slo]);
  }
  return found;
}

type Fields = Readonly<Record<string, unknown>>;

/** What all SLOs of the document share is said once. */
function document(slos: readonly Slo[]): Fields {
  const shared = SHARED.filter((key) =>
    slos.every((slo) => JSON.stringify(slo[key]) === JSON.stringify(slos[0]![key])),
  );
  return {
    apiVersion: NATIVE_API_VERSION,
    service: slos[0]!.service,
    ...fieldsOf(slos[0]!, shared),
    slos: slos.map((slo) =>
      definition(
        slo,
        fieldsOf(
          slo,
          SHARED.filter((key) => !shared.includes(key)),
        ),
      ),
    ),
  };
}

const SHARED = ['owner', 'labels', 'runbook'] as const;

function fieldsOf(slo: Slo, keys: readonly (typeof SHARED)[number][]): Fields {
  return Object.fromEntries(keys.map((key) => [key, slo[key]]).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  return value === '' || Object.keys(value as object).length === 0;
}

/** Fields that say what a file without them says are left out, but for the window. */
function definition(slo: Slo, own: Fields): Fields {
  const { groupBy, groupsMax, slice, emptySlice, budgeting, sliceTarget } = slo;
  return {
    name: slo.name,
    ...(slo.description !== DEFAULTS.description && { description: slo.description }),
    ...own,
    objective: ratioToPercent(slo.objective),
    window: window(slo.window),
    ...(groupBy.length > 0 && { groupBy }),
    ...(groupsMax !== DEFAULTS.groupsMax && { maxGroups: groupsMax }),
    sli: nativeSli(slo.sli),
    ...(slice !== null && slice.text !== DEFAULT_SLICE.text && { slice: slice.text }),
    ...(emptySlice !== DEFAULTS.emptySlice && { emptySlice }),
    ...(budgeting !== DEFAULTS.budgeting && { budgeting }),
    ...(sliceTarget !== null && { sliceTarget: ratioToPercent(sliceTarget) }),
    ...alerts(slo),
  };
}

function window(window: SloWindow): unknown {
  return window.kind === 'rolling' ? window.duration.text : { calendar: window.unit, timezone: window.timezone };
}

function alerts(slo: Slo): { alerts?: Fields } {
  const { minBadEvents, notifications } = slo.alerts;
  const policy = named(slo) ?? possible(slo).map(alert);
  const fields = {
    ...(policy !== DEFAULT_POLICY && { policy }),
    ...(minBadEvents !== 0 && { minBadEvents }),
    ...(notifications && {
      ...(notifications.alertname !== null && { alertname: notifications.alertname }),
      ...(!isEmpty(notifications.bySeverity) && { bySeverity: textsBySeverity(notifications.bySeverity) }),
    }),
  };
  return Object.keys(fields).length === 0 ? {} : { alerts: fields };
}

function textsBySeverity(bySeverity: Readonly<Record<string, NotificationTexts>>): Fields {
  const texts = Object.entries(bySeverity).map(([severity, { labels, annotations }]): [string, Fields] => [
    severity,
    { ...(!isEmpty(labels) && { labels }), ...(!isEmpty(annotations) && { annotations }) },
  ]);
  return Object.fromEntries(texts);
}

/** The named policy whose table this is. */
function named({ alerts, window }: Slo): PolicyName | null {
  const table = ({ burnRateAlerts, budgetExhausted }: AlertPolicy): string =>
    JSON.stringify([budgetExhausted, burnRateAlerts.map(alert)]);
  return POLICY_NAMES.find((name) => table(namedPolicy(name, window)) === table(alerts)) ?? null;
}

/** Why a native file cannot say the same as this SLO; null when it can. */
export function notInNative(slo: Slo): string | null {
  if (named(slo) !== null) return null;
  const foreign = possible(slo).find(({ severity }) => !SEVERITIES.some((known) => known === severity));
  if (foreign === undefined) return null;
  return `the severity ${shown(foreign.severity)} is none of the native ones, which are ${SEVERITIES.join(', ')}`;
}

/** The alerts that can fire: of the others a table of a tool may have some, and a list may not. */
function possible({ alerts, errorBudget }: Slo): BurnRateAlert[] {
  return alerts.burnRateAlerts.filter(({ factor }) => !isImpossible(factor, errorBudget));
}

function alert({ name, severity, factor, long, short, forMs }: BurnRateAlert): Fields {
  return {
    ...(name !== defaultAlertName(severity, long.text) && { name }),
    severity,
    factor,
    long: long.text,
    short: short.text,
    ...(forMs !== 0 && { for: formatDuration(forMs) }),
  };
}
