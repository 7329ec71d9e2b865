import { expect } from 'vitest';
import { compress, encodeWriteRequest } from '../../src/ingest/remote-write-schema.ts';
import { HttpReceiver } from '../notify/receiver.ts';
import { alertmanager, freePort, slipstream, temporaryFolder, testWith, until } from './processes.ts';

const INTERVAL_MS = 5_000;
const HOUR_MS = 3_600_000;

function definitions(alertmanagerUrl: string): string {
  return `
apiVersion: slipstream/v1
service: shop
owner: team-shop
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        total: 'http_requests_total{job="shop"}'
        bad: 'http_requests_total{job="shop",code=~"5.."}'
    alerts:
      policy:
        - {name: page-quick, severity: page, factor: 14.4, long: 1h, short: 10s}
        - {name: ticket-slow, severity: ticket, factor: 5, long: 1h, short: 10s}
---
external_url: https://slipstream.example
alertmanagers: [{urls: ["${alertmanagerUrl}"], resend_interval: 2s}]
`;
}

/** A target with 100 requests a scrape, of which all fail from one time to another. It begins an hour before the outage. */
class Target {
  readonly beganMs: number;
  readonly outageMs: number;
  recoveredMs = Number.POSITIVE_INFINITY;
  #sentMs: number;

  constructor(outageMs: number) {
    this.outageMs = outageMs;
    this.beganMs = outageMs - HOUR_MS;
    this.#sentMs = this.beganMs - INTERVAL_MS;
  }

  /** Everything that was scraped since the last time, as a request of remote write; null when nothing was. */
  next(nowMs: number): Uint8Array | null {
    const timestamps: number[] = [];
    while (this.#sentMs + INTERVAL_MS <= nowMs) {
      this.#sentMs += INTERVAL_MS;
      timestamps.push(this.#sentMs);
    }
    if (timestamps.length === 0) return null;
    const series = ['200', '503'].map((code) => ({
      labels: Object.entries({ __name__: 'http_requests_total', code, instance: 'a', job: 'shop' }),
      samples: timestamps.map((timestampMs) => ({ timestampMs, value: this.#count(code, timestampMs) })),
    }));
    return compress(encodeWriteRequest(series));
  }

  #count(code: string, tMs: number): number {
    const bad = Math.max(Math.min(tMs, this.recoveredMs - INTERVAL_MS) - this.outageMs + INTERVAL_MS, 0);
    const all = tMs - this.beganMs;
    return (100 * (code === '503' ? bad : all - bad)) / INTERVAL_MS;
  }
}

testWith(
  'prometheus-alertmanager',
  'a real Alertmanager pages as soon as the theory has it, by labels, once over a kill -9, and resolves',
  async () => {
    const dir = temporaryFolder();
    const pages = await HttpReceiver.start();
    const others = await HttpReceiver.start();
    const amPort = await freePort();
    const am = alertmanager(dir, amPort, pages.url, others.url);
    await am.start();
    const port = await freePort();
    const options = ['--evaluation-interval', '1s', '--settle', '500ms'];
    const served = slipstream(dir, port, definitions(`http://127.0.0.1:${amPort}`), options);
    await served.start();

    // Of 720 scrapes in an hour the eleventh bad one makes the error ratio more than 14.4 times 0.1 %.
    const target = new Target(Math.floor(Date.now() / INTERVAL_MS) * INTERVAL_MS - 40_000);
    const theoryMs = target.outageMs + 50_000;
    const send = async (): Promise<void> => {
      const body = target.next(Date.now());
      if (body === null) return;
      const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/write`, { method: 'POST', body, headers });
      expect(response.status).toBe(204);
    };
    const told = (receiver: HttpReceiver, status: string) =>
      receiver.received.filter(({ body }) => body.status === status);

    await until('the page', async () => {
      await send();
      return told(pages, 'firing').length > 0 ? true : null;
    });
    const pagedMs = Date.now();
    const [alert] = told(pages, 'firing')[0]!.body.alerts;
    expect(alert.labels).toEqual({
      alertname: 'page-quick',
      service: 'shop',
      slo: 'availability',
      owner: 'team-shop',
      severity: 'page',
      long: '1h',
      short: '10s',
    });
    expect(Date.parse(alert.startsAt)).toBe(theoryMs);
    // Half a second to settle, two ticks, and room for a machine that is busy.
    expect(pagedMs - theoryMs).toBeLessThan(10_000);
    expect(told(others, 'firing').map(({ body }) => body.commonLabels.alertname)).toEqual(['ticket-slow']);

    await served.end('SIGKILL');
    await served.start();
    // Two rounds of resending.
    const resentMs = Date.now() + 5_000;
    await until('two rounds', async () => {
      await send();
      return Date.now() > resentMs ? true : null;
    });
    target.recoveredMs = Math.ceil(Date.now() / INTERVAL_MS) * INTERVAL_MS + INTERVAL_MS;
    await until(
      'the end',
      async () => {
        await send();
        return told(pages, 'resolved').length > 0 ? true : null;
      },
      60_000,
    );
    expect(told(pages, 'resolved')[0]!.body.alerts[0].labels).toEqual(alert.labels);
    expect(told(pages, 'firing').length).toBe(1);

    const history = (await (await fetch(`http://127.0.0.1:${port}/api/v1/alerts/history`)).json()) as {
      alerts: { alert: string; state: string; notifications: { receiver: string; status: string; times: number }[] }[];
    };
    const page = history.alerts.filter(({ alert: name }) => name === 'page-quick');
    expect(page.map(({ state }) => state)).toEqual(['resolved']);
    expect(page[0]!.notifications.map(({ receiver, status }) => `${receiver} ${status}`)).toEqual([
      'alertmanager[0][0] firing',
      'alertmanager[0][0] resolved',
    ]);
  },
  120_000,
);
