import { type Static, Type } from 'typebox';
import type { Condition } from '../engine/check.ts';
import type { GatePolicy } from '../engine/gate-policy.ts';
import { readCheck } from './check-expression.ts';
import { type DefinitionDocument, readOnlyDocument, type SourceFile } from './document.ts';
import { type Problem, sortProblems } from './problem.ts';
import { checkDocument, mapping, oneOf, text } from './schema.ts';

/** Gate policies: what must hold so that a service may be deployed. */

const CHECKS_MAX = 1000;

const CheckSchema = mapping({
  service: text('id'),
  slo: Type.Optional(text('id')),
  check: text('check'),
  action: oneOf('block_deploy', 'warn_only'),
});

const PolicySchema = mapping({
  deploy_enabled: Type.Optional(Type.Boolean()),
  checks: Type.Optional(Type.Array(CheckSchema, { maxItems: CHECKS_MAX, range: `at most ${CHECKS_MAX} checks` })),
  on_no_data: Type.Optional(oneOf('unknown', 'allow', 'warn', 'block')),
});

/** Null when something is wrong with it. */
export function readGatePolicy(document: DefinitionDocument): GatePolicy | null {
  const checked = checkDocument(PolicySchema, document);
  const { deploy_enabled: deployEnabled, checks, on_no_data: onNoData = 'unknown' } = checked.value;
  if (!checked.usable()) return null;
  // Without either it would let every deploy pass, and say so nowhere.
  if (deployEnabled === undefined && checks === undefined) {
    document.missing(['checks'], 'is required');
    return null;
  }
  return { deployEnabled: deployEnabled ?? true, checks: (checks ?? []).map(policyCheck), onNoData };
}

function policyCheck({ service, slo, check, action }: Static<typeof CheckSchema>): GatePolicy['checks'][number] {
  return { service, slo: slo ?? null, text: check.trim(), condition: readCheck(check) as Condition, action };
}

export interface GatePolicyFile {
  /** Null when there is a problem. */
  readonly policy: GatePolicy | null;
  readonly problems: readonly Problem[];
}

/** A file, or the body of a request, that holds one policy and nothing else. */
export function readGatePolicyFile(source: SourceFile): GatePolicyFile {
  const problems: Problem[] = [];
  const document = readOnlyDocument(source, 'gate policy', problems);
  const policy = document === null ? null : readGatePolicy(document);
  return { policy, problems: sortProblems(problems, [source.file]) };
}
