import type { ActiveAlert } from '../engine/alert.ts';
import type { Engine } from '../engine/engine.ts';
import { groupText } from '../engine/history-minutes.ts';
import type { Group } from '../engine/ledger.ts';
import type { AlertLog, AlertRecord, Labels } from '../store/alert-log.ts';
import { alertAnnotations, alertLabels, NO_DATA, type Notice, noDataAnnotations, noticeOf, sloLink } from './notice.ts';

/**
 * Which alerts there are, on record.
 *
 * The record is compared with the engine at every tick, instead of being told of transitions: whatever was lost between the two,
 * because the process died or the disk was full, is noticed at the next tick, and nothing is noticed twice.
 */

export interface TrackerOptions {
  readonly log: AlertLog;
  readonly externalUrl: string;
  readonly staleAfterMs: number;
  readonly noDataSeverity: string | null;
  /** When this process first looked at each SLO: before `stale_after` has passed nobody can say that it is silent. */
  readonly seenSinceMs: Map<string, number>;
}

/** An alert on record that is not over, and what the engine knows of it: nothing of `no-data`, which the engine has no alert for. */
export interface Tracked {
  readonly record: AlertRecord;
  readonly live: ActiveAlert | null;
}

/** What one tick changes. */
interface Changes {
  readonly added: readonly { readonly key: string; readonly record: Omit<AlertRecord, 'id'> }[];
  readonly updated: readonly { readonly key: string; readonly record: AlertRecord }[];
  readonly removed: readonly { readonly key: string; readonly record: AlertRecord }[];
}

interface Candidate {
  readonly alert: Omit<ActiveAlert, 'isFrozen'>;
  readonly annotations: () => Labels;
}

export class AlertTracker {
  readonly #options: TrackerOptions;
  readonly #records = new Map<string, AlertRecord>();
  #live = new Map<string, ActiveAlert>();

  constructor(options: TrackerOptions) {
    this.#options = options;
    for (const record of options.log.active()) this.#records.set(keyOf(record), record);
  }

  /** Pending and firing ones. */
  get active(): Tracked[] {
    return [...this.#records].map(([key, record]) => ({ record, live: this.#live.get(key) ?? null }));
  }

  /** Brings the record up to the engine and tells whether it changed; to be called within a transaction. When that fails this tracker is of no more use. */
  write(engine: Engine, nowMs: number): boolean {
    const live = new Map<string, ActiveAlert>();
    const candidates = new Map<string, Candidate>();
    for (const alert of engine.activeAlerts()) {
      const key = keyOf({ sloId: alert.slo.id, group: alert.group, name: alert.name });
      live.set(key, alert);
      candidates.set(key, { alert, annotations: () => this.#annotations(engine, alert, nowMs) });
    }
    for (const candidate of this.#silent(engine, nowMs)) {
      candidates.set(keyOf({ sloId: candidate.alert.slo.id, group: null, name: NO_DATA }), candidate);
    }
    const changes = this.#changes(candidates, nowMs);
    const { log } = this.#options;
    for (const { record } of changes.removed) {
      if (record.state === 'pending') log.remove(record.id);
      else log.update({ ...record, state: 'resolved', endedAtMs: nowMs });
    }
    for (const { record } of changes.updated) log.update(record);
    const added = changes.added.map(({ key, record }) => ({ key, record: { ...record, id: log.add(record) } }));
    this.#live = live;
    for (const { key } of changes.removed) this.#records.delete(key);
    for (const { key, record } of [...changes.updated, ...added]) this.#records.set(key, record);
    return changes.added.length + changes.updated.length + changes.removed.length > 0;
  }

  #annotations(engine: Engine, alert: ActiveAlert, nowMs: number): Labels {
    const { slo, group } = alert;
    return alertAnnotations(alert, engine.state(slo.id, nowMs, group)!, sloLink(this.#options.externalUrl, slo.id));
  }

  #changes(candidates: ReadonlyMap<string, Candidate>, nowMs: number): Changes {
    const added: { key: string; record: Omit<AlertRecord, 'id'> }[] = [];
    const updated: { key: string; record: AlertRecord }[] = [];
    const removed: { key: string; record: AlertRecord }[] = [];
    for (const [key, record] of this.#records) {
      const state = candidates.get(key)?.alert.state;
      // One that was firing and is pending again was over in between.
      if (state === undefined || (record.state === 'firing' && state === 'pending')) removed.push({ key, record });
    }
    for (const [key, { alert, annotations }] of candidates) {
      const { state, sinceMs } = alert;
      const record = this.#records.get(key);
      const firedAtMs = state === 'firing' ? nowMs : null;
      if (record === undefined || (record.state === 'firing' && state === 'pending')) {
        const { slo, group, name, severity } = alert;
        const who = { sloId: slo.id, group, name, severity, labels: alertLabels(alert) };
        const link = sloLink(this.#options.externalUrl, slo.id);
        const times = { state, sinceMs, firedAtMs, endedAtMs: null };
        added.push({ key, record: { ...who, ...times, annotations: annotations(), link } });
      } else if (record.state !== state || (state === 'pending' && record.sinceMs !== sinceMs)) {
        updated.push({ key, record: { ...record, state, sinceMs, firedAtMs, annotations: annotations() } });
      }
    }
    return { added, updated, removed };
  }

  /** The SLOs of which nothing is heard. One whose sender is catching up is neither silent nor heard. */
  *#silent(engine: Engine, nowMs: number): Iterable<Candidate> {
    const { noDataSeverity: severity, staleAfterMs, externalUrl, seenSinceMs: seen } = this.#options;
    if (severity === null) return;
    for (const slo of engine.slos) {
      // Jobs push when they run.
      if (slo.sli.kind === 'push' || slo.alerts.name === 'none') continue;
      const seenSinceMs = seen.get(slo.id) ?? nowMs;
      seen.set(slo.id, seenSinceMs);
      const { hasData, movedAtMs } = engine.reception(slo, nowMs);
      if (hasData) continue;
      const record = this.#records.get(keyOf({ sloId: slo.id, group: null, name: NO_DATA }));
      const heardMs = Number.isNaN(movedAtMs) ? seenSinceMs : Math.max(movedAtMs, seenSinceMs);
      if (record === undefined && nowMs - heardMs <= staleAfterMs) continue;
      const alert = { slo, group: null, name: NO_DATA, severity, rule: null, state: 'firing', sinceMs: nowMs } as const;
      yield {
        alert,
        annotations: () => noDataAnnotations(slo, asOfText(movedAtMs), sloLink(externalUrl, slo.id)),
      };
    }
  }

  /** As it stands now: what the engine knows of it says how bad it is at the moment. */
  notice({ record, live }: Tracked, engine: Engine, nowMs: number): Notice {
    // Between a reload and the next tick an alert may be of an SLO that went away.
    const state = live === null ? null : engine.state(live.slo.id, nowMs, live.group);
    if (live === null || state === null) return noticeOf(record);
    return noticeOf(record, alertAnnotations(live, state, record.link));
  }
}

function asOfText(ms: number): string | null {
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
}

function keyOf({ sloId, group, name }: { sloId: string; group: Group | null; name: string }): string {
  return [sloId, groupText(group), name].join('\n');
}
