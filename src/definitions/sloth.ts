import { type Static, Type } from 'typebox';
import { formatDuration } from '../engine/duration.ts';
import type { AlertPolicy, NotificationTexts, SloWindow } from '../engine/slo.ts';
import { DEFAULT_POLICY, impossibleAlerts, namedPolicy } from './alerts.ts';
import { percentToRatio, restOfPercent } from './decimal.ts';
import type { DefinitionDocument } from './document.ts';
import type { Found } from './found.ts';
import { KubernetesMetadata, ownerOf, runbookOf } from './imported.ts';
import { Part } from './part.ts';
import { readEventsQueries, readRatioQuery, type StreamedSli, totalFault } from './promql/streamed-sli.ts';
import { isFault } from './promql/syntax.ts';
import { checkDocument, foreign, oneOf, text, textMap } from './schema.ts';
import { DEFAULTS } from './sli.ts';
import { ALERT_WINDOWS, readAlertWindows } from './sloth-windows.ts';

/**
 * Sloth's `version: prometheus/v1` and its Kubernetes twin, `kind: PrometheusServiceLevel`. They say the same in two spellings:
 * keys are named here as in Kubernetes.
 */

type Spelling = <K extends string>(key: K) => K;
const camelCase: Spelling = (key) => key;
const snakeCase: Spelling = (key) => key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) as typeof key;

const words = Type.Optional(Type.String());
const texts = Type.Optional(textMap({ minLength: 1, range: 'some text' }));
const anything = Type.Optional(Type.Unknown());

/** The fields of a service, at the top of the file or in the `spec` of the Kubernetes object. */
function serviceFields(spelled: Spelling) {
  const query = Type.String();
  const alert = Type.Optional(foreign({ disable: Type.Optional(Type.Boolean()), labels: texts, annotations: texts }));
  const sli = {
    events: Type.Optional(foreign({ [spelled('errorQuery')]: query, [spelled('totalQuery')]: query })),
    raw: Type.Optional(foreign({ [spelled('errorRatioQuery')]: query })),
    plugin: Type.Optional(Type.Unknown()),
  };
  const slo = foreign({
    name: text('slothName'),
    description: words,
    objective: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 100, range: 'between 0 and 100' }),
    labels: texts,
    plugins: anything,
    sli: foreign(sli, { exactlyOneOf: Object.keys(sli) }),
    alerting: Type.Optional(
      foreign({
        name: words,
        labels: texts,
        annotations: texts,
        [spelled('pageAlert')]: alert,
        [spelled('ticketAlert')]: alert,
      }),
    ),
  });
  return {
    service: text('slothName'),
    labels: texts,
    [spelled('sloPlugins')]: anything,
    slos: Type.Array(slo, { minItems: 1 }),
  };
}

const FileSchema = foreign({ version: oneOf('prometheus/v1'), ...serviceFields(snakeCase) });
const KubernetesSchema = foreign({
  apiVersion: oneOf('sloth.slok.dev/v1'),
  kind: oneOf('PrometheusServiceLevel', ALERT_WINDOWS),
  metadata: KubernetesMetadata,
  spec: foreign(serviceFields(camelCase)),
  status: anything,
});

type Service = Static<typeof KubernetesSchema>['spec'];
type SloDefinition = Service['slos'][number];

/** All Sloth documents; the period is the window of their SLOs, which they do not say. */
export function readSloth(documents: readonly DefinitionDocument[], periodMs: number): Found[] {
  const window: SloWindow = { kind: 'rolling', duration: { text: formatDuration(periodMs), ms: periodMs } };
  const isTable = ({ root }: DefinitionDocument): boolean => kindOf(root) === ALERT_WINDOWS;
  const tables = readAlertWindows(documents.filter(isTable));
  const policy = tables.get(periodMs) ?? namedPolicy(DEFAULT_POLICY, window);
  return documents
    .filter((document) => !isTable(document))
    .flatMap((document) => readServiceLevels(document, window, policy));
}

function kindOf(root: DefinitionDocument['root']): string {
  const kind = root.kind === 'mapping' ? root.entries.get('kind')?.value : undefined;
  return kind?.kind === 'scalar' ? kind.text : '';
}

function readServiceLevels(document: DefinitionDocument, window: SloWindow, policy: AlertPolicy): Found[] {
  const isFile = document.at(['version']) !== null;
  const service = isFile
    ? Part.whole(checkDocument(FileSchema, document))
    : Part.whole(checkDocument(KubernetesSchema, document)).at('spec');
  if (service === null) return [];
  const reader = new ServiceReader(service, isFile ? snakeCase : camelCase, window, policy);
  return (service.at('slos')?.items() ?? []).flatMap((slo) => reader.slo(slo) ?? []);
}

