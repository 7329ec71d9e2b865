import { Fleet } from '../src/cli/bench/fleet.ts';
import { Load, rounds } from '../src/cli/bench/load.ts';
import { SLOS_PER_SERVICE } from '../src/cli/bench/slos.ts';
import { ROUND_MS } from './corpus.ts';
import { ServerProcess } from './server-process.ts';
import { type SlipstreamOptions, slipstream } from './servers/launch.ts';

const BEGUN_AGO_MS = 30 * 60_000;

/** A Slipstream in a process of its own, and a fleet that sends to it. */
export class LoadedServer {
  readonly server: ServerProcess;
  readonly fleet: Fleet;
  readonly load: Load;
  #timeMs = Date.now() - BEGUN_AGO_MS;

  private constructor(server: ServerProcess, fleet: Fleet) {
    this.server = server;
    this.fleet = fleet;
    this.load = new Load({
      url: server.url,
      fleet,
      protocol: 'rw1',
      order: 'friendly',
      connections: 4,
      samplesPerRequest: 2_000,
      seed: 1,
    });
  }

  /** With so many SLOs of the fleet's services, as far as those have so many. */
  static async start(
    { series, slos }: { series: number; slos: number },
    options: Omit<SlipstreamOptions, 'slos' | 'services'> = {},
  ): Promise<LoadedServer> {
    const fleet = new Fleet({ series, seed: 1 });
    const services = fleet.serviceCount;
    const launch = slipstream({ ...options, slos: Math.min(slos, services * SLOS_PER_SERVICE), services });
    return new LoadedServer(await ServerProcess.start(launch), fleet);
  }

  /** The next rounds, which lie in the past: the first one is of half an hour ago. */
  async sendRounds(count: number): Promise<void> {
    await this.load.run(rounds(count, this.#timeMs, ROUND_MS));
    this.#timeMs += count * ROUND_MS;
  }

  async end(): Promise<void> {
    this.load.close();
    await this.server.end();
  }
}
