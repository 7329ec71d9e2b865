import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runDemoSender } from './demo/sender.ts';
import { DEMO_SLOS } from './demo/slos.ts';
import { type Running, runServer, type ServerContext } from './serve.ts';

/** `slipstream demo`: a server with example SLOs and, in the same process, a sender that makes them live. */

export interface DemoFlags {
  readonly listen?: string;
  readonly data?: string;
  /** How long to send live. */
  readonly durationMs: number;
}

export async function demoCommand(flags: DemoFlags, context: ServerContext): Promise<Running | number> {
  const { io, clock } = context;
  const kept = flags.data ?? io.env['SLIPSTREAM_DATA'];
  const folder = kept ?? mkdtempSync(join(tmpdir(), 'slipstream-demo-'));
  const removeFolder = (): void => {
    if (kept === undefined) rmSync(folder, { recursive: true, force: true });
  };
  try {
    mkdirSync(folder, { recursive: true });
    const definitions = join(folder, 'slos.yaml');
    writeFileSync(definitions, DEMO_SLOS);
    const listen = flags.listen === undefined ? {} : { listen: flags.listen };
    const running = await runServer({ ...listen, data: folder, slos: [definitions] }, context);
    if (typeof running === 'number') {
      removeFolder();
      return running;
    }
    io.out(whereToLook(running.url, definitions));
    const end = new AbortController();
    const sender = runDemoSender({
      url: running.url,
      nowMs: clock,
      signal: end.signal,
      durationMs: flags.durationMs,
      log: (line) => io.err(`demo: ${line}\n`),
    }).catch((error: Error) => running.logger.error(`the demo's sender gave up: ${error.message}`));
    return {
      ...running,
      close: async () => {
        end.abort();
        await sender;
        await running.close();
        removeFolder();
      },
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

function whereToLook(url: string, definitions: string): string {
  return `
Slipstream's demo: a small shop with 30 days of history and an incident every ten minutes.

  all SLOs      curl -s ${url}/api/v1/slos
  one SLO       curl -s ${url}/api/v1/slos/checkout/availability
  deploy gate   curl -s '${url}/api/v1/gate?service=checkout'
                slipstream gate --url ${url} --service checkout
  metrics       curl -s ${url}/metrics
  definitions   ${definitions}

Ctrl-C ends it.

`;
}
