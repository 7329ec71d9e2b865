import type { FastifyInstance } from 'fastify';
import type { Notifier } from '../notify/notifier.ts';
import type { ActionRecord, Actions } from '../store/actions.ts';
import type { AlertLog, AlertRecord, Told } from '../store/alert-log.ts';
import { apiError } from './errors.ts';
import type { Intake } from './intake.ts';
import type { Live } from './live.ts';
import { count, onlyParameters, type QueryParameters, single, timeParameter } from './query.ts';

export interface AlertRoutesOptions {
  readonly intake: Intake;
  readonly notifier: Notifier;
  readonly live: Live;
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
  const { intake, notifier, live, log, actions, clock } = options;

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
    if (slo !== null && live.current.engine.slo(slo) === null) throw apiError('slo_not_found', { id: slo });
    const filter = {
      slo,
      fromMs: timeParameter(query, 'from') ?? 0,
      toMs: timeParameter(query, 'to') ?? clock(),
      limit: count(query, 'limit', ENTRIES_MAX) ?? ENTRIES_DEFAULT,
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
    return { remediations: actions.recent(count(query, 'limit', ENTRIES_MAX) ?? ENTRIES_DEFAULT).map(actionJson) };
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
