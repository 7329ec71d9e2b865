import { type Static, type TSchema, Type } from 'typebox';
import { either, foreign, oneOf, text, textMap } from '../schema.ts';

/** What the objects of `openslo/v1` may say. What is of no use here is allowed and not looked at. */

const words = Type.Optional(Type.String());
const flag = Type.Optional(Type.Boolean());
const unread = Type.Optional(Type.Unknown());
const reference = Type.Optional(Type.String());
const operator = oneOf('lte', 'gte', 'lt', 'gt');

export const MetadataSchema = foreign({
  name: text('id', { advised: 'dnsLabel' }),
  displayName: words,
  labels: Type.Optional(
    Type.Unsafe<Record<string, string | string[]>>({
      type: 'object',
      propertyNames: { type: 'string', form: 'labelName' },
      additionalProperties: either('array', Type.Array(Type.String()), Type.String()),
    }),
  ),
  annotations: Type.Optional(textMap()),
});

/** What an object that stands in the place of a reference says beside its `spec`. */
function inline<K extends string>(kind: K) {
  return {
    apiVersion: Type.Optional(oneOf('openslo/v1')),
    kind: Type.Optional(oneOf(kind)),
    metadata: Type.Optional(MetadataSchema),
  };
}

const MetricSchema = foreign({
  metricSource: foreign({
    metricSourceRef: reference,
    type: words,
    spec: Type.Object({ query: words }),
  }),
});

const SliSpec = foreign(
  {
    description: words,
    thresholdMetric: Type.Optional(MetricSchema),
    ratioMetric: Type.Optional(
      foreign(
        {
          counter: flag,
          good: Type.Optional(MetricSchema),
          bad: Type.Optional(MetricSchema),
          total: Type.Optional(MetricSchema),
          rawType: Type.Optional(oneOf('success', 'failure')),
          raw: Type.Optional(MetricSchema),
        },
        { exactlyOneOf: ['good', 'bad', 'raw'] },
      ),
    ),
  },
  { exactlyOneOf: ['thresholdMetric', 'ratioMetric'] },
);

const ConditionSpec = foreign({
  description: words,
  severity: text('id'),
  condition: foreign({
    kind: oneOf('burnrate'),
    op: operator,
    threshold: Type.Number({ exclusiveMinimum: 0, range: 'above 0' }),
    lookbackWindow: text('shorthandAlertWindow'),
    alertAfter: Type.Optional(text('shorthand')),
  }),
});

const TargetSpec = foreign({ description: words, target: Type.String() });

const PolicySpec = foreign({
  description: words,
  alertWhenNoData: flag,
  alertWhenResolved: flag,
  alertWhenBreaching: flag,
  conditions: Type.Array(
    foreign(
      { conditionRef: reference, ...inline('AlertCondition'), spec: Type.Optional(ConditionSpec) },
      { exactlyOneOf: ['conditionRef', 'spec'] },
    ),
    { minItems: 1, maxItems: 1, range: 'a list of one condition' },
  ),
  notificationTargets: Type.Optional(
    Type.Array(
      foreign(
        { targetRef: reference, ...inline('AlertNotificationTarget'), spec: Type.Optional(TargetSpec) },
        { exactlyOneOf: ['targetRef', 'spec'] },
      ),
    ),
  ),
});

const ObjectiveSchema = foreign(
  {
    displayName: words,
    op: Type.Optional(operator),
    value: Type.Optional(Type.Number()),
    target: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, range: 'between 0 and 1 (percent: targetPercent)' }),
    ),
    targetPercent: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 100, range: 'between 0 and 100' }),
    ),
    timeSliceTarget: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1, range: 'above 0 and at most 1' })),
    timeSliceWindow: Type.Optional(text('shorthandSlice')),
    /** Of composite SLOs. */
    indicator: unread,
    indicatorRef: unread,
    compositeWeight: unread,
  },
  { exactlyOneOf: ['target', 'targetPercent'] },
);

const SloSpec = foreign({
  description: words,
  service: text('id'),
  indicator: Type.Optional(foreign({ ...inline('SLI'), spec: SliSpec })),
  indicatorRef: reference,
  timeWindow: Type.Optional(
    Type.Array(
      foreign({
        duration: text('shorthand'),
        isRolling: flag,
        calendar: Type.Optional(foreign({ startTime: Type.String(), timeZone: text('timeZone') })),
      }),
      { maxItems: 1, range: 'a list of one window' },
    ),
  ),
  budgetingMethod: oneOf('Occurrences', 'Timeslices', 'RatioTimeslices'),
  objectives: Type.Array(ObjectiveSchema, { minItems: 1 }),
  alertPolicies: Type.Optional(
    Type.Array(
      foreign(
        { alertPolicyRef: reference, ...inline('AlertPolicy'), spec: Type.Optional(PolicySpec) },
        { exactlyOneOf: ['alertPolicyRef', 'spec'] },
      ),
    ),
  ),
});

const SPECS = {
  Service: Type.Optional(foreign({ description: words })),
  SLO: SloSpec,
  SLI: SliSpec,
  DataSource: foreign({ description: words, type: Type.String(), connectionDetails: unread }),
  AlertPolicy: PolicySpec,
  AlertCondition: ConditionSpec,
  AlertNotificationTarget: TargetSpec,
};

export type Kind = keyof typeof SPECS;
export const KINDS = Object.keys(SPECS) as readonly Kind[];

export type Spec<K extends Kind> = Static<(typeof SPECS)[K]>;

export interface OpenSloObject<K extends Kind = Kind> {
  readonly metadata: Static<typeof MetadataSchema>;
  readonly spec: Spec<K>;
}

export const OBJECTS = Object.fromEntries(
  KINDS.map((kind) => [
    kind,
    foreign({ apiVersion: oneOf('openslo/v1'), kind: oneOf(kind), metadata: MetadataSchema, spec: SPECS[kind] }),
  ]),
) as Record<string, TSchema> as Readonly<Record<Kind, TSchema>>;
