import { benchOptions } from './harness.ts';
import { LoadedServer } from './loaded-server.ts';

/**
 * Resident memory of the server process: of a series, of an SLO, and whether series that no SLO wants can make it grow beyond
 * what the configuration allows.
 */

const options = benchOptions();
const ROUNDS = options.smoke ? 2 : 10;

interface Sizes {
  readonly series: number;
  readonly slos: number;
}

/** Memory after a few rounds: what is needed to start, to meet the series and to go on. */
async function rssOf(sizes: Sizes, serverFile?: string): Promise<{ emptyBytes: number; loadedBytes: number }> {
  const loaded = await LoadedServer.start(sizes, serverFile === undefined ? {} : { serverFile });
  try {
    const emptyBytes = loaded.server.rssBytes();
    await loaded.sendRounds(ROUNDS);
    return { emptyBytes, loadedBytes: loaded.server.rssBytes() };
  } finally {
    await loaded.end();
  }
}

const [few, many] = options.smoke ? [2_000, 10_000] : [20_000, 200_000];
const [fewSlos, manySlos] = options.smoke ? [10, 40] : [14, 1_000];
const small = await rssOf({ series: few, slos: fewSlos });
const large = await rssOf({ series: many, slos: fewSlos });
const full = await rssOf({ series: many, slos: manySlos });

// Twice and five times as many unwanted series as there is room for.
const limit = options.smoke ? 2_000 : 100_000;
const serverFile = `limits: {series: ${limit}}\n`;
const flooded = await rssOf({ series: 2 * limit, slos: 1 }, serverFile);
const drowned = await rssOf({ series: 5 * limit, slos: 1 }, serverFile);

const results = {
  emptyBytes: small.emptyBytes,
  loadedBytes: full.loadedBytes,
  bytesPerSeries: (large.loadedBytes - small.loadedBytes) / (many - few),
  bytesPerSlo: (full.loadedBytes - large.loadedBytes) / (manySlos - fewSlos),
  floodedBytes: flooded.loadedBytes,
  drownedBytes: drowned.loadedBytes,
};
if (options.json) console.log(JSON.stringify({ title: 'memory', smoke: options.smoke, ...results }));
else {
  const number = (value: number) => Math.round(value).toLocaleString('en').padStart(12);
  console.log('memory: resident bytes of the server process');
  console.log(`  at the start                                    ${number(results.emptyBytes)}`);
  console.log(`  ${many} series, ${manySlos} SLOs`.padEnd(50) + number(results.loadedBytes));
  console.log(`  a series                                        ${number(results.bytesPerSeries)}`);
  console.log(`  an SLO                                          ${number(results.bytesPerSlo)}`);
  console.log(`  ${2 * limit} unwanted series, limit ${limit}`.padEnd(50) + number(results.floodedBytes));
  console.log(`  ${5 * limit} unwanted series, limit ${limit}`.padEnd(50) + number(results.drownedBytes));
}
