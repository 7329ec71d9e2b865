import type { SampleBatch } from './batch.ts';

/**
 * High-availability pairs: two Prometheus servers that scrape the same targets and both send what they saw. Per cluster one
 * replica is elected and the samples of the others are left out, because two scrapes of one counter at nearly the same time,
 * by clocks that differ, look like resets. When the elected one has been silent for `failoverMs` the next to speak is elected.
 */

/** As many clusters as Mimir's tracker admits; the label values come from outside. */
export const CLUSTERS_MAX = 100;
const SENDERS_PER_CLUSTER_MAX = 16;
/** How many scrape intervals two replicas' views of a counter can be apart. */
const SKEW_INTERVALS = 2;

interface Cluster {
  readonly senders: Map<string, number>;
  /** The sender that is listened to; 0 before the first. */
  elected: number;
  /** When it last spoke, arrival time. */
  heardMs: number;
  /** Event time of its first sample after it was elected. */
  electedAtMs: number;
}

export class Replicas {
  readonly #failoverMs: number;
  readonly #clusters = new Map<string, Cluster>();
  /** By sender id. Id 0 is a sender without the labels of a pair. */
  readonly #clusterOf: (Cluster | null)[] = [null];

  constructor(failoverMs: number) {
    this.#failoverMs = failoverMs;
  }

  /** The id of a replica of a cluster, from 1 on; -1 when there are too many clusters. */
  senderOf(cluster: string, replica: string): number {
    let entry = this.#clusters.get(cluster);
    if (entry === undefined) {
      if (this.#clusters.size >= CLUSTERS_MAX) return -1;
      entry = { senders: new Map(), elected: 0, heardMs: Number.NEGATIVE_INFINITY, electedAtMs: Number.NaN };
      this.#clusters.set(cluster, entry);
    }
    const known = entry.senders.get(replica);
    if (known !== undefined) return known;
    if (entry.senders.size >= SENDERS_PER_CLUSTER_MAX) this.#forgetOldest(entry);
    entry.senders.set(replica, this.#clusterOf.push(entry) - 1);
    return this.#clusterOf.length - 1;
  }

  /** Replicas may be named after pods, which come and go. An id that was given stays one of its cluster. */
  #forgetOldest({ senders, elected }: Cluster): void {
    for (const [replica, sender] of senders) {
      if (sender === elected) continue;
      senders.delete(replica);
      return;
    }
  }

  /**
   * Takes the samples of replicas that are not elected out of the batch and returns how many they were. Where they were is added to
   * `gaps`, see IngestOutcome.
   */
  admit(batch: SampleBatch, nowMs: number, gaps: number[]): number {
    const { senders, timestampsMs } = batch;
    let sender = 0;
    let admitted = true;
    let kept = 0;
    for (let row = 0; row < batch.length; row++) {
      if (senders[row] !== sender) {
        sender = senders[row]!;
        admitted = this.#isElected(sender, nowMs, timestampsMs[row]!);
      }
      if (admitted) batch.move(row, kept++);
      else if (gaps.at(-2) === kept) gaps[gaps.length - 1]!++;
      else gaps.push(kept, 1);
    }
    const left = batch.length - kept;
    batch.length = kept;
    return left;
  }

  #isElected(sender: number, nowMs: number, tMs: number): boolean {
    const cluster = this.#clusterOf[sender]!;
    if (cluster === null) return true;
    if (cluster.elected !== sender) {
      if (cluster.elected !== 0 && nowMs - cluster.heardMs <= this.#failoverMs) return false;
      cluster.elected = sender;
      cluster.electedAtMs = tMs;
    }
    cluster.heardMs = nowMs;
    return true;
  }

  /**
   * Whether a decrease at `tMs` can come from the hand-over between two replicas: it is then no reset, and the baseline stays
   * until the new one has passed it.
   */
  isHandOver(sender: number, tMs: number, intervalMs: number): boolean {
    const cluster = this.#clusterOf[sender];
    return cluster != null && tMs <= cluster.electedAtMs + SKEW_INTERVALS * intervalMs;
  }

  /** Who is elected, for the API and for snapshots. */
  elected(): { cluster: string; replica: string; heardMs: number; electedAtMs: number }[] {
    return [...this.#clusters].flatMap(([cluster, { senders, elected, heardMs, electedAtMs }]) => {
      const replica = [...senders].find(([, id]) => id === elected)?.[0];
      return replica === undefined ? [] : [{ cluster, replica, heardMs, electedAtMs }];
    });
  }

  load(save: readonly { cluster: string; replica: string; heardMs: number; electedAtMs: number }[]): void {
    for (const { cluster, replica, heardMs, electedAtMs } of save) {
      const sender = this.senderOf(cluster, replica);
      const entry = this.#clusterOf[sender];
      if (entry == null) continue;
      entry.elected = sender;
      entry.heardMs = heardMs;
      entry.electedAtMs = electedAtMs;
    }
  }
}
