/**
 * Traces of what Slipstream itself does: API requests and evaluations, never ingest. The SDK is 50 MB and takes 180 ms to
 * load, so it is loaded only where the usual OTEL_… variables ask for it; without it every span is a no-op.
 */

const ASKED_BY = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_TRACES_EXPORTER', 'OTEL_METRICS_EXPORTER'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

export interface Telemetry {
  shutdown(): Promise<void>;
}

export function telemetryWanted(env: Environment): boolean {
  if (env['OTEL_SDK_DISABLED']?.trim().toLowerCase() === 'true') return false;
  return ASKED_BY.some((name) => (env[name] ?? '') !== '');
}

/** Starts the SDK, which reads the rest of its configuration from the environment itself; null when nobody asked. */
export async function startTelemetry(env: Environment, version: string): Promise<Telemetry | null> {
  if (!telemetryWanted(env)) return null;
  const { NodeSDK, resources } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({
    serviceName: env['OTEL_SERVICE_NAME'] || 'slipstream',
    resource: resources.resourceFromAttributes({ 'service.version': version }),
    instrumentations: [],
  });
  sdk.start();
  return { shutdown: () => sdk.shutdown() };
}
