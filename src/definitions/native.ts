import { type Static, Type } from 'typebox';
import { parseDuration } from '../engine/duration.ts';
import type { AlertPolicy, Slo, SloWindow } from '../engine/slo.ts';
import {
  AlertsSchema,
  alertName,
  customPolicy,
  DEFAULT_POLICY,
  impossibleAlerts,
  impossibleFactor,
  isImpossible,
  namedPolicy,
  notificationTexts,
  RESERVED_ALERT_NAME,
} from './alerts.ts';
import { calendarPeriods } from './calendar.ts';
import { percentToRatio, restOfPercent } from './decimal.ts';
import type { DefinitionDocument } from './document.ts';
import type { Found } from './found.ts';
import { shown } from './problem.ts';
import { type Checked, checkDocument, described, either, mapping, oneOf, text, textMap } from './schema.ts';
import { DEFAULT_SLICE, DEFAULTS, isSliced, readSli, SliSchema } from './sli.ts';

/** The native format, `apiVersion: slipstream/v1`: every SLO of one service. */

export const NATIVE_API_VERSION = 'slipstream/v1';

const CalendarSchema = mapping({
  calendar: oneOf('week', 'month', 'quarter', 'year'),
  timezone: described('IANA time zone; UTC by default.', Type.Optional(text('timeZone'))),
});

const PERCENT = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 100, range: 'between 0 and 100' });
const SLICE_PERCENT = Type.Number({ exclusiveMinimum: 0, maximum: 100, range: 'above 0 and at most 100' });

const SloSchema = mapping({
  name: described('Unique within the service.', text('id')),
  description: described('What it promises, in a sentence.', Type.Optional(Type.String())),
  objective: described('Percent of events that have to be good.', PERCENT),
  window: described(
    'A duration from 1h to 400d that rolls, or a calendar period; 30d by default.',
    Type.Optional(either('object', CalendarSchema, text('rollingWindow'))),
  ),
  groupBy: described(
    'Label names; each of their values has a budget of its own.',
    Type.Optional(Type.Array(text('labelName'), { uniqueItems: true })),
  ),
  maxGroups: described(
    'How many budgets groupBy may make; 1000 by default.',
    Type.Optional(Type.Integer({ minimum: 1, range: 'at least 1' })),
  ),
  owner: described('Who is told; that of the file by default.', Type.Optional(Type.String())),
  labels: described('Added to those of the file.', Type.Optional(textMap())),
  runbook: described('What to do about it; that of the file by default.', Type.Optional(Type.String())),
  sli: described('What is counted: one of these.', SliSchema),
  slice: described(
    'Length of the time slices, which divides a day; 1m by default for SLIs by slices.',
    Type.Optional(text('slice')),
  ),
  emptySlice: described(
    'What a slice without samples counts as; ignore by default.',
    Type.Optional(oneOf('ignore', 'good', 'bad')),
  ),
  budgeting: described(
    'Whether each event counts, or each slice of events; occurrences by default.',
    Type.Optional(oneOf('occurrences', 'timeslices', 'ratioTimeslices')),
  ),
  sliceTarget: described('Percent of good events that a good slice needs.', Type.Optional(SLICE_PERCENT)),
  alerts: described('When somebody is told; the policy google-30d by default.', Type.Optional(AlertsSchema)),
});
type SloDefinition = Static<typeof SloSchema>;

export const NativeSchema = mapping(
  {
    apiVersion: oneOf(NATIVE_API_VERSION),
    service: described('What the SLOs are of; service/name is unique.', text('id')),
    owner: described('Who is told about every SLO without an owner of its own.', Type.Optional(Type.String())),
    labels: described('Text by name, of every SLO.', Type.Optional(textMap())),
    runbook: described('What to do, of every SLO without a runbook of its own.', Type.Optional(Type.String())),
    slos: Type.Array(SloSchema, { minItems: 1 }),
  },
  { title: 'SLOs of a service' },
);
type NativeFile = Static<typeof NativeSchema>;

/** The SLOs of a native document. What is wrong with one of them leaves the others as they are. */
export function readNative(document: DefinitionDocument): Found[] {
  const checked = checkDocument(NativeSchema, document);
  const slos = document.at(['slos']);
  const count = slos?.kind === 'sequence' ? slos.items.length : 0;
  const found: Found[] = [];
  for (let i = 0; i < count; i++) {
    const rules = new SloRules(checked, i);
    rules.check();
    if (!rules.usable()) continue;
    found.push({ slo: readSlo(checked.value, checked.value.slos[i]!), document, path: ['slos', i], keyed: false });
  }
  return found;
}

/** The rules that span several fields. Each looks only at fields that are right by themselves. */
class SloRules {
  readonly #file: Checked<NativeFile>;
  readonly #path: readonly [string, number];
  readonly #slo: SloDefinition;
  #broken = false;

  constructor(file: Checked<NativeFile>, i: number) {
    this.#file = file;
    this.#path = ['slos', i];
    this.#slo = file.value.slos[i]!;
  }

  /** Whether nothing that the SLO is made of is wrong. */
  usable(): boolean {
    const shared = ['apiVersion', 'service', 'owner', 'labels', 'runbook'];
    return !this.#broken && this.#clean() && shared.every((key) => this.#file.usable(key));
  }

