import type { Alerting, Route } from '../engine/alerting.ts';
import { groupText } from '../engine/history-minutes.ts';
import type { AlertLog, AlertRecord, Labels } from '../store/alert-log.ts';
import type { Outbox, ToldGroup } from '../store/outbox.ts';
import type { Mutings } from './muting.ts';
import { type Notice, noticeOf } from './notice.ts';
import { ALERTS_MAX, idempotencyKey, integrationsOf, type Notification } from './notification.ts';
import { groupKey, groupLabelsOf, routesOf } from './routing.ts';
import type { Tracked } from './tracker.ts';

/**
 * Puts alerts into groups and decides when each group is told.
 *
 * What a group was told last is on record, and is compared with how it stands at every tick. The messages and that record are
 * written together, so that a restart tells nothing twice.
 */

export interface DispatcherOptions {
  readonly alerting: Alerting;
  readonly log: AlertLog;
  readonly outbox: Outbox;
}

interface Group {
  readonly key: string;
  readonly route: Route;
  readonly labels: Labels;
  readonly firing: Tracked[];
}

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #told = new Map<string, ToldGroup>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
    for (const group of options.outbox.groups()) this.#told.set(group.key, group);
  }

  /**
   * Decides who is told what; `notice` gives an alert the texts of the moment. To be called within a transaction; when that fails
   * this dispatcher is of no more use.
   */
  write(active: readonly Tracked[], mutings: Mutings, notice: (tracked: Tracked) => Notice, nowMs: number): void {
    const { outbox } = this.#options;
    const firing = active.filter(({ record }) => record.state === 'firing');
    const groups = this.#groups(firing);
    const saved: ToldGroup[] = [];
    const removed: string[] = [];
    for (const group of groups.values()) {
      const told = this.#tell(group, mutings, notice, nowMs);
      if (told !== null) saved.push(told);
    }
    const firingIds = new Set(firing.map(({ record }) => record.id));
    for (const group of this.#told.values()) {
      // Of a route that is no more, or all of whose alerts are over: what was told to fire has still to be resolved.
      if (groups.has(group.key) || isQuiet(group, nowMs)) continue;
      const left = group.told.filter((id) => firingIds.has(id));
      const over = this.#over(group, firingIds);
      if (over.length > 0)
        this.#enqueue(
          group,
          over.map((record) => noticeOf(record)),
          nowMs,
        );
      if (left.length === 0) removed.push(group.key);
      else if (over.length > 0) saved.push({ ...group, told: left });
    }
    for (const group of saved) {
      outbox.saveGroup(group);
      this.#told.set(group.key, group);
    }
    for (const key of removed) {
      outbox.removeGroup(key);
      this.#told.delete(key);
    }
  }

  #groups(firing: readonly Tracked[]): Map<string, Group> {
    const groups = new Map<string, Group>();
    const root = this.#options.alerting.route;
    if (root === null) return groups;
    for (const tracked of firing) {
      for (const { route, path } of routesOf(root, tracked.record.labels)) {
        const labels = groupLabelsOf(route, tracked.record.labels);
        const key = keyOf(route.receiver, groupKey(path, labels));
        const group = groups.get(key) ?? { key, route, labels, firing: [] };
        // Two routes may lead to the same receiver.
        if (!group.firing.includes(tracked)) group.firing.push(tracked);
        groups.set(key, group);
      }
    }
    return groups;
  }

  /** The group as it is told now; null when it is not. */
  #tell({ key, route, labels, firing }: Group, mutings: Mutings, notice: (tracked: Tracked) => Notice, nowMs: number) {
    const before = this.#told.get(key) ?? null;
    const firstMs = Math.min(...firing.map(({ record }) => record.firedAtMs!));
    if (before === null ? isWithin(nowMs, firstMs, route.groupWaitMs) : isQuiet(before, nowMs)) return null;
    const heard = firing.filter(({ record }) => mutings.of(record) === null);
    const ended = before === null ? [] : this.#over(before, new Set(firing.map(({ record }) => record.id)));
    // One that was over and fires again before anybody was told is still the one that was told.
    const again = firing.filter(({ record }) => ended.some((old) => isSame(old, record)));
    const over = ended.filter((old) => !again.some(({ record }) => isSame(old, record)));
    const wasTold = new Set([...(before?.told ?? []), ...again.map(({ record }) => record.id)]);
    const isNew = heard.some(({ record }) => !wasTold.has(record.id));
    // While there is no data nothing is said again: the alert is what it was.
    const isRepeated =
      before !== null &&
      nowMs - before.notifiedMs >= route.repeatIntervalMs &&
      heard.some(({ live }) => live === null || !live.isFrozen);
    if (!isNew && !isRepeated && over.length === 0 && again.length === 0) return null;
    const stillTold = firing.filter(({ record }) => wasTold.has(record.id));
    const told = [...new Set([...stillTold, ...heard].map(({ record }) => record.id))];
    const group: ToldGroup = {
      key,
      receiver: route.receiver,
      labels,
      told,
      notifiedMs: nowMs,
      quietUntilMs: nowMs + route.groupIntervalMs,
    };
    if (!isNew && !isRepeated && over.length === 0) return { ...before!, told };
    // One that was told and is muted now still fires: its group is not resolved as long as it does.
    const firingNow = heard.length === 0 ? stillTold : heard;
    this.#enqueue(group, [...firingNow.map(notice), ...over.map((record) => noticeOf(record))], nowMs);
    return group;
  }

  /** Alerts that a group was told to fire and that fire no more. */
  #over({ told }: ToldGroup, firingIds: ReadonlySet<number>): AlertRecord[] {
    return told.flatMap((id) => (firingIds.has(id) ? [] : (this.#options.log.get(id) ?? [])));
  }

  #enqueue({ key, receiver: name, labels }: ToldGroup, notices: readonly Notice[], nowMs: number): void {
    const { alerting, outbox } = this.#options;
    const receiver = alerting.receivers.find((candidate) => candidate.name === name);
    if (receiver === undefined) return;
    for (const { name: integration, config } of integrationsOf(receiver)) {
      const alerts = config.sendResolved ? notices : notices.filter(({ status }) => status === 'firing');
      if (alerts.length === 0) continue;
      const notification: Notification = {
        receiver: name,
        groupKey: key.slice(keyOf(name, '').length),
        groupLabels: labels,
        alerts: alerts.slice(0, ALERTS_MAX),
        truncated: Math.max(alerts.length - ALERTS_MAX, 0),
      };
      const ids = alerts.map(({ id, status }) => `${id}${status === 'firing' ? '' : '-'}`).join();
      const message = { key: idempotencyKey(integration, key, nowMs, ids), integration, lane: key };
      outbox.add({ ...message, payload: JSON.stringify(notification) }, nowMs);
    }
  }
}

/** A group that goes to another receiver now is another one: what the first was told has to be resolved there. */
function keyOf(receiver: string, group: string): string {
  return `${receiver} ${group}`;
}

/** Whether less than `lengthMs` has passed; a clock that was set back must not keep anybody from being told. */
function isWithin(nowMs: number, sinceMs: number, lengthMs: number): boolean {
  return nowMs >= sinceMs && nowMs - sinceMs < lengthMs;
}

function isQuiet({ notifiedMs, quietUntilMs }: ToldGroup, nowMs: number): boolean {
  return isWithin(nowMs, notifiedMs, quietUntilMs - notifiedMs);
}

function isSame(a: AlertRecord, b: AlertRecord): boolean {
  return a.sloId === b.sloId && a.name === b.name && groupText(a.group) === groupText(b.group);
}
