import type { SloState } from '../../engine/state.ts';
import { LoadError } from './load.ts';

/** The server under load, as it tells of itself over HTTP. */

const TIMEOUT_MS = 30_000;

/** One reading of `/metrics`: values by name and labels as they are written there. */
export class Metrics {
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const at = line.lastIndexOf(' ');
      if (at > 0 && !line.startsWith('#')) this.#values.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
  }

  /** The sum over the series of this name whose labels contain each of the texts. */
  sum(name: string, ...labels: readonly string[]): number {
    let sum = 0;
    for (const [series, value] of this.#values) {
      const isNamed = series === name || series.startsWith(`${name}{`);
      if (isNamed && labels.every((label) => series.includes(label))) sum += value;
    }
    return sum;
  }

  /** Values of one label over the series of this name, and the sums by it. */
  by(name: string, label: string, ...labels: readonly string[]): Map<string, number> {
    const sums = new Map<string, number>();
    for (const [series, value] of this.#values) {
      if (!series.startsWith(`${name}{`) || !labels.every((text) => series.includes(text))) continue;
      const found = series.match(`[{,]${label}="([^"]*)"`)?.[1];
      if (found !== undefined) sums.set(found, (sums.get(found) ?? 0) + value);
    }
    return sums;
  }
}

export class Server {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url.replace(/\/+$/, '');
  }

  /** Throws a LoadError when it cannot be reached or is no Slipstream. */
  async metrics(): Promise<Metrics> {
    const metrics = new Metrics(await this.#get('/metrics'));
    if (metrics.sum('slipstream_build_info') === 0)
      throw new LoadError(`${this.#url}/metrics is not that of a Slipstream server`, false);
    return metrics;
  }

  async states(): Promise<ReadonlyMap<string, SloState>> {
    const { slos } = JSON.parse(await this.#get('/api/v1/slos')) as { slos: SloState[] };
    return new Map(slos.map((state) => [state.id, state]));
  }

  async #get(path: string): Promise<string> {
    try {
      const response = await fetch(this.#url + path, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      const text = await response.text();
      if (response.ok) return text;
      throw new LoadError(`${this.#url}${path} answered ${response.status}`, true);
    } catch (error) {
      if (error instanceof LoadError) throw error;
      const { message, cause } = error as Error;
      const why = cause instanceof Error && cause.message !== '' ? cause.message : message;
      throw new LoadError(`cannot reach ${this.#url}${path}: ${why}`, true);
    }
  }
}
