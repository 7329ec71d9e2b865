import { benchOptions } from './harness.ts';
import { LoadedServer } from './loaded-server.ts';

/** How long a start takes until the server is ready: from a snapshot after SIGTERM, and from snapshot and journal after kill -9. */

const options = benchOptions();
const series = options.smoke ? 2_000 : 200_000;

const loaded = await LoadedServer.start({ series, slos: options.smoke ? 10 : 1_000 });
try {
  const { server } = loaded;
  await loaded.sendRounds(10);
  await server.stop('SIGTERM');
  const snapshotMs = await server.restart();
  await loaded.sendRounds(10);
  await server.stop('SIGKILL');
  const journalMs = await server.restart();
  const results = { series: loaded.fleet.seriesCount, snapshotMs, journalMs, journalRounds: 10 };
  if (options.json) console.log(JSON.stringify({ title: 'cold start', smoke: options.smoke, ...results }));
  else {
    console.log('cold start: ready after');
    console.log(`  a snapshot of ${results.series.toLocaleString('en')} series          ${snapshotMs.toFixed(0)} ms`);
    console.log(`  and ten rounds of journal after kill -9  ${journalMs.toFixed(0)} ms`);
  }
} finally {
  await loaded.end();
}
