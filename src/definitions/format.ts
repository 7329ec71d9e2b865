import type { Mapping, Tree } from './document.ts';
import { SERVER_KEYS } from './server-file.ts';

/** Which format a document is of: told by what it says, never by the name of its file. */

export type Format =
  | 'native'
  | 'service-list'
  | 'sloth'
  | 'pyrra'
  | 'openslo'
  | 'server'
  | 'gate'
  | 'alerting'
  | 'scenario'
  | 'unknown';

export const UNKNOWN_FORMAT =
  "unknown format; known are the native one ('apiVersion: slipstream/v1'), the service list ('services:'), " +
  'the server file, gate policies, alerting files, Sloth, Pyrra and OpenSLO';

export function recognise(root: Tree): Format {
  return root.kind === 'mapping' ? (byVersion(root) ?? byKeys(root)) : 'unknown';
}

function byVersion(root: Mapping): Format | null {
  const version = scalar(root, 'apiVersion');
  const kind = scalar(root, 'kind');
  if (version.startsWith('slipstream/')) return 'native';
  if (/^openslo(?:\.com)?\//.test(version)) return 'openslo';
  if (version.startsWith('sloth.slok.dev/') || kind === 'PrometheusServiceLevel') return 'sloth';
  if (version.startsWith('pyrra.dev/') || (version === '' && kind === 'ServiceLevelObjective')) return 'pyrra';
  if (scalar(root, 'version') === 'prometheus/v1') return 'sloth';
  return version === '' ? null : 'unknown';
}

function byKeys({ entries }: Mapping): Format {
  const has = (...keys: string[]): boolean => keys.some((key) => entries.has(key));
  if (has('services')) return 'service-list';
  if (has('service') && entries.get('slos')?.value.kind === 'sequence') return 'native';
  if (has('tests') && has('definitions', 'evaluation_interval')) return 'scenario';
  if (has('checks', 'deploy_enabled', 'on_no_data')) return 'gate';
  if (has('route', 'receivers', 'alertmanagers')) return 'alerting';
  return has(...SERVER_KEYS) ? 'server' : 'unknown';
}

function scalar(root: Mapping, key: string): string {
  const value = root.entries.get(key)?.value;
  return value?.kind === 'scalar' ? value.text : '';
}
