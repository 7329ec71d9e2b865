import type { Slo, SloWindow } from '../../engine/slo.ts';
import type { Found } from '../found.ts';
import { ownerOf, runbookOf } from '../imported.ts';
import type { Part } from '../part.ts';
import { DEFAULTS } from '../sli.ts';
import { type Conditions, readAlerts, readConditions } from './alerting.ts';
import { type Catalogue, specOf } from './catalogue.ts';
import { type Indicator, readIndicator } from './indicator.ts';
import { type Objective, readCounting, readTarget, sliOf } from './objective.ts';
import type { OpenSloObject, Spec } from './schema.ts';
import { readTimeWindow } from './window.ts';

/** An object of kind SLO: an SLO for each of its objectives. */

type SloSpec = Spec<'SLO'>;
type Metadata = OpenSloObject['metadata'];
type Identity = Pick<Slo, 'service' | 'name' | 'description' | 'owner' | 'runbook' | 'labels'>;

/** What the objectives of an SLO have in common; null is what something is wrong with. */
interface Common {
  readonly slo: Part<OpenSloObject<'SLO'>>;
  readonly identity: Identity | null;
  readonly window: SloWindow | null;
  readonly sli: Part<Spec<'SLI'>> | null;
  readonly indicator: Indicator | null;
  readonly conditions: Conditions | null;
}

export function readSlo(slo: Part<OpenSloObject<'SLO'>>, catalogue: Catalogue): Found[] {
  const spec = slo.at('spec');
  if (spec === null) return [];
  const sli = findSli(spec, catalogue);
  const common = {
    slo,
    identity: slo.at('metadata')?.sound() && spec.get('service') !== null ? identify(slo, catalogue) : null,
    window: readTimeWindow(spec),
    sli,
    indicator: sli && readIndicator(sli, catalogue),
    conditions: readConditions(spec, catalogue),
  };
  const objectives = spec.at('objectives')?.items() ?? [];
  return objectives.flatMap(
    (objective, i) => readObjective(common, objective, objectives.length === 1 ? null : i) ?? [],
  );
}

/** An objective that has a number is one of several. */
function readObjective(common: Common, objective: Part<Objective>, number: number | null): Found | null {
  const { slo, identity, window, sli, indicator, conditions } = common;
  const method = slo.at('spec')!.get('budgetingMethod');
  if (!objective.sound() || method === null || !sli?.sound()) return null;
  const { part, ...target } = readTarget(objective);
  const counting = readCounting(objective, method, sli.at('thresholdMetric') === null ? 'events' : 'threshold');
  if (identity === null || window === null) return null;
  const name = number === null ? identity.name : `${identity.name}-${number}`;
  const id = `${identity.service}/${name}`;
  const alerts = conditions && readAlerts(conditions, { id, window, target: part, ...target });
  if (!slo.sound() || indicator === null || counting === null || alerts === null) return null;
  const { groupBy } = indicator;
  const sloOfObjective: Slo = {
    ...DEFAULTS,
    ...identity,
    ...target,
    ...counting,
    id,
    name,
    origin: 'openslo',
    window,
    groupBy,
    sli: sliOf(objective.value, indicator),
    alerts,
  };
  return { slo: sloOfObjective, document: slo.document, path: number === null ? [] : objective.path, keyed: false };
}

/** Labels, owner and runbook of the service are those of its SLOs that have none of their own. */
function identify(slo: Part<OpenSloObject<'SLO'>>, catalogue: Catalogue): Identity {
  const { metadata, spec } = slo.value;
  const service = catalogue.find('Service', spec.service)?.get('metadata') ?? null;
  if (service === null && catalogue.all('Service').length > 0)
    catalogue.note('Service', slo.at('spec')!.at('service')!);
  const [ownLabels, serviceLabels] = [textLabels(metadata), textLabels(service)];
  return {
    service: spec.service,
    name: metadata.name,
    description: spec.description ?? DEFAULTS.description,
    owner: ownerOf(ownLabels) || ownerOf(serviceLabels),
    runbook: runbookOf(metadata.annotations ?? {}) || runbookOf(service?.annotations ?? {}),
    labels: { ...serviceLabels, ...ownLabels },
  };
}

/** A label of several values has them with commas between. */
function textLabels(metadata: Metadata | null): Record<string, string> {
  const labels = Object.entries(metadata?.labels ?? {});
  return Object.fromEntries(labels.map(([name, values]) => [name, [values].flat().join(',')]));
}

function findSli(spec: Part<SloSpec>, catalogue: Catalogue): Part<Spec<'SLI'>> | null {
  if (isComposite(spec)) return null;
  const inline = spec.at('indicator');
  const reference = spec.at('indicatorRef');
  if ((inline === null) === (reference === null))
    return spec.error('must have exactly one of indicator or indicatorRef');
  return specOf('SLI', catalogue, inline, reference);
}

/** Whether its objectives have indicators of their own. */
function isComposite(spec: Part<SloSpec>): boolean {
  const parts = (spec.at('objectives')?.items() ?? []).map((part) => part.at('indicator') ?? part.at('indicatorRef'));
  const first = parts.find((part) => part !== null);
  first?.error(
    'an objective with an indicator of its own makes the SLO a composite one; write an SLO for each of them',
  );
  return first !== undefined;
}
