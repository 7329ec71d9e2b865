import type { Server, ServerOptions } from 'node:http';
import type { SlowSenders } from './slow-sender.ts';

/** What the servers do with their connections: how many there may be, how long one may idle, how slowly one may send. */

export interface ConnectionLimits {
  readonly connectionsMax: number;
  /** Of a request, from its first byte, or from the beginning of the connection. */
  readonly headTimeoutMs: number;
  /** Without a request. */
  readonly idleTimeoutMs: number;
  readonly slowSenders: SlowSenders;
}

/** Twice Prometheus's `remote_timeout`. */
const REQUEST_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MAX_MS = 5_000;

/** For `createServer`. */
export function serverOptions({ headTimeoutMs, idleTimeoutMs }: ConnectionLimits): ServerOptions {
  return {
    keepAliveTimeout: idleTimeoutMs,
    headersTimeout: headTimeoutMs,
    requestTimeout: Math.max(REQUEST_TIMEOUT_MS, headTimeoutMs),
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MAX_MS, headTimeoutMs / 2),
  };
}

export function limitConnections(server: Server, { connectionsMax, slowSenders }: ConnectionLimits): void {
  server.maxConnections = connectionsMax;
  slowSenders.watchRequests(server);
}
