import { ask, errorMessage, statusText, unavailable } from './client.ts';
import { EXIT, type Io } from './io.ts';

/** `slipstream report`: how reliable the services were, as the server tells it. */

export const REPORT_FORMATS = ['text', 'markdown', 'csv', 'json'] as const;

export interface ReportOptions {
  readonly url: string;
  readonly service?: string;
  readonly month?: string;
  readonly from?: string;
  readonly to?: string;
  readonly format: (typeof REPORT_FORMATS)[number];
}

const PATH = '/api/v1/report';
/** The server reads two months of history of every SLO. */
const TIMEOUT_MS = 300_000;

export async function reportCommand({ url, ...search }: ReportOptions, io: Io): Promise<number> {
  const asked = await ask(url, { path: PATH, search: { ...search }, accept: '*/*', timeoutMs: TIMEOUT_MS });
  const wrong = asked.kind === 'answered' && [400, 404].includes(asked.response.status);
  if (wrong) {
    io.err(`${errorMessage(asked.text)}\n`);
    return EXIT.usage;
  }
  const reply =
    asked.kind === 'answered' && asked.response.status !== 200
      ? unavailable(url, PATH, statusText(asked.response))
      : asked;
  if (reply.kind === 'unavailable') {
    io.err(`${reply.message}\n`);
    return EXIT.unreachable;
  }
  io.out(reply.text);
  return EXIT.yes;
}
