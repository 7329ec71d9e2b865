import type { Suspect } from './duplicate-writers.ts';
import type { LedgerSave } from './ledger.ts';
import type { Bucket, NativeHistogram, ResetHint } from './native-histogram.ts';
import type { PendingRow } from './pending.ts';
import type { PushesSave } from './pushes.ts';
import { Coverage, type ScopeSave } from './scope.ts';
import type { AlertStateName } from './state.ts';
import type { TallySave } from './tally.ts';
import type { TargetSave } from './targets.ts';

/**
 * The engine's state as bytes: magic, version, then each part in order. Of another version the store says in words that it
 * cannot be read.
 */

export interface EngineSave {
  replicas: { cluster: string; replica: string; heardMs: number; electedAtMs: number }[];
  targets: TargetSave[];
  scopes: ScopeSave[];
  ledgers: LedgerSave[];
  slos: { id: string; fingerprint: string; listeningSinceMs: number }[];
  pushes: PushesSave[];
  /** No series has this id or a higher one. */
  seriesIdEnd: number;
  /** One at a time and once only: all of them at once would be a hundred megabytes of objects. */
  series: Iterable<SeriesSave>;
}

export interface SeriesSave {
  id: number;
  labels: Uint8Array;
  lastMs: number;
  lastValue: number;
  lastLow: number;
  lastStartMs: number;
  histogram: NativeHistogram | null;
  suspect: Suspect | null;
}

const MAGIC = 0x534c_5354;
const VERSION = 2;
const RESET_HINTS: readonly ResetHint[] = ['unknown', 'yes', 'no', 'gauge'];
const ALERT_STATES: readonly AlertStateName[] = ['inactive', 'pending', 'firing'];

export function writeSnapshot(save: EngineSave): Uint8Array {
  const out = new Writer();
  out.u32(MAGIC);
  out.u32(VERSION);
  out.list(save.replicas, (replica) => {
    out.text(replica.cluster);
    out.text(replica.replica);
    out.f64(replica.heardMs);
    out.f64(replica.electedAtMs);
  });
  out.list(save.targets, (target) => {
    out.text(target.job);
    out.text(target.instance);
    out.f64(target.newestMs);
    out.f64(target.previousMs);
    out.f64(target.runStartMs);
    out.f64(target.intervalMs);
    out.f64(target.holeMs);
  });
  out.list(save.scopes, (scope) => {
    out.text(scope.key);
    out.f64(scope.firstMs);
    out.f64(scope.newestMs);
    out.f64(scope.settledMs);
    out.f64(scope.settledAtMs);
    out.list(scope.arrivals, ([eventMs, arrivedMs]) => {
      out.f64(eventMs);
      out.f64(arrivedMs);
    });
    for (const records of [scope.coverage, scope.reports]) {
      out.list(records, (coverage) => {
        out.f64(coverage.slotMs);
        out.f64(coverage.slots);
        out.f64(coverage.head);
        out.bytes(coverage.bits);
      });
    }
  });
  out.list(save.ledgers, (ledger) => {
    out.text(ledger.sloId);
    out.optional(ledger.group, (group) => {
      out.list(Object.entries(group), ([name, value]) => {
        out.text(name);
        out.text(value);
      });
    });
    out.f64(ledger.settledMs);
    out.f64(ledger.evaluatedMs);
    out.u32(ledger.frozen ? 1 : 0);
    writeTally(out, ledger.tally);
    writeRows(out, ledger.pending);
    out.optional(ledger.bounds, (bounds) => {
      writeTally(out, bounds.tally);
      writeRows(out, bounds.pending);
    });
    out.optional(ledger.slices, (slices) => {
      out.f64(slices.sinceMs);
      out.f64(slices.nextEndMs);
      writeRows(out, slices.pending);
      out.list(slices.series, ([a, b]) => {
        out.f64(a);
        out.f64(b);
      });
    });
    out.list(ledger.alerts, (alert) => {
      out.text(alert.name);
      out.u32(ALERT_STATES.indexOf(alert.state));
      out.f64(alert.sinceMs);
    });
  });
  out.list(save.slos, (slo) => {
    out.text(slo.id);
    out.text(slo.fingerprint);
    out.f64(slo.listeningSinceMs);
  });
  out.list(save.pushes, (pushes) => {
    out.text(pushes.sloId);
    out.f64(pushes.beganMs);
    out.list(pushes.young, (id) => out.text(id));
    out.list(pushes.old, (id) => out.text(id));
  });
  out.u32(save.seriesIdEnd);
  out.each(save.series, (series) => {
    out.u32(series.id);
    out.bytes(series.labels);
    out.f64(series.lastMs);
    out.f64(series.lastValue);
    out.f64(series.lastLow);
    out.f64(series.lastStartMs);
    out.optional(series.histogram, (histogram) => writeHistogram(out, histogram));
    out.optional(series.suspect, ({ before, returns, samples, highest }) => {
      out.f64(before);
      out.u32(returns);
      out.u32(samples);
      out.f64(highest);
    });
  });
  return out.finish();
}

function writeTally(out: Writer, tally: TallySave): void {
  out.bytes(new Uint8Array(tally.ring));
  out.list(tally.calendar, (value) => out.f64(value));
}

function writeRows(out: Writer, rows: readonly PendingRow[]): void {
  out.list(rows, (row) => {
    for (const value of row) out.f64(value);
  });
}

