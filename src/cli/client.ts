/** Asks a server over HTTP. */

const TIMEOUT_MS = 10_000;

/** What came back, whatever its status, or why nothing did. */
export type Reply =
  | { readonly kind: 'answered'; readonly response: Response; readonly text: string }
  | { readonly kind: 'unavailable'; readonly message: string };

export interface Request {
  /** Below the URL of the server. */
  readonly path: string;
  /** Parameters without a value are left out. */
  readonly search?: Readonly<Record<string, string | undefined>>;
  readonly accept: string;
  /** Makes it a POST. */
  readonly body?: { readonly type: string; readonly text: string } | null;
  /** Default 10 s. */
  readonly timeoutMs?: number;
}

export async function ask(
  url: string,
  { path, search = {}, accept, body = null, timeoutMs = TIMEOUT_MS }: Request,
): Promise<Reply> {
  const target = new URL(url);
  target.pathname = `${target.pathname.replace(/\/+$/, '')}${path}`;
  for (const [name, value] of Object.entries(search)) if (value !== undefined) target.searchParams.set(name, value);
  try {
    const response = await fetch(target, {
      headers: { accept, ...(body !== null && { 'content-type': body.type }) },
      ...(body !== null && { method: 'POST', body: body.text }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { kind: 'answered', response, text: await response.text() };
  } catch (error) {
    return unavailable(url, path, reasonOf(error, timeoutMs));
  }
}

/** For an answer that cannot be one of this server. */
export function unavailable(url: string, path: string, why: string): Reply & { kind: 'unavailable' } {
  const { origin, pathname } = new URL(url);
  return {
    kind: 'unavailable',
    message: `cannot ask ${origin}${pathname.replace(/\/+$/, '')}${path}: ${why}`,
  };
}

export function statusText({ status, statusText: text }: Response): string {
  return `it answered ${status} ${text}`.trim();
}

/** Of an error in the JSON of the API; any other text as it is. */
export function errorMessage(text: string): string {
  const parsed = parseJson(text) as { error?: { message?: string } } | null;
  return parsed?.error?.message ?? text;
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** fetch hides why it failed in `cause`, and several addresses in an AggregateError. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const cause = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message;
}
