import type { Logger } from 'pino';
import type { SampleBatch } from '../engine/batch.ts';
import type { Engine } from '../engine/engine.ts';
import type { IngestOutcome } from '../engine/outcome.ts';
import type { PushedEvents, PushOutcome } from '../engine/pushes.ts';
import { IngestError } from '../ingest/errors.ts';
import type { EventReader } from '../ingest/pushed-events.ts';
import type { Rejections } from '../ingest/rejections.ts';
import type { Journal } from '../store/recovery.ts';
import type { Store } from '../store/store.ts';
import type { WriteCounters } from './counters.ts';
import { ApiError, apiError } from './errors.ts';
import type { Generation, Live } from './live.ts';
import type { Hold, Pressure } from './pressure.ts';

/**
 * Where the samples of every protocol enter: they are applied, written down, and acknowledged only when that is committed.
 *
 * Reading, applying and queueing a request is one synchronous step, so requests never interleave; only the wait for the commit
 * is shared.
 */

/** What a protocol's reader makes of a request; it is used again for the next one. */
export interface Received {
  readonly batch: SampleBatch;
  readonly rejections: Rejections;
  readonly histogramCount: number;
}

export interface IntakeOptions {
  readonly live: Live;
  readonly store: Store;
  readonly journalQueueBytesMax: number;
  readonly pressure: Pressure;
  readonly logger: Logger;
  readonly clock: () => number;
}

type Phase = 'recovering' | 'serving' | 'draining';

export class Intake {
  readonly #options: IntakeOptions;
  #phase: Phase = 'recovering';
  #journal: Journal | null = null;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get isServing(): boolean {
    return this.#phase === 'serving';
  }

  get isDraining(): boolean {
    return this.#phase === 'draining';
  }

  /** The state is recovered: from now on requests are applied, and written down in the journal of the engine that serves. */
  serve(journal: Journal): void {
    this.#journal = journal;
    this.#phase = 'serving';
  }

  /** Requests that have begun are finished, new ones are sent away. */
  drain(): void {
    this.#phase = 'draining';
  }

  /** Throws when a request had better come again later. */
  checkPhase(): void {
    if (this.#phase === 'recovering') throw apiError('not_ready');
    if (this.#phase === 'draining') throw apiError('shutting_down');
  }

  /** Lets a request begin, of so many bytes as it declares; throws when it had better come again later. */
  admit(contentLength: string | undefined): Hold {
    this.checkPhase();
    this.#checkBacklog();
    return this.#options.pressure.admit(Number(contentLength ?? 0));
  }

  #checkBacklog(): void {
    const { store, journalQueueBytesMax, pressure } = this.#options;
    if (store.queuedBytes > journalQueueBytesMax) {
      pressure.shed.journal_queue++;
      throw apiError('backlog_full', { queued: store.queuedBytes, limit: journalQueueBytesMax });
    }
  }

  /**
   * Applies what `read` makes of a request. Resolves when it is committed, with what `report` said of it: batch, outcome and
   * rejections belong to the next request by then.
   */
  async apply<R extends Received, Report>(
    read: (generation: Generation) => R,
    counters: WriteCounters,
    report: (received: R, outcome: IngestOutcome, engine: Engine) => Report,
  ): Promise<Report> {
    const { live, clock } = this.#options;
    this.#checkBacklog();
    const nowMs = clock();
    const { engine } = live.current;
    const received = this.#read(() => read(live.current));
    const outcome = engine.ingest(received.batch, nowMs);
    this.#journal!.record(received.batch, outcome, nowMs);
    counters.count(outcome, received);
    const reported = report(received, outcome, engine);
    await this.#committed(counters);
    return reported;
  }

  /** As `apply`, of events that come as such: `read` throws when any of them is wrong, and then none is applied. */
  async push(
    read: (reader: EventReader, nowMs: number) => PushedEvents[],
    counters: WriteCounters,
  ): Promise<PushOutcome> {
    const { live, clock } = this.#options;
    this.#checkBacklog();
    const nowMs = clock();
    const { engine, events: reader } = live.current;
    const events = read(reader, nowMs);
    const outcome = engine.push(events, nowMs);
    this.#journal!.recordPushes(outcome.applied, nowMs);
    counters.countPushes(events.length, outcome);
    await this.#committed(counters);
    return outcome;
  }

  async #committed(counters: WriteCounters): Promise<void> {
    const started = performance.now();
    try {
      await this.#options.store.committed();
    } catch (error) {
      throw apiError('commit_failed', { detail: (error as Error).message });
    }
    counters.commitWait.observe((performance.now() - started) / 1000);
  }

  #read<R>(read: () => R): R {
    try {
      return read();
    } catch (error) {
      if (error instanceof IngestError) throw new ApiError(error.code, error.message);
      this.#options.logger.error({ err: error }, 'BUG: a request body could not be read');
      throw apiError('unreadable_body');
    }
  }
}
