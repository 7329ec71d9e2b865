import type { Engine } from '../engine/engine.ts';
import type { OtlpReceiver } from '../ingest/otlp-receive.ts';
import type { EventReader } from '../ingest/pushed-events.ts';
import type { RemoteWriteReceiver } from '../ingest/receive.ts';

/** An engine, and what reads requests for it: a reader remembers each series by the id that this engine gave it. */
export interface Generation {
  readonly engine: Engine;
  readonly remoteWrite: RemoteWriteReceiver;
  readonly otlp: OtlpReceiver;
  readonly events: EventReader;
}

/** What serves at present. A reload puts another generation in its place between two requests, so each request asks anew. */
export interface Live {
  readonly current: Generation;
}
