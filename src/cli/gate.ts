import { setTimeout as sleep } from 'node:timers/promises';
import { readGatePolicyFile } from '../definitions/gate-policy.ts';
import { readText } from '../definitions/load.ts';
import { formatProblem } from '../definitions/problem.ts';
import { servicesOf } from '../engine/gate-policy.ts';
import type { Verdict, VerdictName } from '../engine/state.ts';
import { ask, errorMessage, parseJson, statusText, unavailable } from './client.ts';
import { githubAnnotation, githubOutput, githubSummary } from './github.ts';
import { EXIT, type Io } from './io.ts';
import { headline, textReport } from './verdict-text.ts';

/** `slipstream gate`: asks a server whether a service may be deployed, and says so by its exit code. */

export const ON_NO_DATA = ['unknown', 'allow', 'warn', 'block'] as const;
export const ON_UNAVAILABLE = ['allow', 'block'] as const;
export const GATE_FORMATS = ['text', 'json', 'github'] as const;

export interface GateOptions {
  readonly url: string;
  /** One of service and policy is given. */
  readonly service?: string;
  readonly slo?: string;
  /** A file. */
  readonly policy?: string;
  /** What an unknown verdict counts as. */
  readonly onNoData: (typeof ON_NO_DATA)[number];
  /** What a server that cannot be reached counts as; without it the exit code is 4. */
  readonly onUnavailable?: (typeof ON_UNAVAILABLE)[number];
  /** Asks again until the verdict is allow or warn, or so much time has passed. */
  readonly waitMs: number;
  readonly format: (typeof GATE_FORMATS)[number];
}

const EXIT_OF: Readonly<Record<VerdictName, number>> = {
  allow: EXIT.yes,
  warn: EXIT.yes,
  block: EXIT.no,
  unknown: EXIT.unknown,
};

const ASK_AGAIN_MS = 5_000;

/** An answer to the question, or why there is none. */
type Answer =
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'unavailable'; readonly message: string };

/** What the server is asked. */
interface Question {
  /** The services that it is about, for who is told that there was no answer. */
  readonly service: string;
  readonly search: Readonly<Record<string, string>>;
  /** A policy, as its file has it; null: the built-in one. */
  readonly policy: string | null;
}

export async function gateCommand(options: GateOptions, io: Io): Promise<number> {
  const question = options.policy === undefined ? ofService(options) : ofPolicy(options.policy, io);
  if (question === null) return EXIT.usage;
  const deadline = AbortSignal.timeout(options.waitMs);
  let last = options.waitMs === 0;
  for (;;) {
    const answer = await askGate(options.url, question);
    if (answer.kind === 'refused') {
      io.err(`${answer.message}\n`);
      return EXIT.usage;
    }
    const verdict =
      answer.kind === 'verdict' ? withNoDataRule(answer.verdict, options) : withoutAnswer(answer, question, options);
    if (verdict.ok || last) {
      report(verdict, options, io);
      if (answer.kind === 'unavailable' && options.onUnavailable === undefined) return EXIT.unreachable;
      return EXIT_OF[verdict.verdict];
    }
    io.err(`${headline(verdict)}; asking again in ${ASK_AGAIN_MS / 1000} s\n`);
    last = await pause(deadline);
  }
}

/** Whether the deadline came first: then the next question is the last. */
async function pause(deadline: AbortSignal): Promise<boolean> {
  try {
    await sleep(ASK_AGAIN_MS, undefined, { signal: deadline });
    return false;
  } catch {
    return true;
  }
}

function ofService({ service = '', slo }: GateOptions): Question {
  return { service, search: { service, ...(slo !== undefined && { slo }) }, policy: null };
}

/** Null when there is a problem with the file, which is printed. */
function ofPolicy(file: string, io: Io): Question | null {
  const text = readText(file);
  const { policy, problems } =
    typeof text === 'string' ? readGatePolicyFile({ file, text }) : { policy: null, problems: [text] };
  for (const problem of problems) io.out(`${formatProblem(problem)}\n`);
  if (policy === null || typeof text !== 'string') return null;
  return { service: servicesOf(policy).join(', '), search: {}, policy: text };
}

const PATH = '/api/v1/gate';

async function askGate(url: string, { search, policy }: Question): Promise<Answer> {
  const body = policy === null ? null : { type: 'application/yaml', text: policy };
  const reply = await ask(url, { path: PATH, search, accept: 'application/json', body });
  if (reply.kind === 'unavailable') return reply;
  const { response, text } = reply;
  if ([400, 413].includes(response.status)) return { kind: 'refused', message: errorMessage(text) };
  if (response.status !== 200) return unavailable(url, PATH, statusText(response));
  const verdict = parseVerdict(text);
  return verdict === null ? unavailable(url, PATH, 'the answer is not a verdict') : { kind: 'verdict', verdict };
}

function parseVerdict(text: string): Verdict | null {
  const parsed = parseJson(text) as Partial<Verdict> | null;
  const known = typeof parsed?.verdict === 'string' && Object.hasOwn(EXIT_OF, parsed.verdict);
  if (!known || !Array.isArray(parsed.reasons) || !Array.isArray(parsed.checks)) return null;
  return parsed as Verdict;
}

function withNoDataRule(verdict: Verdict, { onNoData }: GateOptions): Verdict {
  if (verdict.verdict !== 'unknown' || onNoData === 'unknown') return verdict;
  const reasons = [...verdict.reasons, `no data counts as ${onNoData} (--on-no-data)`];
  return { ...verdict, verdict: onNoData, ok: onNoData !== 'block', reasons };
}

function withoutAnswer(
  { message }: { message: string },
  { service }: Question,
  { onUnavailable }: GateOptions,
): Verdict {
  const name = onUnavailable ?? 'unknown';
  const rule =
    onUnavailable === undefined ? [] : [`an unavailable server counts as ${onUnavailable} (--on-unavailable)`];
  return { verdict: name, ok: name === 'allow', asOf: null, service, reasons: [message, ...rule], checks: [] };
}

function report(verdict: Verdict, { format }: GateOptions, io: Io): void {
  switch (format) {
    case 'json':
      io.out(`${JSON.stringify(verdict, null, 2)}\n`);
      return;
    case 'github':
      io.out(githubAnnotation(verdict));
      githubOutput(verdict, io.env);
      githubSummary(verdict, io.env);
      return;
    case 'text':
      io.out(textReport(verdict));
  }
}
