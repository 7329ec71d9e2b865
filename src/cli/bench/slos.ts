import { COUNTED, type Fleet, HANDLERS, jobOf, TARGETS_PER_SERVICE } from './fleet.ts';

/** SLOs of the fleet's services: definitions for the server to load, and the events that it should then have counted. */

/** Of each service: the whole of it, and each of its handlers. */
const SCOPES = [null, ...HANDLERS.keys()];
const KINDS = ['availability', 'latency'] as const;
export const SLOS_PER_SERVICE = SCOPES.length * KINDS.length;

/** Percent; the fleet keeps them, so that nobody is paged. */
const OBJECTIVES = { availability: 99.5, latency: 95 } as const;

const COUNTED_PER_HANDLER = Object.keys(COUNTED).length;

export interface BenchSlo {
  readonly id: string;
  readonly serviceIndex: number;
  readonly name: string;
  readonly kind: (typeof KINDS)[number];
  /** Null is all of them. */
  readonly handler: number | null;
}

export interface Events {
  readonly good: number;
  readonly total: number;
}

/** So many SLOs, spread over the services: each has its first before one has its second. */
export function benchSlos(count: number, serviceCount: number): BenchSlo[] {
  return Array.from({ length: count }, (_, i) => {
    const serviceIndex = i % serviceCount;
    const number = Math.floor(i / serviceCount);
    const kind = KINDS[number % KINDS.length]!;
    const handler = SCOPES[Math.floor(number / KINDS.length)]!;
    const name = handler === null ? kind : `${kind}-${handler + 1}`;
    return { id: `${serviceOf(serviceIndex)}/${name}`, serviceIndex, name, kind, handler };
  });
}

function serviceOf(serviceIndex: number): string {
  return `bench-service-${serviceIndex}`;
}

/** A native definition file. */
export function definitionsOf(slos: readonly BenchSlo[]): string {
  const services = [...new Set(slos.map(({ serviceIndex }) => serviceIndex))];
  const documents = services.map((index) =>
    documentOf(
      index,
      slos.filter((slo) => slo.serviceIndex === index),
    ),
  );
  return documents.join('---\n');
}

function documentOf(serviceIndex: number, slos: readonly BenchSlo[]): string {
  const lines = ['apiVersion: slipstream/v1', `service: ${serviceOf(serviceIndex)}`, 'slos:'];
  for (const { name, kind, handler } of slos) {
    const selected = `job="${jobOf(serviceIndex)}"${handler === null ? '' : `,handler="${HANDLERS[handler]}"`}`;
    const total = `http_requests_total{${selected}}`;
    const bad = `http_requests_total{${selected},code=~"5.."}`;
    const sli =
      kind === 'availability'
        ? `events: {total: '${total}', bad: '${bad}'}`
        : `latency: {histogram: 'http_request_duration_seconds{${selected}}', threshold: 1s}`;
    lines.push(`  - {name: ${name}, objective: ${OBJECTIVES[kind]}, window: 30d, sli: {${sli}}}`);
  }
  return `${lines.join('\n')}\n`;
}

/** What an SLO has to count of what the fleet counted. */
export function eventsOf({ serviceIndex, kind, handler }: BenchSlo, { counted }: Fleet): Events {
  let good = 0;
  let total = 0;
  const handlers = handler === null ? [...HANDLERS.keys()] : [handler];
  for (const each of handlers) {
    const first = (serviceIndex * HANDLERS.length + each) * COUNTED_PER_HANDLER;
    if (kind === 'availability') {
      total += counted[first + COUNTED.requests]!;
      good += counted[first + COUNTED.requests]! - counted[first + COUNTED.failed]!;
    } else {
      total += counted[first + COUNTED.observed]!;
      good += counted[first + COUNTED.fast]!;
    }
  }
  return { good, total };
}

/** When the last of a service's targets was scraped. */
export function lastScrapeMs(serviceIndex: number, { timesMs }: Fleet): number {
  return Math.max(...timesMs.subarray(serviceIndex * TARGETS_PER_SERVICE, (serviceIndex + 1) * TARGETS_PER_SERVICE));
}
