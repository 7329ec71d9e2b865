import { stringify } from 'yaml';
import { ratioToPercent } from '../../definitions/decimal.ts';
import { DAY_MS, formatPrometheusDuration } from '../../engine/duration.ts';
import { isSliced } from '../../engine/slices.ts';
import type { BurnRateAlert, Slo } from '../../engine/slo.ts';
import { BUDGET_EXHAUSTED, isPaging, nominalPeriodMs, STANDARD_WINDOWS } from '../../engine/windows.ts';
import { badShare, type Expressions, eventExpressions, inexpressible, sliceExpressions } from './expressions.ts';

/** SLOs as the recording and alerting rules that a rule-based setup runs, under Sloth's names of records, labels and groups. */

type Labels = Readonly<Record<string, string>>;

type Rule =
  | { readonly record: string; readonly expr: string; readonly labels: Labels }
  | {
      readonly alert: string;
      readonly expr: string;
      readonly for?: string;
      readonly labels: Labels;
      readonly annotations: Labels;
    };

interface Group {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly Rule[];
}

/** Why rules cannot say the same as this SLO; null when they can. */
export function notInRules(slo: Slo): string | null {
  return inexpressible(slo);
}

/** A file that `promtool check rules` accepts. */
export function prometheusRules(slos: readonly Slo[], version: string): string {
  const groups = slos.flatMap((slo) => new SloRules(slo, version).groups());
  return stringify({ groups }, { lineWidth: 0 });
}

class SloRules {
  readonly #slo: Slo;
  readonly #version: string;
  readonly #id: string;
  readonly #ids: Labels;
  readonly #expressions: Expressions;
  readonly #periodMs: number;

  constructor(slo: Slo, version: string) {
    this.#slo = slo;
    this.#version = version;
    this.#id = `${slo.service}-${slo.name}`;
    this.#ids = { sloth_id: this.#id, sloth_service: slo.service, sloth_slo: slo.name };
    this.#expressions = isSliced(slo) ? sliceExpressions(this.#series(SLICE)) : eventExpressions(slo);
    this.#periodMs = nominalPeriodMs(slo.window);
  }

