import { benchOptions } from './harness.ts';
import { LoadedServer } from './loaded-server.ts';

/**
 * How long a start takes until the server is ready, and its CPU time: from a snapshot after SIGTERM, and from snapshot and journal
 * after kill -9.
 */

const options = benchOptions();
const series = options.smoke ? 2_000 : 200_000;

const loaded = await LoadedServer.start({ series, slos: options.smoke ? 10 : 1_000 });
try {
  const { server } = loaded;
  await loaded.sendRounds(10);
  await server.stop('SIGTERM');
  const snapshotMs = await server.restart();
  const snapshotCpuMs = server.cpuNs() / 1e6;
  await loaded.sendRounds(10);
  await server.stop('SIGKILL');
  const journalMs = await server.restart();
  const journalCpuMs = server.cpuNs() / 1e6;
  const { seriesCount } = loaded.fleet;
  const results = { series: seriesCount, snapshotMs, snapshotCpuMs, journalMs, journalCpuMs, journalRounds: 10 };
  if (options.json) console.log(JSON.stringify({ title: 'cold start', smoke: options.smoke, ...results }));
  else {
    const row = (name: string, ms: number, cpuMs: number) =>
      console.log(`  ${name.padEnd(44)} ${ms.toFixed(0).padStart(8)} ms, ${cpuMs.toFixed(0)} ms of CPU`);
    console.log('cold start: ready after');
    row(`a snapshot of ${seriesCount.toLocaleString('en')} series`, snapshotMs, snapshotCpuMs);
    row('and ten rounds of journal after kill -9', journalMs, journalCpuMs);
  }
} finally {
  await loaded.end();
}
