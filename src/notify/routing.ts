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
  for (const [i, child] of route.routes.entries()) {
    const deeper = walk(child, labels, path);
    // Two routes with the same matchers and another receiver are two groups.
    found.push(
      ...deeper.map((one) => ({
        ...one,
        path: deeper.length > 0 && isRepeated(route, i) ? `${one.path}#${i}` : one.path,
      })),
    );
    if (deeper.length > 0 && !child.continue) break;
  }
  return found.length > 0 ? found : [{ route, path }];
}

function isRepeated({ routes }: Route, i: number): boolean {
  const text = (route: Route): string => route.matchers.map(matcherText).join(',');
  return routes.slice(0, i).some((route) => text(route) === text(routes[i]!));
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
