import type { Server, ServerOptions } from 'node:http';
import type { SlowSenders } from './slow-sender.ts';

/** What the servers do with their connections: how many there may be, how long one may idle, how slowly one may send. */

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Of a request, from its first byte, or from the beginning of the connection. */
  readonly headTimeoutMs: number;
  readonly slowSenders: SlowSenders;
}

/** Prometheus sends every 5 s at the least, and proxies keep connections for a minute: never be the one that hangs up first. */
export const KEEP_ALIVE_TIMEOUT_MS = 150_000;
/** Twice Prometheus's `remote_timeout`. */
const REQUEST_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MAX_MS = 5_000;

/** For `createServer`. */
export function serverOptions({ headTimeoutMs }: ConnectionLimits): ServerOptions {
  return {
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    headersTimeout: headTimeoutMs,
    requestTimeout: Math.max(REQUEST_TIMEOUT_MS, headTimeoutMs),
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MAX_MS, headTimeoutMs / 2),
  };
}

export function limitConnections(server: Server, { connectionsMax, slowSenders }: ConnectionLimits): void {
  server.maxConnections = connectionsMax;
  slowSenders.watchRequests(server);
}
