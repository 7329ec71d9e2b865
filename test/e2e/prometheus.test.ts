import { expect } from 'vitest';
import type { SloState } from '../../src/engine/state.ts';
import { App, freePort, prometheus, slipstream, temporaryFolder, testWith, until } from './processes.ts';

const DEFINITIONS = `
apiVersion: slipstream/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: 'http_requests_total{job="shop"}'
        bad: 'http_requests_total{job="shop",code=~"5.."}'
`;

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

testWith(
  'prometheus',
  'what a real Prometheus pushes is counted exactly, over its restart and a kill -9 of Slipstream',
  async () => {
    const dir = temporaryFolder();
    const app = new App();
    await app.start();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const served = slipstream(dir, port, DEFINITIONS);
    await served.start();
    const sender = prometheus(dir, await freePort(), app.port, `${url}/api/v1/write`);
    await sender.start();

    const state = async (): Promise<SloState> => {
      const response = await fetch(`${url}/api/v1/slos/shop/availability`);
      return (await response.json()) as SloState;
    };
    /** Traffic for a while, in uneven steps, with the odd failure. */
    const serve = async (steps: number): Promise<void> => {
      for (let step = 0; step < steps; step++) {
        app.serve('200', 7 + step);
        if (step % 3 === 0) app.serve('404', 1);
        if (step % 4 === 1) app.serve('503', 2);
        await pause(130);
      }
    };
    const counted = async (): Promise<void> => {
      const expected = { good: app.sum(false), bad: app.sum(true) };
      await until(`${JSON.stringify(expected)}`, async () => {
        const { events } = await state();
        if (events.good === expected.good && events.bad === expected.bad) return true;
        throw new Error(JSON.stringify(events));
      });
    };

    // The first scrapes come before the first request, so that every series is born while the target is being received.
    await until('two scrapes', async () => (app.scrapes >= 2 ? true : null));
    await serve(20);
    await counted();

    await serve(10);
    await served.end('SIGKILL');
    await serve(10);
    await served.start();
    await serve(10);
    await counted();

    await sender.end('SIGTERM');
    await serve(10);
    await sender.start();
    await serve(10);
    await counted();

    const before = await state();
    expect(before.events.bad).toBeGreaterThan(0);
    expect(await served.end('SIGTERM')).toBe(0);
    await served.start();
    const after = await state();
    expect(after.events.good).toBe(before.events.good);
    expect(after.events.bad).toBe(before.events.bad);
  },
  120_000,
);
