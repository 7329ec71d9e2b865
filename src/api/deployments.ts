import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { mapping, text } from '../definitions/schema.ts';
import { type Cost, LedgerCosts } from '../engine/impact.ts';
import { timeOfText } from '../engine/instant.ts';
import type { Group } from '../engine/ledger.ts';
import { longestPeriodMs } from '../engine/windows.ts';
import type { Deployment } from '../store/deployments.ts';
import type { AnswerSources } from './answer-sources.ts';
import { documentRoutes, readBody } from './document-body.ts';
import { count, onlyParameters, type QueryParameters, single } from './query.ts';

const PATH = '/api/v1/deployments';
const DEFAULT_LISTED = 20;
const LISTED_MAX = 200;

const DeploymentSchema = mapping({
  service: text('id'),
  version: text('line'),
  timestamp: Type.Optional(text('instant')),
  url: Type.Optional(text('line')),
});

/** As the API tells it; times are RFC 3339. */
interface DeploymentState {
  readonly id: number;
  readonly service: string;
  readonly version: string;
  readonly timestamp: string;
  readonly url: string | null;
}

/** What was burnt between a deploy and the next one, or now. */
interface DeploymentCost extends DeploymentState {
  readonly until: string;
  readonly slos: ({ readonly slo: string; readonly group?: Group } & Cost)[];
}

/** `/api/v1/deployments`: what was deployed when, and what each deploy burnt. */
export function deploymentRoutes(app: FastifyInstance, sources: AnswerSources): void {
  app.get(PATH, async (request): Promise<{ deployments: DeploymentCost[] }> => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['service', 'limit']);
    const limit = count(query, 'limit', LISTED_MAX) ?? DEFAULT_LISTED;
    const newest = sources.deployments.newest(single(query, 'service') ?? null, limit);
    return { deployments: await costsOf(sources, newest, sources.clock()) };
  });

  documentRoutes(app, (scope) => {
    scope.post(PATH, (request, reply): DeploymentState => {
      const { engine, deployments, clock } = sources;
      const nowMs = clock();
      const { service, version, timestamp, url } = readBody(DeploymentSchema, request, ({ document, value }) => {
        if (engine.slosOf(value.service).length === 0)
          document.error(['service'], `there is no service ${value.service}`);
        if (timeOf(value.timestamp, nowMs) > nowMs) document.error(['timestamp'], 'must not be in the future');
      });
      const deployment = { service, version, tMs: timeOf(timestamp, nowMs), url: url ?? null };
      reply.code(201);
      return stateOf(deployments.add(deployment, nowMs));
    });
  });
}

function timeOf(timestamp: string | undefined, nowMs: number): number {
  return timestamp === undefined ? nowMs : timeOfText(timestamp);
}

function stateOf({ id, service, version, tMs, url }: Deployment): DeploymentState {
  return { id, service, version, timestamp: new Date(tMs).toISOString(), url };
}

async function costsOf(
  { engine, history }: AnswerSources,
  listed: readonly Deployment[],
  nowMs: number,
): Promise<DeploymentCost[]> {
  const costs = listed.map((deployment) => ({
    ...stateOf(deployment),
    until: new Date(deployment.nextMs ?? nowMs).toISOString(),
    slos: [] as DeploymentCost['slos'],
  }));
  for (const service of new Set(listed.map((deployment) => deployment.service))) {
    const mine = costs.filter((cost) => cost.service === service);
    const oldestMs = Math.min(...mine.map(({ timestamp }) => Date.parse(timestamp)));
    for (const slo of engine.slosOf(service)) {
      // Reading history takes some milliseconds, between which others have their turn.
      await nextTurn();
      for (const { group, asOf } of engine.statesOf(slo.id, nowMs)!) {
        const { slots } = history.read(engine, slo.id, group ?? null, oldestMs - longestPeriodMs(slo.window), nowMs);
        const burnt = new LedgerCosts(slo, slots, asOf === null ? Number.NaN : Date.parse(asOf));
        for (const { timestamp, until, slos } of mine) {
          const cost = burnt.between(Date.parse(timestamp), Date.parse(until));
          slos.push({ slo: slo.id, ...(group !== undefined && { group }), ...cost });
        }
      }
    }
  }
  return costs;
}
