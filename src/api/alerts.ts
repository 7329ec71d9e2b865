import type { FastifyInstance } from 'fastify';
import type { Engine } from '../engine/engine.ts';
import type { Notifier } from '../notify/notifier.ts';
import type { ActionRecord, Actions } from '../store/actions.ts';
import type { AlertLog, AlertRecord, Told } from '../store/alert-log.ts';
import { apiError } from './errors.ts';
import { timeParameter } from './history.ts';
import type { Intake } from './intake.ts';
import { limitParameter, onlyParameters, type QueryParameters, single } from './query.ts';

export interface AlertRoutesOptions {
  readonly intake: Intake;
  readonly notifier: Notifier;
  readonly engine: Engine;
  readonly log: AlertLog;
  readonly actions: Actions;
  readonly clock: () => number;
}

/** As Prometheus answers `GET /api/v1/alerts`. */
interface PrometheusAlerts {
  readonly status: 'success';
  readonly data: {
    readonly alerts: {
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
      readonly state: 'pending' | 'firing';
      readonly activeAt: string;
      readonly value: string;
    }[];
  };
}

const ENTRIES_DEFAULT = 100;
const ENTRIES_MAX = 10_000;

/** `GET /api/v1/alerts`, `/api/v1/alerts/history` and `/api/v1/remediations`. */
export function alertRoutes(app: FastifyInstance, options: AlertRoutesOptions): void {
  const { intake, notifier, engine, log, actions, clock } = options;

  app.get('/api/v1/alerts', (request): PrometheusAlerts => {
    onlyParameters(request.query as QueryParameters, []);
    intake.checkPhase();
    const alerts = notifier.active().map(({ tracked: { record }, notice: { labels, annotations } }) => ({
      labels,
      annotations,
      state: record.state as 'pending' | 'firing',
      activeAt: new Date(record.sinceMs).toISOString(),
      value: annotations['burn_rate_long'] ?? annotations['error_budget_remaining'] ?? '1',
    }));
    return { status: 'success', data: { alerts } };
  });

  app.get('/api/v1/alerts/history', (request) => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['slo', 'from', 'to', 'limit']);
    intake.checkPhase();
    const slo = single(query, 'slo') ?? null;
    if (slo !== null && !engine.slos.some(({ id }) => id === slo)) throw apiError('slo_not_found', { id: slo });
    const filter = {
      slo,
      fromMs: timeParameter(query, 'from') ?? 0,
      toMs: timeParameter(query, 'to') ?? clock(),
      limit: limitParameter(query, ENTRIES_DEFAULT, ENTRIES_MAX),
    };
    const mutings = notifier.mutings();
    return {
      alerts: log.history(filter).map((record) => ({
        ...alertJson(record),
        muted: record.state === 'firing' ? mutings.of(record) : null,
        notifications: log.told(record.id).map(toldJson),
      })),
    };
  });

  app.get('/api/v1/remediations', (request) => {
    const query = request.query as QueryParameters;
    onlyParameters(query, ['limit']);
    intake.checkPhase();
    return { remediations: actions.recent(limitParameter(query, ENTRIES_DEFAULT, ENTRIES_MAX)).map(actionJson) };
  });
}

function alertJson(record: AlertRecord): object {
  const { id, sloId, group, name, severity, state, sinceMs, firedAtMs, endedAtMs, labels, annotations } = record;
  return {
    id,
    slo: sloId,
    ...(group !== null && { group }),
    alert: name,
    severity,
    state,
    since: new Date(sinceMs).toISOString(),
    firedAt: timeText(firedAtMs),
    resolvedAt: timeText(endedAtMs),
    labels,
    annotations,
  };
}

function toldJson({ receiver, status, outcome, firstMs, lastMs, times }: Told): object {
  return { receiver, status, outcome, first: timeText(firstMs), last: timeText(lastMs), times };
}

function actionJson(record: ActionRecord): object {
  const { id, remediation, sloId, group, reason, isDryRun, startedMs, endedMs, outcome, finishedMs } = record;
  return {
    id,
    remediation,
    slo: sloId,
    ...(group !== null && { group }),
    reason,
    dryRun: isDryRun,
    startedAt: timeText(startedMs),
    endedAt: timeText(endedMs),
    outcome,
    finishedAt: timeText(finishedMs),
  };
}

function timeText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
