import { type Static, Type } from 'typebox';
import { parseDuration } from '../engine/duration.ts';
import { parseBound } from '../engine/latency.ts';
import type { AlertPolicy, Matcher, Sli, SloWindow } from '../engine/slo.ts';
import { impossibleAlerts, namedPolicy } from './alerts.ts';
import { percentToRatio, ratioToPercent, restOfPercent } from './decimal.ts';
import type { DefinitionDocument } from './document.ts';
import { FORMS } from './forms.ts';
import type { Found } from './found.ts';
import { latencyOf } from './histogram.ts';
import { KubernetesMetadata, ownerOf, runbookOf } from './imported.ts';
import { Part } from './part.ts';
import { checkDocument, foreign, oneOf, text } from './schema.ts';
import { isFault, readSelector } from './selector.ts';
import { DEFAULTS, readSli } from './sli.ts';

/** Pyrra's `ServiceLevelObjective`: one SLO a document, whose metrics are plain selectors. */

const metric = foreign({ metric: text('selector') });
const grouping = Type.Optional(Type.Array(text('labelName'), { uniqueItems: true }));
const severity = Type.Optional(text('id'));
const flag = Type.Optional(Type.Boolean());
const words = Type.Optional(Type.String());

const INDICATORS = {
  ratio: foreign({ errors: metric, total: metric, grouping }),
  latency: foreign({ success: metric, total: metric, grouping }),
  latencyNative: foreign({ total: metric, latency: text('duration'), grouping }),
  bool_gauge: foreign({ metric: text('selector'), grouping }),
};

const PyrraSchema = foreign({
  apiVersion: Type.Optional(oneOf('pyrra.dev/v1alpha1')),
  kind: oneOf('ServiceLevelObjective'),
  metadata: KubernetesMetadata,
  spec: foreign({
    target: text('objective'),
    window: text('rollingWindow'),
    description: words,
    indicator: Type.Partial(foreign(INDICATORS), {
      additionalProperties: false,
      unknownKeys: 'warning',
      exactlyOneOf: Object.keys(INDICATORS),
    }),
    alerting: Type.Optional(
      foreign({
        disabled: flag,
        burnrates: flag,
        absent: flag,
        name: Type.Optional(text('id')),
        absentName: words,
        severities: Type.Optional(
          foreign({
            absent: severity,
            fastBurn: severity,
            mediumBurn: severity,
            slowBurn: severity,
            longTermBurn: severity,
          }),
        ),
      }),
    ),
    partial_response_strategy: words,
    performanceOverAccuracy: flag,
    ruleOutput: Type.Optional(Type.Unknown()),
  }),
  status: Type.Optional(Type.Unknown()),
});
type Pyrra = Static<typeof PyrraSchema>;
type Metadata = Pyrra['metadata'];
type Spec = Pyrra['spec'];
type Indicator = Spec['indicator'];
type Texts = Readonly<Record<string, string>>;

const PREFIX = 'pyrra.dev/';

export function readPyrra(document: DefinitionDocument): Found[] {
  const pyrra = Part.whole(checkDocument(PyrraSchema, document));
  const metadata = pyrra.at('metadata');
  const spec = pyrra.at('spec');
  if (metadata === null || spec === null) return [];
  const labels = readLabels(metadata);
  const service = readService(metadata);
  const target = readTarget(spec);
  const window = readWindow(spec);
  const sli = readIndicator(spec);
  const annotations = unprefixed(metadata.get('annotations') ?? {});
  const alerts = window && readAlerts(spec, window, target, annotations);
  if (!pyrra.sound() || !labels || !service || !target || !window || !sli || !alerts) return [];
  const { name } = metadata.value;
  const slo = {
    ...DEFAULTS,
    id: `${service}/${name}`,
    service,
    name,
    origin: 'pyrra' as const,
    description: spec.value.description ?? DEFAULTS.description,
    owner: ownerOf(labels),
    runbook: runbookOf(annotations),
    labels,
    objective: percentToRatio(target),
    errorBudget: restOfPercent(target),
    window,
    groupBy: readGrouping(spec.value.indicator),
    sli,
    alerts,
  };
  return [{ slo, document, path: [], keyed: false }];
}

/** What Pyrra makes of `pyrra.dev/team: edge`: the label `team`. The other labels are Kubernetes's. */
function unprefixed(texts: Texts): Texts {
  const own = Object.entries(texts).filter(([key]) => key.startsWith(PREFIX));
  return Object.fromEntries(own.map(([key, text]) => [key.slice(PREFIX.length), text]));
}

