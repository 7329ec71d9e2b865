/**
 * `npm run bench [-- NAME…] [--smoke] [--list]`: the benchmarks, each a program of its own on the built code; `--smoke` gives
 * them a size that runs in seconds.
 */
import { benchmarks, programOf } from './benchmarks.mjs';
import { prepare, root, run } from './prepare.mjs';

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith('--'));
const all = benchmarks(root);
const unknown = wanted.filter((name) => !all.includes(name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${all.join(', ')}`);
  process.exit(2);
}
if (args.includes('--list')) {
  console.log(all.join('\n'));
  process.exit(0);
}
prepare();
const flags = args.filter((arg) => arg.startsWith('--'));
for (const name of wanted.length > 0 ? wanted : all) {
  console.log(`\n== ${name}`);
  run(process.execPath, ['--expose-gc', programOf(root, name), ...flags]);
}