  groups(): Group[] {
    const groups = [
      ...this.#slices(),
      { name: `sloth-slo-sli-recordings-${this.#id}`, rules: this.#errorRatios() },
      { name: `sloth-slo-meta-recordings-${this.#id}`, rules: this.#metadata() },
      { name: `sloth-slo-alerts-${this.#id}`, rules: this.#alerts() },
    ];
    return groups.filter(({ rules }) => rules.length > 0);
  }

  /** Evaluated once a slice, so that each sample is one of them. */
  #slices(): Group[] {
    if (!isSliced(this.#slo)) return [];
    const interval = formatPrometheusDuration(this.#slo.slice!.ms);
    return [{ name: `sloth-slo-slices-${this.#id}`, interval, rules: [this.#record(SLICE, badShare(this.#slo))] }];
  }

  #errorRatios(): Rule[] {
    const { burnRateAlerts } = this.#slo.alerts;
    const lengths = [
      ...STANDARD_WINDOWS.map(({ ms }) => ms),
      ...burnRateAlerts.flatMap(({ long, short }) => [short.ms, long.ms]),
      this.#periodMs,
    ];
    return [...new Set(lengths)]
      .sort((a, b) => a - b)
      .map((ms) =>
        this.#record(errorRatioOf(ms), this.#expressions.errorRatio(ms), {
          sloth_window: formatPrometheusDuration(ms),
        }),
      );
  }

  #metadata(): Rule[] {
    const { objective, errorBudget } = this.#slo;
    const budget = this.#series('slo:error_budget:ratio');
    const burnRate = (ms: number): string =>
      `${this.#series(errorRatioOf(ms))}\n/ on(sloth_id, sloth_slo, sloth_service) group_left\n${budget}`;
    const info = {
      sloth_version: this.#version,
      sloth_mode: 'slipstream',
      sloth_spec: 'slipstream/v1',
      sloth_objective: String(ratioToPercent(objective)),
    };
    return [
      this.#record('slo:objective:ratio', `vector(${objective})`),
      this.#record('slo:error_budget:ratio', `vector(${errorBudget})`),
      this.#record('slo:time_period:days', `vector(${this.#periodMs / DAY_MS})`),
      this.#record('slo:current_burn_rate:ratio', burnRate(STANDARD_WINDOWS[0]!.ms)),
      this.#record(PERIOD_BURN_RATE, burnRate(this.#periodMs)),
      this.#record(BUDGET_REMAINING, `1 - ${this.#series(PERIOD_BURN_RATE)}`),
      this.#record('sloth_slo_info', 'vector(1)', info),
    ];
  }

  /** Alerts of one name are one rule, as in Sloth: whichever of their windows burn, it is one and the same alert. */
  #alerts(): Rule[] {
    const { burnRateAlerts, budgetExhausted, notifications } = this.#slo.alerts;
    const rules = new Map<string, BurnRateAlert[]>();
    for (const alert of burnRateAlerts) {
      const key = JSON.stringify([notifications?.alertname ?? alert.name, alert.severity, alert.forMs]);
      rules.set(key, [...(rules.get(key) ?? []), alert]);
    }
    const found = [...rules.values()].map((alerts) => this.#burnRateRule(alerts));
    return budgetExhausted ? [...found, this.#exhaustedRule()] : found;
  }

  #burnRateRule(alerts: readonly BurnRateAlert[]): Rule {
    const { name, severity, forMs, long, short } = alerts[0]!;
    const { notifications } = this.#slo.alerts;
    const own = notifications?.bySeverity[severity];
    const windows = alerts.length === 1 ? { long: long.text, short: short.text } : {};
    const slothSeverity = isPaging(severity) ? 'page' : 'ticket';
    return {
      alert: notifications?.alertname ?? name,
      expr: alerts.map((alert) => `(\n${this.#condition(alert)}\n)`).join('\nor\n'),
      ...lasting(forMs),
      labels: { ...this.#notificationLabels(severity), ...windows, ...own?.labels, sloth_severity: slothSeverity },
      annotations: {
        ...this.#annotations(
          `(${slothSeverity}) {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is too fast.`,
          '{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is over expected.',
        ),
        ...own?.annotations,
      },
    };
  }

  #condition({ factor, long, short }: BurnRateAlert): string {
    const { errorBudget, alerts } = this.#slo;
    const burns = [short, long].map(
      ({ ms }) => `    max(${this.#series(errorRatioOf(ms))} > (${factor} * ${errorBudget})) without (sloth_window)`,
    );
    if (alerts.minBadEvents === 0) return burns.join('\n    and\n');
    const groups = this.#slo.groupBy.join(', ');
    const enough = `(${this.#expressions.badEvents(long.ms)}) >= ${alerts.minBadEvents}`;
    return `${burns.join('\n    and\n')}\n    and on(${groups})\n    (${enough})`;
  }

  #exhaustedRule(): Rule {
    const { name, severity, forMs } = BUDGET_EXHAUSTED;
    const what = '{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget is exhausted.';
    return {
      alert: name,
      expr: `${this.#series(BUDGET_REMAINING)} <= 0`,
      ...lasting(forMs),
      labels: { ...this.#notificationLabels(severity), sloth_severity: 'page' },
      annotations: this.#annotations(`(${severity}) ${what}`, what),
    };
  }

  /** Those that Slipstream's own notifications carry, so that they are routed alike. */
  #notificationLabels(severity: string): Labels {
    const { service, name, owner } = this.#slo;
    return { service, slo: name, ...(owner === '' ? {} : { owner }), severity };
  }

  #annotations(title: string, summary: string): Labels {
    const { runbook } = this.#slo;
    return { title, summary, ...(runbook === '' ? {} : { runbook_url: runbook }) };
  }

  #record(record: string, expr: string, labels: Labels = {}): Rule {
    return { record, expr, labels: { ...this.#slo.labels, ...this.#ids, ...labels } };
  }

  #series(name: string): string {
    const matchers = Object.entries(this.#ids).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
    return `${name}{${matchers.join(', ')}}`;
  }
}

const SLICE = 'slo:slice_error:ratio';
const PERIOD_BURN_RATE = 'slo:period_burn_rate:ratio';
const BUDGET_REMAINING = 'slo:period_error_budget_remaining:ratio';

function errorRatioOf(ms: number): string {
  return `slo:sli_error:ratio_rate${formatPrometheusDuration(ms)}`;
}

function lasting(ms: number): { for?: string } {
  return ms === 0 ? {} : { for: formatPrometheusDuration(ms) };
}