function readLabels(metadata: Part<Metadata>): Texts | null {
  const labels = unprefixed(metadata.get('labels') ?? {});
  const wrong = Object.keys(labels).filter((name) => FORMS.labelName(name) !== null);
  for (const name of wrong) {
    const path = [...metadata.path, 'labels', `${PREFIX}${name}`];
    metadata.document.keyError(path, `without ${PREFIX} ${FORMS.labelName(name)!.message}`);
  }
  return wrong.length === 0 ? labels : null;
}

function readService(metadata: Part<Metadata>): string | null {
  const label = metadata.at('labels')?.at(`${PREFIX}service`);
  if (!label?.sound()) return metadata.get('namespace') ?? metadata.get('name');
  const wrong = FORMS.id(label.value);
  return wrong === null ? label.value : label.error(wrong.message, wrong.at);
}

function readTarget(spec: Part<Spec>): number | null {
  const target = spec.at('target');
  if (!target?.sound()) return null;
  const percent = Number(target.value);
  if (percent < 1) target.warning(`is read as ${target.value} percent; did you mean ${ratioToPercent(percent)}?`);
  return percent;
}

function readWindow(spec: Part<Spec>): SloWindow | null {
  const text = spec.get('window');
  return text === null ? null : { kind: 'rolling', duration: parseDuration(text)! };
}

function readGrouping({ ratio, latency, latencyNative, bool_gauge }: Indicator): readonly string[] {
  return (ratio ?? latency ?? latencyNative ?? bool_gauge)?.grouping ?? [];
}

/** An indicator that its schema has found good. */
function readIndicator(spec: Part<Spec>): Sli | null {
  const indicator = spec.at('indicator');
  if (!indicator?.sound()) return null;
  const { ratio, latencyNative, bool_gauge } = indicator.value;
  if (ratio !== undefined) return readSli({ events: { total: ratio.total.metric, bad: ratio.errors.metric } });
  if (bool_gauge !== undefined) return readSli({ probe: { gauge: bool_gauge.metric } });
  if (latencyNative !== undefined) {
    return readSli({ latency: { histogram: latencyNative.total.metric, threshold: latencyNative.latency } });
  }
  return readLatency(indicator.at('latency')!);
}

function readLatency(latency: Part<NonNullable<Indicator['latency']>>): Sli | null {
  const good = latency.value.success.metric;
  const total = latency.value.total.metric;
  const bucket = matchersOf(good);
  const le = bucket.find(({ name, op }) => name === 'le' && op === '=');
  if (le === undefined || Number.isNaN(parseBound(le.value))) {
    const metric = latency.at('success')!.at('metric')!;
    return metric.error('must have a matcher such as le="0.25", which says what is fast enough');
  }
  return latencyOf(bucket, matchersOf(total)) ?? readSli({ events: { total, good } });
}

function matchersOf(text: string): readonly Matcher[] {
  const read = readSelector(text);
  return isFault(read) ? [] : read.matchers;
}

/** Pyrra's names of the tiers, by those of the policy. */
const TIERS = {
  'fast-burn': 'fastBurn',
  'medium-burn': 'mediumBurn',
  'slow-burn': 'slowBurn',
  'long-term-burn': 'longTermBurn',
} as const;

/** What Pyrra calls its alerts, all of them. */
const ALERT_NAME = 'ErrorBudgetBurn';

function readAlerts(spec: Part<Spec>, window: SloWindow, target: number | null, annotations: Texts): AlertPolicy {
  const { disabled = false, burnrates = true, name = ALERT_NAME, severities } = spec.get('alerting') ?? {};
  if (disabled || !burnrates) return namedPolicy('none', window);
  const policy = namedPolicy('pyrra', window);
  const impossible = target === null ? null : impossibleAlerts(policy, restOfPercent(target));
  if (impossible !== null) spec.at('target')!.warning(impossible);
  const burnRateAlerts = policy.burnRateAlerts.map((alert) => {
    const tier = TIERS[alert.name as keyof typeof TIERS];
    return { ...alert, severity: severities?.[tier] ?? alert.severity };
  });
  const annotated = Object.keys(annotations).length === 0 ? [] : burnRateAlerts;
  const texts = annotated.map(({ severity }) => [severity, { labels: {}, annotations }]);
  return {
    ...policy,
    name: severities === undefined ? policy.name : 'custom',
    burnRateAlerts,
    notifications: { alertname: name, bySeverity: Object.fromEntries(texts) },
  };
}
