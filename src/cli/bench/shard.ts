import { type Fleet, SERIES_PER_TARGET } from './fleet.ts';
import { type Protocol, templateOf } from './protocols.ts';
import { random } from './random.ts';
import type { Template } from './template.ts';

/**
 * What one connection sends: always the same series, so that the samples of each arrive in the order of their times, as
 * Prometheus sees to with its own shards.
 */

/**
 * In which order the series come: `friendly` as scraped, each target in one shard; `sharded` as scraped, each series in a
 * shard by its hash, as one Prometheus with several shards sends; `shuffled` without any order.
 */
export const ORDERS = ['friendly', 'sharded', 'shuffled'] as const;
export type Order = (typeof ORDERS)[number];

export interface ShardOptions {
  readonly protocol: Protocol;
  readonly order: Order;
  readonly samplesPerRequest: number;
  readonly seed: number;
}

/** Rounds take turns between so many orders, so that nobody can learn one by heart. */
const VARIANTS = 2;

interface Request {
  readonly series: Uint32Array;
  template: Template;
  /** Sum of its targets' generations: another one when a target was replaced. */
  generation: number;
}

export class Shard {
  readonly #fleet: Fleet;
  readonly #protocol: Protocol;
  /** By variant. */
  readonly #requests: readonly (readonly Request[])[];

  /** `plans`: for each variant the series of each request. */
  constructor(fleet: Fleet, protocol: Protocol, plans: readonly (readonly Uint32Array[])[]) {
    this.#fleet = fleet;
    this.#protocol = protocol;
    this.#requests = plans.map((plan) =>
      plan.map((series) => {
        const template = templateOf(fleet, protocol, series);
        return { series, template, generation: this.#generationOf(template) };
      }),
    );
  }

  requests(round: number): number {
    return this.#variant(round).length;
  }

  /** Scrapes what the request is about. */
  template(round: number, index: number, timeMs: number): Template {
    const request = this.#variant(round)[index]!;
    for (const target of request.template.targets) this.#fleet.scrape(target, round, timeMs);
    const generation = this.#generationOf(request.template);
    if (generation !== request.generation) {
      request.template = templateOf(this.#fleet, this.#protocol, request.series);
      request.generation = generation;
    }
    return request.template;
  }

  #variant(round: number): readonly Request[] {
    return this.#requests[round % VARIANTS]!;
  }

  #generationOf({ targets }: Template): number {
    return targets.reduce((sum, target) => sum + this.#fleet.generations[target]!, 0);
  }
}

/** The whole fleet in so many shards. */
export function shardsOf(fleet: Fleet, count: number, options: ShardOptions): Shard[] {
  const next = random(options.seed + 1);
  const plans: Uint32Array[][][] = Array.from({ length: count }, () => []);
  for (let variant = 0; variant < VARIANTS; variant++) {
    const targets = fleet.scrapeOrder();
    plans.forEach((plan, shard) => {
      plan.push(chunks(seriesOf(targets, shard, count, options, next), options));
    });
  }
  return plans.map((plan) => new Shard(fleet, options.protocol, plan));
}

/** The series of one shard, in the order in which they are sent. OTLP takes whole targets. */
function seriesOf(
  targets: readonly number[],
  shard: number,
  count: number,
  { order, protocol }: ShardOptions,
  next: () => number,
): number[] {
  const seriesOfTarget = (target: number) =>
    Array.from({ length: SERIES_PER_TARGET }, (_, shape) => target * SERIES_PER_TARGET + shape);
  if (order === 'sharded' && protocol !== 'otlp')
    return targets.flatMap((target) => seriesOfTarget(target).filter((series) => hash(series) % count === shard));
  const own = targets.filter((target) => target % count === shard);
  if (order !== 'shuffled') return own.flatMap(seriesOfTarget);
  return protocol === 'otlp'
    ? shuffled(own, next).flatMap(seriesOfTarget)
    : shuffled(own.flatMap(seriesOfTarget), next);
}

function hash(series: number): number {
  return Math.imul(series, 0x9e3779b1) >>> 16;
}

function shuffled(list: number[], next: () => number): number[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}

function chunks(series: readonly number[], { protocol, samplesPerRequest }: ShardOptions): Uint32Array[] {
  const targets = Math.max(Math.round(samplesPerRequest / SERIES_PER_TARGET), 1);
  const size = protocol === 'otlp' ? targets * SERIES_PER_TARGET : samplesPerRequest;
  const parts: Uint32Array[] = [];
  for (let at = 0; at < series.length; at += size) parts.push(Uint32Array.from(series.slice(at, at + size)));
  return parts;
}
