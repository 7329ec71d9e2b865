/** The benchmarks of a tree: the files directly in bench/ that no other one imports. Each is a program of its own. */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { filesBelow } from './prepare.mjs';

const nameOf = (file) => basename(file, '.ts');

export function benchmarks(tree) {
  const folder = join(tree, 'bench');
  const files = filesBelow(folder, '.ts').filter((file) => dirname(file) === folder);
  const imported = new Set();
  for (const file of files) {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/from '\.\/([^']+)'/g)) imported.add(nameOf(path));
  }
  return files.map(nameOf).filter((name) => !imported.has(name));
}

export function programOf(tree, name) {
  return join(tree, 'dist/bench', `${name}.js`);
}
