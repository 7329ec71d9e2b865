import type { Route } from '../engine/alerting.ts';
import type { Matcher } from '../engine/slo.ts';
import type { Labels } from '../store/alert-log.ts';

/** The routing tree, as in Alertmanager: an alert goes to the deepest routes that match it. */

/** A route and how it is known over restarts: by the matchers that lead to it. */
export interface RoutePath {
  readonly route: Route;
  readonly path: string;
}

export function matchesAll(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every((matcher) => matcher.matches(labels[matcher.name] ?? ''));
}

/** The routes that an alert with these labels goes to; the root takes what no other wants. */
export function routesOf(root: Route, labels: Labels): RoutePath[] {
  return walk(root, labels, '');
}

function walk(route: Route, labels: Labels, parent: string): RoutePath[] {
  if (!matchesAll(route.matchers, labels)) return [];
  const path = `${parent}${parent === '' ? '' : '/'}{${route.matchers.map(matcherText).join(',')}}`;
  const found: RoutePath[] = [];
  for (const child of route.routes) {
    const deeper = walk(child, labels, path);
    found.push(...deeper);
    if (deeper.length > 0 && !child.continue) break;
  }
  return found.length > 0 ? found : [{ route, path }];
}

function matcherText({ name, op, value }: Matcher): string {
  return `${name}${op}${JSON.stringify(value)}`;
}

/** The labels by which a route puts alerts together. */
export function groupLabelsOf({ groupBy }: Route, labels: Labels): Labels {
  const names = groupBy.includes('...') ? Object.keys(labels) : groupBy;
  return Object.fromEntries(
    [...names].sort().flatMap((name) => (labels[name] === undefined ? [] : [[name, labels[name]!]])),
  );
}

/** `{}/{severity="page"}:{service="checkout", slo="availability"}`, as Alertmanager writes it. */
export function groupKey(path: string, labels: Labels): string {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${path}:{${texts.join(', ')}}`;
}