function writeHistogram(out: Writer, histogram: NativeHistogram): void {
  out.f64(histogram.schema);
  out.f64(histogram.count);
  out.f64(histogram.zeroThreshold);
  out.f64(histogram.zeroCount);
  for (const buckets of [histogram.positive, histogram.negative]) {
    out.list(buckets, ([index, count]) => {
      out.f64(index);
      out.f64(count);
    });
  }
  out.list(histogram.customBounds, (bound) => out.f64(bound));
  out.u32(RESET_HINTS.indexOf(histogram.resetHint));
}

export function readSnapshot(bytes: Uint8Array): EngineSave {
  const from = new Reader(bytes);
  if (from.u32() !== MAGIC) throw new Error('not a snapshot of the engine');
  const version = from.u32();
  if (version !== VERSION) throw new Error(`snapshot version ${version}; this program reads version ${VERSION}`);
  return {
    replicas: from.list(() => ({
      cluster: from.text(),
      replica: from.text(),
      heardMs: from.f64(),
      electedAtMs: from.f64(),
    })),
    targets: from.list(() => ({
      job: from.text(),
      instance: from.text(),
      newestMs: from.f64(),
      previousMs: from.f64(),
      runStartMs: from.f64(),
      intervalMs: from.f64(),
      holeMs: from.f64(),
    })),
    scopes: from.list(() => ({
      key: from.text(),
      firstMs: from.f64(),
      newestMs: from.f64(),
      settledMs: from.f64(),
      settledAtMs: from.f64(),
      arrivals: from.list(() => [from.f64(), from.f64()] as const),
      coverage: from.list(() => new Coverage(from.f64(), from.f64(), from.f64(), from.bytes())),
      reports: from.list(() => new Coverage(from.f64(), from.f64(), from.f64(), from.bytes())),
    })),
    ledgers: from.list(() => ({
      sloId: from.text(),
      group: from.optional(() => Object.fromEntries(from.list(() => [from.text(), from.text()] as const))),
      settledMs: from.f64(),
      evaluatedMs: from.f64(),
      frozen: from.u32() === 1,
      tally: readTally(from),
      pending: readRows(from),
      bounds: from.optional(() => ({ tally: readTally(from), pending: readRows(from) })),
      slices: from.optional(() => ({
        sinceMs: from.f64(),
        nextEndMs: from.f64(),
        pending: readRows(from),
        series: from.list(() => [from.f64(), from.f64()] as const),
      })),
      alerts: from.list(() => ({ name: from.text(), state: ALERT_STATES[from.u32()]!, sinceMs: from.f64() })),
    })),
    slos: from.list(() => ({ id: from.text(), fingerprint: from.text(), listeningSinceMs: from.f64() })),
    pushes: from.list(() => readPushes(from)),
    seriesIdEnd: from.u32(),
    series: from.each(() => ({
      id: from.u32(),
      labels: from.view(),
      lastMs: from.f64(),
      lastValue: from.f64(),
      lastLow: from.f64(),
      lastStartMs: from.f64(),
      histogram: from.optional(() => readHistogram(from)),
      suspect: from.optional(() => readSuspect(from)),
    })),
  };
}

function readPushes(from: Reader): PushesSave {
  const ids = (): string[] => from.list(() => from.text());
  return { sloId: from.text(), beganMs: from.f64(), young: ids(), old: ids() };
}

/** Its id is that of the series it stands with. */
function readSuspect(from: Reader): Suspect {
  return { id: -1, before: from.f64(), returns: from.u32(), samples: from.u32(), highest: from.f64() };
}

function readTally(from: Reader): TallySave {
  return { ring: from.bytes().buffer, calendar: from.list(() => from.f64()) };
}

function readRows(from: Reader): PendingRow[] {
  return from.list((): PendingRow => [from.f64(), from.f64(), from.f64()]);
}

function readHistogram(from: Reader): NativeHistogram {
  return {
    schema: from.f64(),
    count: from.f64(),
    zeroThreshold: from.f64(),
    zeroCount: from.f64(),
    positive: from.list((): Bucket => [from.f64(), from.f64()]),
    negative: from.list((): Bucket => [from.f64(), from.f64()]),
    customBounds: from.list(() => from.f64()),
    resetHint: RESET_HINTS[from.u32()]!,
  };
}

class Writer {
  #buffer = new Uint8Array(1 << 16);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;
  readonly #utf8 = new TextEncoder();

  #room(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#buffer.length));
      grown.set(this.#buffer);
      this.#buffer = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length);
    const at = this.#room(value.length);
    this.#buffer.set(value, at);
  }

  text(value: string): void {
    this.bytes(this.#utf8.encode(value));
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.u32(items.length);
    for (const item of items) write(item);
  }

  /** As many as come. */
  each<T>(items: Iterable<T>, write: (item: T) => void): void {
    for (const item of items) {
      this.u32(1);
      write(item);
    }
    this.u32(0);
  }

  optional<T>(item: T | null, write: (item: T) => void): void {
    this.u32(item === null ? 0 : 1);
    if (item !== null) write(item);
  }

  finish(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  readonly #utf8 = new TextDecoder();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  f64(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** A part of the snapshot itself. */
  view(): Uint8Array {
    const length = this.u32();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('the snapshot ends too early');
    this.#at = end;
    return this.#bytes.subarray(end - length, end);
  }

  /** A copy, so that it is aligned and outlives the snapshot. */
  bytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.view());
  }

  text(): string {
    return this.#utf8.decode(this.view());
  }

  list<T>(read: () => T): T[] {
    return Array.from({ length: this.u32() }, read);
  }

  *each<T>(read: () => T): Iterable<T> {
    while (this.u32() === 1) yield read();
  }

  optional<T>(read: () => T): T | null {
    return this.u32() === 0 ? null : read();
  }
}
