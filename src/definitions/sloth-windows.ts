import { type Static, Type } from 'typebox';
import { parseDuration } from '../engine/duration.ts';
import type { AlertPolicy, BurnRateAlert } from '../engine/slo.ts';
import { burnRateFactor } from '../engine/windows.ts';
import type { DefinitionDocument } from './document.ts';
import { Part } from './part.ts';
import { checkDocument, foreign, oneOf, text } from './schema.ts';

/** Sloth's `kind: AlertWindows`: the table of long and short windows for one SLO period. */

export const ALERT_WINDOWS = 'AlertWindows';

const TierSchema = foreign({
  errorBudgetPercent: Type.Number({ exclusiveMinimum: 0, range: 'above 0' }),
  shortWindow: text('alertWindow'),
  longWindow: text('alertWindow'),
});
type Tier = Static<typeof TierSchema>;

const SeveritySchema = foreign({ quick: TierSchema, slow: TierSchema });

const AlertWindowsSchema = foreign({
  apiVersion: oneOf('sloth.slok.dev/v1'),
  kind: oneOf(ALERT_WINDOWS),
  spec: foreign({ sloPeriod: text('rollingWindow'), page: SeveritySchema, ticket: SeveritySchema }),
});

/** The tables by the length of their period in milliseconds. */
export function readAlertWindows(documents: readonly DefinitionDocument[]): ReadonlyMap<number, AlertPolicy> {
  const tables = new Map<number, { policy: AlertPolicy; place: string }>();
  for (const document of documents) {
    const spec = Part.whole(checkDocument(AlertWindowsSchema, document)).at('spec');
    if (spec === null) continue;
    const period = spec.at('sloPeriod');
    const severities = (['page', 'ticket'] as const).flatMap((severity) =>
      (['quick', 'slow'] as const).flatMap((pace) => {
        const tier = spec.at(severity)?.at(pace);
        return tier?.sound() ? [{ name: `${severity}-${pace}`, severity, tier }] : [];
      }),
    );
    for (const { tier } of severities) checkLengths(tier);
    if (!period?.sound() || !spec.sound()) continue;
    const { ms } = parseDuration(period.value)!;
    const first = tables.get(ms);
    if (first !== undefined) {
      period.error(`the windows for ${period.value} are already defined in ${first.place}`);
      continue;
    }
    const burnRateAlerts = severities.map(({ name, severity, tier }) => alert(name, severity, tier.value, ms));
    const policy = { name: 'custom', burnRateAlerts, budgetExhausted: true, minBadEvents: 0 };
    tables.set(ms, { policy, place: `${document.file}:${document.line(period.path)}` });
  }
  return new Map([...tables].map(([ms, { policy }]) => [ms, policy]));
}

function checkLengths(tier: Part<Tier>): void {
  const { shortWindow, longWindow } = tier.value;
  if (parseDuration(shortWindow)!.ms <= parseDuration(longWindow)!.ms) return;
  tier.at('shortWindow')!.error(`must not be longer than the long window of ${longWindow}, got ${shortWindow}`);
}

function alert(name: string, severity: string, tier: Tier, periodMs: number): BurnRateAlert {
  const long = parseDuration(tier.longWindow)!;
  const factor = burnRateFactor(tier.errorBudgetPercent, periodMs, long.ms);
  return { name, severity, factor, long, short: parseDuration(tier.shortWindow)!, forMs: 0 };
}
