/**
 * `npm run bench:peers [-- --scenario NAME… --turns 5 --seconds 4 --history-days 30 --json]`: Slipstream beside Prometheus and
 * VictoriaMetrics as Debian packages them, and beside the naive service; see bench/peers.ts.
 */
import { programOf } from './benchmarks.mjs';
import { missingPackages } from './debian.mjs';
import { prepare, root, run } from './prepare.mjs';

const PACKAGES = [
  { name: 'prometheus', program: 'prometheus' },
  { name: 'victoria-metrics', program: 'victoria-metrics' },
];

prepare();
for (const { name, program } of missingPackages(PACKAGES, 'for the comparison')) {
  console.error(`*** ${program} is not installed and is left out: apt-get install ${name}`);
}
run(process.execPath, [programOf(root, 'peers'), ...process.argv.slice(2)]);
