import type { Remediation, Threshold } from '../engine/alerting.ts';
import type { Engine } from '../engine/engine.ts';
import { groupText } from '../engine/history-minutes.ts';
import type { Group } from '../engine/ledger.ts';
import type { Matcher, Slo } from '../engine/slo.ts';
import type { SloState } from '../engine/state.ts';
import type { ActionRecord, Actions } from '../store/actions.ts';
import type { Labels } from '../store/alert-log.ts';
import type { Outbox } from '../store/outbox.ts';
import { labelsOf, sloLink } from './notice.ts';
import { idempotencyKey } from './notification.ts';
import { matchesAll } from './routing.ts';
import { number, sloName } from './wording.ts';

/**
 * Remediations: a webhook is called once each time that a burn rate or a budget crosses its threshold, to roll back, to scale or
 * to turn something off. Each crossing is on record, also one that was in the cooldown of the last or only a dry run.
 */

export interface RemediatorOptions {
  readonly remediations: readonly Remediation[];
  readonly actions: Actions;
  readonly outbox: Outbox;
  readonly externalUrl: string;
}

/** What a remediation is called with: the body of its webhook. */
export interface ActionCall {
  readonly action: number;
  readonly remediation: string;
  readonly slo: string;
  readonly group: Group | null;
  readonly labels: Labels;
  readonly reason: string;
  readonly threshold: Threshold;
  readonly observed: number;
  /** RFC 3339. */
  readonly at: string;
  readonly link: string;
}

export function remediationIntegration(name: string): string {
  return `remediation/${name}`;
}

export class Remediator {
  readonly #options: RemediatorOptions;
  readonly #active = new Map<string, ActionRecord>();

  constructor(options: RemediatorOptions) {
    this.#options = options;
    for (const record of options.actions.active()) this.#active.set(keyOf(record), record);
  }

  /** To be called within a transaction; when that fails this remediator is of no more use. */
  write(engine: Engine, nowMs: number): void {
    for (const remediation of this.#options.remediations) {
      for (const slo of engine.slos) {
        if (!couldMatch(remediation.matchers, slo)) continue;
        for (const state of engine.statesOf(slo.id, nowMs)!) this.#judge(remediation, slo, state, nowMs);
      }
    }
  }

  #judge(remediation: Remediation, slo: Slo, state: SloState, nowMs: number): void {
    // Nothing is known of the present: nothing begins, and nothing is over.
    if (state.state === 'no_data') return;
    const { actions, outbox } = this.#options;
    const labels = stateLabels(slo, state);
    if (!matchesAll(remediation.matchers, labels)) return;
    const { name, when, cooldownMs, isDryRun } = remediation;
    const group = state.group ?? null;
    const key = keyOf({ remediation: name, sloId: slo.id, group });
    const active = this.#active.get(key);
    const observed = observedOf(when, state);
    if (observed === null || !isCrossed(when, observed)) {
      if (active === undefined) return;
      actions.end(active.id, nowMs);
      this.#active.delete(key);
      return;
    }
    if (active !== undefined && active.outcome !== 'cooldown') return;
    const calledMs = actions.lastCalledMs(name, slo.id, group);
    const cools = calledMs !== null && nowMs >= calledMs && nowMs - calledMs < cooldownMs;
    if (active !== undefined) {
      if (cools) return;
      actions.end(active.id, nowMs);
    }
    const outcome = cools ? 'cooldown' : isDryRun ? 'dry_run' : 'waiting';
    const reason = reasonOf(slo.id, group, when, observed);
    const finishedMs = outcome === 'waiting' ? null : nowMs;
    const record = {
      remediation: name,
      sloId: slo.id,
      group,
      reason,
      isDryRun,
      startedMs: nowMs,
      endedMs: null,
      outcome,
      finishedMs,
    } as const;
    const id = actions.add(record);
    this.#active.set(key, { ...record, id });
    if (outcome !== 'waiting') return;
    const call: ActionCall = {
      action: id,
      remediation: name,
      slo: slo.id,
      group,
      labels,
      reason,
      threshold: when,
      observed,
      at: new Date(nowMs).toISOString(),
      link: sloLink(this.#options.externalUrl, slo.id),
    };
    const integration = remediationIntegration(name);
    outbox.add(
      { key: idempotencyKey(integration, id), integration, lane: String(id), payload: JSON.stringify(call) },
      nowMs,
    );
  }
}

function keyOf({ remediation, sloId, group }: Pick<ActionRecord, 'remediation' | 'sloId' | 'group'>): string {
  return [remediation, sloId, groupText(group)].join('\n');
}

function stateLabels(slo: Slo, state: SloState): Labels {
  return labelsOf({ service: slo.service, slo: slo.name }, { owner: slo.owner }, state.group ?? {}, slo.labels);
}

/** Whether some group of the SLO could match: the states of all SLOs are not asked for at every tick. */
function couldMatch(matchers: readonly Matcher[], slo: Slo): boolean {
  const labels = labelsOf({ service: slo.service, slo: slo.name }, { owner: slo.owner }, slo.labels);
  const ofGroups = new Set(Object.keys(labelsOf(Object.fromEntries(slo.groupBy.map((name) => [name, '-'])))));
  return matchesAll(
    matchers.filter(({ name }) => !ofGroups.has(name)),
    labels,
  );
}

function observedOf(when: Threshold, state: SloState): number | null {
  return when.kind === 'burn_rate' ? (state.burnRates[when.window] ?? null) : state.errorBudget.remaining;
}

function isCrossed(when: Threshold, observed: number): boolean {
  return when.kind === 'burn_rate' ? observed > when.above : observed < when.below;
}

function reasonOf(sloId: string, group: Group | null, when: Threshold, observed: number): string {
  const name = sloName(sloId, group);
  return when.kind === 'burn_rate'
    ? `${name}: the burn rate over ${when.window} is ${number(observed)}, above ${number(when.above)}`
    : `${name}: the error budget remaining is ${number(observed)}, below ${number(when.below)}`;
}
