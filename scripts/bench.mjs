/**
 * `npm run bench [-- NAME…] [--smoke] [--list]`: the benchmarks, each a program of its own on the built code.
 * A benchmark is a file in bench/ that no other file there imports; `--smoke` gives it a size that runs in seconds.
 */
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesBelow, prepare, root, run } from './prepare.mjs';

const nameOf = (file) => basename(file, '.ts');

function benchmarks() {
  const files = filesBelow(join(root, 'bench'), '.ts');
  const imported = new Set();
  for (const file of files) {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/from '\.\/([^']+)'/g))
      imported.add(basename(path, '.ts'));
  }
  return files.map(nameOf).filter((name) => !imported.has(name));
}

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith('--'));
const all = benchmarks();
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
  run(process.execPath, ['--expose-gc', join(root, 'dist/bench', `${name}.js`), ...flags]);
}
