/**
 * What an SLO is, once a definition file has been read: the only shape that definitions hand to the engine.
 *
 * Everything here is plain data, except that a matcher carries its compiled test, because regular expressions are
 * compiled outside the engine (RE2, see definitions/matcher.ts).
 */

import type { PeriodOf } from './calendar.ts';

/** One label matcher of a PromQL vector selector. A label that is absent is tested as the empty string. */
export interface Matcher {
  readonly name: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
  readonly matches: (value: string) => boolean;
}

/** A PromQL vector selector; the metric name is a matcher on `__name__` like any other. */
export interface Selector {
  /** As the definition file writes it. */
  readonly text: string;
  readonly matchers: readonly Matcher[];
}

/** Events: `total` with either `good` or `bad`. Each is a union of selectors in which a series counts once. */
export interface EventsSli {
  readonly kind: 'events';
  readonly total: readonly Selector[];
  readonly given: 'good' | 'bad';
  readonly selectors: readonly Selector[];
}

export interface LatencySli {
  readonly kind: 'latency';
  readonly histogram: Selector;
  readonly thresholdSeconds: number;
}

export interface ProbeSli {
  readonly kind: 'probe';
  readonly gauge: Selector;
}

export type Aggregate = 'max' | 'min' | 'avg' | 'sum';

export interface FreshnessSli {
  readonly kind: 'freshness';
  /** `timestamp`: the gauge holds a Unix time in seconds; `age`: it holds an age in seconds. */
  readonly source: 'timestamp' | 'age';
  readonly selector: Selector;
  readonly thresholdSeconds: number;
  readonly aggregate: Aggregate | null;
}

export interface ThroughputSli {
  readonly kind: 'throughput';
  readonly counter: Selector;
  readonly bound: 'min' | 'max';
  readonly perSecond: number;
  readonly aggregate: Aggregate | null;
}

export interface ThresholdSli {
  readonly kind: 'threshold';
  readonly gauge: Selector;
  readonly op: 'lt' | 'lte' | 'gt' | 'gte';
  readonly value: number;
  readonly aggregate: Aggregate | null;
}

/** Events that are pushed, and nothing else. */
export interface PushSli {
  readonly kind: 'push';
}

export type Sli = EventsSli | LatencySli | ProbeSli | FreshnessSli | ThroughputSli | ThresholdSli | PushSli;

/** A duration as the file writes it, beside its length. */
export interface Duration {
  readonly text: string;
  readonly ms: number;
}

export type CalendarUnit = 'week' | 'month' | 'quarter' | 'year';

export type SloWindow =
  | { readonly kind: 'rolling'; readonly duration: Duration }
  | {
      readonly kind: 'calendar';
      readonly unit: CalendarUnit;
      readonly timezone: string;
      /** Where the period that holds a time begins and ends; definitions know time zones, the engine does not. */
      readonly periodOf: PeriodOf;
    };

/** A multi-window burn-rate alert: it fires when both windows burn strictly faster than `factor`. */
export interface BurnRateAlert {
  readonly name: string;
  readonly severity: string;
  readonly factor: number;
  readonly long: Duration;
  readonly short: Duration;
  readonly forMs: number;
}

/** What notifications say as an imported file wants it, beside what all of them say. */
export interface NotificationTexts {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface AlertPolicy {
  /** `google-30d`, `sloth-28d`, `pyrra`, `none`, or `custom` for a list of the file's own. */
  readonly name: string;
  readonly burnRateAlerts: readonly BurnRateAlert[];
  /** The alert `error-budget-exhausted`; only the policy `none` is without it. */
  readonly budgetExhausted: boolean;
  /** With fewer bad events than this in the long window no burn-rate alert fires. */
  readonly minBadEvents: number;
  /** `alertname`, when there is one, stands in for the names of the alerts. */
  readonly notifications?: {
    readonly alertname: string | null;
    readonly bySeverity: Readonly<Record<string, NotificationTexts>>;
  };
}

export interface Slo {
  /** `service/name`, unique. */
  readonly id: string;
  readonly service: string;
  readonly name: string;
  /** The tool in whose format it is defined, under whose names it is on dashboards. */
  readonly origin: 'slipstream' | 'sloth' | 'pyrra' | 'openslo';
  readonly description: string;
  readonly owner: string;
  readonly runbook: string;
  readonly labels: Readonly<Record<string, string>>;
  /** 0..1, for example 0.999. */
  readonly objective: number;
  /** 1 - objective, computed in decimal: 0.001 where binary subtraction gives 0.0010000000000000009. */
  readonly errorBudget: number;
  readonly window: SloWindow;
  readonly groupBy: readonly string[];
  readonly groupsMax: number;
  readonly sli: Sli;
  /** Time slices of freshness, throughput and threshold SLIs, and of `timeslices` budgeting. */
  readonly slice: Duration | null;
  readonly emptySlice: 'ignore' | 'good' | 'bad';
  readonly budgeting: 'occurrences' | 'timeslices' | 'ratioTimeslices';
  /** 0..1: the good share a slice needs, with `timeslices` budgeting. */
  readonly sliceTarget: number | null;
  readonly alerts: AlertPolicy;
}
