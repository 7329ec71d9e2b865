import { type Static, Type } from 'typebox';
import { DAY_MS, formatDuration } from '../../engine/duration.ts';
import type { SloWindow } from '../../engine/slo.ts';
import { namedPolicy } from '../alerts.ts';
import { ratioToPercent, restOfPercent } from '../decimal.ts';
import type { DefinitionDocument } from '../document.ts';
import type { Found } from '../found.ts';
import { ownerOf } from '../imported.ts';
import { Part } from '../part.ts';
import { readEventsQueries, type StreamedSli } from '../promql/streamed-sli.ts';
import { isFault } from '../promql/syntax.ts';
import { checkDocument, foreign, oneOf, text, textMap } from '../schema.ts';
import { DEFAULTS } from '../sli.ts';

/** `openslo/v1alpha` as Sloth reads it: ratios of two Prometheus queries over a number of days, and no alerts. */

const words = Type.Optional(Type.String());
const unread = Type.Optional(Type.Unknown());

const QuerySchema = foreign({
  source: oneOf('prometheus', 'sloth'),
  queryType: oneOf('promql'),
  query: Type.String(),
  metadata: unread,
});

const MetadataSchema = foreign({
  name: text('id'),
  displayName: words,
  labels: Type.Optional(textMap()),
  annotations: Type.Optional(textMap()),
});

const SloSchema = foreign({
  apiVersion: oneOf('openslo/v1alpha'),
  kind: oneOf('SLO'),
  metadata: MetadataSchema,
  spec: foreign({
    description: words,
    service: text('id'),
    indicator: unread,
    budgetingMethod: Type.Optional(oneOf('Occurrences')),
    timeWindows: Type.Array(
      foreign({
        count: Type.Integer({ minimum: 1, maximum: 400, range: 'between 1 and 400' }),
        unit: oneOf('Day'),
        isRolling: Type.Optional(Type.Boolean()),
        calendar: unread,
      }),
      { minItems: 1, maxItems: 1, range: 'a list of one window' },
    ),
    objectives: Type.Array(
      foreign({
        displayName: words,
        op: unread,
        value: unread,
        target: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1, range: 'between 0 and 1' }),
        ratioMetrics: foreign({ good: QuerySchema, total: QuerySchema, counter: unread, incremental: unread }),
      }),
      { minItems: 1 },
    ),
  }),
});
type Spec = Static<typeof SloSchema>['spec'];

const ServiceSchema = foreign({
  apiVersion: oneOf('openslo/v1alpha'),
  kind: oneOf('Service', 'SLO'),
  metadata: MetadataSchema,
  spec: unread,
});

export function readAlpha(document: DefinitionDocument): Found[] {
  const kind = document.at(['kind']);
  if (kind?.kind !== 'scalar' || kind.text !== 'SLO') {
    checkDocument(ServiceSchema, document);
    return [];
  }
  const slo = Part.whole(checkDocument(SloSchema, document));
  const spec = slo.at('spec');
  const window = spec && readWindow(spec);
  const objectives = spec?.at('objectives')?.items() ?? [];
  return objectives.flatMap((objective, i) => {
    const streamed = readRatio(objective);
    if (!slo.sound() || streamed === null || !window) return [];
    const { metadata, spec } = slo.value;
    const name = `${metadata.name}-${i}`;
    const found = {
      ...DEFAULTS,
      id: `${spec.service}/${name}`,
      service: spec.service,
      name,
      origin: 'openslo' as const,
      description: spec.description ?? DEFAULTS.description,
      labels: metadata.labels ?? {},
      owner: ownerOf(metadata.labels ?? {}),
      objective: objective.value.target,
      errorBudget: restOfPercent(ratioToPercent(objective.value.target)),
      window,
      groupBy: streamed.groupBy,
      sli: streamed.sli,
      alerts: namedPolicy('none', window),
    };
    return { slo: found, document, path: objective.path, keyed: false };
  });
}

function readWindow(spec: Part<Spec>): SloWindow | null {
  const [window] = spec.at('timeWindows')?.items() ?? [];
  if (!window?.sound()) return null;
  if (window.value.isRolling === false) {
    return window.at('isRolling')!.error('only rolling windows are read; write an openslo/v1 SLO for a calendar one');
  }
  const ms = window.value.count * DAY_MS;
  return { kind: 'rolling', duration: { text: formatDuration(ms), ms } };
}

function readRatio(objective: Part<Spec['objectives'][number]>): StreamedSli | null {
  const ratio = objective.at('ratioMetrics');
  if (!ratio?.sound()) return null;
  const [good, total] = [ratio.at('good')!.at('query')!, ratio.at('total')!.at('query')!];
  const read = readEventsQueries({ given: 'good', events: good.value, total: total.value }, 'sloth');
  return isFault(read) ? (read.query === 'events' ? good : total).error(read.message, read.at) : read;
}
