import type { SloState, VerdictName } from '../../engine/state.ts';
import { ABSENT, type Expectation, type Expected } from './scenario.ts';

/** Compares a state with what a scenario expects of it; every difference is a line of its own. */
export function differences(
  expectation: Expectation,
  state: SloState,
  verdict: VerdictName,
  tolerance: number,
): string[] {
  const found: string[] = [];
  const view: Record<string, unknown> = {
    ...state,
    burnRate: state.burnRates,
    budgetRemaining: state.errorBudget.remaining,
    gate: verdict,
  };
  for (const [name, expected] of Object.entries(expectation.fields)) {
    compare(name, expected, field(view, name), tolerance, found);
  }
  if (expectation.alerts !== null) compareAlerts(expectation.alerts, state, found);
  return found;
}

/**
 * Where there is no state to compare with, `why` says so, unless nothing more is expected than a verdict of the gate, or that
 * fields are absent and nothing is there to have them.
 */
export function differencesWithoutState(
  { fields, alerts }: Expectation,
  why: string,
  isAbsent: boolean,
  verdict: VerdictName,
): string[] {
  const { gate, ...others } = fields;
  const found: string[] = [];
  if (alerts !== null || Object.values(others).some((expected) => !(isAbsent && expected === ABSENT))) found.push(why);
  if (gate !== undefined) compare('gate', gate, verdict, 0, found);
  return found;
}

/** A field by the file's name for it: keys of labels and windows as they stand, all others in snake case. */
function field(of: object, name: string): unknown {
  const fields = of as Readonly<Record<string, unknown>>;
  if (Object.hasOwn(fields, name)) return fields[name];
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return Object.hasOwn(fields, camel) ? fields[camel] : undefined;
}

function compare(path: string, expected: Expected, got: unknown, tolerance: number, found: string[]): void {
  if (isMap(expected) && typeof got === 'object' && got !== null) {
    for (const [name, value] of Object.entries(expected)) {
      compare(`${path}.${name}`, value, field(got, name), tolerance, found);
    }
    return;
  }
  if (!equal(expected, got, tolerance)) found.push(`${path}: expected ${shown(expected)}, got ${shown(got)}`);
}

function isMap(expected: Expected): expected is { readonly [key: string]: Expected } {
  return typeof expected === 'object' && expected !== null && !(expected instanceof Date);
}

function equal(expected: Expected, got: unknown, tolerance: number): boolean {
  if (expected === ABSENT) return got === undefined;
  if (expected instanceof Date) return typeof got === 'string' && Date.parse(got) === expected.getTime();
  if (typeof expected === 'number' && typeof got === 'number') return close(expected, got, tolerance);
  return expected === got;
}

/** Relative to the larger of the two; a relative distance from zero would allow nothing but zero. */
export function close(expected: number, got: number, tolerance: number): boolean {
  if (Object.is(expected, got) || expected === got) return true;
  const allowed = expected === 0 ? tolerance : tolerance * Math.max(Math.abs(expected), Math.abs(got));
  // Not a number, or infinite, on one side: nothing is close to it.
  return Number.isFinite(expected) && Number.isFinite(got) && Math.abs(expected - got) <= allowed;
}

function compareAlerts(expected: Readonly<Record<string, string>>, state: SloState, found: string[]): void {
  const active = new Map<string, string>();
  for (const alert of state.alerts) if (alert.state !== 'inactive') active.set(alert.name, alert.state);
  for (const name of new Set([...Object.keys(expected), ...active.keys()])) {
    const wanted = expected[name] ?? 'inactive';
    const got = active.get(name) ?? 'inactive';
    if (wanted !== got) found.push(`alerts.${name}: expected ${wanted}, got ${got}`);
  }
}

function shown(value: unknown): string {
  if (value === undefined || value === ABSENT) return 'absent';
  if (typeof value === 'number') return String(value);
  if (value instanceof Date) return value.toISOString();
  return JSON.stringify(value, (_, inner) => (inner === ABSENT ? 'absent' : inner));
}
