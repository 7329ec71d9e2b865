import { setTimeout as sleep } from 'node:timers/promises';
import { DAY_MS, formatDuration, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../engine/duration.ts';
import { compress, encodeWriteRequest, type WireSeries } from '../../ingest/remote-write-schema.ts';
import { Shop, Traffic } from './traffic.ts';

/**
 * The demo's sender: a Prometheus with a shop behind it. It back-fills 30 days at their own time through real remote
 * write, then goes on live, and stops by itself.
 */

export interface DemoSenderOptions {
  /** Of the server, without a path. */
  readonly url: string;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
  /** How long to send live. */
  readonly durationMs: number;
  readonly log: (line: string) => void;
}

const SEED = 20260101;
const STEP_MS = SECOND_MS;
const SAMPLES_PER_REQUEST = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = SECOND_MS;

const HISTORY_MS = 30 * DAY_MS;

/**
 * History is scraped more often the younger it is. It begins with a spacing that is short enough to be taken for an interval,
 * and grows by a factor that is no hole.
 */
const HISTORY = [
  { untilAgoMs: HISTORY_MS - HOUR_MS, stepMs: 5 * MINUTE_MS },
  { untilAgoMs: DAY_MS, stepMs: 15 * MINUTE_MS },
  { untilAgoMs: 6 * HOUR_MS, stepMs: 5 * MINUTE_MS },
  { untilAgoMs: 15 * MINUTE_MS, stepMs: MINUTE_MS },
  { untilAgoMs: 0, stepMs: 15 * SECOND_MS },
] as const;

/** The instants of the back-fill, oldest first; the last one is `untilMs`. */
export function* historyInstants(untilMs: number): Generator<number> {
  let tMs = untilMs - HISTORY_MS;
  for (const { untilAgoMs, stepMs } of HISTORY) {
    for (; tMs < untilMs - untilAgoMs; tMs += stepMs) yield tMs;
  }
  yield tMs;
}

/** Returns when the duration is over or the signal is given; throws when the server refuses what is sent. */
export async function runDemoSender(options: DemoSenderOptions): Promise<void> {
  try {
    await send(options);
  } catch (error) {
    if (!options.signal.aborted) throw error;
  }
}

async function send({ url, nowMs, signal, durationMs, log }: DemoSenderOptions): Promise<void> {
  const startedMs = nowMs();
  const liveFromMs = Math.floor(startedMs / STEP_MS) * STEP_MS;
  const shop = new Shop(new Traffic(SEED, liveFromMs), liveFromMs - HISTORY_MS);
  const writeUrl = new URL('/api/v1/write', url);

  let series: WireSeries[] = [];
  let samples = 0;
  for (const tMs of historyInstants(liveFromMs)) {
    shop.advance(tMs);
    scrape(shop, series);
    if (series.length < SAMPLES_PER_REQUEST && tMs < liveFromMs) continue;
    await post(writeUrl, series, signal, log);
    samples += series.length;
    series = [];
  }
  const seconds = ((nowMs() - startedMs) / SECOND_MS).toFixed(1);
  log(`sent ${formatDuration(HISTORY_MS)} of history: ${samples} samples in ${seconds} s`);
  log(`sending live for ${formatDuration(durationMs)}, with an incident every ten minutes`);

  const endMs = liveFromMs + durationMs;
  for (let tMs = liveFromMs + STEP_MS; tMs <= endMs; tMs += STEP_MS) {
    // What was missed meanwhile, be it during the back-fill, is sent at its own time.
    const waitMs = tMs - nowMs();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
    shop.advance(tMs);
    series = [];
    scrape(shop, series);
    await post(writeUrl, series, signal, log);
  }
  log('the demo has sent all it had; from now on there is no new data');
}

/** One scrape of every instance. Sample after sample in the order of time, as Prometheus sends. */
function scrape(shop: Shop, to: WireSeries[]): void {
  for (let i = 0; i < shop.labels.length; i++) {
    to.push({ labels: shop.labels[i]!, samples: [{ timestampMs: shop.atMs, value: shop.values[i]! }] });
  }
}

/** Sends until it is taken. A refusal that no retry can help is thrown. */
async function post(url: URL, series: readonly WireSeries[], signal: AbortSignal, log: (line: string) => void) {
  const body = compress(encodeWriteRequest(series));
  for (;;) {
    const problem = await attempt(url, body, signal);
    if (problem === null) return;
    log(`${problem}; sending again in ${formatDuration(RETRY_MS)}`);
    await sleep(RETRY_MS, undefined, { signal });
  }
}

/** Null when the server took the body, and what is wrong when it is worth another attempt. */
async function attempt(url: URL, body: Uint8Array, signal: AbortSignal): Promise<string | null> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'user-agent': 'slipstream-demo',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
  } catch (error) {
    if (signal.aborted) throw error;
    return `cannot reach ${url}: ${reason(error)}`;
  }
  const text = await response.text();
  if (response.ok) return null;
  const message = `${url} answered ${response.status}: ${text.trim()}`;
  if (response.status < 500) throw new Error(message);
  return message;
}

/** `fetch` says only that it failed; its cause says why. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
