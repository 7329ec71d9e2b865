import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { readConfig } from '../src/config.ts';
import { readDefinitions } from '../src/definitions/load.ts';
import { compress, encodeWriteRequest } from '../src/ingest/remote-write-schema.ts';
import { startService } from '../src/service.ts';
import { benchOptions } from './harness.ts';

/**
 * From a total outage to the page in somebody's hands: 99.9 % over 30 days, a scrape every 5 s, a tick every second, the default
 * `settle`. By the clock on the wall; with `--smoke` time runs ten times as fast.
 */

const SCRAPE_MS = 5_000;
const HOUR_MS = 3_600_000;
const HISTORY_MS = 72 * HOUR_MS;
const REQUESTS_PER_SCRAPE = 500;
/** 14.4 times 0.1 % of an hour: as soon as that much of it has failed the burn rate is above the factor. */
const THEORY_SECONDS = 14.4 * 0.001 * 3600;

const { smoke, json } = benchOptions();
const speed = smoke ? 10 : 1;
const beganMs = performance.now();
const epochMs = Math.floor(Date.now() / SCRAPE_MS) * SCRAPE_MS;
const clock = (): number => epochMs + (performance.now() - beganMs) * speed;

const dir = mkdtempSync(join(tmpdir(), 'slipstream-outage-'));
let paged: (atMs: number) => void;
const page = new Promise<number>((resolve) => {
  paged = resolve;
});
const pager = createServer((request, response) => {
  request.resume().on('end', () => {
    response.end();
    paged(clock());
  });
});
await new Promise<void>((resolve) => pager.listen(0, '127.0.0.1', resolve));

const { slos, alerting } = readDefinitions(
  [
    {
      file: 'outage.yaml',
      text: `
apiVersion: slipstream/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli: {events: {total: 'requests{job="shop"}', bad: 'requests{job="shop",code="500"}'}}
---
route: {receiver: pager}
receivers: [{name: pager, webhook_configs: [{url: "http://127.0.0.1:${(pager.address() as AddressInfo).port}"}]}]
`,
    },
  ],
  { env: {} },
);
const evaluationInterval = `${Math.round(1_000 / speed)}ms`;
const { config } = readConfig(null, { data: dir, listen: '127.0.0.1:0', evaluationInterval }, {});
const service = await startService({
  config: { ...config!, alerting },
  slos,
  reread: () => ({ problems: ['there are no files'] }),
  logger: pino({ level: 'silent' }),
  clock,
  version: 'bench',
});

/** The outage begins right after a scrape, which is the worst it can do. */
const firstMs = epochMs - HISTORY_MS;
const outageMs = epochMs;

function valueAt(code: string, tMs: number): number {
  const all = (REQUESTS_PER_SCRAPE * (tMs - firstMs)) / SCRAPE_MS;
  const bad = (REQUESTS_PER_SCRAPE * Math.max(tMs - outageMs, 0)) / SCRAPE_MS;
  return code === '500' ? bad : all - bad;
}

async function send(timestamps: readonly number[]): Promise<void> {
  const series = ['200', '500'].map((code) => ({
    labels: Object.entries({ __name__: 'requests', code, instance: 'a', job: 'shop' }),
    samples: timestamps.map((timestampMs) => ({ timestampMs, value: valueAt(code, timestampMs) })),
  }));
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const body = compress(encodeWriteRequest(series));
  const response = await fetch(`${service.url}/api/v1/write`, { method: 'POST', headers, body });
  if (response.status !== 204) throw new Error(`the write was answered ${response.status}: ${await response.text()}`);
}

await send(Array.from({ length: (HISTORY_MS - HOUR_MS) / SCRAPE_MS / 12 }, (_, i) => firstMs + i * 12 * SCRAPE_MS));
await send(Array.from({ length: HOUR_MS / SCRAPE_MS + 1 }, (_, i) => outageMs - HOUR_MS + i * SCRAPE_MS));

let pagedMs: number | null = null;
void page.then((atMs) => {
  pagedMs = atMs;
});
for (let scrapeMs = outageMs + SCRAPE_MS; pagedMs === null; ) {
  if (clock() < scrapeMs) {
    await sleep(Math.min((scrapeMs - clock()) / speed, 20));
    continue;
  }
  await send([scrapeMs]);
  scrapeMs += SCRAPE_MS;
}
await service.close();
pager.closeAllConnections();
pager.close();
rmSync(dir, { recursive: true });

const seconds = (pagedMs - outageMs) / 1000;
const result = {
  speed,
  theorySeconds: THEORY_SECONDS,
  pagedAfterSeconds: seconds,
  beyondSeconds: seconds - THEORY_SECONDS,
};
if (json) console.log(JSON.stringify(result));
else {
  console.log(
    `paged ${seconds.toFixed(1)} s after the outage began, ${result.beyondSeconds.toFixed(1)} s beyond the theoretical ` +
      `${THEORY_SECONDS} s${speed === 1 ? '' : ` (time ran ${speed} times as fast)`}`,
  );
}