  check(): void {
    if (this.#file.document.at(this.#path)?.kind !== 'mapping') return;
    this.#budgeting();
    this.#namedPolicy();
    this.#customPolicy();
  }

  #budgeting(): void {
    if (!this.#clean('budgeting') || this.#slo.budgeting === 'occurrences') return;
    const { budgeting } = this.#slo;
    const sliced = this.#clean('sli') && Object.keys(this.#slo.sli).find(isSliced);
    if (sliced) this.#error(['budgeting'], `must be occurrences: each slice of a ${sliced} SLI is one event already`);
    if (budgeting === 'timeslices' && this.#slo.sliceTarget === undefined) {
      this.#broken = true;
      this.#file.document.missing([...this.#path, 'sliceTarget'], 'is required with budgeting: timeslices');
    }
  }

  #namedPolicy(): void {
    const errorBudget = this.#errorBudget();
    const stated = this.#slo.alerts?.policy !== undefined;
    const name = this.#slo.alerts?.policy ?? DEFAULT_POLICY;
    if (errorBudget === null || typeof name !== 'string') return;
    if (!this.#usableField('window') || !this.#usableField('alerts', 'policy')) return;
    const message = impossibleAlerts(namedPolicy(name, readWindow(this.#slo.window)), errorBudget);
    if (message === null) return;
    this.#file.document.warning([...this.#path, ...(stated ? ['alerts', 'policy'] : ['objective'])], message);
  }

  #customPolicy(): void {
    const policy = this.#slo.alerts?.policy;
    if (!Array.isArray(policy)) return;
    const errorBudget = this.#errorBudget();
    const names = new Set<string>([RESERVED_ALERT_NAME]);
    policy.forEach((alert, j) => {
      const at = ['alerts', 'policy', j] as const;
      if (this.#clean(...at, 'factor') && errorBudget !== null && isImpossible(alert.factor, errorBudget)) {
        this.#error([...at, 'factor'], impossibleFactor(alert.factor, errorBudget));
      }
      if (this.#clean(...at, 'long') && this.#clean(...at, 'short')) {
        if (parseDuration(alert.short)!.ms > parseDuration(alert.long)!.ms) {
          this.#error([...at, 'short'], `must not be longer than the long window of ${alert.long}, got ${alert.short}`);
        }
      }
      const named = this.#clean(...at, 'name');
      if (!named && !(alert?.name === undefined && this.#clean(...at, 'severity') && this.#clean(...at, 'long')))
        return;
      const name = alertName(alert);
      if (names.has(name)) {
        const why = name === RESERVED_ALERT_NAME ? 'is the alert that every policy has' : 'is there twice';
        this.#error(named ? [...at, 'name'] : at, `the alert name ${shown(name)} ${why}`);
      }
      names.add(name);
    });
  }

  #errorBudget(): number | null {
    return this.#clean('objective') ? restOfPercent(this.#slo.objective) : null;
  }

  #clean(...path: (string | number)[]): boolean {
    return this.#file.clean(...this.#path, ...path);
  }

  #usableField(...path: (string | number)[]): boolean {
    return this.#file.usable(...this.#path, ...path);
  }

  #error(path: readonly (string | number)[], message: string): void {
    this.#broken = true;
    this.#file.document.error([...this.#path, ...path], message);
  }
}

function readSlo(file: NativeFile, definition: SloDefinition): Slo {
  const sli = readSli(definition.sli);
  const budgeting = definition.budgeting ?? DEFAULTS.budgeting;
  const sliced = isSliced(sli.kind) || budgeting !== 'occurrences';
  const slice = definition.slice === undefined ? DEFAULT_SLICE : parseDuration(definition.slice)!;
  const window = readWindow(definition.window);
  return {
    id: `${file.service}/${definition.name}`,
    service: file.service,
    name: definition.name,
    origin: DEFAULTS.origin,
    description: definition.description ?? DEFAULTS.description,
    owner: definition.owner ?? file.owner ?? DEFAULTS.owner,
    runbook: definition.runbook ?? file.runbook ?? DEFAULTS.runbook,
    labels: { ...file.labels, ...definition.labels },
    objective: percentToRatio(definition.objective),
    errorBudget: restOfPercent(definition.objective),
    window,
    groupBy: definition.groupBy ?? DEFAULTS.groupBy,
    groupsMax: definition.maxGroups ?? DEFAULTS.groupsMax,
    sli,
    slice: sliced ? slice : null,
    emptySlice: definition.emptySlice ?? DEFAULTS.emptySlice,
    budgeting,
    sliceTarget: budgeting === 'timeslices' ? percentToRatio(definition.sliceTarget!) : null,
    alerts: readAlerts(definition.alerts, window),
  };
}

function readWindow(window: SloDefinition['window']): SloWindow {
  if (window === undefined) return DEFAULTS.window;
  if (typeof window === 'string') return { kind: 'rolling', duration: parseDuration(window)! };
  const timezone = window.timezone ?? 'UTC';
  return { kind: 'calendar', unit: window.calendar, timezone, periodOf: calendarPeriods(window.calendar, timezone) };
}

function readAlerts(alerts: SloDefinition['alerts'] = {}, window: SloWindow): AlertPolicy {
  const { policy = DEFAULT_POLICY, minBadEvents } = alerts;
  const read =
    typeof policy === 'string' ? namedPolicy(policy, window, minBadEvents) : customPolicy(policy, minBadEvents);
  return { ...read, ...notificationTexts(alerts) };
}