class ServiceReader {
  readonly #service: Part<Service>;
  readonly #spelled: Spelling;
  readonly #window: SloWindow;
  readonly #policy: AlertPolicy;

  constructor(service: Part<Service>, spelled: Spelling, window: SloWindow, policy: AlertPolicy) {
    this.#service = service;
    this.#spelled = spelled;
    this.#window = window;
    this.#policy = policy;
    const plugins = service.at(spelled('sloPlugins'));
    if (plugins !== null) warnOfPlugins(plugins);
  }

  /** One SLO; null when something is wrong with it. */
  slo(definition: Part<SloDefinition>): Found | null {
    if (definition.document.at(definition.path)?.kind !== 'mapping') return null;
    const plugins = definition.at('plugins');
    if (plugins !== null) warnOfPlugins(plugins);
    const streamed = this.#sli(definition);
    const alerts = this.#alerts(definition);
    const service = this.#service.get('service');
    if (streamed === null || alerts === null || service === null || !definition.sound()) return null;
    const { name, description, objective } = definition.value;
    const labels = { ...this.#service.get('labels'), ...definition.value.labels };
    const slo = {
      ...DEFAULTS,
      id: `${service}/${name}`,
      service,
      name,
      origin: 'sloth' as const,
      description: description ?? DEFAULTS.description,
      owner: ownerOf(labels),
      runbook: this.#runbook(definition.value),
      labels,
      objective: percentToRatio(objective),
      errorBudget: restOfPercent(objective),
      window: this.#window,
      ...streamed,
      alerts,
    };
    return { slo, document: definition.document, path: definition.path, keyed: false };
  }

  #sli(definition: Part<SloDefinition>): StreamedSli | null {
    const sli = definition.at('sli');
    const plugin = sli?.at('plugin');
    if (plugin)
      return plugin.error('an SLI plugin is Go code that makes a query; write the query itself as raw or events');
    if (!sli?.sound()) return null;
    const raw = sli.at('raw')?.at(this.#spelled('errorRatioQuery'));
    if (raw) {
      const read = readRatioQuery('bad', raw.value, 'sloth');
      return isFault(read) ? raw.error(read.message, read.at) : read;
    }
    const events = sli.at('events')?.at(this.#spelled('errorQuery'));
    const total = sli.at('events')?.at(this.#spelled('totalQuery'));
    if (!events || !total) return null;
    const read = readEventsQueries({ given: 'bad', events: events.value, total: total.value }, 'sloth');
    if (!isFault(read)) return read;
    const ofTotal = totalFault(total.value, 'sloth');
    if (ofTotal !== null) total.error(ofTotal.message, ofTotal.at);
    return read.query === 'events' ? events.error(read.message, read.at) : null;
  }

  #alerts(definition: Part<SloDefinition>): AlertPolicy | null {
    const alerting = definition.at('alerting');
    if (alerting !== null && !alerting.sound()) return null;
    const { name, labels, annotations, ...others } = alerting?.value ?? {};
    const bySeverity = { page: others[this.#spelled('pageAlert')], ticket: others[this.#spelled('ticketAlert')] };
    const enabled = (severity: string): boolean => !bySeverity[severity as keyof typeof bySeverity]?.disable;
    const burnRateAlerts = this.#policy.burnRateAlerts.filter(({ severity }) => enabled(severity));
    if (burnRateAlerts.length === 0) return namedPolicy('none', this.#window);
    if (!name) {
      const why = 'is required unless both alerts are disabled';
      return alerting === null ? definition.missing('alerting', why) : alerting.missing('name', why);
    }
    const texts = Object.entries(bySeverity)
      .filter(([severity]) => enabled(severity))
      .map(([severity, own]): [string, NotificationTexts] => [
        severity,
        { labels: { ...labels, ...own?.labels }, annotations: { ...annotations, ...own?.annotations } },
      ]);
    const isWhole = burnRateAlerts.length === this.#policy.burnRateAlerts.length;
    const policy = {
      ...this.#policy,
      name: isWhole ? this.#policy.name : 'custom',
      burnRateAlerts,
      notifications: { alertname: name, bySeverity: Object.fromEntries(texts) },
    };
    const objective = definition.at('objective');
    const impossible = objective?.sound() ? impossibleAlerts(policy, restOfPercent(objective.value)) : null;
    if (impossible !== null) objective!.warning(impossible);
    return policy;
  }

  #runbook({ alerting }: SloDefinition): string {
    const alerts = [alerting, alerting?.[this.#spelled('pageAlert')], alerting?.[this.#spelled('ticketAlert')]];
    return alerts.map((one) => runbookOf(one?.annotations ?? {})).find((runbook) => runbook !== '') ?? DEFAULTS.runbook;
  }
}

function warnOfPlugins(plugins: Part<unknown>): void {
  plugins.warning('plugins change the rules that Sloth writes; here there are no rules, and they are not run');
}
